use alloc::sync::Arc;
use alloc::vec::Vec;

use super::talk::{Packet, Talk};
use crate::deferred::braid::{Braid, BraidError, KEYS_KEPT, MAX_JUMP, Role};
use crate::secret::Secret;

fn burst(talk: &mut Talk, count: u32) -> Vec<Packet> {
    (0..count).map(|_| talk.send(Role::Initiator)).collect()
}

#[test]
fn a_jump_is_taken_at_the_limit_and_refused_one_past() {
    let mut talk = Talk::new(20);
    let packets = burst(&mut talk, MAX_JUMP + 1);
    let [.., at, past] = packets.as_slice() else { panic!() };
    assert_eq!((at.message().index, past.message().index), (MAX_JUMP, MAX_JUMP + 1));
    let before = talk.responder.encode();
    assert_eq!(talk.deliver(past), Err(BraidError::JumpTooFar));
    assert!(talk.responder.encode() == before);
    talk.deliver(at).unwrap();
    talk.deliver(past).unwrap();
}

#[test]
fn keys_are_kept_as_far_back_as_the_limit_and_no_further() {
    let mut talk = Talk::new(21);
    let packets = burst(&mut talk, KEYS_KEPT + 10);
    talk.deliver(&packets[KEYS_KEPT as usize + 1]).unwrap();
    // That was index 2,002: the key of 2 is 2,000 back, that of 1 one more.
    assert_eq!(talk.deliver(&packets[0]), Err(BraidError::KeyGone));
    talk.deliver(&packets[1]).unwrap();
    assert_eq!(talk.deliver(&packets[1]), Err(BraidError::AlreadyOpened));
    talk.deliver(&packets[2]).unwrap();
    // One further, and the next oldest key is let go.
    talk.deliver(&packets[KEYS_KEPT as usize + 2]).unwrap();
    talk.deliver(&packets[3]).unwrap();
    talk.deliver(&packets[KEYS_KEPT as usize + 4]).unwrap();
    assert_eq!(talk.deliver(&packets[4]).err(), None);
}

#[test]
fn a_record_is_bounded_however_many_messages_are_missing() {
    let mut talk = Talk::new(22);
    for packet in burst(&mut talk, 60_000).iter().step_by(2) {
        talk.deliver(packet).unwrap();
    }
    let length = talk.responder.encode().len();
    assert!(length < 36 * KEYS_KEPT as usize / 2 + 4_000, "{length}");
    let mut jumps = Talk::new(23);
    let packets = burst(&mut jumps, 100_000);
    for packet in packets.iter().skip(24_999).step_by(24_999) {
        jumps.deliver(packet).unwrap();
        let length = jumps.responder.encode().len();
        assert!(length < 36 * KEYS_KEPT as usize + 4_000, "{length}");
    }
}

#[test]
fn the_last_counter_ends_the_session() {
    let mut talk = Talk::new(24);
    let chain = talk.initiator.chain.links.last_mut().unwrap().send.as_mut().unwrap();
    Arc::make_mut(chain).counter = u32::MAX - 1;
    assert_eq!(talk.send(Role::Initiator).message().index, u32::MAX);
    let mut random = talk.random.clone();
    let ended = talk.initiator.send(Talk::provider(Role::Initiator), &mut random);
    assert_eq!(ended.err(), Some(BraidError::Exhausted));
}

#[test]
fn the_last_epoch_has_its_chains_and_no_next() {
    let mut talk = Talk::new(25);
    talk.until(|initiator, _| initiator.epoch() == 2);
    let mut record = talk.initiator.encode().expose().to_vec();
    record[2..10].copy_from_slice(&u64::MAX.to_be_bytes());
    let mut last = Braid::decode(&record).unwrap();
    assert_eq!(last.epoch(), u64::MAX);
    let provider = Talk::provider(Role::Initiator);
    assert!(last.send(provider, &mut talk.random).is_ok());
    let next = last.chain.add_epoch(provider, &Secret::new([1; 32]));
    assert_eq!(next, Err(BraidError::Exhausted));
}
