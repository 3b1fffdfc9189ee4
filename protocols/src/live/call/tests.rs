use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::wire::MAX_FRAME;

const RELIABLE: CallPath = CallPath { reliable: true, max_frame: MAX_FRAME };
const LOSSY: CallPath = CallPath { reliable: false, max_frame: 64 << 10 };
const PATIENCE: Duration = Duration::from_secs(30);

fn service() -> ServiceName {
    "echo".parse().unwrap()
}

fn at(millis: u64) -> Timestamp {
    Timestamp::default() + Duration::from_millis(millis)
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).unwrap()
}

/// The number of the peer's call, wherever it is told.
fn asked(calls: &mut Calls) -> Option<(TheirCall, Vec<u8>)> {
    match calls.poll()? {
        CallEvent::Asked { call, body, .. } => Some((call, body)),
        other => panic!("{other:?}"),
    }
}

/// Gives all that one end has to send to the other; how many frames that were.
fn carry(now: Timestamp, from: &mut Calls, to: &mut Calls) -> usize {
    let frames: Vec<_> = core::iter::from_fn(|| from.poll_transmit(now)).collect();
    frames.iter().for_each(|frame| to.receive(now, frame).unwrap());
    frames.len()
}

fn pair(path: CallPath) -> (Calls, Calls) {
    (Calls::new(path), Calls::new(path))
}

fn begin(calls: &mut Calls, now: Timestamp, body: &[u8]) -> OurCall {
    calls.call(now, service(), body.to_vec(), PATIENCE).unwrap()
}

// --- a path that loses nothing ---

#[test]
fn many_calls_at_once_get_their_own_answers_and_nothing_is_said_twice() {
    let (mut caller, mut callee) = pair(RELIABLE);
    let count = 200;
    let ours: Vec<_> =
        (0..count).map(|number| begin(&mut caller, at(0), &[byte(number)])).collect();
    assert_eq!(carry(at(0), &mut caller, &mut callee), count);
    let mut theirs: Vec<_> = core::iter::from_fn(|| asked(&mut callee)).collect();
    // In another order than they came.
    theirs.reverse();
    for (call, mut body) in theirs {
        body.push(9);
        callee.answer(call, Ok(body));
    }
    assert_eq!(carry(at(1), &mut callee, &mut caller), count);
    let mut answers = BTreeMap::new();
    while let Some(CallEvent::Ended { call, end }) = caller.poll() {
        answers.insert(call, end);
    }
    let expected = ours.iter().enumerate().map(|(number, call)| (*call, Ok(vec![byte(number), 9])));
    assert_eq!(answers, expected.collect());
    // An hour later nothing was left over.
    assert_eq!((caller.next_timeout(), callee.next_timeout()), (None, None));
    assert_eq!(carry(at(0) + MAX_DEADLINE, &mut caller, &mut callee), 0);
}

#[test]
fn each_end_calls_the_other_with_numbers_of_its_own() {
    let (mut one, mut other) = pair(RELIABLE);
    let (a, b) = (begin(&mut one, at(0), b"a"), begin(&mut other, at(0), b"b"));
    assert_eq!(a, b);
    carry(at(0), &mut one, &mut other);
    carry(at(0), &mut other, &mut one);
    let (from_one, from_other) = (asked(&mut other).unwrap(), asked(&mut one).unwrap());
    assert_eq!((&*from_one.1, &*from_other.1), (&b"a"[..], &b"b"[..]));
    other.answer(from_one.0, Ok(b"to a".to_vec()));
    one.answer(from_other.0, Err(Refusal::NotAllowed));
    carry(at(0), &mut one, &mut other);
    carry(at(0), &mut other, &mut one);
    assert_eq!(one.poll(), Some(CallEvent::Ended { call: a, end: Ok(b"to a".to_vec()) }));
    let end = Err(CallEnd::Refused(Refusal::NotAllowed));
    assert_eq!(other.poll(), Some(CallEvent::Ended { call: b, end }));
}

