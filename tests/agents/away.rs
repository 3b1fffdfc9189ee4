//! Messages for an agent that is away: sealed to the keys that it gave, and opened when it is back.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use meshwork::posture::Posture;
use meshwork::{Agent, AgentId, BundleError, Event, MessageId, PrekeyError, Protocol, Reason};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::ChildStdout;
use tokio::time::sleep;

use crate::common::{Home, builder, in_memory, introduce, next, start, until, wait_for};

/// Says to a child of this test where it lives.
const CHILD: &str = "MESHWORK_TEST_AWAY_HOME";

/// How often the child is killed, and how many messages it has had accepted by then.
const KILLS: usize = 3;
const ACCEPTED: usize = 15;

/// Waits until `agent` holds a bundle and a one-time key of `peer`.
async fn knows_prekeys(agent: &Agent, peer: AgentId) {
    until(async || {
        let known = agent.prekeys().await.unwrap().peers;
        known.iter().any(|known| known.peer == peer && known.one_time)
    })
    .await;
}

/// Waits until a message was sealed for a peer that is away.
async fn is_sealed(agent: &Agent, id: MessageId) {
    until(async || {
        let choice = agent.status(id).await.unwrap().unwrap().choice;
        (choice.protocol, choice.reason) == (Protocol::Deferred, Reason::PeerAwayNoMail)
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_was_stopped_shows_the_three_messages_that_were_sealed_for_it_meanwhile() {
    let (alice, home) = (in_memory().await, Home::new());
    let bob = home.listening().await;
    introduce(&alice, &bob).await;
    let id = alice.send(bob.id(), "here").await.unwrap();
    alice.delivered(id).await.unwrap();
    knows_prekeys(&alice, bob.id()).await;
    let (peer, place) = (bob.id(), bob.listening()[0]);
    next(&mut bob.inbox()).await.processed().await.unwrap();
    let mut watch = alice.watch();
    bob.close().await.unwrap();
    wait_for(&mut watch, |event| matches!(event, Event::Disconnected(_)).then_some(())).await;

    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(alice.send(peer, text).await.unwrap());
    }
    for id in &ids {
        is_sealed(&alice, *id).await;
    }

    let bob = home.listening_at(place).await;
    let mut inbox = bob.inbox();
    for text in ["one", "two", "three"] {
        let delivery = next(&mut inbox).await;
        assert_eq!(delivery.text(), Some(text));
        assert_eq!((delivery.protocol, delivery.posture), (Protocol::Deferred, Posture::HYBRID));
        delivery.processed().await.unwrap();
    }
    for id in ids {
        let status = alice.settled(id).await.unwrap();
        assert_eq!(status.choice.protocol, Protocol::Deferred);
        assert_eq!(status.choice.reason, Reason::SealedBefore);
    }
    // The key for one use is used, and there is another.
    knows_prekeys(&alice, peer).await;
}

#[tokio::test]
async fn a_bundle_that_came_as_a_file_is_enough_to_write_to_an_agent_that_was_never_met() {
    let (alice, home) = (in_memory().await, Home::new());
    let bob = home.listening().await;
    let bundle = bob.export_bundle().await.unwrap();
    let refused = alice.import_bundle(&bundle).await;
    assert_eq!(refused, Err(PrekeyError::UnknownPeer));
    introduce(&alice, &bob).await;
    let (peer, place) = (bob.id(), bob.listening()[0]);
    bob.rotate_prekeys().await.unwrap();
    let newer = bob.export_bundle().await.unwrap();
    bob.close().await.unwrap();

    assert_eq!(alice.import_bundle(&newer).await, Ok(peer));
    let older = alice.import_bundle(&bundle).await;
    assert_eq!(older, Err(PrekeyError::Bundle(BundleError::Older)));
    let mut forged = newer.clone();
    *forged.last_mut().unwrap() ^= 1;
    let forged = alice.import_bundle(&forged).await;
    // The same number and other content: whose is not asked any more.
    assert_eq!(forged, Err(PrekeyError::Bundle(BundleError::Conflict)));
    let id = alice.send(peer, "from the file").await.unwrap();
    is_sealed(&alice, id).await;

    let bob = home.listening_at(place).await;
    let delivery = next(&mut bob.inbox()).await;
    assert_eq!(delivery.text(), Some("from the file"));
    assert_eq!(delivery.protocol, Protocol::Deferred);
    alice.delivered(id).await.unwrap();
}

#[tokio::test]
async fn a_sender_that_is_killed_while_it_seals_loses_and_doubles_nothing() {
    if std::env::var_os(CHILD).is_some() {
        return be_the_child().await;
    }
    let (home_of_alice, home_of_bob) = (Home::new(), Home::new());
    let (alice, bob) = (home_of_alice.listening().await, home_of_bob.listening().await);
    introduce(&alice, &bob).await;
    alice.meet_as(bob.card(), "bob").await.unwrap();
    let id = alice.send(bob.id(), "here").await.unwrap();
    alice.delivered(id).await.unwrap();
    knows_prekeys(&alice, bob.id()).await;
    let (sender, place) = (alice.id(), bob.listening()[0]);
    alice.close().await.unwrap();
    next(&mut bob.inbox()).await.processed().await.unwrap();
    bob.close().await.unwrap();

    let mut promised = Vec::new();
    for _ in 0..KILLS {
        promised.append(&mut accepted_by_a_child(&home_of_alice).await);
    }
    let bob = home_of_bob.listening_at(place).await;
    let alice = start(|| home_of_alice.builder()).await;
    for id in &promised {
        alice.delivered(*id).await.unwrap();
    }
    let (mut unread, mut arrived, mut sealed) = (bob.unread(), BTreeSet::new(), 0);
    while let Some(delivery) = unread.next().await {
        assert_eq!(delivery.sender, sender);
        assert!(arrived.insert(delivery.id), "nothing arrives twice");
        sealed += usize::from(delivery.protocol == Protocol::Deferred);
    }
    assert!(promised.iter().all(|id| arrived.contains(id)), "what was promised arrived");
    assert!(sealed >= KILLS, "each child sealed one at least");
}

/// What a child says was accepted until it is killed.
async fn accepted_by_a_child(home: &Home) -> Vec<MessageId> {
    let mut child = spawn(home);
    let out = ChildStdout::from_std(child.stdout.take().unwrap()).unwrap();
    let mut lines = BufReader::new(out).lines();
    let id =
        |line: &str| line.strip_prefix("accepted ").and_then(|id| id.parse::<MessageId>().ok());
    let mut accepted = Vec::new();
    while accepted.len() < ACCEPTED {
        // The harness says something too.
        let line = lines.next_line().await.unwrap().expect("the child died by itself");
        accepted.extend(id(&line));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    while let Some(line) = lines.next_line().await.unwrap() {
        accepted.extend(id(&line));
    }
    accepted
}

/// Sends until it is killed, once the peer is seen to be away, and says what was accepted.
#[allow(clippy::print_stdout, reason = "it is how the child tells")]
async fn be_the_child() {
    let home = std::env::var_os(CHILD).unwrap();
    let alice = builder(Path::new(&home)).start().await.unwrap();
    let id = alice.send("bob", "the first of a process that dies").await.unwrap();
    is_sealed(&alice, id).await;
    println!("accepted {id}");
    loop {
        let id = alice.send("bob", "from a process that dies").await.unwrap();
        println!("accepted {id}");
        sleep(Duration::from_millis(1)).await;
    }
}

fn spawn(home: &Home) -> Child {
    const NAME: &str = "away::a_sender_that_is_killed_while_it_seals_loses_and_doubles_nothing";
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(CHILD, home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
