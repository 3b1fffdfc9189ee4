//! What becomes of a message, with and without trouble.

use std::time::Duration;

use crate::common::{DAY, Node, Pair, payload, text};
use meshwork_protocols::wire::{
    Frame, MAX_BODY, MessageId, Payload, Receipt, RefusalReason, Verdict,
};
use meshwork_router::{
    Answer, CloseReason, CommandError, Event, Input, Level, Misbehaviour, Needs, Outgoing,
    PEER_MESSAGES, PathChange, Request,
};

#[test]
fn a_message_arrives_once_and_its_receipts_come_back() {
    let mut pair = Pair::new();
    pair.connect();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["hello"]);
    assert_eq!(pair.b.arrivals(), [(id, false)]);
    assert_eq!(pair.a.level(id), Some(Level::Delivered));

    let sender = pair.a.id();
    let ticket = pair.b.request(Request::Process { sender, id });
    pair.settle();
    assert_eq!(pair.b.answer(ticket), Some(Ok(Answer::Done)));
    assert_eq!(pair.a.level(id), Some(Level::Processed));
    assert!(pair.b.inbox().is_empty());
}

#[test]
fn nothing_leaves_and_nothing_is_said_before_the_batch_is_durable() {
    let mut pair = Pair::new();
    pair.connect();
    let to = pair.b.id();
    let ticket = pair.a.request(Request::Send(text(to, "hello")));
    assert_eq!(pair.a.batches.len(), 1);
    assert!(pair.a.sent.is_empty(), "a frame left before the commit");
    assert_eq!(pair.a.answer(ticket), None, "accepted before the commit");
    pair.a.commit();
    assert_eq!(pair.a.sent.len(), 1);
    assert!(pair.a.answer(ticket).is_some());

    let (path, frame) = pair.a.sent.pop_front().unwrap();
    pair.b.handle(Input::Received { path, frame: &frame });
    assert!(pair.b.sent.is_empty(), "acknowledged before the commit");
    assert!(pair.b.arrivals().is_empty(), "announced before the commit");
    pair.b.commit();
    assert_eq!(pair.b.sent.len(), 1);
    assert_eq!(pair.b.arrivals().len(), 1);
}

#[test]
fn an_answer_without_a_change_of_its_own_waits_for_what_it_speaks_of() {
    let mut pair = Pair::new();
    pair.connect();
    pair.a.send(text(pair.b.id(), "hello")).unwrap();
    let (path, frame) = pair.a.sent.pop_front().unwrap();
    pair.b.handle(Input::Received { path, frame: &frame });
    pair.b.handle(Input::Received { path, frame: &frame });
    assert!(pair.b.sent.is_empty(), "the duplicate was acknowledged before the first is durable");
    pair.b.commit();
    assert_eq!(pair.b.sent.len(), 2);
    assert_eq!(pair.b.bodies(), ["hello"]);
}

#[test]
fn a_failed_commit_releases_nothing_and_the_caller_hears_of_it() {
    let mut pair = Pair::new();
    pair.connect();
    let to = pair.b.id();
    let before = pair.a.rows();
    let ticket = pair.a.request(Request::Send(text(to, "lost")));
    pair.a.fail_commit(false);
    assert_eq!(pair.a.answer(ticket), Some(Err(CommandError::CommitFailed)));
    assert!(pair.a.sent.is_empty());
    assert_eq!(pair.a.rows(), before);

    let id = pair.a.send(text(to, "kept")).unwrap();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["kept"]);
    assert_eq!(pair.a.level(id), Some(Level::Delivered));
}

#[test]
fn a_batch_that_failed_but_is_there_is_answered_as_accepted() {
    let mut pair = Pair::new();
    pair.connect();
    let to = pair.b.id();
    let ticket = pair.a.request(Request::Send(text(to, "there after all")));
    pair.a.fail_commit(true);
    assert!(matches!(pair.a.answer(ticket), Some(Ok(Answer::Accepted(_)))));
    pair.settle();
    assert_eq!(pair.b.bodies(), ["there after all"]);
}

#[test]
fn a_message_of_a_batch_that_failed_but_is_there_is_announced() {
    let mut pair = Pair::new();
    pair.connect();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    let (path, frame) = pair.a.sent.pop_front().unwrap();
    pair.b.handle(Input::Received { path, frame: &frame });
    pair.b.fail_commit(true);
    pair.settle();
    assert_eq!(pair.b.arrivals(), [(id, false)]);
}

