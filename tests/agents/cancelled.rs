//! Futures that are dropped half-way leave nothing half done.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use meshwork::{Level, MessageId};
use tokio::task::yield_now;

use crate::common::{Home, acquainted, next, read, start};

/// How many futures each of these drops.
const DROPPED: u8 = 60;

/// Polls a future so many times, and drops it unless it was ready by then.
async fn poll_and_drop<T>(times: u8, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut left) = (pin!(future), times);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn id(number: u8) -> MessageId {
    MessageId::from_bytes([number; 16])
}

#[tokio::test]
async fn a_send_that_is_dropped_and_sent_again_arrives_once() {
    let (alice, bob) = acquainted().await;
    let mut sent = BTreeMap::new();
    for number in 0..DROPPED {
        let send = || alice.message(bob.id()).id(id(number)).send([number]);
        poll_and_drop(number % 3, send()).await;
        assert_eq!(send().await, Ok(id(number)));
        sent.insert((alice.id(), id(number)), vec![number]);
    }
    let mut seen = BTreeMap::new();
    read(&bob, usize::from(DROPPED), &mut seen).await;
    assert_eq!(seen, sent);
    assert!(bob.unread().next().await.is_none());
}

#[tokio::test]
async fn an_inbox_whose_futures_are_dropped_hands_out_everything_in_order() {
    let (alice, bob) = acquainted().await;
    for number in 0..DROPPED {
        alice.message(bob.id()).ordered().send([number]).await.unwrap();
    }
    let (mut inbox, mut number, mut tries) = (bob.inbox(), 0, 0_u8);
    while number < DROPPED {
        if let Some(delivery) = poll_and_drop(tries % 3, inbox.next()).await {
            assert_eq!(delivery.unwrap().body, [number]);
            number += 1;
        }
        tries = tries.wrapping_add(1);
        yield_now().await;
    }
}

#[tokio::test]
async fn a_mark_that_is_dropped_can_be_made_again_and_reaches_the_sender() {
    let (alice, bob) = acquainted().await;
    let mut inbox = bob.inbox();
    for number in 0..DROPPED {
        let id = alice.send(bob.id(), [number]).await.unwrap();
        let delivery = next(&mut inbox).await;
        poll_and_drop(number % 3, delivery.processed()).await;
        delivery.processed().await.unwrap();
        assert_eq!(alice.settled(id).await.unwrap().level, Level::Processed);
    }
}

#[tokio::test]
async fn an_agent_whose_close_or_start_is_dropped_lets_go_of_its_state() {
    let home = Home::new();
    let id = home.listening().await.id();
    for number in 0..10 {
        let agent = start(|| home.builder()).await;
        assert_eq!(agent.id(), id);
        poll_and_drop(number % 4, agent.close()).await;
        poll_and_drop(number % 5, home.builder().start()).await;
    }
    assert_eq!(start(|| home.builder()).await.id(), id);
}
