//! A relay that an agent runs, and two agents that are never there together.

use std::time::{Duration, Instant};

use meshwork::live::call::Refusal;
use meshwork::{
    Agent, CallError, FirstContact, Level, PrekeySettings, RelaySettings, Relaying, StartError,
    Transport,
};
use meshwork_protocols::relay::{Answer, KeyKind, Request, SERVICE, TakeId, Taken};
use tokio::time::sleep;

use crate::common::{Home, in_memory, introduce, next, start, until};

/// An agent that is a relay.
async fn relay(home: &Home) -> (Agent, Relaying) {
    let agent = home.listening().await;
    let settings = RelaySettings::new(home.path().join("relay.redb"));
    let relaying = agent.relay(settings).await.unwrap();
    (agent, relaying)
}

/// An agent whose card names the relay.
async fn served(home: &Home, relay: &Agent) -> Agent {
    let contact = relay.contact().unwrap();
    start(|| home.builder().listen("127.0.0.1:0").relay(contact.clone())).await
}

#[tokio::test]
async fn two_agents_that_are_never_there_together_write_to_each_other_over_a_relay_that_restarts() {
    let (at_relay, at_alice, at_bob) = (Home::new(), Home::new(), Home::new());
    let (relay_agent, relaying) = relay(&at_relay).await;
    let bob = served(&at_bob, &relay_agent).await;
    let alice = served(&at_alice, &relay_agent).await;
    // Cards go by hand; keys and mail over the relay.
    alice.meet(bob.card()).await.unwrap();
    bob.meet(alice.card()).await.unwrap();
    until(async || {
        bob.relays().iter().all(|(_, state)| state.prekeys.is_some_and(|keys| keys > 0))
    })
    .await;
    let (to_bob, place) = (bob.id(), relay_agent.listening()[0]);
    alice.close().await.unwrap();
    bob.close().await.unwrap();

    let alice = served(&at_alice, &relay_agent).await;
    let id = alice.send(to_bob, "while you were away").await.unwrap();
    until(async || alice.status(id).await.unwrap().unwrap().level == Level::Relayed).await;
    alice.close().await.unwrap();
    drop(relaying);
    relay_agent.close().await.unwrap();

    let relay_agent = at_relay.listening_at(place).await;
    let settings = RelaySettings::new(at_relay.path().join("relay.redb"));
    let relaying = relay_agent.relay(settings).await.unwrap();
    let bob = served(&at_bob, &relay_agent).await;
    let delivery = next(&mut bob.inbox()).await;
    assert_eq!(delivery.body, b"while you were away");
    delivery.processed().await.unwrap();
    until(async || relaying.metrics().acknowledged >= 1).await;
}

