//! Sessions that stand: frames and their pace, new keys, moves.

use super::*;
use crate::live::session::SendError;

fn frame(length: usize, seed: u8) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..=250).cycle().take(length).map(|at: u8| at ^ seed).collect();
    frame[0] = 0x10;
    frame
}

#[test]
fn frames_of_each_length_arrive_and_one_past_the_longest_is_refused_by_name() {
    let mut pair = Pair::open(1);
    let lengths = [1, packet::MAX_CONTENT, packet::MAX_CONTENT + 1, 20_000, MAX_UDP_FRAME];
    for (nth, length) in lengths.into_iter().enumerate() {
        pair.world.send(ALICE, pair.session, &frame(length, 1));
        pair.world.run(Duration::from_secs(1));
        assert_eq!(pair.world.frames(BOB)[nth], frame(length, 1), "{length} bytes");
    }
    let (now, session) = (pair.world.now, pair.session);
    let endpoint = pair.world.at(ALICE);
    let too_long = frame(MAX_UDP_FRAME + 1, 1);
    assert_eq!(endpoint.send(now, session, &too_long), Err(SendError::TooLongForPath));
    assert_eq!(endpoint.send(now, session, &[0x0f]), Err(SendError::ReservedFrame));
    assert_eq!(endpoint.send(now, session, &[]), Err(SendError::ReservedFrame));
}

#[test]
fn so_much_waits_and_no_more() {
    let mut pair = Pair::open(1);
    let (now, session) = (pair.world.now, pair.session);
    let endpoint = pair.world.at(ALICE);
    let mut taken = 0;
    while endpoint.send(now, session, &frame(1_000, 1)).is_ok() {
        taken += 1_000;
    }
    assert!(taken <= MAX_WAITING && taken + 20_000 > MAX_WAITING, "{taken}");
    assert_eq!(endpoint.send(now, session, &frame(1_000, 1)), Err(SendError::Busy));
    assert!(endpoint.room(session) < 1_100);
    pair.world.collect(ALICE);
    pair.world.run(Duration::from_secs(3));
    assert_eq!(pair.world.frames(BOB).len() * 1_000, taken);
    assert_eq!(pair.world.at(ALICE).room(session), MAX_WAITING);
}

#[test]
fn a_long_frame_that_is_sent_again_gets_through_heavy_loss() {
    let mut pair = Pair::open(1);
    pair.world.weather = Weather { lost: 30, ..Weather::default() };
    for _ in 0..12 {
        let (now, session) = (pair.world.now, pair.session);
        // Where the last one still waits, it is not sent again.
        let _ = pair.world.at(ALICE).send(now, session, &frame(MAX_UDP_FRAME, 3));
        pair.world.collect(ALICE);
        pair.world.run(Duration::from_secs(5));
    }
    assert!(pair.world.frames(BOB).contains(&frame(MAX_UDP_FRAME, 3)));
}

#[test]
fn where_all_is_lost_little_is_sent() {
    let mut pair = Pair::open(1);
    pair.world.fate = Some(Box::new(|_, _| 0));
    pair.world.log = Some(Vec::new());
    let (now, session) = (pair.world.now, pair.session);
    for _ in 0..200 {
        pair.world.at(ALICE).send(now, session, &frame(1_000, 1)).unwrap();
    }
    pair.world.collect(ALICE);
    pair.world.run(Duration::from_secs(10));
    let log = pair.world.log.take().unwrap();
    let frames = log.iter().filter(|flying| flying.datagram.len() > 1_000).count();
    // Ten at first, and five each time that a longer silence has passed.
    assert!((12..=35).contains(&frames), "{frames}");
}

#[test]
fn a_session_that_is_used_gets_new_keys_every_two_minutes_and_loses_no_frame() {
    let mut pair = Pair::open(1);
    let (ours, theirs) = pair.both_stand();
    for second in 0..590_u32 {
        let word = second.to_be_bytes();
        pair.world.send(ALICE, ours, &[&[0x10], &word[..]].concat());
        pair.world.send(BOB, theirs, &[&[0x10], &word[..]].concat());
        pair.world.run(Duration::from_secs(1));
    }
    for at in [ALICE, BOB] {
        assert_eq!(pair.world.frames(at).len(), 590);
        assert_eq!(pair.world.at(at).tally().renewed, 4);
        assert_eq!(pair.world.ended(at), []);
    }
    pair.both_stand();
}

#[test]
fn in_bad_weather_new_keys_are_made_too() {
    let mut pair = Pair::open(1);
    pair.world.weather = Weather { lost: 30, doubled: 20, changed: 10, late: 60 };
    let (ours, theirs) = pair.both_stand();
    for _ in 0..1_000 {
        pair.world.send(ALICE, ours, &[0x10; 9]);
        pair.world.send(BOB, theirs, &[0x10; 9]);
        pair.world.run(Duration::from_secs(1));
    }
    for at in [ALICE, BOB] {
        assert_eq!(pair.world.ended(at), []);
        assert!(pair.world.at(at).tally().renewed >= 6, "{:?}", pair.world.at(at).tally());
        let came = pair.world.frames(at).len();
        assert!((500..=720).contains(&came), "{came} of 1000");
    }
}