#[test]
fn a_path_that_opens_while_rows_cannot_be_read_is_used_once_they_can() {
    let mut pair = Pair::new();
    pair.b.stop_reading_after(0);
    pair.connect();
    pair.b.read_again();
    let to = pair.a.id();
    pair.b.send(text(to, "over it")).unwrap();
    pair.settle();
    assert_eq!(pair.a.bodies(), ["over it"]);
}

#[test]
fn a_path_that_closes_while_rows_cannot_be_read_is_not_used_after() {
    let mut pair = Pair::new();
    pair.connect();
    let (to, path) = (pair.b.id(), pair.path());
    pair.a.stop_reading_after(0);
    // Whether an id was used before, only a row can tell.
    let named = Outgoing { id: Some(MessageId::from_bytes([7; 16])), ..text(to, "not taken") };
    let ticket = pair.a.request(Request::Send(named));
    assert!(matches!(pair.a.answer(ticket), Some(Err(CommandError::Store(_)))));
    pair.a.handle(Input::PathChanged(PathChange::Closed(path)));
    pair.a.read_again();
    pair.a.send(text(to, "held")).unwrap();
    assert_eq!(pair.a.router.explain(&to).situation.live, None);
    assert!(pair.a.sent.is_empty());
}

#[test]
fn a_request_is_answered_though_its_commit_failed_and_then_a_read() {
    let mut pair = Pair::new();
    let to = pair.b.id();
    let ticket = pair.a.request(Request::Send(text(to, "lost")));
    pair.a.stop_reading_after(0);
    pair.a.fail_commit(false);
    assert_eq!(pair.a.answer(ticket), None);
    pair.a.read_again();
    assert_eq!(pair.a.answer(ticket), Some(Err(CommandError::CommitFailed)));
}

#[test]
fn a_message_is_announced_once_wherever_a_read_fails() {
    for reads in 0..40 {
        let mut pair = Pair::new();
        pair.connect();
        let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
        let (path, frame) = pair.a.sent.pop_front().unwrap();
        pair.b.stop_reading_after(reads);
        pair.b.handle(Input::Received { path, frame: &frame });
        if !pair.b.batches.is_empty() {
            pair.b.fail_commit(true);
        }
        pair.b.read_again();
        pair.a.pass(Duration::from_secs(30));
        pair.settle();
        assert_eq!(pair.b.arrivals(), [(id, false)], "after {reads} reads");
        assert_eq!(pair.a.level(id), Some(Level::Delivered), "after {reads} reads");
    }
}

#[test]
fn a_receiver_whose_commit_failed_gets_the_message_again() {
    let mut pair = Pair::new();
    pair.connect();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    let (path, frame) = pair.a.sent.pop_front().unwrap();
    pair.b.handle(Input::Received { path, frame: &frame });
    pair.b.fail_commit(false);
    pair.settle();
    assert_eq!(pair.a.level(id), Some(Level::Sent));
    pair.pass(Duration::from_secs(31));
    pair.settle();
    assert_eq!(pair.b.bodies(), ["hello"]);
    assert_eq!(pair.b.arrivals(), [(id, false)]);
    assert_eq!(pair.a.level(id), Some(Level::Delivered));
}

#[test]
fn a_restart_of_the_sender_sends_again_and_the_receiver_takes_it_once() {
    let mut pair = Pair::new();
    pair.connect();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.a.sent.clear();
    pair.a.restart();
    assert_eq!(pair.a.level(id), Some(Level::Queued));
    pair.connect();
    pair.settle();
    pair.a.restart();
    pair.connect();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["hello"]);
    assert_eq!(pair.a.level(id), Some(Level::Delivered));
}

#[test]
fn unread_messages_are_announced_again_after_a_restart() {
    let mut pair = Pair::new();
    pair.connect();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.settle();
    pair.b.restart();
    assert_eq!(pair.b.arrivals(), [(id, true)]);
    let sender = pair.a.id();
    pair.b.request(Request::Process { sender, id });
    pair.b.commit();
    pair.b.restart();
    assert_eq!(pair.b.arrivals(), []);
}

#[test]
fn a_session_that_replaces_another_carries_what_was_on_its_way() {
    let mut pair = Pair::new();
    pair.connect();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.a.sent.clear();
    pair.connect();
    pair.settle();
    assert_eq!(pair.a.level(id), Some(Level::Delivered));
    assert_eq!(pair.b.bodies(), ["hello"]);
}

