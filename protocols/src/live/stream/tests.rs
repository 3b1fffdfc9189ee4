mod bounds;
mod ends;
mod model;
mod violations;

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::identity::ServiceName;
use crate::live::handshake::Role;

fn name() -> ServiceName {
    "files".parse().unwrap()
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect()
}

/// Two ends that hear each other at once.
struct Pair {
    here: Multiplexer,
    there: Multiplexer,
}

impl Pair {
    fn new() -> Self {
        Self { here: Multiplexer::new(Role::Initiator), there: Multiplexer::new(Role::Responder) }
    }

    /// A pair, and a stream that was accepted.
    fn with_stream() -> (Self, StreamId) {
        let mut pair = Self::new();
        let id = pair.open();
        (pair, id)
    }

    fn open(&mut self) -> StreamId {
        let id = self.here.open(name()).unwrap();
        assert_eq!(self.carry(), [id]);
        self.there.accept(id);
        id
    }

    /// Carries frames until there are none; what was opened at either end.
    fn carry(&mut self) -> Vec<StreamId> {
        let mut opened = Vec::new();
        loop {
            let forth = carry_one(&mut self.here, &mut self.there, &mut opened);
            let back = carry_one(&mut self.there, &mut self.here, &mut opened);
            if !forth && !back {
                return opened;
            }
        }
    }

    /// Writes all of it, carries, and reads it at the other end.
    fn transfer(&mut self, id: StreamId, bytes: &[u8]) -> Vec<u8> {
        let (mut rest, mut read) = (bytes, Vec::new());
        while read.len() < bytes.len() {
            let taken = self.here.write(id, rest).unwrap();
            rest = &rest[taken..];
            self.carry();
            let before = read.len();
            read.extend(read_all(&mut self.there, id));
            assert!(taken > 0 || read.len() > before, "nothing moves");
            self.carry();
        }
        read
    }
}

fn carry_one(from: &mut Multiplexer, to: &mut Multiplexer, opened: &mut Vec<StreamId>) -> bool {
    let Some((_, frame)) = from.next_frame() else { return false };
    if let Received::Opened { id, .. } = to.receive(frame).unwrap() {
        opened.push(id);
    }
    true
}

/// Reads what can be read now.
fn read_all(end: &mut Multiplexer, id: StreamId) -> Vec<u8> {
    let mut read = Vec::new();
    while let Ok(Readable::Bytes(bytes)) = end.readable(id) {
        let count = bytes.len();
        read.extend_from_slice(bytes);
        end.consume(id, count);
    }
    read
}

#[test]
fn bytes_arrive_once_and_in_order_both_ways() {
    let (mut pair, id) = Pair::with_stream();
    let bytes = pattern(3_000_000);
    assert!(pair.transfer(id, &bytes) == bytes);
    assert_eq!(pair.there.write(id, b"answer"), Ok(6));
    pair.carry();
    assert_eq!(read_all(&mut pair.here, id), b"answer");
}

#[test]
fn the_peer_is_told_the_name_and_who_opens_first_does_not_matter() {
    let mut pair = Pair::new();
    let (ours, theirs) = (pair.here.open(name()).unwrap(), pair.there.open(name()).unwrap());
    let (_, frame) = pair.here.next_frame().unwrap();
    assert_eq!(pair.there.receive(frame), Ok(Received::Opened { id: ours, name: name() }));
    let (_, frame) = pair.there.next_frame().unwrap();
    assert_eq!(pair.here.receive(frame), Ok(Received::Opened { id: theirs, name: name() }));
    assert_ne!(ours, theirs);
}

#[test]
fn streams_take_turns_and_what_is_said_about_them_goes_first() {
    let mut pair = Pair::new();
    let ids = [pair.open(), pair.open(), pair.open()];
    for id in ids {
        assert_eq!(pair.here.write(id, &[7; 2 * MAX_DATA]), Ok(2 * MAX_DATA));
    }
    let late = pair.here.open(name()).unwrap();
    let order: Vec<_> = core::iter::from_fn(|| pair.here.next_frame()).map(|(id, _)| id).collect();
    // Two frames of bytes each are within the first credit.
    assert_eq!(order[0], late);
    assert_eq!(order[1..], [ids, ids].concat());
}

#[test]
fn a_stream_that_nobody_reads_does_not_hold_up_another() {
    let mut pair = Pair::new();
    for _ in 1..MAX_STREAMS {
        let id = pair.open();
        pair.here.write(id, &[7; MAX_UNSENT]).unwrap();
    }
    let id = pair.open();
    pair.carry();
    let bytes = pattern(4_000_000);
    assert!(pair.transfer(id, &bytes) == bytes);
}

#[test]
fn progress_counts_what_was_written_sent_and_taken() {
    let (mut pair, id) = Pair::with_stream();
    let taken = pair.here.write(id, &[1; MAX_UNSENT]).unwrap() as u64;
    pair.carry();
    let first = u64::from(FIRST_CREDIT);
    let expected = Progress { written: taken, sent: first, ..Progress::default() };
    assert_eq!(pair.here.progress(id), expected);
    read_all(&mut pair.there, id);
    let expected = Progress { received: first, read: first, ..Progress::default() };
    assert_eq!(pair.there.progress(id), expected);
    pair.carry();
    assert_eq!(pair.here.progress(id).acknowledged, first);
}
