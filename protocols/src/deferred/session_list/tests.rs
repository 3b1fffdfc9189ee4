use alloc::vec;
use alloc::vec::Vec;

use super::{MAX_ARCHIVED, MAX_ARCHIVED_BYTES, SessionList};
use crate::deferred::Suite;
#[cfg(feature = "aws-lc-rs")]
use crate::deferred::braid::{BraidError, BraidMessage};
use crate::deferred::fixture::{End, NOW, PROVIDER, Seeded, answered, pair};
use crate::deferred::ratchet::{ChainKey, MAX_SKIPPED};
use crate::deferred::session::{MAX_RECEIVER_CHAINS, OpenError, Packet, PacketKind, SealError};
use crate::deferred::wire::{FirstMessage, RatchetMessage};
use crate::random::Random;
use crate::secret::Secret;
use core::time::Duration;

#[test]
fn two_ends_talk_in_both_suites_with_and_without_a_one_time_key() {
    for suite in Suite::ALL {
        for with_one_time in [true, false] {
            let (mut alice, mut bob) = (End::new(1, suite), End::new(2, suite));
            if !with_one_time {
                bob.keys.one_time = None;
            }
            alice.begin(&bob);
            let first = alice.seal(b"to bob");
            assert_eq!(first.kind, PacketKind::First);
            let read = FirstMessage::decode(&first.bytes).unwrap();
            assert_eq!((read.one_time.is_some(), read.registration), (with_one_time, 7));
            assert_eq!(bob.open(&first), b"to bob");
            let reply = bob.seal(b"to alice");
            assert_eq!(reply.kind, PacketKind::Ratchet);
            assert_eq!(alice.open(&reply), b"to alice");
            assert_eq!(alice.seal(b"").kind, PacketKind::Ratchet);
        }
    }
}

#[test]
fn messages_arrive_in_any_order_over_many_turns() {
    let (mut alice, mut bob) = answered(Suite::MlKem1024);
    let mut random = Seeded(5);
    let random: &mut dyn Random = &mut random;
    let mut under_way: [Vec<(Vec<u8>, Packet)>; 2] = [Vec::new(), Vec::new()];
    for number in 0_u32..300 {
        let text = number.to_be_bytes().to_vec();
        let towards = usize::try_from(random.below(2)).unwrap();
        let packet = if towards == 0 { bob.seal(&text) } else { alice.seal(&text) };
        under_way[towards].push((text, packet));
        for (towards, queue) in under_way.iter_mut().enumerate() {
            while queue.len() > 4 {
                let (text, packet) = queue.swap_remove(usize::try_from(random.below(4)).unwrap());
                let end = if towards == 0 { &mut alice } else { &mut bob };
                assert_eq!(end.open(&packet), text);
                assert_eq!(end.refuse(&packet), OpenError::Duplicate);
            }
        }
    }
}

#[test]
fn first_messages_repeat_until_one_is_answered_and_come_late() {
    let (mut alice, mut bob) = pair(Suite::MlKem1024);
    let firsts: [_; 4] =
        core::array::from_fn(|number| alice.seal(&[u8::try_from(number).unwrap()]));
    assert!(firsts.iter().all(|packet| packet.kind == PacketKind::First));
    assert_eq!(bob.open(&firsts[2]), [2]);
    assert_eq!(bob.open(&firsts[0]), [0]);
    let reply = bob.seal(b"reply");
    alice.open(&reply);
    let next = alice.seal(b"next");
    assert_eq!(bob.open(&next), b"next");
    assert_eq!(bob.open(&firsts[3]), [3]);
    assert_eq!(bob.list.archived(), 0);
    assert_eq!(bob.refuse(&firsts[3]), OpenError::Duplicate);
}

#[test]
fn a_first_message_that_comes_again_after_its_record_is_lost_is_refused() {
    // 1. Its one-time key is gone.
    let (mut alice, mut bob) = pair(Suite::MlKem1024);
    let first = alice.seal(b"first");
    bob.open(&first);
    bob.list = SessionList::default();
    assert_eq!(bob.refuse(&first), OpenError::UnknownOneTimePrekey);
    // 2. It used none, but its use was noted.
    let (mut alice, mut bob) = (End::new(1, Suite::MlKem1024), End::new(2, Suite::MlKem1024));
    bob.keys.one_time = None;
    alice.begin(&bob);
    let first = alice.seal(b"first");
    bob.open(&first);
    bob.list = SessionList::default();
    bob.keys.used.push(*FirstMessage::decode(&first.bytes).unwrap().base_key.u());
    assert_eq!(bob.refuse(&first), OpenError::Replayed);
}

