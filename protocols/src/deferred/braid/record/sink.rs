//! Where a record is written to.

use alloc::vec::Vec;

use crate::deferred::braid::erasure::{CHUNK_LENGTH, Chunk};
use crate::deferred::braid::skipped_keys::SkippedKeys;

/// Takes bytes.
pub(super) trait Sink {
    /// Takes these.
    fn bytes(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts what it is given.
#[derive(Default)]
pub(super) struct Length(usize);

impl Length {
    /// How many bytes it was given.
    pub(super) fn bytes(&self) -> usize {
        self.0
    }
}

impl Sink for Length {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

impl dyn Sink + '_ {
    /// A transfer on its way out: the whole, and the number of the next chunk.
    pub(super) fn outgoing(&mut self, whole: &[[u8; CHUNK_LENGTH]], next: u16) {
        self.bytes(whole.as_flattened());
        self.bytes(&next.to_be_bytes());
    }

    /// A transfer on its way in: its chunks, in rising order.
    #[allow(clippy::cast_possible_truncation, reason = "no transfer has 256 chunks")]
    pub(super) fn incoming(&mut self, chunks: &[Chunk]) {
        self.bytes(&[chunks.len() as u8]);
        for chunk in chunks {
            self.bytes(&chunk.index.to_be_bytes());
            self.bytes(&chunk.data);
        }
    }

    /// Skipped keys, in rising order.
    #[allow(clippy::cast_possible_truncation, reason = "at most 2,000 are kept")]
    pub(super) fn skipped(&mut self, keys: &SkippedKeys) {
        self.bytes(&(keys.len() as u16).to_be_bytes());
        for (index, key) in keys.iter() {
            self.bytes(&index.to_be_bytes());
            self.bytes(key);
        }
    }
}
