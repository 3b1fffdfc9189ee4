//! Calls: a request and its answer over a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use meshwork::{
    Agent, CallError, Declined, MAX_CALL_BODY, MAX_DEADLINE, ReachError, Refusal, ServeError,
    Serving, Standing,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::common::{PATIENCE, acquainted, in_memory, until};

/// What stays out of reach until it is dropped.
struct Dropped(Option<oneshot::Sender<()>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.take().map(|told| told.send(()));
    }
}

fn echo(agent: &Agent) -> Serving {
    agent.serve("echo", |asked| async { Ok(asked.body) }).unwrap()
}

/// A service that never answers, and tells of each call that began and of each that was dropped.
fn endless(agent: &Agent) -> (Serving, mpsc::UnboundedReceiver<oneshot::Receiver<()>>) {
    let (begun, began) = mpsc::unbounded_channel();
    let serving = agent.serve("endless", move |_| {
        let (dropped, is_dropped) = oneshot::channel();
        begun.send(is_dropped).unwrap();
        let dropped = Dropped(Some(dropped));
        async move {
            std::future::pending::<()>().await;
            drop(dropped);
            Ok(Vec::new())
        }
    });
    (serving.unwrap(), began)
}

#[tokio::test]
async fn a_call_is_answered_and_the_next_ones_use_its_session() {
    let (alice, bob) = acquainted().await;
    let _echo = echo(&bob);
    for number in 0..20_u8 {
        assert_eq!(alice.call(bob.id(), "echo", [number]).await, Ok(vec![number]));
    }
    let dealings = alice.peer(bob.id()).await.unwrap().unwrap().dealings;
    // Each end may have said what it holds of the other's prekeys, and given its own.
    assert_eq!(dealings.handshakes, 1);
    assert!((19..=21).contains(&dealings.reuses), "{dealings:?}");
    assert!(dealings.bytes_out > 20 && dealings.bytes_in > 20, "{dealings:?}");
    assert!(dealings.transport.is_some());
    assert_eq!(alice.counters().established, 1);
}

#[tokio::test]
async fn many_calls_at_once_get_their_own_answers() {
    let (alice, bob) = acquainted().await;
    let _late = bob.serve("late", |asked| async move {
        let millis = u64::from(asked.body[0]) % 16;
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(asked.body)
    });
    let calls = (0..200_u8).map(|number| {
        let (alice, bob) = (alice.clone(), bob.id());
        tokio::spawn(async move { (number, alice.call(bob, "late", [number]).await) })
    });
    for call in calls.collect::<Vec<_>>() {
        let (number, answer) = call.await.unwrap();
        assert_eq!(answer, Ok(vec![number]));
    }
}

#[tokio::test]
async fn both_ends_call_and_a_handler_may_call_back() {
    let (alice, bob) = acquainted().await;
    let _names = alice.serve("name", |_| async { Ok(b"alice".to_vec()) }).unwrap();
    let bob_too = bob.clone();
    let greets = bob.serve("greet", move |asked| {
        let bob = bob_too.clone();
        async move {
            let name = bob.call(asked.caller, "name", "").await?;
            Ok([b"hello, ", &name[..]].concat())
        }
    });
    let _greets = greets.unwrap();
    assert_eq!(alice.call(bob.id(), "greet", "").await, Ok(b"hello, alice".to_vec()));
}

#[tokio::test]
async fn the_longest_body_goes_both_ways_and_one_byte_more_is_refused() {
    let (alice, bob) = acquainted().await;
    let _echo = echo(&bob);
    let body = vec![7; MAX_CALL_BODY];
    assert_eq!(alice.call(bob.id(), "echo", body.clone()).await.map(|it| it == body), Ok(true));
    let too_large = alice.call(bob.id(), "echo", vec![7; MAX_CALL_BODY + 1]).await;
    assert_eq!(too_large, Err(CallError::TooLarge));
    let _large = bob.serve("large", |_| async { Ok(vec![0; MAX_CALL_BODY + 1]) }).unwrap();
    let refused = alice.call(bob.id(), "large", "").await;
    assert_eq!(refused, Err(CallError::Refused(Refusal::AnswerTooLarge)));
}

