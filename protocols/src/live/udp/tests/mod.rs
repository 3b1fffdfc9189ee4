use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use self::world::{ALICE, BOB, Flying, Pair, Weather, World, address};
use super::*;
use crate::live::admission::{Admission, Limits};
use crate::live::fixture::{NOW, Node, Seeded};
use crate::live::session::{SessionError, SessionEvent};
use crate::random::Random;
use crate::time::Timestamp;

mod copied;
mod forged;
mod storm;
mod strangers;
mod traffic;
mod world;

#[test]
fn a_session_opens_in_a_round_trip_and_a_half_and_carries_frames_both_ways() {
    let mut pair = Pair::open(1);
    pair.talk(1);
    pair.talk(2);
    assert_eq!(pair.world.frames(ALICE).len(), 2);
    assert_eq!(pair.world.at(ALICE).tally().ignored(), 0);
    assert_eq!(pair.world.at(BOB).tally().ignored(), 0);
}

#[test]
fn the_loss_of_any_one_of_the_first_datagrams_is_no_deadlock() {
    for lost in 0..40 {
        let (alice, bob) = (Node::new(1), Node::new(5));
        let mut world = World::new(lost);
        world.add(ALICE, &alice);
        world.add(BOB, &bob);
        world.fate = Some(Box::new(move |number, _| usize::from(number != lost)));
        let session = world.dial(ALICE, BOB, &bob);
        world.run(Duration::from_secs(1));
        world.fate = None;
        Pair { world, alice, bob, session }.talk(1);
    }
}

#[test]
fn only_what_names_a_session_that_stands_counts_as_its_own() {
    let mut pair = Pair::dialling(1);
    pair.world.log = Some(Vec::new());
    pair.world.run(Duration::from_secs(1));
    let handshake = pair.world.log.take().unwrap();
    for Flying { to, datagram, .. } in handshake.iter().take(2) {
        assert!(!pair.world.at(*to).is_of_session(datagram));
    }
    pair.world.log = Some(Vec::new());
    pair.talk(1);
    let said = pair.world.log.take().unwrap();
    assert!(said.len() >= 2);
    for Flying { from, to, datagram } in said {
        assert!(pair.world.at(to).is_of_session(&datagram));
        assert!(!pair.world.at(from).is_of_session(&datagram));
        assert!(!pair.world.at(to).is_of_session(&datagram[..4]));
    }
}

#[test]
fn each_end_knows_the_other() {
    let pair = Pair::open(1);
    for (at, agent) in [(ALICE, pair.bob.agent()), (BOB, pair.alice.agent())] {
        let UdpEvent::Session(_, SessionEvent::Established(peer)) = &pair.world.events[&at][0]
        else {
            panic!("{:?}", pair.world.events[&at]);
        };
        assert_eq!(peer.agent, agent);
        assert_eq!(peer.transport, crate::identity::Transport::Udp);
    }
}

#[test]
fn a_peer_that_does_not_answer_is_given_up_after_a_minute() {
    let mut world = World::new(1);
    world.add(ALICE, &Node::new(1));
    let session = world.dial(ALICE, BOB, &Node::new(5));
    world.run(Duration::from_secs(59));
    assert!(world.events[&ALICE].is_empty());
    world.run(Duration::from_secs(2));
    assert_eq!(world.events[&ALICE], [UdpEvent::Ended(session, SessionError::TimedOut)]);
    assert_eq!(world.at(ALICE).next_timeout(), None);
}

#[test]
fn another_peer_than_the_dialled_one_is_told_nothing_of_who_dials() {
    let mut world = World::new(1);
    world.add(ALICE, &Node::new(1));
    world.add(BOB, &Node::new(7));
    world.log = Some(Vec::new());
    let session = world.dial(ALICE, BOB, &Node::new(5));
    world.run(Duration::from_secs(10));
    let error = SessionError::Handshake(crate::live::handshake::HandshakeError::KeyNotInCard);
    assert_eq!(world.events[&ALICE], [UdpEvent::Ended(session, error)]);
    let log = world.log.take().unwrap();
    let from_alice = log.iter().filter(|flying| flying.from == ALICE);
    assert!(from_alice.clone().all(|flying| flying.datagram.len() == packet::MESSAGE_1));
    assert!(from_alice.count() > 5);
}

#[test]
fn a_close_is_told_and_leaves_nothing_behind() {
    let mut pair = Pair::open(1);
    let now = pair.world.now;
    pair.world.at(ALICE).send(now, pair.session, b"\x10last words").unwrap();
    pair.world.at(ALICE).close(now, pair.session);
    pair.world.collect(ALICE);
    pair.world.run(Duration::from_secs(10));
    let (_, theirs) = pair.both_stand();
    let told = &pair.world.events[&BOB][1..];
    assert_eq!(told.len(), 2);
    assert_eq!(pair.world.frames(BOB), [b"\x10last words"]);
    assert_eq!(told.last(), Some(&UdpEvent::Session(theirs, SessionEvent::Closed)));
    assert_eq!(pair.world.events[&ALICE].len(), 1, "who closes is not told");
    for at in [ALICE, BOB] {
        assert_eq!(pair.world.at(at).next_timeout(), None);
    }
}

#[test]
fn a_quiet_session_stays_and_a_dead_peer_is_noticed() {
    let mut pair = Pair::open(1);
    pair.world.run(Duration::from_secs(3_600));
    assert_eq!(pair.world.at(ALICE).tally().renewed, 0, "nothing was said");
    pair.talk(1);
    pair.world.fate = Some(Box::new(|_, _| 0));
    pair.world.run(Duration::from_secs(70));
    // Data asked for an answer at once; who only listened asks after its quiet time.
    assert_eq!(pair.world.ended(ALICE), [SessionError::Silent]);
    assert_eq!(pair.world.ended(BOB), [SessionError::Silent]);
}

#[test]
fn a_card_that_is_no_longer_held_is_asked_for() {
    let (mut alice, bob) = (Node::new(1), Node::new(5));
    let card = alice.card();
    alice.known.holders.insert((bob.agent(), card.hash()));
    let mut pair = Pair::between(1, alice, bob);
    pair.world.run(Duration::from_secs(1));
    let told = UdpEvent::Session(pair.session, SessionEvent::CardWanted);
    assert_eq!(pair.world.events[&ALICE], [told]);
    assert!(pair.world.events[&BOB].is_empty());
    pair.world.run(Duration::from_secs(6));
    assert_eq!(pair.world.at(BOB).applicants(), 0);
}

#[test]
fn a_card_by_its_hash_is_enough_where_it_is_held() {
    let (mut alice, mut bob) = (Node::new(1), Node::new(5));
    let card = alice.card();
    alice.known.holders.insert((bob.agent(), card.hash()));
    bob.known.add(card);
    let mut pair = Pair::between(1, alice, bob);
    pair.world.run(Duration::from_secs(1));
    pair.talk(1);
}