#[test]
fn a_repeated_frame_is_answered_and_changes_nothing() {
    let mut pair = Pair::new();
    pair.connect();
    pair.a.send(text(pair.b.id(), "hello")).unwrap();
    let (path, frame) = pair.a.sent.front().cloned().unwrap();
    pair.settle();
    let before = pair.b.rows();
    pair.b.handle(Input::Received { path, frame: &frame });
    pair.b.commit();
    assert_eq!(pair.b.rows(), before);
    let (_, answer) = pair.b.sent.pop_front().unwrap();
    assert!(matches!(
        payload(&answer),
        Payload::Receipts(receipts) if receipts[0].verdict == Verdict::Delivered
    ));
}

#[test]
fn one_id_for_two_contents_is_misbehaviour_and_never_a_receipt() {
    let mut pair = Pair::new();
    pair.connect();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    let (path, frame) = pair.a.sent.front().cloned().unwrap();
    pair.settle();
    let Payload::Message { message, .. } = payload(&frame) else { panic!("not a message") };
    let mut other = meshwork_protocols::wire::Message::decode(&message).unwrap();
    other.body = b"other".to_vec();
    let forged = Payload::message(0, &other.encode());
    let before = pair.b.rows();
    pair.b.handle(Input::Received { path, frame: &Frame::Clear(forged).encode() });
    pair.b.commit();
    assert_eq!(pair.b.rows(), before);
    assert!(pair.b.sent.is_empty());
    let how = Misbehaviour::IdReused;
    assert!(pair.b.events.contains(&Event::Misbehaved { peer: pair.a.id(), how }));
    assert_eq!(pair.b.closed, [(path, CloseReason::PeerMisbehaved)]);
    assert_eq!(pair.a.level(id), Some(Level::Delivered));
}

#[test]
fn what_a_restored_sender_sends_again_under_its_id_is_the_same_message() {
    let mut pair = Pair::new();
    pair.connect();
    pair.a.send(text(pair.b.id(), "hello")).unwrap();
    let (path, frame) = pair.a.sent.front().cloned().unwrap();
    pair.settle();
    let Payload::Message { message, .. } = payload(&frame) else { panic!("not a message") };
    let mut again = meshwork_protocols::wire::Message::decode(&message).unwrap();
    again.created = again.created + Duration::from_secs(60);
    again.expires = again.expires + Duration::from_secs(60);
    let again = Payload::message(0, &again.encode());
    let before = pair.b.rows();
    pair.b.handle(Input::Received { path, frame: &Frame::Clear(again).encode() });
    pair.b.commit();
    assert_eq!(pair.b.rows(), before);
    let (_, answer) = pair.b.sent.pop_front().unwrap();
    assert!(matches!(
        payload(&answer),
        Payload::Receipts(receipts) if receipts[0].verdict == Verdict::Delivered
    ));
    assert!(pair.b.closed.is_empty());
}

#[test]
fn a_repeated_send_under_one_id_is_one_message() {
    let mut pair = Pair::new();
    let id = Some(MessageId::from_bytes([9; 16]));
    let message = Outgoing { id, ..text(pair.b.id(), "hello") };
    let first = pair.a.send(message.clone()).unwrap();
    assert_eq!(pair.a.send(message.clone()), Ok(first));
    pair.connect();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["hello"]);
    assert_eq!(pair.a.send(message.clone()), Ok(first), "after it was delivered too");
    let other = Outgoing { body: b"other".to_vec(), ..message };
    assert_eq!(pair.a.send(other), Err(CommandError::IdReused));
    pair.settle();
    assert_eq!(pair.b.bodies(), ["hello"]);
}

#[test]
fn a_message_that_nobody_took_expires_and_a_late_receipt_moves_it_on() {
    let mut pair = Pair::new();
    pair.connect();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.b.now = pair.b.now + DAY;
    pair.a.pass(DAY);
    pair.a.commit();
    assert_eq!(pair.a.level(id), Some(Level::Expired));
    // The frame was on its way all the time, and the receiver's clock is within the tolerance.
    pair.settle();
    assert_eq!(pair.b.bodies(), ["hello"]);
    assert_eq!(pair.a.level(id), Some(Level::Delivered));
}

#[test]
fn a_message_past_its_expiry_is_refused_and_leaves_no_row() {
    let mut pair = Pair::new();
    pair.connect();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.b.now = pair.b.now + DAY + Duration::from_secs(601);
    pair.b.commit();
    let before = pair.b.rows();
    pair.settle();
    assert_eq!(pair.b.rows(), before);
    assert_eq!(pair.a.level(id), Some(Level::Refused(RefusalReason::Expired)));
}