#[test]
fn both_ends_may_begin_new_keys_at_once() {
    for (first, second) in [(1, 5), (5, 1)] {
        let mut pair = Pair::between(1, Node::new(first), Node::new(second));
        pair.world.run(Duration::from_secs(1));
        let (ours, theirs) = pair.both_stand();
        for _ in 0..20 {
            pair.talk(1);
            // Both ends at the same moment, and both messages cross.
            let now = pair.world.now;
            for (at, session) in [(ALICE, ours), (BOB, theirs)] {
                pair.world.at(at).renew_now(now, session);
            }
            pair.world.collect(ALICE);
            pair.world.collect(BOB);
            pair.world.run(Duration::from_secs(20));
        }
        pair.talk(2);
        for at in [ALICE, BOB] {
            assert_eq!(pair.world.ended(at), []);
            assert_eq!(pair.world.at(at).tally().renewed, 20);
        }
    }
}

#[test]
fn a_session_whose_keys_cannot_be_replaced_ends() {
    let mut pair = Pair::open(1);
    let (ours, theirs) = pair.both_stand();
    pair.world.fate =
        Some(Box::new(|_, flying| usize::from(flying.datagram.len() != packet::MESSAGE_1)));
    for _ in 0..215 {
        let now = pair.world.now;
        for (at, session) in [(ALICE, ours), (BOB, theirs)] {
            let _ = pair.world.at(at).send(now, session, &[0x10]);
            pair.world.collect(at);
        }
        pair.world.run(Duration::from_secs(1));
    }
    assert_eq!(pair.world.ended(ALICE), [SessionError::NotRenewed]);
    assert_eq!(pair.world.ended(BOB).len(), 1);
    for at in [ALICE, BOB] {
        assert_eq!(pair.world.at(at).next_timeout(), None, "nothing is left");
    }
}

const ELSEWHERE: SocketAddr =
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 77, 1)), 7_777);

#[test]
fn a_peer_that_moves_is_followed() {
    let mut pair = Pair::open(1);
    let (_, theirs) = pair.both_stand();
    pair.talk(1);
    // What Alice says comes from elsewhere from now on, and what is said there comes to her.
    pair.world.fate = Some(Box::new(|_, flying| {
        let is_gone = flying.to == ALICE;
        if flying.from == ALICE {
            flying.from = ELSEWHERE;
        }
        if flying.to == ELSEWHERE {
            flying.to = ALICE;
        }
        usize::from(!is_gone)
    }));
    pair.world.send(ALICE, pair.session, &[0x10, 9]);
    pair.world.run(Duration::from_millis(500));
    assert_eq!(pair.world.at(BOB).remote(theirs), Some(ELSEWHERE));
    pair.talk(2);
    pair.world.run(Duration::from_secs(20));
    pair.talk(3);
    assert_eq!(pair.world.at(BOB).tally().moved, 1);
    // New keys are made where the peer is.
    pair.world.run(Duration::from_secs(130));
    pair.talk(4);
    assert_eq!(pair.world.at(BOB).tally().renewed, 1);
}

#[test]
fn datagrams_redirected_by_an_injector_get_little_and_bring_the_peer_back() {
    let mut pair = Pair::open(1);
    let (_, theirs) = pair.both_stand();
    pair.world.log = Some(Vec::new());
    // Each datagram of Alice comes from elsewhere first.
    pair.world.forge = Some(Box::new(|flying: &Flying| {
        if flying.from == ALICE {
            vec![Flying { from: ELSEWHERE, ..flying.clone() }]
        } else {
            vec![]
        }
    }));
    pair.world.send(ALICE, pair.session, &[0x10, 1]);
    pair.world.run(Duration::from_millis(15));
    assert_eq!(pair.world.at(BOB).remote(theirs), Some(ELSEWHERE));
    for _ in 0..50 {
        pair.world.send(BOB, theirs, &frame(1_000, 1));
    }
    pair.world.run(Duration::from_secs(6));
    pair.world.forge = None;
    let log = pair.world.log.take().unwrap();
    let length = |flying: &&Flying| flying.datagram.len();
    let there: usize = log.iter().filter(|flying| flying.to == ELSEWHERE).map(|f| length(&f)).sum();
    let came: usize = log.iter().filter(|flying| flying.from == ALICE).map(|f| length(&f)).sum();
    assert!(there <= 3 * came, "{there} bytes for {came}");
    pair.world.run(Duration::from_secs(6));
    assert_eq!(pair.world.at(BOB).remote(theirs), Some(ALICE));
    pair.talk(7);
}
