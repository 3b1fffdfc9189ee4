//! Three relays in processes of their own, of which one is killed and one stopped by turns, and two
//! agents that reach each other through them alone.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use meshwork::identity::Transport::Tcp;
use meshwork::{Agent, AgentId, Contact, Level, MessageId};
use tokio::time::{Instant, sleep, timeout};

use super::home::{Home, Up};

const RELAYS: [&str; 3] = ["relay-1", "relay-2", "relay-3"];

/// How long it may take until all has arrived. What was left with a relay that was gone while the
/// conversation went on may open no more, and is sealed anew after a minute.
const CALM: Duration = Duration::from_secs(3 * 60);

/// How long one is gone and one stopped.
const A_TURN: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread")]
async fn relays_that_are_killed_and_stopped_by_turns_lose_no_message_and_double_none() {
    by_turns(3).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute long: `.ci/nightly` runs it"]
async fn sixty_turns_of_relays_lose_no_message_and_double_none() {
    by_turns(60).await;
}

async fn by_turns(turns: usize) {
    let home = Home::with(&RELAYS);
    let mut relays = RELAYS.map(|name| home.up_with(name, &["--relay"]));
    let contacts = [0, 1, 2].map(|at: usize| relays[at].contact.parse::<Contact>().unwrap());
    let (alice, bob) =
        (agent(&home, "alice", &contacts).await, agent(&home, "bob", &contacts).await);
    alice.meet(bob.card()).await.unwrap();
    bob.meet(alice.card()).await.unwrap();
    until("the relays have the keys", async || is_published(&alice) && is_published(&bob)).await;
    let over = Arc::new(AtomicBool::new(false));
    let sending = tokio::spawn(send_until(alice.clone(), bob.id(), Arc::clone(&over)));
    let reading = tokio::spawn(read(bob.clone()));
    for turn in 0..turns {
        take_a_turn(&home, &mut relays, turn).await;
    }
    over.store(true, Ordering::Relaxed);
    let sent = sending.await.unwrap();
    assert!(sent.len() > 10 * turns, "too little was sent in {turns} turns: {}", sent.len());
    for id in &sent {
        until("the receipt", async || {
            let status = alice.status(*id).await.unwrap();
            status.is_some_and(|status| status.level == Level::Processed)
        })
        .await;
    }
    bob.close().await.unwrap();
    let shown = reading.await.unwrap();
    assert_eq!(shown, sent);
    println!("{} messages in {turns} turns", sent.len());
}

/// One relay is killed, the next does not answer for a while, and then both are back.
async fn take_a_turn(home: &Home, relays: &mut [Up; 3], turn: usize) {
    let (killed, stopped) = (turn % 3, (turn + 1) % 3);
    sleep(A_TURN / 2).await;
    relays[killed].kill();
    relays[stopped].signal("STOP");
    sleep(A_TURN).await;
    relays[stopped].signal("CONT");
    relays[killed] = home.up_with(RELAYS[killed], &["--relay"]);
}

/// An agent that nobody can dial.
async fn agent(home: &Home, name: &str, relays: &[Contact]) -> Agent {
    let builder = Agent::builder()
        .state(home.path(name))
        .witness(home.path("witnesses").join(name))
        // Over TCP the end of a process is known at once.
        .transports(&[Tcp]);
    let named = relays.iter().fold(builder, |builder, relay| builder.relay(relay.clone()));
    named.start().await.unwrap()
}

fn is_published(agent: &Agent) -> bool {
    agent.relays().iter().all(|(_, state)| state.prekeys.is_some_and(|keys| keys > 0))
}

async fn send_until(from: Agent, to: AgentId, over: Arc<AtomicBool>) -> HashSet<MessageId> {
    let mut sent = HashSet::new();
    while !over.load(Ordering::Relaxed) {
        sent.insert(from.send(to, format!("message {}", sent.len())).await.unwrap());
        sleep(Duration::from_millis(10)).await;
    }
    sent
}

/// Reads and marks until the agent is closed.
async fn read(agent: Agent) -> HashSet<MessageId> {
    let mut shown = HashSet::new();
    let mut inbox = agent.inbox();
    drop(agent);
    while let Some(delivery) = inbox.next().await {
        assert!(shown.insert(delivery.id), "{} came twice", delivery.id);
        if delivery.processed().await.is_err() {
            break;
        }
    }
    shown
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let held = timeout(CALM, waiting).await;
    assert!(held.is_ok(), "in vain for {:?}: {what}", begun.elapsed());
}
