//! Where a record is read from. What it allocates is bounded by what it is given.

use alloc::boxed::Box;

use crate::deferred::braid::chain::KEYS_KEPT;
use crate::deferred::braid::erasure::{
    CHUNK_LENGTH, Chunk, Incoming, Outgoing, Progress, Whole, joined,
};
use crate::deferred::braid::skipped_keys::SkippedKeys;
use crate::secret::Secret;

/// The bytes not read yet.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| *byte)
    }

    pub(super) fn number(&mut self) -> Option<u16> {
        self.array().copied().map(u16::from_be_bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(array)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn secret(&mut self) -> Option<Secret<32>> {
        self.array().map(Secret::from)
    }

    /// A whole transfer.
    pub(super) fn whole<const CHUNKS: usize>(&mut self) -> Option<Box<Whole<CHUNKS>>> {
        self.bytes(CHUNKS * CHUNK_LENGTH).map(|bytes| joined(&[bytes]))
    }

    /// A transfer on its way out.
    pub(super) fn outgoing<const CHUNKS: usize>(&mut self) -> Option<Outgoing<CHUNKS>> {
        let whole = self.whole()?;
        Some(Outgoing::resumed(whole, self.number()?))
    }

    /// A transfer on its way in: its chunks rise, and do not complete it.
    pub(super) fn incoming<const CHUNKS: usize>(&mut self) -> Option<Incoming<CHUNKS>> {
        let mut incoming = Incoming::default();
        let mut lowest = 0;
        for _ in 0..self.byte()? {
            let chunk = Chunk { index: self.number()?, data: *self.array()? };
            if u32::from(chunk.index) < lowest {
                return None;
            }
            lowest = u32::from(chunk.index) + 1;
            incoming = match incoming.take(chunk) {
                Progress::Partial(partial) => partial,
                Progress::Whole(_) => return None,
            };
        }
        Some(incoming)
    }

    /// The skipped keys of a chain that has given `counter` keys: in rising order, and not older
    /// than keys are kept.
    pub(super) fn skipped(&mut self, counter: u32) -> Option<SkippedKeys> {
        let mut keys = SkippedKeys::default();
        let mut adding = keys.adding();
        let mut lowest = counter.saturating_sub(KEYS_KEPT).max(1);
        for _ in 0..self.number()? {
            let index = u32::from_be_bytes(*self.array()?);
            if index < lowest || index >= counter {
                return None;
            }
            adding.push(index, self.array()?);
            lowest = index + 1;
        }
        drop(adding);
        Some(keys)
    }
}
