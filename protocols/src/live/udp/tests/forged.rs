//! What an injector makes of what it sees: silence, a count, and the true session goes on.

extern crate std;

use alloc::collections::BTreeMap;

use super::*;
use crate::identity::Transport;
use crate::live::fixture::{aws, live_key};
use crate::live::handshake::{self, InitiatorKeys, MESSAGE_1_LENGTH, Terms, prologue};
use crate::live::suite::Suite;

/// Opens a session while `forge` injects before each datagram of this first byte and length.
fn opens_despite(
    is_target: impl Fn(&[u8]) -> bool + 'static,
    forge: impl Fn(&[u8]) -> Vec<Vec<u8>> + 'static,
) -> Pair {
    let mut pair = Pair::dialling(1);
    let mut rounds = 0;
    pair.world.forge = Some(Box::new(move |flying: &Flying| {
        // Who never tires lets none through: only so many answers are tried.
        if !is_target(&flying.datagram) || rounds == 3 {
            return Vec::new();
        }
        rounds += 1;
        let forged = forge(&flying.datagram);
        forged.into_iter().map(|datagram| Flying { datagram, ..flying.clone() }).collect()
    }));
    pair.world.run(Duration::from_secs(2));
    pair.both_stand();
    pair.world.forge = None;
    pair.talk(1);
    for at in [ALICE, BOB] {
        let events = &pair.world.events[&at];
        assert_eq!(events.len(), 2, "a session and a frame: {events:?}");
    }
    pair.world.run(Duration::from_secs(10));
    assert_eq!(pair.world.at(BOB).applicants(), 0);
    pair
}

fn ignored(pair: &mut Pair) -> u64 {
    pair.world.at(ALICE).tally().ignored() + pair.world.at(BOB).tally().ignored()
}

/// One bit changed in each of the first bytes, and in some of the others.
fn changed(datagram: &[u8]) -> Vec<Vec<u8>> {
    let places = (0..32).chain((32..datagram.len()).step_by(97));
    places
        .filter(|at| *at < datagram.len())
        .map(|at| {
            let mut forged = datagram.to_vec();
            forged[at] ^= 1 << (at % 8);
            forged
        })
        .collect()
}

/// Under each other first byte.
fn renamed(datagram: &[u8]) -> Vec<Vec<u8>> {
    let first = datagram[0];
    let others = (0..=u8::MAX).filter(|kind| *kind != first);
    others.map(|kind| [&[kind], &datagram[1..]].concat()).collect()
}

fn truncated(datagram: &[u8]) -> Vec<Vec<u8>> {
    (0..datagram.len()).step_by(7).map(|length| datagram[..length].to_vec()).collect()
}

fn is_message1(datagram: &[u8]) -> bool {
    datagram.len() == packet::MESSAGE_1 && datagram[0] < 0x08
}

fn is_message2(datagram: &[u8]) -> bool {
    datagram[0] == 0x08
}

fn is_message3(datagram: &[u8]) -> bool {
    datagram[0] == 0x09
}

fn is_data(datagram: &[u8]) -> bool {
    datagram[0] == 0x0b
}

const TARGETS: [fn(&[u8]) -> bool; 4] = [is_message1, is_message2, is_message3, is_data];

#[test]
fn changed_bytes_of_any_message_change_nothing() {
    for target in TARGETS {
        let mut pair = opens_despite(target, changed);
        assert!(ignored(&mut pair) > 10);
    }
}

#[test]
fn messages_under_another_type_change_nothing() {
    for target in [is_message2, is_message3, is_data] {
        let mut pair = opens_despite(target, renamed);
        assert!(ignored(&mut pair) >= 255);
    }
    let other_suite = |datagram: &[u8]| [&[datagram[0] ^ 3], &datagram[1..]].concat();
    opens_despite(is_message1, move |datagram| vec![other_suite(datagram)]);
}

#[test]
fn truncated_messages_change_nothing() {
    for target in TARGETS {
        let mut pair = opens_despite(target, truncated);
        assert!(ignored(&mut pair) > 2);
    }
}

#[test]
fn lengthened_messages_change_nothing() {
    for target in TARGETS {
        opens_despite(target, |datagram| vec![[datagram, &[0]].concat()]);
    }
}

#[test]
fn doubled_messages_change_nothing() {
    for target in TARGETS {
        let mut pair = opens_despite(target, |datagram| vec![datagram.to_vec(); 3]);
        assert_eq!(pair.world.at(BOB).tally().answered, 1, "of one message 1");
    }
}