#[test]
fn every_flipped_bit_of_a_ratchet_message_is_refused_and_changes_nothing() {
    let (mut alice, mut bob) = answered(Suite::MlKem1024);
    let packet = alice.seal(b"whole");
    for bit in 0..packet.bytes.len() * 8 {
        let mut flipped = packet.clone();
        flipped.bytes[bit / 8] ^= 1 << (bit % 8);
        bob.refuse(&flipped);
    }
    for end in 0..packet.bytes.len() {
        bob.refuse(&Packet { bytes: packet.bytes[..end].to_vec(), ..packet });
    }
    let mut longer = packet.clone();
    longer.bytes.push(0);
    bob.refuse(&longer);
    assert_eq!(bob.open(&packet), b"whole");
}

#[test]
fn what_is_cut_or_changed_in_a_first_message_opens_as_sent_or_not_at_all() {
    let (mut alice, mut bob) = pair(Suite::MlKem1024);
    let packet = alice.seal(b"whole");
    for end in 0..packet.bytes.len() {
        bob.refuse(&Packet { bytes: packet.bytes[..end].to_vec(), ..packet });
    }
    // The ciphertext of the KEM has 12,552 bits that behave alike.
    for bit in (0..packet.bytes.len() * 8).step_by(61) {
        let mut flipped = packet.clone();
        flipped.bytes[bit / 8] ^= 1 << (bit % 8);
        let before = bob.list.encode().unwrap();
        if let Ok(opened) = bob.try_open(&flipped) {
            assert_eq!(opened.plaintext.expose(), b"whole", "bit {bit}");
        }
        assert_eq!(bob.list.encode().unwrap(), before);
    }
    assert_eq!(bob.open(&packet), b"whole");
}

/// The places that the format leaves open, as `docs/wire-format.md` lists them: a flip there is
/// ignored or refused, and everywhere else refused.
#[test]
fn each_bit_of_a_first_message_to_the_official_client_is_bound_or_on_the_list() {
    let (mut alice, mut bob) = pair(Suite::Kyber1024);
    let packet = alice.seal(b"whole");
    let read = FirstMessage::decode(&packet.bytes).unwrap();
    // The version byte's low nibble, and the registration with its field number.
    let registration = read.before.len() + read.message.as_bytes().len();
    assert_eq!(packet.bytes[registration..registration + 2], [5 << 3, 7]);
    let listed = |bit: usize| bit < 4 || (registration..registration + 2).contains(&(bit / 8));

    let before = bob.list.encode().unwrap();
    let mut ignored = 0;
    for bit in 0..packet.bytes.len() * 8 {
        let mut flipped = packet.clone();
        flipped.bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(opened) = bob.try_open(&flipped) {
            assert!(listed(bit), "bit {bit} is bound by nothing");
            assert_eq!(opened.plaintext.expose(), b"whole", "bit {bit}");
            ignored += 1;
        }
    }
    assert!(ignored >= 4 + 7, "{ignored}");
    assert_eq!(bob.list.encode().unwrap(), before);
    assert_eq!(bob.open(&packet), b"whole");
}

