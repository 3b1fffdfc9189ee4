//! Who does not prove itself: bounded, silent company.

extern crate std;

use alloc::sync::Arc;
use std::sync::Mutex;

use super::*;
use crate::identity::{LiveKey, Transport};
use crate::live::card_fetch;
use crate::live::fixture::aws;
use crate::live::handshake::{self, AwaitMessage2, ExpectedKeys, Terms, prologue};
use crate::live::suite::Suite;

/// Somebody with a key of its own who keeps the rules of the handshake and no other.
struct Stranger {
    at: SocketAddr,
    index: u32,
    noise: Option<AwaitMessage2>,
    message1: Vec<u8>,
    keys: Option<keys::Keys>,
}

const SUITE: Suite = Suite::ChaChaPoly;

impl Stranger {
    fn new(at: SocketAddr, seed: u64) -> Self {
        let (provider, random) = (aws(), &mut Seeded::new(seed));
        let key = LiveKey::generate(provider.as_ref(), random);
        let index = 1 + u32::try_from(seed).unwrap();
        let prologue = prologue(Transport::Udp, SUITE, &packet::message1_header(SUITE, index));
        let terms = Terms { provider: &provider, suite: SUITE, prologue: &prologue, local: &key };
        let (noise, message1) = handshake::initiate(terms, random).unwrap();
        Self { at, index, noise: Some(noise), message1, keys: None }
    }

    fn knock(&self, world: &mut World, cookie: [u8; packet::COOKIE]) -> Vec<Vec<u8>> {
        self.say(world, packet::message1(SUITE, self.index, &cookie, &self.message1))
    }

    /// Says a datagram; what is said to it in answer.
    fn say(&self, world: &mut World, datagram: Vec<u8>) -> Vec<Vec<u8>> {
        world.log = Some(Vec::new());
        world.deliver(Flying { from: self.at, to: BOB, datagram });
        let log = world.log.take().unwrap();
        assert!(log.iter().all(|flying| flying.to == self.at));
        log.into_iter().map(|flying| flying.datagram).collect()
    }

    /// Ends the handshake; whether it was let in.
    fn enter(&mut self, world: &mut World) -> bool {
        let mut answers = self.knock(world, [0; packet::COOKIE]);
        if let Some(packet::Packet::Cookie { cookie, .. }) = packet::Packet::decode(&answers[0]) {
            answers = self.knock(world, cookie);
        }
        let Some(packet::Packet::Message2 { sender, noise, .. }) =
            answers.first().and_then(|answer| packet::Packet::decode(answer))
        else {
            return false;
        };
        let (mut read, payload) = self.noise.take().unwrap().read(noise).unwrap();
        assert_eq!(payload, packet::indices(sender, self.index));
        let middle = read.middle();
        let (established, message3) = read.go_on(ExpectedKeys::Any).unwrap();
        let provider = aws();
        let mac = initiator::message3_mac(provider.as_ref(), &middle, sender, &message3);
        self.say(world, packet::message3(sender, &mac, &message3));
        self.keys = Some(keys::Keys::new(provider.as_ref(), &established, self.index, sender));
        true
    }

    /// Says a frame as a Hello is said, but for its last parts.
    fn say_hello(&mut self, world: &mut World, frame: &[u8], but: usize) -> Vec<Vec<u8>> {
        let count = greeting::HELLO_CUT.cut(frame).count();
        let mut answers = Vec::new();
        for part in greeting::HELLO_CUT.cut(frame).take(count - but) {
            let content = content::Content::Hello { replaces: 0, part };
            let datagram = self.keys.as_mut().unwrap().seal(&content).unwrap();
            answers.extend(self.say(world, datagram));
        }
        answers
    }
}

fn world_of_bob(limits: Limits) -> World {
    let mut world = World::new(1);
    world.add_with_caps(BOB, &Node::new(5), limits);
    world
}

#[test]
fn nothing_that_is_answered_is_shorter_than_its_answer() {
    let mut world = world_of_bob(Limits::default());
    let stranger = Stranger::new(ALICE, 1);
    let (mut answers, mut cookies) = (0, 0);
    for nth in 0..300 {
        let mut other = Stranger { at: address(7, 1_000 + nth), ..Stranger::new(ALICE, 1) };
        other.index = 500 + u32::from(nth);
        for said in [stranger.knock(&mut world, [0; 11]), other.knock(&mut world, [0; 11])] {
            let length: usize = said.iter().map(Vec::len).sum();
            assert!(length <= packet::MESSAGE_1, "{length}");
            answers += usize::from(length > 16);
            cookies += usize::from(length == 16);
        }
    }
    assert!(answers > 300 && cookies >= 190, "{answers} answers, {cookies} cookies");
}