#[test]
fn a_whole_session_replayed_changes_nothing() {
    let mut pair = Pair::dialling(1);
    pair.world.log = Some(Vec::new());
    let first = pair.world.at(ALICE).next_timeout().unwrap();
    pair.world.run(first.monotonic - NOW.monotonic);
    pair.world.run(Duration::from_secs(1));
    pair.talk(1);
    let log = pair.world.log.take().unwrap();
    assert!(log.iter().any(|flying| is_message1(&flying.datagram)) || log.len() > 10);
    let events = pair.world.events.clone();
    for wait in [0, 30, 200] {
        pair.world.run(Duration::from_secs(wait));
        for flying in log.clone() {
            let elsewhere = Flying { from: address(9, 9), ..flying.clone() };
            pair.world.deliver(flying);
            pair.world.deliver(elsewhere);
        }
        pair.world.run(Duration::from_secs(10));
        for at in [ALICE, BOB] {
            let new = &pair.world.events[&at][events[&at].len()..];
            let is_renewal =
                |event: &UdpEvent| matches!(event, UdpEvent::Session(_, SessionEvent::Renewed(_)));
            assert!(new.iter().all(is_renewal), "{new:?}");
            assert_eq!(pair.world.at(at).applicants(), 0);
        }
        let session = pair.session;
        assert_eq!(pair.world.at(ALICE).remote(session), Some(BOB));
    }
    pair.talk(2);
}

/// An injector that answers each message 1 itself, before the true answer comes.
#[test]
fn well_formed_answers_of_an_injector_are_tried_and_passed_over() {
    let (alice, bob, own) = (Node::new(1), Node::new(5), Node::new(9));
    let mut world = World::new(1);
    world.add(ALICE, &alice);
    world.add(BOB, &bob);
    let mut random = Seeded::new(77);
    world.forge = Some(Box::new(move |flying: &Flying| {
        let Some(packet::Packet::Message2 { receiver, .. }) =
            packet::Packet::decode(&flying.datagram)
        else {
            return Vec::new();
        };
        let message1 = LAST_MESSAGE_1.with(|last| last.borrow().clone());
        let Some(packet::Packet::Message1 { suite, sender, noise, .. }) =
            packet::Packet::decode(&message1)
        else {
            panic!("no message 1 before message 2");
        };
        assert_eq!(sender, receiver);
        let knock = responder::Knock { from: ALICE, suite, sender, noise, hash: [0; 32] };
        (0..5)
            .map(|index| {
                let (_, datagram) =
                    responder::answer(&own.local, knock, index + 1, &mut random).unwrap();
                Flying { datagram, ..flying.clone() }
            })
            .collect()
    }));
    world.fate = Some(Box::new(|_, flying: &mut Flying| {
        if is_message1(&flying.datagram) {
            LAST_MESSAGE_1.with(|last| last.replace(flying.datagram.clone()));
        }
        1
    }));
    let session = world.dial(ALICE, BOB, &bob);
    world.run(Duration::from_secs(2));
    world.forge = None;
    let mut pair = Pair { world, alice, bob, session };
    pair.talk(1);
    assert!(pair.world.at(ALICE).tally().not_authentic >= 5);
}

std::thread_local! {
    static LAST_MESSAGE_1: core::cell::RefCell<Vec<u8>> = const { core::cell::RefCell::new(Vec::new()) };
}

#[test]
fn at_most_sixteen_answers_are_tried_at_once() {
    let mut pair = Pair::dialling(1);
    pair.world.forge = Some(Box::new(|flying: &Flying| {
        let forged = (0..100_u8).map(|nth| {
            let mut datagram = flying.datagram.clone();
            datagram[20] ^= nth + 1;
            Flying { datagram, ..flying.clone() }
        });
        if is_message2(&flying.datagram) { forged.collect() } else { Vec::new() }
    }));
    pair.world.run(Duration::from_millis(30));
    let tally = pair.world.at(ALICE).tally();
    assert_eq!((tally.not_authentic, tally.too_many), (16, 85));
    // The true one comes again.
    pair.world.forge = None;
    pair.world.run(Duration::from_secs(2));
    pair.talk(1);
}

