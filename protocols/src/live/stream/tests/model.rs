//! Two ends in a storm, held against what a stream is: bytes in order, then an end or an error.

use alloc::collections::{BTreeMap, VecDeque};

use super::*;

/// What should be true of one direction of a stream.
#[derive(Debug, Default)]
struct Direction {
    written: u64,
    read: u64,
    finished: bool,
    /// Either end gave it up, or let go of the stream.
    broken: bool,
    /// Its writer let go of it.
    let_go: bool,
    ended: bool,
}

struct Model {
    random: u64,
    ends: [Multiplexer; 2],
    /// Frames on their way to each end.
    wire: [VecDeque<Vec<u8>>; 2],
    /// Streams that each end still holds.
    held: [Vec<StreamId>; 2],
    /// By stream and writing end.
    directions: BTreeMap<(StreamId, usize), Direction>,
}

impl Model {
    fn new(seed: u64) -> Self {
        Self {
            random: seed * 2 + 1,
            ends: [Multiplexer::new(Role::Initiator), Multiplexer::new(Role::Responder)],
            wire: Default::default(),
            held: Default::default(),
            directions: BTreeMap::new(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from((self.random >> 32) % bound as u64).unwrap()
    }

    fn step(&mut self) {
        let end = self.below(2);
        let id = match self.held[end].len() {
            0 => None,
            count => Some(self.below(count)).map(|at| self.held[end][at]),
        };
        match (self.below(100), id) {
            (0..6, _) => self.open(end),
            (6..40, _) => self.send(end),
            (40..70, _) => self.deliver(end),
            (70..84, Some(id)) => self.write(end, id),
            (84..96, Some(id)) => self.read(end, id),
            (96, Some(id)) => self.finish(end, id),
            (97, Some(id)) => self.give_up(end, id),
            (98, Some(id)) => self.want_no_more(end, id),
            (99, Some(id)) => self.let_go(end, id),
            _ => {}
        }
        for end in &self.ends {
            let (streams, pool) = end.drawn();
            assert_eq!(streams, pool);
            assert!(end.kept().0 <= 16 << 20);
        }
    }

    fn direction(&mut self, id: StreamId, writer: usize) -> &mut Direction {
        self.directions.entry((id, writer)).or_default()
    }

    fn open(&mut self, end: usize) {
        match self.ends[end].open(name()) {
            Ok(id) => self.held[end].push(id),
            Err(error) => assert_eq!(error, OpenError::TooMany),
        }
    }

    fn send(&mut self, end: usize) {
        if let Some((_, frame)) = self.ends[end].next_frame() {
            self.wire[1 - end].push_back(frame);
        }
    }

    fn deliver(&mut self, end: usize) {
        let Some(frame) = self.wire[end].pop_front() else { return };
        if let Received::Opened { id, .. } = self.ends[end].receive(frame).unwrap() {
            if self.below(10) == 0 {
                self.ends[end].release(id, StreamCode::NAME_UNKNOWN);
                self.break_both(id);
            } else {
                self.ends[end].accept(id);
                self.held[end].push(id);
            }
        }
    }

    fn write(&mut self, end: usize, id: StreamId) {
        let from = self.direction(id, end).written;
        let length = match self.below(3) {
            0 => self.below(20),
            1 => self.below(3 * MAX_DATA),
            _ => self.below(MAX_UNSENT),
        };
        let bytes: Vec<_> = (from..from + length as u64).map(|at| byte(id, end, at)).collect();
        match self.ends[end].write(id, &bytes) {
            Ok(taken) => self.direction(id, end).written += taken as u64,
            Err(_) => assert!(self.is_over(id, end)),
        }
    }

    fn is_over(&mut self, id: StreamId, writer: usize) -> bool {
        let direction = self.direction(id, writer);
        direction.finished || direction.broken
    }

    fn read(&mut self, end: usize, id: StreamId) {
        let writer = 1 - end;
        let most = self.below(2 * MAX_DATA) + 1;
        let direction = self.directions.entry((id, writer)).or_default();
        match self.ends[end].readable(id) {
            Ok(Readable::Bytes(bytes)) => {
                let count = bytes.len().min(most);
                for (at, got) in (direction.read..).zip(&bytes[..count]) {
                    assert_eq!(*got, byte(id, writer, at), "stream {id} at {at}");
                }
                direction.read += count as u64;
                assert!(direction.read <= direction.written);
                self.ends[end].consume(id, count);
            }
            Ok(Readable::Nothing) => {}
            Ok(Readable::End) => {
                assert!(direction.finished, "an end that nobody said");
                assert_eq!(direction.read, direction.written, "an end before the last byte");
                direction.ended = true;
            }
            Err(_) => assert!(direction.broken, "an error without a reason"),
        }
    }

    fn finish(&mut self, end: usize, id: StreamId) {
        match self.ends[end].finish(id) {
            Ok(()) => self.direction(id, end).finished = true,
            Err(_) => assert!(self.is_over(id, end)),
        }
    }

    fn give_up(&mut self, end: usize, id: StreamId) {
        self.ends[end].reset(id, StreamCode::DROPPED);
        self.direction(id, end).broken = true;
    }

    fn want_no_more(&mut self, end: usize, id: StreamId) {
        self.ends[end].stop(id, StreamCode::DROPPED);
        self.direction(id, 1 - end).broken = true;
    }

    fn let_go(&mut self, end: usize, id: StreamId) {
        self.ends[end].release(id, StreamCode::DROPPED);
        self.held[end].retain(|held| *held != id);
        // What was finished here still goes; its writer will not hear how.
        self.direction(id, 1 - end).broken = true;
        let own = self.direction(id, end);
        own.broken |= !own.finished;
        own.let_go = true;
    }

    fn break_both(&mut self, id: StreamId) {
        for writer in [0, 1] {
            self.direction(id, writer).broken = true;
        }
    }

    /// No more storm: all finish what they began and read what comes.
    fn calm(&mut self) {
        for end in [0, 1] {
            for id in self.held[end].clone() {
                self.finish(end, id);
            }
        }
        loop {
            let before = (self.wire.clone(), self.held.clone());
            for end in [0, 1] {
                while self.ends[end].has_frame() {
                    self.send(end);
                }
                while !self.wire[end].is_empty() {
                    let held = self.held[end].len();
                    self.deliver(end);
                    if let Some(id) = self.held[end].get(held).copied() {
                        self.finish(end, id);
                    }
                }
                for id in self.held[end].clone() {
                    while matches!(self.ends[end].readable(id), Ok(Readable::Bytes(_))) {
                        self.read(end, id);
                    }
                    self.read(end, id);
                }
            }
            let quiet = self.ends.iter().all(|end| !end.has_frame());
            if quiet && before == (self.wire.clone(), self.held.clone()) {
                return;
            }
        }
    }

    /// Everything that nobody gave up arrived, and its writer knows.
    fn judge(&mut self) -> usize {
        let mut whole = 0;
        for ((id, writer), direction) in &self.directions {
            // Who was refused as busy finds out by itself.
            let done = self.ends[*writer].is_done(*id);
            if !direction.broken && direction.finished && (direction.let_go || done.is_ok()) {
                assert!(direction.ended, "stream {id} by {writer}: {direction:?}");
                assert!(direction.let_go || done == Ok(true), "stream {id}");
                whole += 1;
            }
        }
        for end in [0, 1] {
            for id in core::mem::take(&mut self.held[end]) {
                self.ends[end].release(id, StreamCode::DROPPED);
            }
        }
        self.calm();
        for end in &self.ends {
            assert_eq!((end.count(), end.drawn(), end.kept().0), (0, (0, 0), 0));
        }
        whole
    }
}

/// The byte that stands at this place of this direction.
fn byte(id: StreamId, writer: usize, at: u64) -> u8 {
    let mixed = (at ^ (u64::from(id.0) << 20) ^ ((writer as u64) << 50))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed.to_le_bytes()[7]
}

#[test]
fn in_a_storm_every_byte_arrives_once_in_order_or_the_reader_hears_why_not() {
    let mut whole = 0;
    for seed in 1..=30 {
        let mut model = Model::new(seed);
        for _ in 0..2_000 {
            model.step();
        }
        model.calm();
        whole += model.judge();
    }
    assert!(whole > 200, "only {whole} directions were judged to their end");
}