#[tokio::test]
async fn who_closes_while_a_session_with_its_relay_is_opened_has_what_waits_for_it_sent() {
    let (at_relay, at_bob) = (Home::new(), Home::new());
    let (relay_agent, _relaying) = relay(&at_relay).await;
    let bob = served(&at_bob, &relay_agent).await;
    // It tells its relay whose mail it wants, which is not given up and not waited for in vain.
    let start = Instant::now();
    bob.close().await.unwrap();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn strangers_may_call_the_relay_and_nothing_else() {
    let home = Home::new();
    let (relay_agent, _relaying) = relay(&home).await;
    let _closed = relay_agent.serve("echo", |asked| async move { Ok(asked.body) }).unwrap();
    let stranger = in_memory().await;
    stranger.meet(relay_agent.card()).await.unwrap();
    let call = |service| {
        stranger.call(relay_agent.id(), service, vec![1, 0xff]).deadline(Duration::from_secs(20))
    };
    assert!(call("meshwork.relay.v1").await.is_ok());
    let refused = call("echo").await;
    assert!(matches!(refused, Err(CallError::Refused(Refusal::NoSuchService))), "{refused:?}");
}

#[tokio::test]
async fn a_relay_holds_strangers_to_the_rules_of_the_recipient_and_takes_mail_of_its_contacts() {
    let (at_relay, at_bob) = (Home::new(), Home::new());
    let (relay_agent, relaying) = relay(&at_relay).await;
    let contact = relay_agent.contact().unwrap();
    let bob = start(|| {
        let builder = at_bob.builder().listen("127.0.0.1:0").relay(contact.clone());
        builder.first_contact(FirstContact::Drop)
    })
    .await;
    let (friend, stranger) = (in_memory().await, in_memory().await);
    for agent in [&friend, &stranger] {
        agent.meet(bob.card()).await.unwrap();
    }
    bob.meet(friend.card()).await.unwrap();
    // Rules go before keys.
    until(async || bob.relays().iter().all(|(_, state)| state.prekeys.is_some_and(|it| it > 0)))
        .await;
    let to_bob = bob.id();
    // The contact may be newer than the rules that went first: the next follow within a second.
    sleep(Duration::from_millis(1_500)).await;
    bob.close().await.unwrap();
    stranger.send(to_bob, "let me in").await.unwrap();
    let refused = || relaying.metrics().refusals.get("unwanted").copied().unwrap_or_default();
    until(async || refused() > 0).await;
    let id = friend.send(to_bob, "it is me").await.unwrap();
    until(async || friend.status(id).await.unwrap().unwrap().level == Level::Relayed).await;
    assert_eq!(relaying.metrics().deposits, 1);
}

#[tokio::test]
async fn a_pool_that_runs_low_is_filled_at_once_because_the_relay_says_so() {
    let (at_relay, at_bob) = (Home::new(), Home::new());
    let (relay_agent, relaying) = relay(&at_relay).await;
    let contact = relay_agent.contact().unwrap();
    let prekeys = PrekeySettings { pool_size: 1, ..PrekeySettings::default() };
    let bob = start(|| {
        let builder = at_bob.builder().listen("127.0.0.1:0").relay(contact.clone());
        builder.prekeys(prekeys)
    })
    .await;
    until(async || bob.relays().iter().all(|(_, state)| state.prekeys == Some(1))).await;
    let asker = in_memory().await;
    asker.meet(relay_agent.card()).await.unwrap();
    let take = async |number: u8| {
        let (target, kind, id) = (bob.id(), KeyKind::Prekeys, TakeId([number; 16]));
        let request = Request::Take { target, kind, id }.encode();
        let answer = asker.call(relay_agent.id(), SERVICE, request).await.unwrap();
        Answer::decode(&answer).unwrap()
    };
    let is_key =
        |answer: &Answer| matches!(answer, Answer::Taken(Taken::Prekeys { one_time: Some(_), .. }));
    assert!(is_key(&take(1).await));
    // The pool is looked at every five minutes otherwise.
    for number in 2.. {
        if is_key(&take(number).await) {
            break;
        }
        assert!(number < 100, "it was not filled within ten seconds");
        sleep(Duration::from_millis(100)).await;
    }
    // What is answered is counted a moment later.
    until(async || relaying.metrics().keys_taken == 2).await;
}

#[tokio::test]
async fn mail_that_is_too_large_for_a_udp_session_with_the_relay_goes_over_another() {
    let (at_relay, at_bob) = (Home::new(), Home::new());
    let (relay_agent, relaying) = relay(&at_relay).await;
    let bob = served(&at_bob, &relay_agent).await;
    let alice = in_memory().await;
    alice.meet(relay_agent.card()).await.unwrap();
    introduce(&alice, &bob).await;
    until(async || bob.relays().iter().all(|(_, state)| state.prekeys.is_some_and(|it| it > 0)))
        .await;
    let to_bob = bob.id();
    bob.close().await.unwrap();
    let asked = Request::GetCard(to_bob).encode();
    alice.call(relay_agent.id(), SERVICE, asked).via(Transport::Udp).await.unwrap();
    let large = vec![7; 200 << 10];
    let id = alice.send(to_bob, large.clone()).await.unwrap();
    until(async || alice.status(id).await.unwrap().unwrap().level == Level::Relayed).await;
    assert_eq!(relaying.metrics().deposits, 1);
    let bob = served(&at_bob, &relay_agent).await;
    assert_eq!(next(&mut bob.inbox()).await.body, large);
}

#[tokio::test]
async fn an_agent_that_speaks_udp_alone_is_refused_a_relay_by_name() {
    let relay_agent = in_memory().await;
    let builder = Agent::builder().in_memory().transports(&[Transport::Udp]);
    let refused = builder.relay(relay_agent.contact().unwrap()).start().await;
    assert!(matches!(refused, Err(StartError::RelayTransport)));
}
