//! Packets, part by part and whole.

use std::time::Duration;

use meshwork_protocols::deferred::agent::repair::{MAX_HASHES, Repair};
use meshwork_protocols::deferred::agent::{Envelope, Plaintext};
use meshwork_protocols::deferred::session::Packet;
use meshwork_protocols::deferred::wire::{FirstMessage, MAX_PACKET, RatchetMessage};
use meshwork_protocols::deferred::{CurveKey, CurvePublic, KemKey, KemPublic, Suite};
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::Timestamp;

use super::writer::{ALICE, BOB, MOMENTS, PAYLOADS, Writer};
use crate::agent::{NOW, Seeded};

/// A first message is all that stands before, in and behind the message inside.
pub fn first_message(data: &[u8]) {
    let Ok(first) = FirstMessage::decode(data) else { return };
    assert!(data.len() <= MAX_PACKET);
    assert_eq!([first.before, first.message.as_bytes(), first.after].concat(), data);
    assert_eq!(RatchetMessage::decode(first.message.as_bytes()), Ok(first.message));
}

/// A ratchet message keeps its bytes, and shows none that is not its own.
pub fn ratchet_message(data: &[u8]) {
    let Ok(message) = RatchetMessage::decode(data) else { return };
    assert!(data.len() <= MAX_PACKET);
    assert_eq!(message.as_bytes(), data);
    assert!(message.ciphertext.len() + message.braid.len() < data.len());
}

/// An envelope has one encoding.
pub fn envelope(data: &[u8]) {
    let Ok((envelope, packet)) = Envelope::decode(data) else { return };
    assert_eq!([envelope.encode().as_slice(), packet].concat(), data);
}

/// A plaintext has one encoding, its padding included.
pub fn plaintext(data: &[u8]) {
    let Ok(plaintext) = Plaintext::decode(data) else { return };
    assert_eq!(plaintext.encode().unwrap().expose(), data);
}

/// A key has its type byte and its length, but for what may stand behind one on the curve.
pub fn deferred_key(data: &[u8]) {
    if let Ok(key) = CurvePublic::decode(data) {
        assert_eq!(key.encode(), data[..CurvePublic::LENGTH]);
    }
    if let Ok(key) = KemPublic::decode(data) {
        assert_eq!(key.encode(), data);
    }
    if let Ok(key) = KemKey::decode(data) {
        assert_eq!(key.encode().expose(), data);
        assert_eq!(key.public().suite(), key.suite());
    }
}

/// The moment that the first byte picks hears the rest. What opens was sealed by the peer, and opens
/// once; what does not leaves everything as it was.
pub fn correspondence_open(data: &[u8]) {
    let Some((number, packet)) = data.split_first() else { return };
    let moment = &MOMENTS[usize::from(*number) % MOMENTS.len()];
    let mut end = moment.end.clone();
    let before = end.mail.encode().unwrap();
    let keys = end.keys.0.encode().unwrap();
    let opened = end.try_open(moment.peer, packet);
    assert!(end.mail.encode().unwrap() == before && end.keys.0.encode().unwrap() == keys);
    let Ok(arrived) = opened else { return };
    assert!(PAYLOADS.contains(&arrived.payload.expose()), "what nobody sealed");
    end.adopt(arrived);
    assert!(end.try_open(moment.peer, packet).is_err(), "a packet opened twice");
}

/// A repair names no more than it may, is due no earlier than it may be, and forgets what opened.
/// Each byte is a step: its two low bits say which, the others how long it takes.
pub fn repair(data: &[u8]) {
    let mut repair = Repair::default();
    let mut now = NOW;
    let mut begun: Option<Timestamp> = None;
    for step in data {
        now = now + Duration::from_secs(u64::from(step >> 2) * 60);
        match step & 3 {
            0 => repair.failed([*step; 32], now),
            1 => repair.opened(),
            _ => {
                let Some(due) = repair.due_at().filter(|due| due.monotonic <= now.monotonic) else {
                    continue;
                };
                let hashes = repair.begin(now);
                assert!((1..=MAX_HASHES).contains(&hashes.len()));
                assert!(begun.is_none_or(|begun| due.monotonic > begun.monotonic));
                assert_eq!(repair.due_at(), None);
            }
        }
        begun = if step & 3 == 1 { None } else { begun };
        if step & 3 > 1 && repair.due_at().is_none() {
            begun = Some(now);
        }
    }
}

pub(crate) fn first_messages() -> Vec<(&'static str, Vec<u8>)> {
    let bytes = |moment: usize| Envelope::decode(&MOMENTS[moment].next).unwrap().1.to_vec();
    vec![("with_one_time", bytes(0)), ("without_one_time", bytes(1))]
}

pub(crate) fn ratchet_messages() -> Vec<(&'static str, Vec<u8>)> {
    let short = drafted(&MOMENTS[4].end).bytes;
    let (_, padded) = Envelope::decode(&MOMENTS[4].next).unwrap();
    vec![("short", short), ("padded", padded.to_vec())]
}

pub(crate) fn envelopes() -> Vec<(&'static str, Vec<u8>)> {
    let short = |moment: usize, length: usize| MOMENTS[moment].next[..length].to_vec();
    vec![("of_first", short(0, 130)), ("of_ratchet", short(4, 80))]
}

pub(crate) fn plaintexts() -> Vec<(&'static str, Vec<u8>)> {
    let plaintext = Plaintext {
        outer: [3; 32],
        sender: ALICE.id(),
        recipient: BOB.id(),
        introduction: None,
        payload: SecretBytes::new(b"payload".to_vec()),
    };
    let introduction = Some(super::offers::INTRODUCTION.0.clone());
    let introduced = Plaintext { introduction, ..plaintext.clone() };
    let encoded = |plaintext: &Plaintext| plaintext.encode().unwrap().expose().to_vec();
    vec![("plain", encoded(&plaintext)), ("introduced", encoded(&introduced))]
}

pub(crate) fn deferred_keys() -> Vec<(&'static str, Vec<u8>)> {
    let random = &mut Seeded::new(5);
    let curve = CurveKey::generate(&Pure, random).public().encode().to_vec();
    let kem = KemKey::generate(&Pure, Suite::MlKem1024, random).unwrap();
    let round_3 = KemKey::generate(&Pure, Suite::Kyber1024, random).unwrap();
    vec![
        ("curve", curve),
        ("kem_public", kem.public().encode()),
        ("kem_secret", kem.encode().expose().to_vec()),
        ("round_3_public", round_3.public().encode()),
    ]
}

/// What each moment's end hears next, behind the moment's number.
pub(crate) fn opened_packets() -> Vec<(&'static str, Vec<u8>)> {
    let numbered = (0_u8..).zip(&*MOMENTS);
    numbered.map(|(number, moment)| (moment.name, [&[number], &*moment.next].concat())).collect()
}

/// Three failures, a repair that brings nothing, the doubled pause, one that opens.
pub(crate) fn repairs() -> Vec<(&'static str, Vec<u8>)> {
    vec![("two_in_vain", vec![0, 4, 8, 2, 12, 16, 20, 0xfe, 1, 24, 0xfe])]
}

fn drafted(end: &Writer) -> Packet {
    let random = &mut Seeded::new(9);
    let draft = end.mail.sessions().draft(&Pure, 5, NOW.wall, random).unwrap();
    draft.seal(&Pure, b"short").unwrap().0
}