#[test]
fn a_cancelled_call_is_withdrawn_and_its_late_answer_is_nobodys() {
    let (mut caller, mut callee) = pair(RELIABLE);
    let call = begin(&mut caller, at(0), b"slow");
    carry(at(0), &mut caller, &mut callee);
    let (theirs, _) = asked(&mut callee).unwrap();
    caller.cancel(call);
    carry(at(0), &mut caller, &mut callee);
    assert_eq!(callee.poll(), Some(CallEvent::Withdrawn(theirs)));
    callee.answer(theirs, Ok(vec![]));
    assert_eq!(carry(at(0), &mut callee, &mut caller), 0);
    assert_eq!(caller.poll(), None);
}

#[test]
fn a_call_that_was_cancelled_before_it_left_is_never_heard_of() {
    let (mut caller, mut callee) = pair(RELIABLE);
    let call = begin(&mut caller, at(0), b"x");
    caller.cancel(call);
    assert_eq!(carry(at(0), &mut caller, &mut callee), 0);
}

#[test]
fn an_answer_that_crosses_the_cancellation_changes_nothing() {
    let (mut caller, mut callee) = pair(RELIABLE);
    let call = begin(&mut caller, at(0), b"x");
    carry(at(0), &mut caller, &mut callee);
    let (theirs, _) = asked(&mut callee).unwrap();
    callee.answer(theirs, Ok(vec![]));
    caller.cancel(call);
    carry(at(0), &mut callee, &mut caller);
    carry(at(0), &mut caller, &mut callee);
    assert_eq!((caller.poll(), callee.poll()), (None, None));
}

#[test]
fn at_the_deadline_both_ends_give_up_and_not_before() {
    for path in [RELIABLE, LOSSY] {
        let (mut caller, mut callee) = pair(path);
        let call = caller.call(at(0), service(), vec![], Duration::from_millis(20)).unwrap();
        // It was on its way for 5 ms, which the callee cannot know.
        let frame = caller.poll_transmit(at(0)).unwrap();
        callee.receive(at(5), &frame).unwrap();
        let (theirs, _) = asked(&mut callee).unwrap();
        assert_eq!(caller.next_timeout(), Some(at(20)));
        assert_eq!(callee.next_timeout(), Some(at(25)));
        caller.handle_timeout(at(19));
        callee.handle_timeout(at(24));
        assert_eq!((caller.poll(), callee.poll()), (None, None));
        caller.handle_timeout(at(20));
        callee.handle_timeout(at(25));
        let end = Err(CallEnd::DeadlinePassed);
        assert_eq!(caller.poll(), Some(CallEvent::Ended { call, end }));
        assert_eq!(callee.poll(), Some(CallEvent::Withdrawn(theirs)));
    }
}

#[test]
fn the_time_that_a_request_waited_here_is_taken_off() {
    let mut caller = Calls::new(RELIABLE);
    begin(&mut caller, at(0), b"x");
    let frame = CallFrame::decode(&caller.poll_transmit(at(400)).unwrap()).unwrap();
    let CallFrame::Request { remaining, .. } = frame else { panic!("{frame:?}") };
    assert_eq!(remaining, PATIENCE - Duration::from_millis(400));
}

#[test]
fn when_the_session_ends_each_call_says_whether_it_may_have_run() {
    let (mut caller, mut callee) = pair(RELIABLE);
    let left = begin(&mut caller, at(0), b"left");
    carry(at(0), &mut caller, &mut callee);
    let waits = begin(&mut caller, at(0), b"waits");
    let (theirs, _) = asked(&mut callee).unwrap();
    caller.end();
    callee.end();
    let end = |call, may_have_run| {
        Some(CallEvent::Ended { call, end: Err(CallEnd::Interrupted { may_have_run }) })
    };
    assert_eq!([caller.poll(), caller.poll()], [end(left, true), end(waits, false)]);
    assert_eq!(callee.poll(), Some(CallEvent::Withdrawn(theirs)));
    assert_eq!(caller.poll_transmit(at(0)), None);
}

// --- bounds ---