/// Lets the current session of an end seal `count` messages that nobody ever sees.
#[cfg(feature = "aws-lc-rs")]
fn skip(end: &mut End, count: u32) {
    let last = end.seal(b"");
    let message = RatchetMessage::decode(&last.bytes).unwrap();
    let mut beside = BraidMessage::decode(message.braid).unwrap();
    beside.index += count - 1;
    let mut session = end.list.current().unwrap().clone();
    session.braid.own_key(PROVIDER, &beside.encode()).unwrap();
    for _ in 1..count {
        session.chains.sender.chain_key = session.chains.sender.chain_key.step(PROVIDER).unwrap().1;
    }
    end.list = end.list.with_current(session);
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn so_many_messages_may_be_missing_and_not_one_more() {
    let (mut alice, mut bob) = answered(Suite::MlKem1024);
    let near = alice.seal(b"near");
    let mut further = End { list: alice.list.clone(), ..End::new(1, Suite::MlKem1024) };
    skip(&mut alice, 24_998);
    let far = alice.seal(b"far");
    skip(&mut further, 24_999);
    let too_far = further.seal(b"too far");
    // The post-quantum ratchet counts from one, so that its bound comes first.
    assert_eq!(bob.refuse(&too_far), OpenError::Braid(BraidError::JumpTooFar));
    assert_eq!(bob.open(&far), b"far");
    assert_eq!(bob.refuse(&near), OpenError::Duplicate);
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn a_million_messages_missing_in_many_jumps_leave_a_bounded_record() {
    let (mut alice, mut bob) = answered(Suite::MlKem1024);
    for _ in 0..41 {
        skip(&mut alice, 24_500);
        let landing = alice.seal(b"landing");
        assert_eq!(bob.open(&landing), b"landing");
        assert!(bob.list.encode().unwrap().len() < 170_000);
    }
}

#[test]
fn a_million_skipped_messages_are_a_named_error_and_no_memory() {
    let (mut alice, mut bob) = answered(Suite::MlKem1024);
    let held = alice.seal(b"held");
    let mut session = alice.list.current().unwrap().clone();
    session.chains.sender.chain_key = ChainKey::at(1_000_001, Secret::new([1; 32]));
    alice.list = alice.list.with_current(session);
    let far = alice.seal(b"far");
    assert_eq!(bob.refuse(&far), OpenError::JumpTooFar);
    assert_eq!(bob.open(&held), b"held");
}

#[test]
fn skipped_messages_are_bounded_and_the_record_with_them() {
    let (mut alice, mut bob) = answered(Suite::MlKem1024);
    let first = alice.seal(b"0");
    let mut last = first.clone();
    for _ in 0..MAX_SKIPPED + 100 {
        last = alice.seal(b"x");
    }
    bob.open(&last);
    assert_eq!(bob.refuse(&first), OpenError::Duplicate);
    assert!(bob.list.encode().unwrap().len() < 170_000);
}

#[test]
fn a_message_of_a_chain_that_was_driven_out_no_longer_opens() {
    let (mut alice, mut bob) = answered(Suite::MlKem1024);
    let late = alice.seal(b"late");
    let mut packet = alice.seal(b"0");
    for _ in 0..MAX_RECEIVER_CHAINS {
        bob.open(&packet);
        let reply = bob.seal(b"reply");
        alice.open(&reply);
        packet = alice.seal(b"next");
    }
    assert_eq!(bob.open(&late), b"late");
    let late = alice.seal(b"late");
    for _ in 0..=MAX_RECEIVER_CHAINS {
        bob.open(&packet);
        let reply = bob.seal(b"reply");
        alice.open(&reply);
        packet = alice.seal(b"next");
    }
    assert_eq!(bob.refuse(&late), OpenError::DoesNotOpen);
}

#[test]
fn forty_archived_sessions_open_and_the_one_before_them_does_not() {
    let (mut alice, mut bob) = answered(Suite::MlKem1024);
    let mut kept = Vec::new();
    for number in 0..=MAX_ARCHIVED {
        kept.push(alice.seal(&number.to_be_bytes()));
        // A new session, in which both ends have opened something.
        alice.begin(&bob);
        let first = alice.seal(b"first");
        bob.open(&first);
        let reply = bob.seal(b"reply");
        alice.open(&reply);
    }
    assert_eq!(bob.list.archived(), MAX_ARCHIVED);
    assert_eq!(bob.refuse(&kept[0]), OpenError::DoesNotOpen);
    assert_eq!(bob.open(&kept[1]), 1_usize.to_be_bytes());
    assert_eq!(bob.list.archived(), MAX_ARCHIVED);
    // What opened is current again, so that the answer finds the peer.
    let reply = bob.seal(b"reply");
    assert_eq!(alice.open(&reply), b"reply");
}

#[test]
fn archived_sessions_are_bounded_in_bytes_and_the_newest_stays() {
    let (mut alice, mut bob) = answered(Suite::MlKem1024);
    for round in 0..12 {
        let mut last = alice.seal(b"x");
        for _ in 0..MAX_SKIPPED {
            last = alice.seal(b"x");
        }
        bob.open(&last);
        alice.begin(&bob);
        let first = alice.seal(b"first");
        bob.open(&first);
        let reply = bob.seal(b"reply");
        alice.open(&reply);
        assert!(bob.list.archived() >= 1);
        let length = bob.list.encode().unwrap().len();
        assert!(length < MAX_ARCHIVED_BYTES + 200_000, "{length} in round {round}");
    }
    assert!(bob.list.archived() < 12);
}

#[test]
fn both_ends_beginning_at_once_find_each_other() {
    let (mut alice, mut bob) = (End::new(1, Suite::MlKem1024), End::new(2, Suite::MlKem1024));
    alice.begin(&bob);
    bob.begin(&alice);
    let (to_bob, to_alice) = (alice.seal(b"a"), bob.seal(b"b"));
    assert_eq!((bob.open(&to_bob), alice.open(&to_alice)), (b"a".to_vec(), b"b".to_vec()));
    for number in 0_u8..10 {
        let (to_bob, to_alice) = (alice.seal(&[number]), bob.seal(&[number]));
        assert_eq!((bob.open(&to_bob), alice.open(&to_alice)), (vec![number], vec![number]));
    }
    assert!(alice.list.archived() <= 1 && bob.list.archived() <= 1);
}

#[test]
fn a_session_without_an_answer_seals_until_its_end_and_no_longer() {
    let (mut alice, mut bob) = pair(Suite::MlKem1024);
    let later = NOW + Duration::from_millis(1);
    assert!(alice.list.draft(PROVIDER, 0, NOW, &mut Seeded(1)).is_ok());
    let refused = alice.list.draft(PROVIDER, 0, later, &mut Seeded(1)).map(drop);
    assert_eq!(refused, Err(SealError::Unanswered));
    let first = alice.seal(b"first");
    bob.open(&first);
    let reply = bob.seal(b"reply");
    alice.open(&reply);
    assert!(alice.list.draft(PROVIDER, 0, later, &mut Seeded(1)).is_ok());
    let refused = alice.list.archive().draft(PROVIDER, 0, NOW, &mut Seeded(1)).map(drop);
    assert_eq!(refused, Err(SealError::NoSession));
}

#[test]
fn a_list_survives_its_record_and_every_other_encoding_is_refused() {
    let (mut alice, bob) = answered(Suite::MlKem1024);
    alice.begin(&bob);
    let record = alice.list.encode().unwrap();
    let again = SessionList::decode(record.expose()).unwrap();
    assert_eq!(again.encode().unwrap(), record);
    assert_eq!(again.archived(), 1);
    for end in (0..record.len()).step_by(97).chain(record.len() - 40..record.len()) {
        assert!(SessionList::decode(&record.expose()[..end]).is_err(), "cut at {end}");
    }
    assert!(SessionList::decode(&[record.expose(), &[0]].concat()).is_err());
    let mut other = record.expose().to_vec();
    other[0] = 2;
    assert!(SessionList::decode(&other).is_err());
}

#[test]
fn debug_shows_no_byte_of_a_secret() {
    let (alice, _) = pair(Suite::MlKem1024);
    let shown = alloc::format!("{:?}", alice.list);
    assert!(shown.contains("Secret<32>(..)"), "{shown}");
    assert!(shown.contains("CurveKey(CurvePublic("), "{shown}");
}

#[test]
fn a_session_of_an_older_copy_opens_and_never_seals_again() {
    let (mut alice, mut bob) = answered(Suite::MlKem1024);
    let [first, second, third] = [b"1st", b"2nd", b"3rd"].map(|text| alice.seal(text));
    bob.open(&first);
    let copy = bob.list.clone();
    let lost = bob.seal(b"sealed after the copy");
    bob.list = copy.spend();
    let draft = |list: &SessionList| list.draft(PROVIDER, 0, NOW, &mut Seeded(1)).map(drop);
    // 1. A message of a chain that the copy knows opens, and gives back nothing to seal with.
    assert_eq!(bob.open(&second), b"2nd");
    assert_eq!(draft(&bob.list), Err(SealError::NoSession));
    // 2. Nor does it take the place of a session that was begun since.
    bob.begin(&alice);
    let begun = bob.list.current().unwrap().base_key;
    assert_eq!(bob.open(&third), b"3rd");
    assert_eq!(bob.list.current().unwrap().base_key, begun);
    // 3. Nor does one that turns the ratchet.
    alice.open(&lost);
    let answer = alice.seal(b"answer");
    assert_eq!(bob.open(&answer), b"answer");
    assert_eq!(bob.list.current().unwrap().base_key, begun);
    let list = bob.list.spend();
    assert_eq!(draft(&list), Err(SealError::NoSession));
}
