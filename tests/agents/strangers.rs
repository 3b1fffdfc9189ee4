//! Agents that are not known, or not who they should be.

use meshwork::live::SessionError;
use meshwork::live::handshake::HandshakeError;
use meshwork::{Agent, Event, FetchError, FirstContact, Level, Standing};
use tokio::time::{Duration, timeout};

use crate::common::{Home, in_memory, introduce, next, start, until, wait_for};

#[tokio::test]
async fn a_stranger_is_held_and_hears_nothing_and_is_answered_once_it_is_accepted() {
    let (alice, bob) = (in_memory().await, in_memory().await);
    alice.meet(bob.card()).await.unwrap();
    let mut watch = bob.watch();
    let id = alice.send(bob.id(), "let me in").await.unwrap();
    let stranger = wait_for(&mut watch, |event| match event {
        Event::FirstContact(stranger) => Some(stranger),
        _ => None,
    });
    assert_eq!(stranger.await, alice.id());
    let strangers = bob.strangers().await.unwrap();
    assert_eq!((strangers.len(), strangers[0].id, strangers[0].messages), (1, alice.id(), 1));
    assert!(bob.unread().next().await.is_none());
    let heard = timeout(Duration::from_millis(300), alice.delivered(id)).await;
    assert!(heard.is_err(), "{heard:?}");
    assert_eq!(alice.status(id).await.unwrap().unwrap().level, Level::Sent);

    bob.stand(alice.id(), Standing::Known).await.unwrap();
    let delivery = next(&mut bob.inbox()).await;
    assert_eq!(delivery.text(), Some("let me in"));
    delivery.processed().await.unwrap();
    assert_eq!(alice.settled(id).await.unwrap().level, Level::Processed);
    assert_eq!(bob.strangers().await.unwrap(), []);
}

#[tokio::test]
async fn whoever_can_prove_an_identity_is_known_where_the_owner_says_so() {
    let alice = in_memory().await;
    let open = Agent::builder().in_memory().listen("127.0.0.1:0");
    let bob = open.first_contact(FirstContact::Accept).start().await.unwrap();
    alice.meet(bob.card()).await.unwrap();
    let id = alice.send(bob.id(), "hello").await.unwrap();
    assert_eq!(alice.delivered(id).await.unwrap().level, Level::Delivered);
    assert_eq!(bob.peers().await.unwrap()[0].id, alice.id());
}

#[tokio::test]
async fn a_blocked_peer_loses_its_session_and_gets_no_other() {
    let (alice, bob) = (in_memory().await, in_memory().await);
    introduce(&alice, &bob).await;
    let id = alice.send(bob.id(), "one").await.unwrap();
    alice.delivered(id).await.unwrap();
    let mut watch = alice.watch();
    bob.stand(alice.id(), Standing::Blocked).await.unwrap();
    wait_for(&mut watch, |event| matches!(event, Event::Disconnected(_)).then_some(())).await;
    let id = alice.send(bob.id(), "two").await.unwrap();
    wait_for(&mut watch, |event| matches!(event, Event::Disconnected(_)).then_some(())).await;
    let level = alice.status(id).await.unwrap().unwrap().level;
    assert!(matches!(level, Level::Queued | Level::Sent), "{level:?}");
    assert_eq!(next(&mut bob.inbox()).await.text(), Some("one"));
    assert_eq!(bob.peers().await.unwrap()[0].standing, Standing::Blocked);
}

#[tokio::test]
async fn a_peer_with_another_key_at_the_address_gets_nothing_and_the_sender_is_told() {
    let (alice, home) = (in_memory().await, Home::new());
    let bob = home.listening().await;
    introduce(&alice, &bob).await;
    let (peer, place) = (bob.id(), bob.listening()[0]);
    bob.close().await.unwrap();
    let open = || {
        let builder = Agent::builder().in_memory().listen(&place.to_string());
        builder.first_contact(FirstContact::Accept)
    };
    let mallory = start(open).await;
    let mut watch = alice.watch();
    let id = alice.send(peer, "for bob alone").await.unwrap();
    let why = wait_for(&mut watch, |event| match event {
        Event::Unreachable { why, .. } => Some(why),
        _ => None,
    });
    let expected = SessionError::Handshake(HandshakeError::KeyNotInCard);
    assert_eq!(why.await, FetchError::Session(expected));
    assert_eq!(alice.status(id).await.unwrap().unwrap().level, Level::Queued);
    assert_eq!(mallory.counters().established, 0);
    assert_eq!(mallory.peers().await.unwrap(), []);
    assert!(mallory.unread().next().await.is_none());
    drop(mallory);
    // The message is still there for the right one.
    let bob = home.listening_at(place).await;
    assert_eq!(next(&mut bob.inbox()).await.id, id);
}

#[tokio::test]
async fn a_peer_whose_keys_moved_on_is_found_by_a_newer_card() {
    let (alice, home) = (in_memory().await, Home::new());
    let bob = home.listening().await;
    introduce(&alice, &bob).await;
    let (peer, place, before) = (bob.id(), bob.listening()[0], bob.card());
    // Two renewals, so that no key of the card that Alice holds is left.
    bob.close().await.unwrap();
    for _ in 0..2 {
        let rotating = home.builder().fresh_card().start().await.unwrap();
        rotating.close().await.unwrap();
    }
    let bob = home.listening_at(place).await;
    assert!(!bob.card().names_live_key(before.live_key()));
    let id = alice.send(peer, "where are you").await.unwrap();
    assert_eq!(alice.delivered(id).await.unwrap().level, Level::Delivered);
    let known = async || alice.card_of(peer).await.unwrap().unwrap().hash();
    until(async || known().await == bob.card().hash()).await;
}
