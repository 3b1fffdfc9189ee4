//! The post-quantum ratchet of deferred messages.

use std::sync::LazyLock;

use meshwork_protocols::deferred::braid::{Braid, BraidMessage, MAX_BRAID_MESSAGE, Role};
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;

use crate::agent::Seeded;

/// A message has one encoding.
pub fn braid_message(data: &[u8]) {
    let Ok(message) = BraidMessage::decode(data) else { return };
    assert!(data.len() <= MAX_BRAID_MESSAGE);
    assert_eq!(message.encode(), data);
}

/// A stored braid has one encoding, and what is read can speak and listen.
pub fn braid_record(data: &[u8]) {
    let Ok(braid) = Braid::decode(data) else { return };
    assert_eq!(braid.encode().expose(), data);
    if let Ok((next, field, _)) = braid.send(&Pure, &mut Seeded::new(1)) {
        assert!(BraidMessage::decode(&field).is_ok());
        holds(&next);
        let _ = next.receive(&Pure, &field).map(|(after, _)| holds(&after));
    }
}

/// A braid in the state that the first byte picks hears the rest: a length, and that many bytes.
pub fn braid_receive(data: &[u8]) {
    let Some((state, mut rest)) = data.split_first() else { return };
    let mut braid = MOMENTS[usize::from(*state) % MOMENTS.len()].braid.clone();
    for _ in 0..MAX_HEARD {
        let Some((length, behind)) = rest.split_first() else { return };
        let Some((field, behind)) = behind.split_at_checked(usize::from(*length)) else { return };
        rest = behind;
        if let Ok((next, _)) = braid.receive(&Pure, field) {
            holds(&next);
            // A key is given out once.
            assert!(next.receive(&Pure, field).is_err());
            braid = next;
        }
    }
}

/// What a moment's braid would hear next, behind its number.
pub(crate) fn heard() -> Vec<(&'static str, Vec<u8>)> {
    let framed = |(number, moment): (usize, &Moment)| {
        let number = u8::try_from(number).unwrap();
        let length = u8::try_from(moment.next.len()).unwrap();
        let bytes = [&[number, length], moment.next.as_slice()].concat();
        (moment.name, bytes)
    };
    MOMENTS.iter().enumerate().map(framed).collect()
}

/// What each moment's braid is stored as.
pub(crate) fn records() -> Vec<(&'static str, Vec<u8>)> {
    MOMENTS.iter().map(|moment| (moment.name, moment.braid.encode().expose().to_vec())).collect()
}

/// What each moment's braid hears.
pub(crate) fn messages() -> Vec<(&'static str, Vec<u8>)> {
    MOMENTS.iter().map(|moment| (moment.name, moment.next.clone())).collect()
}

/// A jump costs thousands of derivations, so that many messages would only be slow.
const MAX_HEARD: usize = 3;

/// A braid in one of its states, and what it would hear next.
struct Moment {
    name: &'static str,
    braid: Braid,
    next: Vec<u8>,
}

/// One of each state, out of a conversation in which some messages are lost.
static MOMENTS: LazyLock<Vec<Moment>> = LazyLock::new(|| {
    let mut random = Seeded::new(9);
    let [mut speaker, mut listener] = [Role::Initiator, Role::Responder]
        .map(|role| Braid::new(&Secret::new([7; 32]), role, &Pure).unwrap());
    let mut moments: Vec<Moment> = Vec::new();
    for _ in 0..20_000 {
        if moments.len() == STATES.len() {
            break;
        }
        let (next, field, _) = speaker.send(&Pure, &mut random).unwrap();
        speaker = next;
        let name = STATES[usize::from(listener.encode().expose()[1]) - 1];
        if moments.iter().all(|moment| moment.name != name) {
            moments.push(Moment { name, braid: listener.clone(), next: field.clone() });
        }
        // Some states hear something only where messages are lost, and where one end speaks twice.
        let [loss, turn] = (&mut random as &mut dyn Random).array();
        if loss >= 85 {
            (listener, _) = listener.receive(&Pure, &field).unwrap();
        }
        if turn >= 100 {
            std::mem::swap(&mut speaker, &mut listener);
        }
    }
    assert_eq!(moments.len(), STATES.len());
    moments
});

/// By the number in their stored form.
const STATES: [&str; 11] = [
    "keys_unsampled",
    "keys_sampled",
    "header_sent",
    "ct1_received",
    "ek_sent_ct1_received",
    "no_header_received",
    "header_received",
    "ct1_sampled",
    "ek_received_ct1_sampled",
    "ct1_acknowledged",
    "ct2_sampled",
];

fn holds(braid: &Braid) {
    let stored = braid.encode();
    let read = Braid::decode(stored.expose()).unwrap();
    assert!(read.encode() == stored);
}