#[test]
fn a_caller_is_busy_one_past_the_most_calls_and_bytes() {
    let mut caller = Calls::new(RELIABLE);
    let calls: Vec<_> = (0..MAX_CALLS).map(|_| begin(&mut caller, at(0), b"")).collect();
    let more = |caller: &mut Calls, bytes| caller.call(at(0), service(), vec![0; bytes], PATIENCE);
    assert_eq!(more(&mut caller, 0), Err(CallRefused::Busy));
    caller.cancel(calls[7]);
    assert!(more(&mut caller, 0).is_ok());

    let mut caller = Calls::new(RELIABLE);
    for _ in 0..MAX_CALL_BYTES / MAX_CALL_BODY {
        assert!(more(&mut caller, MAX_CALL_BODY).is_ok());
    }
    assert_eq!(more(&mut caller, 1), Err(CallRefused::Busy));
    assert!(more(&mut caller, 0).is_ok());
    // What has left is held no more.
    assert!(caller.poll_transmit(at(0)).is_some());
    assert!(more(&mut caller, MAX_CALL_BODY).is_ok());
}

#[test]
fn a_callee_refuses_one_past_the_most_calls_and_bytes() {
    for (count, bytes) in [(MAX_CALLS, 0), (MAX_CALL_BYTES / MAX_CALL_BODY, MAX_CALL_BODY)] {
        let mut callee = Calls::new(RELIABLE);
        let request = |callee: &mut Calls, id| {
            let (service, body) = (service(), vec![0; bytes.max(1)]);
            let lowest = 0;
            let frame = CallFrame::Request { id, lowest, service, remaining: PATIENCE, body };
            callee.receive(at(0), &frame.encode()).unwrap();
            asked(callee)
        };
        let running: Vec<_> =
            (0..count as u64).map(|id| request(&mut callee, id).unwrap().0).collect();
        assert_eq!(request(&mut callee, count as u64), None);
        let refused = CallFrame::Refused { id: count as u64, refusal: Refusal::Busy };
        assert_eq!(callee.poll_transmit(at(0)), Some(refused.encode()));
        // An answer that left makes room.
        callee.answer(running[3], Ok(vec![]));
        assert!(callee.poll_transmit(at(0)).is_some());
        assert!(request(&mut callee, count as u64 + 1).is_some());
    }
}

#[test]
fn a_refusal_for_want_of_room_holds_although_there_is_room_later() {
    let mut callee = Calls::new(LOSSY);
    let request = |callee: &mut Calls, now, id| {
        let (service, body) = (service(), vec![]);
        let frame = CallFrame::Request { id, lowest: 0, service, remaining: PATIENCE, body };
        callee.receive(now, &frame.encode()).unwrap();
        asked(callee)
    };
    let running: Vec<_> =
        (0..MAX_CALLS as u64).map(|id| request(&mut callee, at(0), id).unwrap().0).collect();
    let late = MAX_CALLS as u64;
    assert_eq!(request(&mut callee, at(0), late), None);
    let refused = Some(CallFrame::Refused { id: late, refusal: Refusal::Busy }.encode());
    assert_eq!(callee.poll_transmit(at(0)), refused);
    for call in running {
        callee.answer(call, Ok(vec![]));
    }
    while callee.poll_transmit(at(1)).is_some() {}
    assert_eq!(request(&mut callee, at(100), late), None);
    assert_eq!(callee.poll_transmit(at(100)), refused);
}

#[test]
fn bodies_and_deadlines_are_refused_past_their_bounds() {
    let mut calls = Calls::new(RELIABLE);
    let mut call = |bytes, patience| calls.call(at(0), service(), vec![0; bytes], patience);
    assert_eq!(call(MAX_CALL_BODY + 1, PATIENCE), Err(CallRefused::TooLarge));
    assert_eq!(call(0, Duration::ZERO), Err(CallRefused::BadDeadline));
    assert_eq!(call(0, MAX_DEADLINE + Duration::from_nanos(1)), Err(CallRefused::BadDeadline));
    assert!(call(MAX_CALL_BODY, MAX_DEADLINE).is_ok());
    let mut narrow = Calls::new(LOSSY);
    let most = LOSSY.max_frame - frame::MAX_HEADER;
    let mut call = |bytes| narrow.call(at(0), service(), vec![0; bytes], PATIENCE);
    assert_eq!(call(most + 1), Err(CallRefused::TooLargeForPath));
    assert!(call(most).is_ok());
}

