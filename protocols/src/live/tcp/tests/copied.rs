//! What somebody opens who has copied the state of a session: nothing from before its last in-band
//! rekey, and nothing after the next new handshake.

use super::*;

/// More records than any of these sessions seals in one direction.
const COUNTERS: u64 = 100;

/// The state of a session in one direction, in the hands of a thief, who tries each counter.
struct Copy(CipherState);

impl Copy {
    /// The state that opens what comes to a session.
    fn of(session: &mut TcpSession) -> Self {
        match mem::replace(&mut session.state, State::Closed) {
            State::Open { records } => Self(records.reader.cipher),
            _ => panic!("it is not open"),
        }
    }

    /// How many of these records it opens.
    fn opens(&mut self, records: &[Vec<u8>]) -> usize {
        records.iter().filter(|record| self.opens_one(record)).count()
    }

    fn opens_one(&mut self, record: &[u8]) -> bool {
        let (text, tag) = record.split_last_chunk().unwrap();
        (0..COUNTERS).any(|counter| {
            self.0.counter = counter;
            self.0.open(&mut text.to_vec(), tag).is_ok()
        })
    }
}

/// Says frames, each of which arrives; the records that carried them.
fn talk(line: &mut Line, frames: u8) -> Vec<Vec<u8>> {
    let mut said = Vec::new();
    for number in 0..frames {
        line.initiator.send(&[0x10, number]).unwrap();
        let stream = transmitted(&mut line.initiator);
        line.responder.receive(NOW, &stream).unwrap();
        assert_eq!(line.responder.poll(), Some(SessionEvent::Frame(vec![0x10, number])));
        said.extend(records(&stream));
    }
    said
}

fn records(mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk() {
        let (record, after) = rest.split_at(u16::from_be_bytes(*length).into());
        records.push(record.to_vec());
        stream = after;
    }
    records
}

/// A line whose handshakes draw what no other's do.
fn line(seed: u64, limits: KeyLimits) -> Line {
    let (one, other) = (Node::new(1), Node::new(5));
    let dial = Dial::Session(other.card());
    let (here, there) = (random(seed), random(seed + 1));
    let initiator =
        TcpSession::initiate(one.local.clone(), one.directory(), dial, NOW, here).unwrap();
    let responder = TcpSession::accept(other.local.clone(), other.directory(), NOW, there);
    let mut line = Line {
        initiator: initiator.with_key_limits(limits),
        responder: responder.with_key_limits(limits),
    };
    line.run().unwrap();
    established(&mut line.initiator);
    established(&mut line.responder);
    line
}

#[test]
fn a_copied_state_opens_nothing_from_before_the_last_rekey() {
    let mut line = line(10, KeyLimits { records: 3, bytes: 1 << 20 });
    let said = talk(&mut line, 10);
    let mut copy = Copy::of(&mut line.responder);
    // A mark that the next key follows has no chunk, and every frame here has one.
    let (_, tag) = said[0].split_last_chunk::<16>().unwrap();
    let last = said.iter().rposition(|record| record.len() == 1 + tag.len()).unwrap();
    assert!(last >= 3);
    assert_eq!(copy.opens(&said[..=last]), 0);
    // What the copy has the key of it opens.
    let since = &said[last + 1..];
    assert!(!since.is_empty());
    assert_eq!(copy.opens(since), since.len());
}

#[test]
fn a_copied_state_opens_nothing_after_the_next_new_handshake() {
    let (mut before, mut after) = (line(20, KeyLimits::default()), line(30, KeyLimits::default()));
    let said = talk(&mut before, 5);
    let mut copy = Copy::of(&mut before.responder);
    assert_eq!(copy.opens(&said), 5);
    assert_eq!(copy.opens(&talk(&mut after, 5)), 0);
}
