//! A relay that an agent runs, and two agents that are never there together.

use std::time::Duration;

use meshwork::live::call::Refusal;
use meshwork::{Agent, CallError, Level, RelaySettings, Relaying};

use crate::common::{Home, in_memory, next, start, until};

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