#[test]
fn under_load_a_cookie_is_asked_for_and_nothing_is_kept() {
    let mut world = world_of_bob(Limits::default());
    for nth in 0..2_000_u16 {
        let at = address((nth % 250) as u8, nth);
        let mut stranger = Stranger { at, ..Stranger::new(at, 1) };
        stranger.index = 1_000 + u32::from(nth);
        let answers = stranger.knock(&mut world, [0; 11]);
        assert_eq!(answers.len(), 1);
    }
    assert_eq!(world.at(BOB).applicants(), 100);
    // A cookie is good for who was given it.
    let mut stranger = Stranger::new(address(251, 1), 9);
    let answer = stranger.knock(&mut world, [0; 11]).remove(0);
    let Some(packet::Packet::Cookie { cookie, .. }) = packet::Packet::decode(&answer) else {
        panic!("no cookie")
    };
    let home = core::mem::replace(&mut stranger.at, address(252, 1));
    assert_eq!(stranger.knock(&mut world, cookie)[0].len(), 16);
    stranger.at = home;
    assert_eq!(stranger.knock(&mut world, cookie)[0].len(), packet::MESSAGE_2);
}

#[test]
fn one_prefix_holds_what_it_may_and_the_whole_too() {
    let limits = Limits { of_prefix: 4, of_all: 10, ..Limits::default() };
    let mut world = world_of_bob(limits);
    for nth in 0..20 {
        Stranger::new(address(1, nth), nth.into()).knock(&mut world, [0; 11]);
    }
    assert_eq!(world.at(BOB).applicants(), 4);
    for nth in 0..20 {
        Stranger::new(address(2 + nth, 1), 100 + u64::from(nth)).knock(&mut world, [0; 11]);
    }
    assert_eq!(world.at(BOB).applicants(), 10);
    assert_eq!(world.at(BOB).tally().abandoned, 30);
    world.run(Duration::from_secs(6));
    assert_eq!((world.at(BOB).applicants(), world.at(BOB).next_timeout()), (0, None));
}

#[test]
fn unfinished_hellos_are_bounded_in_bytes() {
    let limits = Limits { bytes: 200_000, ..Limits::default() };
    let mut world = world_of_bob(limits);
    let frame = vec![1; crate::live::hello::MAX_HELLO];
    for nth in 0..20 {
        let mut stranger = Stranger::new(address(nth, 1), nth.into());
        assert!(stranger.enter(&mut world));
        stranger.say_hello(&mut world, &frame, 1);
        assert!(world.at(BOB).applicants() <= 6);
    }
    assert!(world.at(BOB).applicants() >= 4);
}

#[test]
fn a_stranger_gets_five_seconds_of_silence_and_a_minute_in_all() {
    let mut world = world_of_bob(Limits::default());
    let mut silent = Stranger::new(address(1, 1), 1);
    silent.knock(&mut world, [0; 11]);
    let mut lively = Stranger::new(address(2, 1), 2);
    assert!(silent.noise.is_some() && lively.enter(&mut world));
    for second in 1..70 {
        world.run(Duration::from_secs(1));
        let datagram = lively.keys.as_mut().unwrap().seal(&content::Content::Ping).unwrap();
        lively.say(&mut world, datagram);
        let expected = match second {
            0..5 => 2,
            5..60 => 1,
            _ => 0,
        };
        assert_eq!(world.at(BOB).applicants(), expected, "after {second} s");
    }
    silent.noise = None;
}

/// A stranger that was answered at one place names another, where our Hello would flood a third.
#[test]
fn all_that_is_said_before_the_peer_is_accepted_goes_to_who_asked() {
    let mut pair = Pair::dialling(1);
    pair.world.fate = Some(Box::new(|_, flying| {
        if flying.from == ALICE && flying.datagram.len() < packet::MESSAGE_1 {
            flying.from = address(66, 6);
        }
        1
    }));
    pair.world.log = Some(Vec::new());
    pair.world.run(Duration::from_millis(300));
    let log = pair.world.log.take().unwrap();
    let of_bob = log.iter().filter(|flying| flying.from == BOB && flying.datagram.len() > 500);
    let (said, tally) = (of_bob.clone().count(), pair.world.at(BOB).tally());
    assert!(said >= 3, "{said}: {tally:?}");
    assert!(of_bob.clone().all(|flying| flying.to == ALICE));
    // Nor is the answer given to who repeats the question from elsewhere.
    let mut world = world_of_bob(Limits::default());
    let stranger = Stranger::new(ALICE, 1);
    assert_eq!(stranger.knock(&mut world, [0; 11]).len(), 1);
    let elsewhere = Stranger { at: address(66, 6), ..stranger };
    assert!(elsewhere.knock(&mut world, [0; 11]).is_empty());
    assert_eq!(world.at(BOB).tally().repeated, 1);
}

