use alloc::vec::Vec;

use super::std::println;
use super::talk::Talk;
use crate::deferred::braid::record::number;
use crate::deferred::braid::{Braid, BraidRecordError, Role};

#[test]
fn a_braid_that_is_stored_and_read_after_every_message_goes_on() {
    let mut talk = Talk::new(60);
    for _ in 0..200 {
        for from in [Role::Initiator, Role::Responder] {
            for role in [Role::Initiator, Role::Responder] {
                let stored = talk.end(role).encode();
                *talk.end(role) = Braid::decode(stored.expose()).unwrap();
                assert!(talk.end(role).encode() == stored);
            }
            let packet = talk.send(from);
            if !talk.random.one_in(20) {
                talk.deliver(&packet).unwrap();
            }
        }
    }
    assert!(talk.initiator.epoch() >= 3);
}

/// One stored braid of each state.
fn every_state() -> Vec<Vec<u8>> {
    let mut records: [Option<Vec<u8>>; 11] = Default::default();
    let mut talk = Talk::new(61);
    while records.iter().any(Option::is_none) {
        for from in [Role::Initiator, Role::Responder] {
            let packet = talk.send(from);
            if !talk.random.one_in(30) {
                talk.deliver(&packet).unwrap();
            }
            for role in [Role::Initiator, Role::Responder] {
                let braid = talk.end(role);
                let place = usize::from(number(&braid.agreement.phase)) - 1;
                records[place] = Some(braid.encode().expose().to_vec());
            }
        }
    }
    records.into_iter().flatten().collect()
}

#[test]
fn each_truncation_and_each_addition_is_refused_in_every_state() {
    for record in every_state() {
        for length in 0..record.len() {
            let refused = Braid::decode(&record[..length]).err();
            assert_eq!(refused, Some(BraidRecordError::Malformed), "{length}");
        }
        let longer = [record.as_slice(), &[0]].concat();
        assert_eq!(Braid::decode(&longer).err(), Some(BraidRecordError::Malformed));
    }
}

#[test]
fn each_changed_byte_is_refused_or_is_another_state() {
    for record in every_state() {
        for at in 0..record.len() {
            let mut changed = record.clone();
            changed[at] ^= 0x41;
            match Braid::decode(&changed) {
                Ok(braid) => assert_eq!(braid.encode().expose(), changed),
                Err(error) => {
                    assert_eq!(error == BraidRecordError::UnknownVersion, at == 0, "{at}");
                }
            }
        }
    }
}

#[test]
fn stored_braids_stay_small() {
    let mut talk = Talk::new(62);
    let (mut sum, mut count, mut largest) = (0, 0, 0);
    for _ in 0..435 {
        talk.ping_pong();
        for role in [Role::Initiator, Role::Responder] {
            let length = talk.end(role).encode().len();
            sum += length;
            count += 1;
            largest = largest.max(length);
        }
    }
    let mean = sum / count;
    println!("a stored braid: {mean} bytes in the mean, {largest} at most");
    assert!(mean < 3_000, "{mean}");
    assert!(largest < 4_500, "{largest}");
}
