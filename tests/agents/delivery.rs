//! What arrives, and what the sender hears of it.

use std::time::Duration;

use meshwork::posture::Posture;
use meshwork::{Event, Level, MAX_BODY, MessageId, Protocol, Reason};
use tokio::time::timeout;

use crate::common::{Home, acquainted, in_memory, introduce, next, until, wait_for};

#[tokio::test]
async fn a_message_arrives_once_and_its_receipts_lead_to_processed() {
    let (alice, bob) = acquainted().await;
    let mut watch = alice.watch();
    let id = alice.send(bob.id(), "hello").await.unwrap();
    let mut inbox = bob.inbox();
    let delivery = next(&mut inbox).await;
    assert_eq!((delivery.sender, delivery.id, delivery.text()), (alice.id(), id, Some("hello")));
    assert_eq!((delivery.protocol, delivery.posture), (Protocol::Live, Posture::HYBRID));
    assert!(!delivery.repeat);
    assert_eq!(alice.delivered(id).await.unwrap().level, Level::Delivered);
    delivery.processed().await.unwrap();
    let status = alice.settled(id).await.unwrap();
    assert_eq!((status.level, status.choice.reason), (Level::Processed, Reason::SessionStands));

    let mut levels = Vec::new();
    while levels.last() != Some(&Level::Processed) {
        let moved = |event| match event {
            Event::Moved { id: moved, level, .. } => {
                assert_eq!(moved, id);
                Some(level)
            }
            _ => None,
        };
        levels.push(wait_for(&mut watch, moved).await);
    }
    assert_eq!(levels, [Level::Queued, Level::Sent, Level::Delivered, Level::Processed]);
    let more = timeout(Duration::from_millis(200), inbox.next()).await;
    assert!(more.is_err(), "it arrived once");
    delivery.processed().await.unwrap();
}

#[tokio::test]
async fn both_directions_share_the_session_that_one_side_opened() {
    // Nobody can dial Alice.
    let alice = meshwork::Agent::builder().in_memory().start().await.unwrap();
    let bob = in_memory().await;
    introduce(&alice, &bob).await;
    alice.send(bob.id(), "ping").await.unwrap();
    let ping = next(&mut bob.inbox()).await;
    bob.send(ping.sender, "pong").await.unwrap();
    assert_eq!(next(&mut alice.inbox()).await.text(), Some("pong"));
    assert_eq!(alice.counters().established, 1);
}

#[tokio::test]
async fn a_message_to_an_agent_that_is_away_is_held_until_it_comes() {
    let (alice, home) = (in_memory().await, Home::new());
    let bob = home.listening().await;
    let (peer, place) = (bob.id(), bob.listening()[0]);
    introduce(&alice, &bob).await;
    bob.close().await.unwrap();
    let id = alice.send(peer, "for later").await.unwrap();
    until(async || alice.explain(peer).await.unwrap().choice.reason == Reason::NoPath).await;
    let explanation = alice.explain(peer).await.unwrap();
    assert_eq!((explanation.choice.protocol, explanation.waiting), (Protocol::Held, 1));
    assert_eq!(alice.status(id).await.unwrap().unwrap().level, Level::Queued);
    let bob = home.listening_at(place).await;
    let delivery = next(&mut bob.inbox()).await;
    assert_eq!((delivery.id, delivery.text()), (id, Some("for later")));
    assert_eq!(alice.delivered(id).await.unwrap().level, Level::Delivered);
}

#[tokio::test]
async fn the_largest_messages_arrive_whole_both_ways_at_once() {
    let (alice, bob) = acquainted().await;
    let body = |seed: u8| -> Vec<u8> {
        (0..=u8::MAX).map(|at| at ^ seed).cycle().take(MAX_BODY).collect()
    };
    for seed in 0..8 {
        alice.send(bob.id(), body(seed)).await.unwrap();
        bob.send(alice.id(), body(seed)).await.unwrap();
    }
    for agent in [&alice, &bob] {
        let mut inbox = agent.inbox();
        let mut bodies = Vec::new();
        for _ in 0..8 {
            bodies.push(next(&mut inbox).await.body);
        }
        for seed in 0..8 {
            assert!(bodies.contains(&body(seed)), "{seed}");
        }
    }
}

#[tokio::test]
async fn ordered_messages_arrive_in_the_order_in_which_they_were_sent() {
    let (alice, bob) = acquainted().await;
    for number in 0..200_u32 {
        let message = alice.message(bob.id()).ordered();
        message.send(number.to_be_bytes()).await.unwrap();
    }
    let mut inbox = bob.inbox();
    for number in 0..200_u32 {
        assert_eq!(next(&mut inbox).await.body, number.to_be_bytes());
    }
}

#[tokio::test]
async fn what_is_sent_twice_under_one_id_arrives_once() {
    let (alice, bob) = acquainted().await;
    let id = MessageId::from_bytes([7; 16]);
    for _ in 0..3 {
        let again = alice.message(bob.id()).id(id).send("once").await;
        assert_eq!(again, Ok(id));
    }
    let other = alice.message(bob.id()).id(id).send("another").await;
    assert_eq!(other, Err(meshwork::SendError::IdReused));
    alice.send(bob.id(), "behind").await.unwrap();
    let mut inbox = bob.inbox();
    assert_eq!(next(&mut inbox).await.text(), Some("once"));
    assert_eq!(next(&mut inbox).await.text(), Some("behind"));
}

#[tokio::test]
async fn a_message_keeps_its_content_type_and_ends_with_its_lifetime() {
    let (alice, home) = (in_memory().await, Home::new());
    let bob = home.listening().await;
    introduce(&alice, &bob).await;
    let json = alice.message(bob.id()).content_type("application/json".parse().unwrap());
    json.send("{}").await.unwrap();
    let delivery = next(&mut bob.inbox()).await;
    assert_eq!(delivery.content_type.as_str(), "application/json");
    let peer = bob.id();
    bob.close().await.unwrap();
    let id = alice.message(peer).lifetime(Duration::from_secs(1)).send("brief").await.unwrap();
    assert_eq!(alice.settled(id).await.unwrap().level, Level::Expired);
}

#[tokio::test]
async fn an_unread_inbox_ends_with_what_is_there() {
    let (alice, bob) = acquainted().await;
    for text in ["one", "two"] {
        let id = alice.send(bob.id(), text).await.unwrap();
        alice.delivered(id).await.unwrap();
    }
    let mut unread = bob.unread();
    assert_eq!(next(&mut unread).await.text(), Some("one"));
    assert_eq!(next(&mut unread).await.text(), Some("two"));
    assert!(unread.next().await.is_none());
}
