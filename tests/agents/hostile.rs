//! Whatever may come to the port: silence there, a word of it here, and sessions that stand go on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use meshwork::live::{Fault, SessionError};
use meshwork::{Agent, Event, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::common::{PATIENCE, acquainted, in_memory, introduce, next, until, wait_for};

/// A session between two agents, and that it works.
async fn established() -> (Agent, Agent) {
    let (alice, bob) = acquainted().await;
    works(&alice, &bob).await;
    (alice, bob)
}

async fn works(alice: &Agent, bob: &Agent) {
    let id = alice.send(bob.id(), "still there").await.unwrap();
    alice.delivered(id).await.unwrap();
    let delivery = next(&mut bob.inbox()).await;
    assert_eq!((delivery.id, delivery.text()), (id, Some("still there")));
    delivery.processed().await.unwrap();
}

/// Sends bytes to a port, and returns what comes back before the connection ends.
async fn answer_to(place: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(place).await.unwrap();
    // The other end may have closed before all of it was taken.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    match timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it was left open") {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    answer
}

#[tokio::test]
async fn garbage_gets_silence_and_is_told_of_and_a_session_goes_on() {
    let (alice, bob) = established().await;
    let mut watch = bob.watch();
    let garbage: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        vec![0xff; 100_000],
        vec![0; 100_000],
        // A length that is right, a suite that exists, and nothing behind it that is a key.
        [&[0x04, 0xc1, 0x01], [0; 1_216].as_slice()].concat(),
        [&[0x04, 0xc1, 0x02], [0xff; 1_216].as_slice()].concat(),
        [&[0x04, 0xc1, 0x77], [7; 1_216].as_slice()].concat(),
    ];
    for bytes in &garbage {
        let answer = answer_to(bob.listening()[0], bytes).await;
        assert!(answer.is_empty(), "an answer to {:?}", bytes.get(..8));
    }
    let why = wait_for(&mut watch, |event| match event {
        Event::Rejected { why, .. } => Some(why),
        _ => None,
    });
    assert_eq!(why.await.fault(), Fault::PeerMisbehaved);
    assert_eq!(bob.counters().rejected, garbage.len() as u64);
    works(&alice, &bob).await;
    assert_eq!(bob.counters().broken, 0);
}

#[tokio::test]
async fn an_oversized_message_is_refused_before_it_is_read() {
    let (alice, bob) = established().await;
    let mut watch = bob.watch();
    let mut stream = TcpStream::connect(bob.listening()[0]).await.unwrap();
    stream.write_all(&4_097_u16.to_be_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty());
    let why = wait_for(&mut watch, |event| match event {
        Event::Rejected { why, .. } => Some(why),
        _ => None,
    });
    assert_eq!(why.await, SessionError::MessageTooLong);
    works(&alice, &bob).await;
}

#[tokio::test]
async fn a_connection_on_which_nothing_comes_is_closed_after_five_seconds() {
    let (alice, bob) = established().await;
    let place = bob.listening()[0];
    let start = std::time::Instant::now();
    let (silent, half) = tokio::join!(answer_to(place, &[]), answer_to(place, &[0x04]));
    assert_eq!((silent, half), (vec![], vec![]));
    assert!(start.elapsed() >= Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(bob.counters().abandoned, 2);
    works(&alice, &bob).await;
}

#[tokio::test]
async fn those_who_do_not_prove_themselves_make_room_for_each_other_and_not_at_a_peers_cost() {
    const AT_MOST: usize = 4;
    let limits = Limits { of_prefix: AT_MOST, ..Limits::default() };
    let bob = Agent::builder().in_memory().listen("127.0.0.1:0").limits(limits);
    let (alice, bob) = (in_memory().await, bob.start().await.unwrap());
    introduce(&alice, &bob).await;
    works(&alice, &bob).await;
    let mut idle = Vec::new();
    for _ in 0..AT_MOST + 20 {
        idle.push(TcpStream::connect(bob.listening()[0]).await.unwrap());
    }
    until(async || bob.counters().evicted == 20).await;
    works(&alice, &bob).await;
    // Somebody new still gets in: it proves itself sooner than it is chosen to go.
    let carol = in_memory().await;
    introduce(&carol, &bob).await;
    works(&carol, &bob).await;
}

#[tokio::test]
async fn a_session_that_is_cut_off_in_the_middle_is_told_of_and_replaced() {
    // Bob is behind something that can cut the line.
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = format!("tcp:{}", relay.local_addr().unwrap()).parse().unwrap();
    let bob = Agent::builder().in_memory().listen("127.0.0.1:0").advertise(behind);
    let (alice, bob) = (in_memory().await, bob.start().await.unwrap());
    introduce(&alice, &bob).await;
    let (cut, target) = (Arc::new(Notify::new()), bob.listening()[0]);
    let cutting = Arc::clone(&cut);
    tokio::spawn(async move {
        while let Ok((mut from, _)) = relay.accept().await {
            let mut to = TcpStream::connect(target).await.unwrap();
            let both = tokio::io::copy_bidirectional(&mut from, &mut to);
            tokio::select! {
                _ = both => {}
                () = cutting.notified() => {}
            }
        }
    });
    works(&alice, &bob).await;
    let mut watch = alice.watch();
    cut.notify_one();
    let why = wait_for(&mut watch, |event| match event {
        Event::Broken { why, .. } => Some(why),
        _ => None,
    });
    assert_eq!(why.await, SessionError::Truncated);
    works(&alice, &bob).await;
    assert_eq!(alice.counters().established, 2);
}

#[tokio::test]
async fn a_forged_tcp_record_ends_the_connection_and_the_session_is_made_anew() {
    // Bob is behind something that can say something of its own.
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = format!("tcp:{}", relay.local_addr().unwrap()).parse().unwrap();
    let bob = Agent::builder().in_memory().listen("127.0.0.1:0").advertise(behind);
    let (alice, bob) = (in_memory().await, bob.start().await.unwrap());
    introduce(&alice, &bob).await;
    let (forge, target) = (Arc::new(Notify::new()), bob.listening()[0]);
    let forging = Arc::clone(&forge);
    tokio::spawn(async move {
        while let Ok((mut from, _)) = relay.accept().await {
            let mut to = TcpStream::connect(target).await.unwrap();
            loop {
                let both = tokio::io::copy_bidirectional(&mut from, &mut to);
                tokio::select! {
                    _ = both => break,
                    () = forging.notified() => {}
                }
                // A record of forty bytes, as good as anybody's without the key.
                let _ = to.write_all(&[[0, 40].as_slice(), &[7; 40]].concat()).await;
            }
        }
    });
    works(&alice, &bob).await;
    let mut watch = bob.watch();
    forge.notify_one();
    let why = wait_for(&mut watch, |event| match event {
        Event::Broken { why, .. } => Some(why),
        _ => None,
    });
    assert!(matches!(why.await, SessionError::Record(_)));
    works(&alice, &bob).await;
    assert_eq!(alice.counters().established, 2);
}
