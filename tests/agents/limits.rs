//! What is full says so, and goes on when there is room.

use std::sync::Arc;

use meshwork::identity::{CardBody, HybridSeeds, LiveKey, Root, Sequence, SigningPair, Validity};
use meshwork::provider::Provider;
use meshwork::provider::aws::AwsLc;
use meshwork::{Agent, Card, MAX_BODY, SendError};
use tokio::task::JoinSet;

/// The most messages, and the most bytes, that wait for one peer.
const MESSAGES: usize = 10_000;
const BYTES: usize = 64 << 20;

/// The card of somebody who is nowhere.
fn nobody() -> Card {
    let random = &mut *AwsLc.random();
    let root = Root::generate(&AwsLc, random).unwrap();
    let pair = SigningPair::from_seeds(&AwsLc, HybridSeeds::random(random)).unwrap();
    let live = LiveKey::generate(&AwsLc, random);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = meshwork::time::WallTime::from_secs(now.as_secs());
    let validity = Validity::starting(now, Validity::MAX);
    let body = CardBody::new(Sequence::new(1), validity, pair.public().clone(), *live.public());
    root.sign_card(&AwsLc, body, random).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_full_says_busy_and_another_peers_is_not() {
    let alice = Agent::builder().in_memory().start().await.unwrap();
    let (one, other) = (nobody(), nobody());
    let (away, also_away) = (one.agent(), other.agent());
    alice.meet(one).await.unwrap();
    alice.meet(other).await.unwrap();
    let mut sending = JoinSet::new();
    let alice = Arc::new(alice);
    for _ in 0..MESSAGES {
        let alice = Arc::clone(&alice);
        sending.spawn(async move { alice.send(away, "").await });
    }
    while let Some(sent) = sending.join_next().await {
        sent.unwrap().unwrap();
    }
    let full = alice.send(away, "").await.unwrap_err();
    assert_eq!(full, SendError::Busy);
    assert!(full.is_worth_a_retry());
    assert!(alice.send(also_away, "").await.is_ok());
    alice.forget(away).await.unwrap();
    assert_eq!(alice.send(away, "").await, Err(SendError::UnknownPeer));
}

#[tokio::test]
async fn a_queue_is_full_by_its_bytes_too() {
    let alice = Agent::builder().in_memory().start().await.unwrap();
    let card = nobody();
    let away = card.agent();
    alice.meet(card).await.unwrap();
    let mut taken = 0;
    let refused = loop {
        match alice.send(away, vec![7; MAX_BODY]).await {
            Ok(_) => taken += MAX_BODY,
            Err(error) => break error,
        }
        assert!(taken <= BYTES);
    };
    assert_eq!(refused, SendError::Busy);
    assert!(taken + 2 * MAX_BODY > BYTES, "{taken}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_at_one_past_the_bound() {
    let alice = Agent::builder().in_memory().start().await.unwrap();
    let card = nobody();
    let away = card.agent();
    alice.meet(card).await.unwrap();
    assert!(alice.send(away, vec![0; MAX_BODY]).await.is_ok());
    let refused = alice.send(away, vec![0; MAX_BODY + 1]).await.unwrap_err();
    assert_eq!(refused, SendError::TooLarge);
    assert!(!refused.is_worth_a_retry());
}

#[tokio::test]
async fn a_slow_watcher_is_told_how_much_it_missed() {
    let alice = Agent::builder().in_memory().start().await.unwrap();
    let card = nobody();
    let away = card.agent();
    alice.meet(card).await.unwrap();
    let mut watch = alice.watch();
    for _ in 0..4_200 {
        alice.send(away, "").await.unwrap();
    }
    let missed = watch.next().await;
    assert!(matches!(missed, Some(meshwork::Event::Missed(1..))), "{missed:?}");
    let next = watch.next().await;
    assert!(matches!(next, Some(meshwork::Event::Moved { .. })), "{next:?}");
}