#[test]
fn a_final_receipt_is_repeated_until_its_sender_settles_it() {
    let mut pair = Pair::new();
    pair.connect();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    pair.settle();
    let sender = pair.a.id();
    pair.b.request(Request::Process { sender, id });
    pair.b.commit();
    pair.b.sent.clear();
    pair.b.restart();
    pair.connect();
    pair.b.pass(Duration::ZERO);
    pair.settle();
    assert_eq!(pair.a.level(id), Some(Level::Processed));
    pair.b.pass(Duration::from_secs(3_601));
    pair.b.commit();
    assert!(pair.b.sent.is_empty(), "said again after it was settled");
}

#[test]
fn a_peer_that_says_busy_is_left_alone_for_that_time() {
    let mut pair = Pair::new();
    pair.connect();
    let id = pair.a.send(text(pair.b.id(), "hello")).unwrap();
    let (path, frame) = pair.a.sent.pop_front().unwrap();
    let busy = Receipt { id, verdict: Verdict::Busy { retry_after: 30 } };
    let answer = Frame::Clear(Payload::Receipts(vec![busy])).encode();
    pair.a.handle(Input::Received { path, frame: &answer });
    pair.a.pass(Duration::from_secs(29));
    pair.a.commit();
    assert!(pair.a.sent.is_empty());
    pair.a.pass(Duration::from_secs(1));
    assert_eq!(pair.a.sent.pop_front(), Some((path, frame)));
}

#[test]
fn one_peer_can_be_sent_so_many_messages_and_one_more_is_busy() {
    let mut pair = Pair::new();
    let to = pair.b.id();
    for _ in 0..PEER_MESSAGES {
        pair.a.request(Request::Send(text(to, "")));
    }
    pair.a.commit();
    assert_eq!(pair.a.send(text(to, "one more")), Err(CommandError::Busy));
    assert!(CommandError::Busy.is_worth_a_retry());
    pair.connect();
    pair.settle();
    assert_eq!(pair.b.inbox().len(), PEER_MESSAGES);
    assert!(pair.a.send(text(to, "room again")).is_ok());
}

#[test]
fn what_can_never_be_sent_is_refused_and_changes_nothing() {
    let mut pair = Pair::new();
    let (to, stranger) = (pair.b.id(), Node::new(9).id());
    let before = pair.a.rows();
    let cases = [
        (text(stranger, ""), CommandError::UnknownPeer),
        (Outgoing { body: vec![0; MAX_BODY + 1], ..text(to, "") }, CommandError::TooLarge),
        (Outgoing { lifetime: Duration::ZERO, ..text(to, "") }, CommandError::BadLifetime),
        (Outgoing { lifetime: DAY * 31, ..text(to, "") }, CommandError::BadLifetime),
    ];
    for (outgoing, error) in cases {
        assert_eq!(pair.a.send(outgoing), Err(error));
    }
    assert_eq!(pair.a.rows(), before);
    assert!(pair.a.send(Outgoing { body: vec![0; MAX_BODY], ..text(to, "") }).is_ok());
}

#[test]
fn garbage_closes_the_session_and_changes_nothing() {
    let mut pair = Pair::new();
    pair.connect();
    let path = pair.path();
    pair.b.commit();
    let before = pair.b.rows();
    for garbage in [&b""[..], &[0x10], &[0x10, 0xff, 0xff], &[0x42, 1]] {
        pair.b.closed.clear();
        pair.b.handle(Input::Received { path, frame: garbage });
        pair.b.commit();
        assert_eq!(pair.b.closed, [(path, CloseReason::PeerMisbehaved)], "{garbage:?}");
    }
    assert_eq!(pair.b.rows(), before);
}

#[test]
fn a_peer_that_is_wanted_is_dialled_and_not_in_a_loop() {
    let mut pair = Pair::new();
    let to = pair.b.id();
    pair.a.send(text(to, "hello")).unwrap();
    pair.a.send(text(to, "again")).unwrap();
    assert_eq!(pair.a.dials, [(to, Needs::Any)]);
    let failed = || Input::PathChanged(PathChange::DialFailed { peer: to, needs: Needs::Any });
    pair.a.handle(failed());
    assert_eq!(pair.a.dials.len(), 1, "dialled again at once");
    let wait = pair.a.router.next_timeout().unwrap();
    pair.a.pass(wait.monotonic - pair.a.now.monotonic);
    assert_eq!(pair.a.dials.len(), 2);
}
