//! Ordered messages come out in their order, and what will never come does not stop the rest.

use std::time::Duration;

use crate::common::{DAY, Pair, ordered, text};
use meshwork_protocols::wire::{Frame, MessageId, RefusalReason};
use meshwork_router::{Answer, Input, Level, Needs, Outgoing, PathChange, Request};

/// Sends these from `a` and hands their frames back instead of carrying them.
fn frames(pair: &mut Pair, bodies: &[&str]) -> Vec<(MessageId, Vec<u8>)> {
    let to = pair.b.id();
    bodies
        .iter()
        .map(|body| {
            let id = pair.a.send(ordered(to, body)).unwrap();
            (id, pair.a.sent.pop_back().unwrap().1)
        })
        .collect()
}

fn receive(pair: &mut Pair, frame: &[u8]) {
    let path = pair.path();
    pair.b.handle(Input::Received { path, frame });
    pair.b.commit();
}

#[test]
fn whatever_the_order_of_arrival_the_order_of_sending_comes_out() {
    for permutation in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut pair = Pair::new();
        pair.connect();
        let frames = frames(&mut pair, &["0", "1", "2"]);
        for index in permutation {
            receive(&mut pair, &frames[index].1);
        }
        assert_eq!(pair.b.bodies(), ["0", "1", "2"], "{permutation:?}");
        pair.settle();
        for (id, _) in frames {
            assert_eq!(pair.a.level(id), Some(Level::Delivered));
        }
    }
}

#[test]
fn what_waits_for_its_turn_survives_a_restart() {
    let mut pair = Pair::new();
    pair.connect();
    let frames = frames(&mut pair, &["0", "1", "2"]);
    receive(&mut pair, &frames[2].1);
    receive(&mut pair, &frames[1].1);
    pair.b.restart();
    assert!(pair.b.inbox().is_empty());
    pair.connect();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["0", "1", "2"]);
}

#[test]
fn what_waits_or_is_unread_longer_than_it_lived_can_still_be_read_and_processed() {
    let mut pair = Pair::new();
    pair.connect();
    let to = pair.b.id();
    let first = frames(&mut pair, &["0"]).remove(0).1;
    let short = Outgoing { lifetime: Duration::from_secs(60), ..ordered(to, "1") };
    let waiting = pair.a.send(short).unwrap();
    let second = pair.a.sent.pop_back().unwrap().1;
    receive(&mut pair, &second);
    let rest = |pair: &mut Pair| {
        for _ in 0..30 {
            pair.b.pass(Duration::from_secs(30));
            pair.b.commit();
        }
    };
    rest(&mut pair);
    receive(&mut pair, &first);
    assert_eq!(pair.b.bodies(), ["0", "1"]);
    rest(&mut pair);
    let sender = pair.a.id();
    let ticket = pair.b.request(Request::Process { sender, id: waiting });
    pair.b.commit();
    assert_eq!(pair.b.answer(ticket), Some(Ok(Answer::Done)));
    assert_eq!(pair.b.bodies(), ["0"]);
}

#[test]
fn messages_without_an_order_do_not_wait() {
    let mut pair = Pair::new();
    pair.connect();
    let frames = frames(&mut pair, &["0", "1"]);
    receive(&mut pair, &frames[1].1);
    pair.a.send(text(pair.b.id(), "free")).unwrap();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["free"]);
}

#[test]
fn a_place_that_expired_is_asked_for_and_given_up() {
    let mut pair = Pair::new();
    pair.connect();
    let short = Outgoing { lifetime: Duration::from_secs(60), ..ordered(pair.b.id(), "0") };
    let lost = pair.a.send(short).unwrap();
    pair.a.sent.clear();
    let frames = frames(&mut pair, &["1"]);
    receive(&mut pair, &frames[0].1);
    assert!(pair.b.inbox().is_empty());

    // The peer that waits asks; the answer is no answer while the place is wanted.
    pair.b.pass(Duration::from_secs(30));
    pair.settle();
    assert!(pair.b.inbox().is_empty());

    pair.a.pass(Duration::from_secs(60));
    pair.a.sent.clear();
    pair.a.commit();
    assert_eq!(pair.a.level(lost), Some(Level::Expired));
    pair.b.pass(Duration::from_secs(30));
    pair.settle();
    assert_eq!(pair.b.bodies(), ["1"]);
}

