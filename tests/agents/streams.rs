//! Streams of bytes between agents.

use std::time::Duration;

use meshwork::identity::Transport;
use meshwork::{
    Agent, OpenStreamError, ReachError, Standing, Stream, StreamCode, StreamError, TakeStreamsError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::common::{
    PATIENCE, acquainted, acquainted_over, in_memory, in_memory_over, next, until,
};

const NAME: &str = "files";

/// A stream from the first agent to the second, and both ends of it.
async fn stream(from: &Agent, to: &Agent) -> (Stream, Stream) {
    let mut coming = to.streams(NAME).unwrap();
    let opened = from.open_stream(to.id(), NAME).await.unwrap();
    let taken = timeout(PATIENCE, coming.next()).await.unwrap().unwrap();
    (opened, taken)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect()
}

fn why(error: &std::io::Error) -> StreamError {
    StreamError::of(error).expect("an error that names what happened")
}

#[tokio::test]
async fn a_stream_carries_bytes_both_ways_and_each_way_ends_by_itself() {
    let (alice, bob) = acquainted().await;
    let (mut here, mut there) = stream(&alice, &bob).await;
    assert_eq!((there.peer(), there.name()), (alice.id(), NAME));
    let bytes = pattern(5_000_000);
    let sent = bytes.clone();
    let writing = tokio::spawn(async move {
        here.write_all(&sent).await.unwrap();
        assert_eq!(here.finish().await, Ok(sent.len() as u64));
        let mut answer = String::new();
        here.read_to_string(&mut answer).await.unwrap();
        (answer, here.progress())
    });
    let mut read = Vec::new();
    there.read_to_end(&mut read).await.unwrap();
    assert!(read == bytes);
    there.write_all(b"got it").await.unwrap();
    there.shutdown().await.unwrap();
    let (answer, progress) = timeout(PATIENCE, writing).await.unwrap().unwrap();
    assert_eq!(answer, "got it");
    assert_eq!((progress.acknowledged, progress.read), (bytes.len() as u64, 6));
}

#[tokio::test]
async fn who_writes_faster_than_the_peer_reads_waits() {
    // What a stream may keep that nobody reads: over QUIC the window of one stream.
    for (transport, most) in [(Transport::Tcp, 1 << 20), (Transport::Quic, 4 << 20)] {
        writes_faster_than_the_peer_reads(transport, most).await;
    }
}

async fn writes_faster_than_the_peer_reads(transport: Transport, most: usize) {
    let (alice, bob) = acquainted_over(transport).await;
    let (mut here, mut there) = stream(&alice, &bob).await;
    let chunk = pattern(64 << 10);
    let mut written = 0;
    while let Ok(taken) = timeout(Duration::from_millis(500), here.write(&chunk)).await {
        written += taken.unwrap();
    }
    assert!(written < most, "{written} bytes went where nobody reads, over {transport}");
    let mut read = vec![0; written];
    there.read_exact(&mut read).await.unwrap();
    timeout(PATIENCE, here.write_all(&chunk)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_name_that_nobody_takes_is_refused_by_name() {
    let (alice, bob) = acquainted().await;
    let mut refused = alice.open_stream(bob.id(), "unknown").await.unwrap();
    let error = timeout(PATIENCE, refused.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(why(&error), StreamError::Reset(StreamCode::NAME_UNKNOWN));
    assert_eq!(refused.finish().await, Err(StreamError::Stopped(StreamCode::NAME_UNKNOWN)));
    assert!(matches!(
        alice.open_stream(bob.id(), "Not a name").await,
        Err(OpenStreamError::BadName(_))
    ));
    let taken = bob.streams(NAME).unwrap();
    assert!(matches!(bob.streams(NAME), Err(TakeStreamsError::NameTaken)));
    drop(taken);
    assert!(bob.streams(NAME).is_ok(), "the name is free again");
}

#[tokio::test]
async fn streams_are_refused_by_name_where_the_transport_carries_none() {
    let (alice, bob) = acquainted().await;
    let opened = alice.open_stream_via(bob.id(), NAME, Transport::Udp).await;
    assert!(matches!(opened, Err(OpenStreamError::NeedsQuicOrTcp)));
    let nobody = in_memory().await.id();
    let opened = alice.open_stream(nobody, NAME).await;
    assert!(matches!(opened, Err(OpenStreamError::NotReached(ReachError::UnknownPeer))));
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_an_error_at_the_other_end_and_never_an_end() {
    let (alice, bob) = acquainted().await;
    let (mut here, mut there) = stream(&alice, &bob).await;
    here.write_all(b"half of it").await.unwrap();
    here.flush().await.unwrap();
    drop(here);
    let error = timeout(PATIENCE, there.read_to_end(&mut Vec::new())).await.unwrap().unwrap_err();
    assert_eq!(why(&error), StreamError::Reset(StreamCode::DROPPED));
    let code = StreamCode(StreamCode::FIRST_OF_APPLICATION.0 + 7);
    let (mut here, there) = stream(&alice, &bob).await;
    there.abandon(code);
    let written = timeout(PATIENCE, async {
        loop {
            if let Err(error) = here.write_all(&pattern(10_000)).await {
                return error;
            }
        }
    });
    assert_eq!(why(&written.await.unwrap()), StreamError::Stopped(code));
}

#[tokio::test]
async fn what_was_shut_down_still_arrives_when_its_writer_is_gone() {
    let (alice, bob) = acquainted().await;
    let (mut here, mut there) = stream(&alice, &bob).await;
    let bytes = pattern(200_000);
    here.write_all(&bytes).await.unwrap();
    here.shutdown().await.unwrap();
    drop(here);
    let mut read = Vec::new();
    timeout(PATIENCE, there.read_to_end(&mut read)).await.unwrap().unwrap();
    assert!(read == bytes);
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_says_how_much_the_peer_is_known_to_have_taken() {
    // Over QUIC only what is beyond the peer's window is known to be taken.
    let (alice, bob) = acquainted_over(Transport::Tcp).await;
    let (mut here, mut there) = stream(&alice, &bob).await;
    here.write_all(&pattern(100_000)).await.unwrap();
    let mut read = vec![0; 60_000];
    there.read_exact(&mut read).await.unwrap();
    until(async || here.progress().acknowledged > 0).await;
    let known = here.progress().acknowledged;
    assert!(known <= 60_000);
    // The process of the peer is gone.
    drop(bob);
    let error = timeout(PATIENCE, here.read_u8()).await.unwrap().unwrap_err();
    let StreamError::SessionOver { taken } = why(&error) else { panic!("{error}") };
    assert!((known..=60_000).contains(&taken), "{taken} of 60,000");
    assert_eq!(here.finish().await, Err(StreamError::SessionOver { taken }));
    // The reader's end hears of the loss behind what had come, and of no end.
    let rest = timeout(PATIENCE, there.read_to_end(&mut Vec::new())).await.unwrap().unwrap_err();
    assert!(matches!(why(&rest), StreamError::SessionOver { .. }));
}

#[tokio::test]
async fn a_session_that_ends_in_good_order_is_no_end_of_its_streams() {
    let (alice, bob) = acquainted().await;
    let (mut here, mut there) = stream(&alice, &bob).await;
    here.write_all(b"so far").await.unwrap();
    let mut so_far = [0; 6];
    there.read_exact(&mut so_far).await.unwrap();
    alice.close().await.unwrap();
    let error = timeout(PATIENCE, there.read_to_end(&mut Vec::new())).await.unwrap().unwrap_err();
    assert_eq!(why(&error), StreamError::SessionOver { taken: 0 });
}

#[tokio::test]
async fn a_stranger_opens_no_stream_over_quic_until_the_owner_knows_it() {
    let alice = in_memory_over(Transport::Quic).await;
    let bob = in_memory_over(Transport::Quic).await;
    alice.meet(bob.card()).await.unwrap();
    let mut coming = bob.streams(NAME).unwrap();
    let error = alice.open_stream(bob.id(), NAME).await.unwrap_err();
    assert_eq!(error, OpenStreamError::TooMany);
    assert!(timeout(Duration::from_millis(10), coming.next()).await.is_err());
    // The same session will do from now on.
    bob.meet(alice.card()).await.unwrap();
    bob.stand(alice.id(), Standing::Known).await.unwrap();
    let mut stream = alice.open_stream(bob.id(), NAME).await.unwrap();
    stream.write_all(b"now").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    let mut taken = timeout(PATIENCE, coming.next()).await.unwrap().unwrap();
    taken.read_to_string(&mut text).await.unwrap();
    assert_eq!((text.as_str(), alice.counters().established), ("now", 1));
}

#[tokio::test]
async fn a_strangers_stream_over_tcp_hears_nothing_until_the_owner_knows_it() {
    let alice = in_memory_over(Transport::Tcp).await;
    let bob = in_memory_over(Transport::Tcp).await;
    alice.meet(bob.card()).await.unwrap();
    let mut coming = bob.streams(NAME).unwrap();
    let mut silent = alice.open_stream(bob.id(), NAME).await.unwrap();
    silent.write_all(b"anybody there?").await.unwrap();
    let heard = timeout(Duration::from_millis(500), silent.read_u8()).await;
    assert!(heard.is_err(), "a stranger heard {heard:?}");
    assert!(timeout(Duration::from_millis(10), coming.next()).await.is_err());
    // Writing on after the owner has met it ends the session that was not listened to.
    bob.meet(alice.card()).await.unwrap();
    bob.stand(alice.id(), Standing::Known).await.unwrap();
    let error = loop {
        if let Err(error) = silent.write_all(b"and now?").await {
            break error;
        }
        sleep(Duration::from_millis(10)).await;
    };
    assert!(why(&error).is_worth_a_retry());
    let taken = async {
        loop {
            if let Ok(mut stream) = alice.open_stream(bob.id(), NAME).await {
                stream.write_all(b"now").await.unwrap();
                stream.shutdown().await.unwrap();
                let mut text = String::new();
                coming.next().await.unwrap().read_to_string(&mut text).await.unwrap();
                return text;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert_eq!(timeout(PATIENCE, taken).await.unwrap(), "now");
}

#[tokio::test]
async fn messages_go_on_beside_a_stream_that_takes_all_it_can() {
    let (alice, bob) = acquainted().await;
    let (mut here, mut there) = stream(&alice, &bob).await;
    let writing = tokio::spawn(async move {
        let chunk = pattern(64 << 10);
        while here.write_all(&chunk).await.is_ok() {}
    });
    let reading = tokio::spawn(async move {
        let mut into = vec![0; 64 << 10];
        while there.read(&mut into).await.is_ok() {}
    });
    let mut inbox = bob.inbox();
    for number in 0..20 {
        let id = alice.send(bob.id(), format!("{number}")).await.unwrap();
        assert_eq!(next(&mut inbox).await.id, id);
        alice.delivered(id).await.unwrap();
    }
    // The largest message finds room too.
    alice.send(bob.id(), vec![7; meshwork::MAX_BODY]).await.unwrap();
    assert_eq!(next(&mut inbox).await.body.len(), meshwork::MAX_BODY);
    writing.abort();
    reading.abort();
}
