//! Agents that are dropped in the middle and start again: what was accepted arrives once.

use std::collections::BTreeMap;
use std::time::Duration;

use meshwork::{Agent, MessageId, Reason, StartError, Stopped};
use tokio::time::{sleep, timeout};

use crate::common::{Home, PATIENCE, in_memory, introduce, is_locked, next, read, start, until};

/// How many messages each of these sends.
const MESSAGES: u32 = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_dropped_in_the_middle_loses_and_doubles_nothing() {
    let (alice, home) = (in_memory().await, Home::new());
    let mut bob = home.listening().await;
    introduce(&alice, &bob).await;
    let place = bob.listening()[0];
    let mut sent = BTreeMap::new();
    for number in 0..MESSAGES {
        let body = number.to_be_bytes().to_vec();
        let id = alice.send(bob.id(), body.clone()).await.unwrap();
        sent.insert((alice.id(), id), body);
    }
    let mut seen = BTreeMap::new();
    for wanted in [20, 100, 200] {
        read(&bob, wanted, &mut seen).await;
        drop(bob);
        bob = home.listening_at(place).await;
    }
    read(&bob, MESSAGES as usize, &mut seen).await;
    assert_eq!(seen, sent);
    assert!(bob.unread().next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_is_dropped_in_the_middle_loses_and_doubles_nothing() {
    let (home, bob) = (Home::new(), in_memory().await);
    let mut alice = home.listening().await;
    introduce(&alice, &bob).await;
    let (id, peer) = (alice.id(), bob.id());
    let reader = tokio::spawn(async move {
        let mut seen = BTreeMap::new();
        read(&bob, MESSAGES as usize, &mut seen).await;
        (bob, seen)
    });
    let mut sent = BTreeMap::new();
    for number in 0..MESSAGES {
        let body = number.to_be_bytes().to_vec();
        let message = alice.send(peer, body.clone()).await.unwrap();
        sent.insert((id, message), body);
        if number % 75 == 74 {
            drop(alice);
            alice = home.listening().await;
        }
    }
    let (bob, seen) = timeout(PATIENCE, reader).await.unwrap().unwrap();
    assert_eq!(seen, sent);
    assert!(bob.unread().next().await.is_none());
}

#[tokio::test]
async fn what_was_not_processed_comes_first_after_a_restart_and_says_so() {
    let (alice, home) = (in_memory().await, Home::new());
    let bob = home.listening().await;
    introduce(&alice, &bob).await;
    for text in ["read", "unread"] {
        let id = alice.send(bob.id(), text).await.unwrap();
        alice.delivered(id).await.unwrap();
    }
    let first = next(&mut bob.inbox()).await;
    assert!(!first.repeat);
    first.processed().await.unwrap();
    let place = bob.listening()[0];
    drop((bob, first));
    let bob = home.listening_at(place).await;
    alice.send(bob.id(), "new").await.unwrap();
    let mut inbox = bob.inbox();
    let unread = next(&mut inbox).await;
    assert_eq!((unread.text(), unread.repeat), (Some("unread"), true));
    let new = next(&mut inbox).await;
    assert_eq!((new.text(), new.repeat), (Some("new"), false));
}

#[tokio::test]
async fn a_closed_agent_lets_go_of_its_state_and_is_the_same_when_it_comes_back() {
    let home = Home::new();
    let alice = home.listening().await;
    let (id, card, other) = (alice.id(), alice.card(), alice.clone());
    alice.close().await.unwrap();
    assert_eq!(other.send(id, "").await, Err(Stopped.into()));
    assert_eq!(other.status(MessageId::from_bytes([0; 16])).await, Err(Stopped.into()));
    assert!(other.inbox().next().await.is_none());
    assert!(other.watch().next().await.is_none());
    // At once: nothing is left that holds it.
    let alice = home.builder().start().await.unwrap();
    assert_eq!((alice.id(), alice.card().hash()), (id, card.hash()));
}

#[tokio::test]
async fn an_agent_at_another_address_says_so_in_a_newer_card() {
    let home = Home::new();
    let alice = home.listening().await;
    let (before, place) = (alice.card(), alice.listening()[0]);
    alice.close().await.unwrap();
    // Taken, so that the next start finds another.
    let _taken = std::net::TcpListener::bind(place).unwrap();
    let alice = home.listening().await;
    let after = alice.card();
    assert!(after.sequence() > before.sequence());
    assert_ne!(after.addresses(), before.addresses());
    assert_eq!(after.live_key(), before.live_key());
}

#[tokio::test]
async fn a_second_agent_on_one_state_is_told_so_and_changes_nothing() {
    let home = Home::new();
    let alice = home.listening().await;
    let second = home.builder().start().await.unwrap_err();
    assert!(is_locked(&second) && second.is_worth_a_retry(), "{second}");
    assert_eq!(second.to_string(), "another process has the state open");
    let bob = in_memory().await;
    introduce(&alice, &bob).await;
    alice.send(bob.id(), "unharmed").await.unwrap();
    assert_eq!(next(&mut bob.inbox()).await.text(), Some("unharmed"));
}

#[tokio::test]
async fn the_key_file_opens_the_state_and_nothing_else_does() {
    let home = Home::new();
    home.listening().await.close().await.unwrap();
    let key = home.state().join("key");
    let text = std::fs::read(&key).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    std::fs::remove_file(&key).unwrap();
    let without = home.builder().start().await.unwrap_err();
    assert!(matches!(without, StartError::Open(meshwork::OpenError::Unlock(_))), "{without}");
    let wrong = meshwork::Unlock::Key(meshwork::secret::Secret::new([1; 32]));
    let with_wrong = home.builder().unlock(wrong).start().await.unwrap_err();
    assert_eq!(with_wrong, StartError::Open(meshwork::OpenError::WrongKey));
    std::fs::write(&key, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert!(home.builder().start().await.is_ok());
}

#[tokio::test]
async fn a_state_under_a_passphrase_asks_for_it() {
    let home = Home::new();
    let passphrase = || meshwork::Unlock::Passphrase(b"correct horse".to_vec().into());
    let alice = home.builder().unlock(passphrase()).start().await.unwrap();
    let id = alice.id();
    alice.close().await.unwrap();
    let without = home.builder().start().await.unwrap_err();
    assert_eq!(without, StartError::UnlockWanted(meshwork::UnlockKind::Passphrase));
    let alice = home.builder().unlock(passphrase()).start().await.unwrap();
    assert_eq!(alice.id(), id);
    assert!(!home.state().join("key").exists());
}

#[tokio::test]
async fn a_session_that_died_with_its_process_is_replaced_when_something_is_to_be_said() {
    let (alice, home) = (in_memory().await, Home::new());
    let bob = home.listening().await;
    introduce(&alice, &bob).await;
    let place = bob.listening()[0];
    let id = alice.send(bob.id(), "one").await.unwrap();
    alice.delivered(id).await.unwrap();
    drop(bob);
    let bob = home.listening_at(place).await;
    let reason = async || alice.explain(bob.id()).await.unwrap().choice.reason;
    until(async || reason().await != Reason::SessionStands).await;
    // Bob remembers Alice, and has something for her.
    bob.send(alice.id(), "two").await.unwrap();
    assert_eq!(next(&mut alice.inbox()).await.text(), Some("two"));
}

#[tokio::test]
async fn an_agent_that_nobody_holds_stops_and_its_streams_end() {
    let home = Home::new();
    let alice = home.listening().await;
    let (mut inbox, mut watch) = (alice.inbox(), alice.watch());
    drop(alice);
    assert!(timeout(PATIENCE, inbox.next()).await.unwrap().is_none());
    while timeout(PATIENCE, watch.next()).await.unwrap().is_some() {}
    let alice: Agent = start(|| home.builder()).await;
    sleep(Duration::from_millis(10)).await;
    alice.close().await.unwrap();
}