#[test]
fn an_answer_that_the_path_does_not_carry_becomes_a_refusal() {
    let (mut caller, mut callee) = pair(LOSSY);
    let call = begin(&mut caller, at(0), b"");
    carry(at(0), &mut caller, &mut callee);
    let (theirs, _) = asked(&mut callee).unwrap();
    callee.answer(theirs, Ok(vec![0; LOSSY.max_frame]));
    carry(at(0), &mut callee, &mut caller);
    let end = Err(CallEnd::Refused(Refusal::AnswerTooLarge));
    assert_eq!(caller.poll(), Some(CallEvent::Ended { call, end }));
}

#[test]
fn who_floods_with_requests_makes_us_hold_so_many_refusals_and_no_more() {
    let mut callee = Calls::new(RELIABLE);
    for id in 0..(MAX_CALLS + 2 * MAX_SHORT) as u64 {
        let (service, body) = (service(), vec![]);
        let frame = CallFrame::Request { id, lowest: 0, service, remaining: PATIENCE, body };
        callee.receive(at(0), &frame.encode()).unwrap();
        while callee.poll().is_some() {}
    }
    assert_eq!(callee.queue.len(), MAX_SHORT);
}

// --- bad input ---

#[test]
fn what_no_honest_peer_says_is_refused_and_changes_nothing() {
    let (mut caller, mut callee) = pair(RELIABLE);
    let call = begin(&mut caller, at(0), b"x");
    let request = caller.poll_transmit(at(0)).unwrap();
    callee.receive(at(0), &request).unwrap();
    let before = (format(&caller), format(&callee));
    assert_eq!(callee.receive(at(0), &request), Err(CallFrameError::NumberReused));
    for frame in [
        CallFrame::Answer { id: 1, body: vec![] },
        CallFrame::Refused { id: 1, refusal: Refusal::Busy },
        CallFrame::Taken { id: 1 },
    ] {
        assert_eq!(caller.receive(at(0), &frame.encode()), Err(CallFrameError::NeverCalled));
    }
    assert_eq!(caller.receive(at(0), &[0x2f]), Err(CallFrameError::UnknownType));
    assert_eq!(before, (format(&caller), format(&callee)));
    let (theirs, _) = asked(&mut callee).unwrap();
    callee.answer(theirs, Ok(vec![]));
    carry(at(0), &mut callee, &mut caller);
    assert_eq!(caller.poll(), Some(CallEvent::Ended { call, end: Ok(vec![]) }));
}

fn format(calls: &Calls) -> alloc::string::String {
    alloc::format!("{calls:?}")
}

// --- a path that loses, doubles and reorders ---

#[test]
fn a_request_whose_cancellation_overtakes_it_never_runs() {
    let (mut caller, mut callee) = pair(LOSSY);
    let call = begin(&mut caller, at(0), b"x");
    let request = caller.poll_transmit(at(0)).unwrap();
    caller.cancel(call);
    carry(at(0), &mut caller, &mut callee);
    callee.receive(at(0), &request).unwrap();
    assert_eq!(callee.poll(), None);
}

#[test]
fn a_lost_cancellation_is_made_good_by_the_next_request() {
    let (mut caller, mut callee) = pair(LOSSY);
    let call = begin(&mut caller, at(0), b"x");
    carry(at(0), &mut caller, &mut callee);
    let (theirs, _) = asked(&mut callee).unwrap();
    caller.cancel(call);
    assert!(caller.poll_transmit(at(0)).is_some(), "lost");
    begin(&mut caller, at(1), b"next");
    carry(at(1), &mut caller, &mut callee);
    assert_eq!(callee.poll(), Some(CallEvent::Withdrawn(theirs)));
    assert_eq!(asked(&mut callee).unwrap().1, b"next");
}

#[test]
fn a_slow_handler_is_not_asked_again_once_the_caller_knows() {
    let (mut caller, mut callee) = pair(LOSSY);
    begin(&mut caller, at(0), b"slow");
    carry(at(0), &mut caller, &mut callee);
    let (theirs, _) = asked(&mut callee).unwrap();
    callee.handle_timeout(at(25));
    assert_eq!(carry(at(25), &mut callee, &mut caller), 1);
    caller.handle_timeout(at(5_000));
    assert_eq!(carry(at(5_000), &mut caller, &mut callee), 0);
    callee.answer(theirs, Ok(vec![]));
    carry(at(5_000), &mut callee, &mut caller);
    assert!(matches!(caller.poll(), Some(CallEvent::Ended { end: Ok(_), .. })));
    // The caller says that it has the answer, and neither says more.
    assert_eq!(carry(at(5_000), &mut caller, &mut callee), 1);
    assert_eq!((caller.next_timeout(), callee.next_timeout()), (None, None));
}

