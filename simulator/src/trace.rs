//! What happened in a run: hashed always, told only when somebody wants to read it.
//!
//! Two hashes: of everything, equal for equal seeds; and of the decisions alone, equal also for
//! two providers, because no key, ciphertext or time of a primitive is in it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// Something that happened.
pub trait Note: Hash + fmt::Display {
    /// Whether it was decided by the router, rather than done by the world.
    const IS_DECISION: bool;
}

/// What happened in a run.
#[derive(Debug)]
pub struct Trace {
    everything: Fnv,
    decisions: Fnv,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// Nothing has happened; `told` keeps lines to read.
    pub fn new(told: bool) -> Self {
        Self { everything: Fnv::default(), decisions: Fnv::default(), lines: told.then(Vec::new) }
    }

    /// Takes a note of something at `host`.
    pub fn note<N: Note>(&mut self, now: Duration, host: impl fmt::Display + Hash, note: &N) {
        (now, &host, note).hash(&mut self.everything);
        if N::IS_DECISION {
            (&host, note).hash(&mut self.decisions);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:12.6} {host} {note}", now.as_secs_f64()));
        }
    }

    /// Takes bytes into the hash of everything.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.everything.write(bytes);
    }

    /// The hash of everything.
    pub fn hash(&self) -> u64 {
        self.everything.finish()
    }

    /// The hash of the decisions.
    pub fn decisions(&self) -> u64 {
        self.decisions.finish()
    }

    /// The lines, if they were kept.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}

/// FNV-1a over words: the same on every machine, unlike the standard hasher's keys.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        self.0 ^= self.0 >> 29;
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(u64::try_from(number).unwrap_or(u64::MAX));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