/// An answer leads to the same keys each time.
#[test]
fn an_answer_that_was_left_for_a_later_one_is_not_gone_back_to() {
    let mut pair = Pair::dialling(1);
    pair.world.log = Some(Vec::new());
    // Bob hears first messages alone, and has forgotten the first answer when he gives another.
    pair.world.fate = Some(Box::new(|_, flying: &mut Flying| {
        usize::from(flying.from == BOB || is_message1(&flying.datagram))
    }));
    pair.world.run(Duration::from_secs(8));
    let log = pair.world.log.clone().unwrap();
    let mut answers = log.iter().filter(|flying| is_message2(&flying.datagram));
    let (first, last) = (answers.next().unwrap(), answers.next_back().unwrap());
    assert_ne!(first.datagram, last.datagram);
    let repeated = pair.world.at(ALICE).tally().repeated;
    pair.world.deliver(first.clone());
    assert_eq!(pair.world.at(ALICE).tally().repeated, repeated + 1);
    pair.world.fate = None;
    pair.world.run(Duration::from_secs(8));
    pair.talk(1);
    let mut sealed = BTreeMap::new();
    for Flying { from, datagram, .. } in pair.world.log.take().unwrap() {
        if let Some(packet::Packet::Data { receiver, counter }) = packet::Packet::decode(&datagram)
        {
            let before = sealed.insert((from, receiver, counter), datagram.clone());
            assert!(before.is_none_or(|before| before == datagram), "one key and counter, twice");
        }
    }
}

#[test]
fn cookies_that_an_injector_makes_up_change_nothing() {
    let mut pair = Pair::dialling(1);
    pair.world.forge =
        Some(Box::new(|flying: &Flying| match packet::Packet::decode(&flying.datagram) {
            Some(packet::Packet::Message1 { sender, .. }) => (0..40)
                .map(|nth| Flying {
                    from: BOB,
                    to: ALICE,
                    datagram: packet::cookie(sender, &[nth; packet::COOKIE]),
                })
                .collect(),
            _ => Vec::new(),
        }));
    pair.world.run(Duration::from_secs(2));
    pair.talk(1);
    assert_eq!(pair.world.at(BOB).tally().answered, 1);
}

/// Message 1 of TCP, of QUIC or of another header, in a datagram.
#[test]
fn a_handshake_of_another_transport_leads_to_nothing() {
    for (transport, header) in [
        (Transport::Tcp, packet::message1_header(Suite::ChaChaPoly, 7).to_vec()),
        (Transport::Quic, packet::message1_header(Suite::ChaChaPoly, 7).to_vec()),
        (Transport::Udp, packet::message1_header(Suite::ChaChaPoly, 8).to_vec()),
    ] {
        let (provider, suite, key) = (aws(), Suite::ChaChaPoly, live_key(1));
        let prologue = prologue(transport, suite, &header);
        let terms = Terms { provider: &provider, suite, prologue: &prologue, local: &key };
        let (state, noise) = handshake::initiate(terms, &mut Seeded::new(8)).unwrap();
        let mut world = World::new(1);
        world.add(BOB, &Node::new(5));
        world.log = Some(Vec::new());
        let datagram = packet::message1(suite, 7, &[0; packet::COOKIE], &noise);
        world.deliver(Flying { from: ALICE, to: BOB, datagram });
        let answer = world.log.take().unwrap().pop().unwrap().datagram;
        let Some(packet::Packet::Message2 { noise, .. }) = packet::Packet::decode(&answer) else {
            panic!("no answer")
        };
        assert!(state.read(noise).is_err());
    }
}

#[test]
fn bytes_of_other_protocols_get_silence() {
    let mut world = World::new(1);
    world.add(BOB, &Node::new(5));
    world.log = Some(Vec::new());
    let mut given = 0;
    for first in 0..=u8::MAX {
        for length in [0, 1, 5, 16, 85, 600, 1_200, MAX_DATAGRAM - 1, MAX_DATAGRAM + 1, 1_500] {
            let mut datagram = vec![0; length];
            let random: &mut dyn Random = &mut world.random;
            random.fill(&mut datagram);
            if let Some(byte) = datagram.first_mut() {
                *byte = first;
            }
            given += 1;
            world.deliver(Flying { from: ALICE, to: BOB, datagram });
        }
    }
    assert!(world.log.take().unwrap().is_empty());
    let tally = world.at(BOB).tally();
    assert_eq!(tally.ignored(), given);
    assert_eq!(world.at(BOB).applicants(), 0);
}

#[test]
fn the_indices_in_front_of_message_2_are_bound() {
    // 1 and 5: the first bytes of either index.
    for at in 1..9 {
        opens_despite(is_message2, move |datagram| {
            let mut forged = datagram.to_vec();
            forged[at] ^= 0x80;
            vec![forged]
        });
    }
    let keys = InitiatorKeys::draw(aws().as_ref(), &mut Seeded::new(3));
    assert!(keys.is_ok() && MESSAGE_1_LENGTH == 1216);
}