/// The sender has settled all of its own, so that it has no reason to dial.
#[test]
fn who_waits_for_a_missing_place_looks_for_its_sender_and_asks_at_once() {
    for restarted in [false, true] {
        let mut pair = Pair::new();
        pair.connect();
        let short = Outgoing { lifetime: Duration::from_secs(60), ..ordered(pair.b.id(), "0") };
        pair.a.send(short).unwrap();
        pair.a.sent.clear();
        pair.a.send(ordered(pair.b.id(), "1")).unwrap();
        pair.settle();
        pair.a.pass(Duration::from_secs(60));
        pair.a.sent.clear();
        pair.a.commit();
        let closed = pair.path();
        pair.a.handle(Input::PathChanged(PathChange::Closed(closed)));
        if restarted {
            pair.b.restart();
        } else {
            pair.b.handle(Input::PathChanged(PathChange::Closed(closed)));
        }

        pair.pass(Duration::from_secs(30));
        assert_eq!(pair.a.dials, []);
        assert_eq!(pair.b.dials, [(pair.a.id(), Needs::Any)], "restarted: {restarted}");
        pair.connect();
        pair.b.pass(Duration::ZERO);
        pair.settle();
        assert_eq!(pair.b.bodies(), ["1"]);
    }
}

#[test]
fn a_message_whose_place_was_given_up_is_refused() {
    let mut pair = Pair::new();
    pair.connect();
    let short = Outgoing { lifetime: Duration::from_secs(60), ..ordered(pair.b.id(), "0") };
    let late = pair.a.send(short).unwrap();
    let late_frame = pair.a.sent.pop_back().unwrap().1;
    pair.a.pass(Duration::from_secs(60));
    pair.a.commit();
    pair.a.sent.clear();
    frames(&mut pair, &["1"]).iter().for_each(|(_, frame)| receive(&mut pair, frame));
    assert_eq!(pair.b.bodies(), ["1"]);
    receive(&mut pair, &late_frame);
    pair.settle();
    assert_eq!(pair.b.bodies(), ["1"]);
    assert_eq!(pair.a.level(late), Some(Level::Refused(RefusalReason::OutOfOrder)));
}

#[test]
fn a_sender_whose_state_was_restored_begins_a_new_conversation() {
    let mut pair = Pair::new();
    pair.connect();
    frames(&mut pair, &["0", "1"]).iter().for_each(|(_, frame)| receive(&mut pair, frame));
    pair.a.restart_as(true);
    pair.a.commit();
    pair.connect();
    pair.settle();
    pair.a.send(ordered(pair.b.id(), "anew")).unwrap();
    pair.settle();
    assert_eq!(pair.b.bodies(), ["0", "1", "anew"]);
}

#[test]
fn a_thousand_may_wait_for_a_gap_and_one_more_is_put_off() {
    let mut pair = Pair::new();
    pair.connect();
    let bodies: Vec<String> = (0..1_002).map(|number| number.to_string()).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    let to = pair.b.id();
    // More than the window lets out at once: the frames are taken as they come.
    for body in &bodies {
        pair.a.send(Outgoing { lifetime: DAY, ..ordered(to, body) }).unwrap();
    }
    let frames: Vec<_> = pair.a.sent.drain(..).map(|(_, frame)| frame).collect();
    assert_eq!(frames.len(), bodies.len());
    for frame in &frames[1..1_001] {
        receive(&mut pair, frame);
    }
    pair.b.sent.clear();
    receive(&mut pair, &frames[1_001]);
    let (_, answer) = pair.b.sent.pop_back().unwrap();
    let busy = format!("{:?}", Frame::decode(&answer).unwrap());
    assert!(busy.contains("Busy"), "{busy}");
    receive(&mut pair, &frames[0]);
    assert_eq!(pair.b.inbox().len(), 1_001);
}