#[test]
fn a_card_is_not_fetched_here() {
    let mut world = world_of_bob(Limits::default());
    let mut stranger = Stranger::new(ALICE, 1);
    assert!(stranger.enter(&mut world));
    let request = card_fetch::encode_request(&Node::new(5).agent());
    let answers = stranger.say_hello(&mut world, &request, 0);
    assert!(answers.iter().all(|answer| answer.len() < 40), "nothing but that it came");
    assert_eq!(world.at(BOB).applicants(), 0);
    assert!(world.events[&BOB].is_empty());
}

#[test]
fn a_hello_that_does_not_hold_gets_silence_and_is_told_here() {
    let mut world = world_of_bob(Limits::default());
    let mut stranger = Stranger::new(ALICE, 1);
    assert!(stranger.enter(&mut world));
    stranger.say_hello(&mut world, &[1; 9_000], 0);
    assert!(matches!(&world.events[&BOB][..], [UdpEvent::Rejected { from: ALICE, .. }]));
    assert_eq!(world.at(BOB).applicants(), 0);
}

#[test]
fn parts_that_fit_nothing_are_counted_and_change_nothing() {
    let mut world = world_of_bob(Limits::default());
    let mut stranger = Stranger::new(ALICE, 1);
    assert!(stranger.enter(&mut world));
    for (number, count, length) in [(0, 29, 1_196), (0, 2, 1_195), (1, 2, 1_197), (0, 255, 9)] {
        let part = content::Part { number, count, bytes: &[7; 1_197][..length] };
        let content = content::Content::Hello { replaces: 0, part };
        let mut draft = content.draft();
        draft.truncate(packet::DATA_HEADER + packet::MAX_CONTENT);
        let datagram = stranger.keys.as_mut().unwrap().seal_draft(draft).unwrap();
        stranger.say(&mut world, datagram);
    }
    assert!(world.at(BOB).tally().unexpected >= 3);
    assert_eq!(world.at(BOB).applicants(), 1);
}

#[test]
fn a_crowd_of_strangers_harms_no_session_that_stands() {
    let mut pair = Pair::open(1);
    let limits = Limits { of_prefix: 4, of_all: 4, ..Limits::default() };
    for nth in 0..200_u8 {
        let mut stranger = Stranger::new(address(nth, 1), nth.into());
        if stranger.enter(&mut pair.world) {
            stranger.say_hello(&mut pair.world, &[1; 30_000], 1);
        }
    }
    assert!(pair.world.at(BOB).applicants() > limits.of_all);
    pair.talk(1);
}

#[test]
fn what_shared_caps_turn_out_goes() {
    use core::net::IpAddr;

    use crate::live::admission::{Admitted, Applicant};

    /// Turns out whom the test names, as if somebody had come elsewhere.
    #[derive(Debug)]
    struct Shared {
        admission: Admission,
        inside: Arc<Mutex<Vec<Applicant>>>,
        turned_out: Arc<Mutex<Vec<Applicant>>>,
    }

    impl Caps for Shared {
        fn admit(&mut self, from: IpAddr, random: &mut dyn Random) -> Admitted {
            let admitted = self.admission.admit(from, random);
            self.inside.lock().unwrap().push(admitted.applicant);
            admitted
        }

        fn buffered(&mut self, _: Applicant, _: usize, _: &mut dyn Random) -> Vec<Applicant> {
            Vec::new()
        }

        fn leave(&mut self, applicant: Applicant) {
            self.admission.leave(applicant);
        }

        fn turned_out(&mut self) -> Option<Applicant> {
            self.turned_out.lock().unwrap().pop()
        }
    }

    let (inside, turned_out) = (Arc::default(), Arc::default());
    let caps = Shared {
        admission: Admission::new(Limits::default()),
        inside: Arc::clone(&inside),
        turned_out: Arc::clone(&turned_out),
    };
    let (node, random) = (Node::new(5), Box::new(Seeded::new(1)));
    let local = node.local.clone();
    let mut bob = UdpEndpoint::new(local, node.directory(), Box::new(caps), NOW, random);
    let stranger = Stranger::new(ALICE, 1);
    let mut datagram = packet::message1(SUITE, stranger.index, &[0; 11], &stranger.message1);
    bob.receive(NOW, ALICE, &mut datagram);
    assert_eq!(bob.applicants(), 1);
    turned_out.lock().unwrap().append(&mut inside.lock().unwrap());
    bob.handle_timeout(NOW);
    assert_eq!((bob.applicants(), bob.tally().abandoned), (0, 1));
}