#[tokio::test]
async fn who_is_refused_learns_why_and_whether_it_may_have_run() {
    let (alice, bob) = acquainted().await;
    let declines = |name, declined| bob.serve(name, move |_| async move { Err(declined) }).unwrap();
    let _busy = declines("busy", Declined::Busy);
    let _closed = declines("closed", Declined::NotAllowed);
    let fails =
        bob.serve("fails", |_| async { Ok("no number".parse::<u8>()?.to_be_bytes().into()) });
    let _fails = fails.unwrap();
    let _panics = bob.serve("panics", |_| async { panic!("as it is meant to") }).unwrap();
    for (service, refusal, may_have_run) in [
        ("missing", Refusal::NoSuchService, false),
        ("busy", Refusal::Busy, false),
        ("closed", Refusal::NotAllowed, false),
        ("fails", Refusal::HandlerFailed, true),
        ("panics", Refusal::HandlerFailed, true),
    ] {
        let error = alice.call(bob.id(), service, "").await.unwrap_err();
        assert_eq!(error, CallError::Refused(refusal), "{service}");
        assert_eq!(error.may_have_run(), may_have_run, "{service}");
    }
    // The session stands all the while.
    assert_eq!(alice.counters().established, 1);
}

#[tokio::test]
async fn at_its_deadline_a_call_ends_and_its_handler_is_dropped() {
    let (alice, bob) = acquainted().await;
    let (_endless, mut began) = endless(&bob);
    let call = alice.call(bob.id(), "endless", "").deadline(Duration::from_millis(300));
    let error = call.await.unwrap_err();
    assert_eq!(error, CallError::DeadlinePassed);
    assert!(error.may_have_run());
    timeout(PATIENCE, began.recv().await.unwrap()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled() {
    let (alice, bob) = acquainted().await;
    let (_endless, mut began) = endless(&bob);
    let calling = tokio::spawn({
        let (alice, bob) = (alice.clone(), bob.id());
        async move { alice.call(bob, "endless", "").await }
    });
    let dropped = timeout(PATIENCE, began.recv()).await.unwrap().unwrap();
    calling.abort();
    timeout(PATIENCE, dropped).await.unwrap().unwrap();
    // Others go on.
    let _echo = echo(&bob);
    assert_eq!(alice.call(bob.id(), "echo", "on").await, Ok(b"on".to_vec()));
}

#[tokio::test]
async fn when_the_session_ends_the_caller_is_told_by_name() {
    let (alice, bob) = acquainted().await;
    let (_endless, mut began) = endless(&bob);
    let calling = tokio::spawn({
        let (alice, bob) = (alice.clone(), bob.id());
        async move { alice.call(bob, "endless", "").await }
    });
    timeout(PATIENCE, began.recv()).await.unwrap().unwrap();
    bob.close().await.unwrap();
    let error = timeout(PATIENCE, calling).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error, CallError::Interrupted { may_have_run: true });
    assert!(error.is_worth_a_retry());
}

#[tokio::test]
async fn strangers_and_the_blocked_get_silence() {
    let (alice, bob) = (in_memory().await, in_memory().await);
    alice.meet(bob.card()).await.unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    let counts = bob.serve("counts", {
        let ran = Arc::clone(&ran);
        move |_| {
            ran.fetch_add(1, Ordering::Relaxed);
            async { Ok(Vec::new()) }
        }
    });
    let _counts = counts.unwrap();
    let mut datagrams = bob.datagrams();
    let call = || alice.call(bob.id(), "counts", "").deadline(Duration::from_millis(500));
    alice.datagram(bob.id(), "psst").await.unwrap();
    assert_eq!(call().await, Err(CallError::DeadlinePassed));
    bob.meet(alice.card()).await.unwrap();
    // Once it is known it is answered, over the same session.
    assert_eq!(call().deadline(PATIENCE).await, Ok(Vec::new()));
    alice.datagram(bob.id(), "hello").await.unwrap();
    let datagram = timeout(PATIENCE, datagrams.next()).await.unwrap().unwrap();
    assert_eq!((datagram.sender, &*datagram.body), (alice.id(), &b"hello"[..]));
    assert_eq!(ran.load(Ordering::Relaxed), 1);
    assert_eq!(alice.counters().established, 1);
    bob.stand(alice.id(), Standing::Blocked).await.unwrap();
    assert!(call().await.is_err());
    assert_eq!(ran.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_is_sent() {
    let (alice, bob) = acquainted().await;
    let carol = in_memory().await;
    let call = |service: &str| alice.call(bob.id(), service, "");
    assert!(matches!(call("Not a name").await, Err(CallError::BadName(_))));
    assert_eq!(call("x").deadline(Duration::ZERO).await, Err(CallError::BadDeadline));
    let too_long = MAX_DEADLINE + Duration::from_millis(1);
    assert_eq!(call("x").deadline(too_long).await, Err(CallError::BadDeadline));
    let unknown = CallError::NotReached(ReachError::UnknownPeer);
    assert_eq!(alice.call(carol.id(), "x", "").await, Err(unknown));
    alice.stand(bob.id(), Standing::Blocked).await.unwrap();
    assert_eq!(call("x").await, Err(CallError::NotReached(ReachError::Blocked)));
    assert_eq!(alice.counters().established, 0);
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_said_not_to_be_reached() {
    let (alice, bob) = acquainted().await;
    let id = bob.id();
    bob.close().await.unwrap();
    let error = alice.call(id, "echo", "").await.unwrap_err();
    assert!(matches!(error, CallError::NotReached(ReachError::Unreachable)), "{error:?}");
    assert!(error.is_worth_a_retry() && !error.may_have_run());
}

#[tokio::test]
async fn a_service_is_offered_under_one_name_until_its_guard_is_dropped() {
    let (alice, bob) = acquainted().await;
    let serving = echo(&bob);
    let again = bob.serve("echo", |asked| async { Ok(asked.body) });
    assert_eq!(again.err(), Some(ServeError::NameTaken));
    let bad = bob.serve("Echo", |asked| async { Ok(asked.body) });
    assert!(matches!(bad, Err(ServeError::BadName(_))));
    drop(serving);
    let error = alice.call(bob.id(), "echo", "").await.unwrap_err();
    assert_eq!(error, CallError::Refused(Refusal::NoSuchService));
    let _again = echo(&bob);
    assert!(alice.call(bob.id(), "echo", "").await.is_ok());
}

#[tokio::test]
async fn an_agent_that_stopped_neither_calls_nor_hands_out_datagrams() {
    let (alice, bob) = acquainted().await;
    let mut datagrams = alice.datagrams();
    let handle = alice.clone();
    alice.close().await.unwrap();
    let error = handle.call(bob.id(), "echo", "").await.unwrap_err();
    assert!(matches!(error, CallError::NotReached(ReachError::Stopped(_))), "{error:?}");
    assert_eq!(timeout(PATIENCE, datagrams.next()).await.unwrap(), None);
    // A service that holds its agent does not keep it after it was closed.
    let held = handle.serve("echo", |asked| async { Ok(asked.body) });
    drop(held);
}

#[tokio::test]
async fn datagrams_arrive_and_one_byte_past_the_bound_does_not_leave() {
    let (alice, bob) = acquainted().await;
    let mut datagrams = bob.datagrams();
    let most = vec![7; meshwork::MAX_DATAGRAM];
    alice.datagram(bob.id(), &most).await.unwrap();
    let datagram = timeout(PATIENCE, datagrams.next()).await.unwrap().unwrap();
    assert_eq!((datagram.sender, datagram.body), (alice.id(), most.clone()));
    let too_large = alice.datagram(bob.id(), [&most[..], &[7]].concat()).await;
    assert_eq!(too_large, Err(meshwork::DatagramError::TooLarge));
    // A reader that is behind loses the oldest and knows how many.
    for number in 0..1_100_u16 {
        alice.datagram(bob.id(), number.to_be_bytes()).await.unwrap();
    }
    until(async || bob.peer(alice.id()).await.unwrap().unwrap().dealings.bytes_in >= 1_101 + 3_300)
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let first = datagrams.next().await.unwrap();
    assert!(datagrams.missed() > 0);
    let number = u64::from(u16::from_be_bytes(first.body[..].try_into().unwrap()));
    assert_eq!(number, datagrams.missed());
}