/// A network with its own sequence of chances.
struct Storm {
    state: u64,
    /// Of a hundred frames.
    lost: u64,
    /// Frames on their way: when each arrives, at which end, and the frame.
    flying: Vec<(u64, usize, Vec<u8>)>,
}

impl Storm {
    fn draw(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        (self.state >> 33) % below
    }

    fn send(&mut self, now: u64, to: usize, frame: &[u8]) {
        for _ in 0..=usize::from(self.draw(5) == 0) {
            if self.draw(100) >= self.lost {
                let arrives = now + 1 + self.draw(400);
                self.flying.push((arrives, to, frame.to_vec()));
            }
        }
    }

    fn arrived(&mut self, now: u64) -> VecDeque<(usize, Vec<u8>)> {
        let (here, later) = self.flying.drain(..).partition(|(at, ..)| *at <= now);
        self.flying = later;
        let here: Vec<(u64, usize, Vec<u8>)> = here;
        here.into_iter().map(|(_, to, frame)| (to, frame)).collect()
    }
}

/// Both ends call each other `count` times through a storm. Each call has an end; none runs twice;
/// the answers are those of the requests; at most so many of a hundred are not answered in time.
fn storm(seed: u64, lost: u64, count: usize, unanswered: usize) {
    let mut net = Storm { state: seed, lost, flying: Vec::new() };
    let mut ends = [Calls::new(LOSSY), Calls::new(LOSSY)];
    let (mut ran, mut ended) = (BTreeMap::new(), BTreeMap::new());
    let mut running: Vec<(u64, usize, TheirCall, Vec<u8>)> = Vec::new();
    let mut begun = [0; 2];
    for now in 0..60_000 {
        for (side, (end, begun)) in ends.iter_mut().zip(&mut begun).enumerate() {
            if *begun < count && net.draw(20) == 0 {
                begin(end, at(now), &[byte(side), byte(*begun)]);
                *begun += 1;
            }
        }
        for (to, frame) in net.arrived(now) {
            ends[to].receive(at(now), &frame).unwrap();
        }
        for (side, end) in ends.iter_mut().enumerate() {
            end.handle_timeout(at(now));
            while let Some(event) = end.poll() {
                match event {
                    CallEvent::Asked { call, body, .. } => {
                        *ran.entry(body.clone()).or_insert(0) += 1;
                        running.push((now + net.draw(1_000), side, call, body));
                    }
                    CallEvent::Ended { call, end } => {
                        assert_eq!(ended.insert((side, call), end), None, "seed {seed}");
                    }
                    CallEvent::Withdrawn(_) => {}
                }
            }
        }
        let (done, rest) = running.drain(..).partition(|(at, ..)| *at <= now);
        running = rest;
        let done: Vec<(u64, usize, TheirCall, Vec<u8>)> = done;
        for (_, side, call, body) in done {
            ends[side].answer(call, Ok(body));
        }
        for (side, end) in ends.iter_mut().enumerate() {
            while let Some(frame) = end.poll_transmit(at(now)) {
                net.send(now, 1 - side, &frame);
            }
        }
    }
    assert!(ran.values().all(|times| *times == 1), "seed {seed}: a call ran twice");
    assert_eq!(ended.len(), 2 * count, "seed {seed}: a call has no end");
    for ((side, call), end) in &ended {
        if let Ok(body) = end {
            let expected = [byte(*side), u8::try_from(call.0).unwrap()];
            assert_eq!(*body, expected, "seed {seed}: another's answer");
        }
    }
    let failed = ended.values().filter(|end| end.is_err()).count();
    assert!(failed * 100 <= 2 * count * unanswered, "seed {seed}: {failed} unanswered");
    for end in &ends {
        assert_eq!(end.next_timeout(), None, "seed {seed}: something was left over");
    }
}

#[test]
fn through_a_storm_each_call_runs_at_most_once_and_has_one_end() {
    for seed in 0..10 {
        storm(seed, 0, 50, 0);
        storm(seed, 30, 50, 0);
        storm(seed, 60, 50, 2);
    }
}
