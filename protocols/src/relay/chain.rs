//! The chain over a log: one value for each place, which stands for every entry up to there. Two
//! logs with one value at one place are one log so far.
//!
//! The holder gives the value right before the entries that it gives; each reader computes on from
//! there. When the holder took an entry it alone knows, and the chain does not say.

use serde::{Deserialize, Serialize};

use super::{Entry, EntryIndex};
use crate::identity::AgentId;
use crate::provider::Provider;

/// What a log was up to one of its entries.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct LogChain([u8; 32]);

impl LogChain {
    /// A log without entries.
    pub const START: Self = Self([0; 32]);

    /// One that was told.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The same log with one entry more.
    #[must_use]
    pub fn with(
        &self,
        provider: &dyn Provider,
        index: EntryIndex,
        author: &AgentId,
        entry: &Entry,
    ) -> Self {
        let (index, entry) = (index.0.to_be_bytes(), super::encode(entry));
        Self(provider.digest(&[LABEL, &self.0, &index, author.as_bytes(), &entry]))
    }
}

const LABEL: &[u8] = b"meshwork/v1/log-chain\0";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::pure::Pure;
    use crate::relay::{Commit, Opaque};

    fn message(byte: u8) -> Entry {
        Entry::Message(Opaque::from(alloc::vec![byte]))
    }

    #[test]
    fn another_place_author_entry_or_log_before_is_another_value() {
        let (one, other) = (AgentId::from_bytes([1; 32]), AgentId::from_bytes([2; 32]));
        let with = |before: LogChain, index, author: &AgentId, entry: &Entry| {
            before.with(&Pure, EntryIndex(index), author, entry)
        };
        let first = with(LogChain::START, 1, &one, &message(1));
        let commit = Entry::Commit(Commit {
            epoch: 0,
            builds_on: None,
            admitted: alloc::vec::Vec::new(),
            removed: alloc::vec::Vec::new(),
            bytes: Opaque::from(alloc::vec![1]),
        });
        let others = [
            with(LogChain::START, 2, &one, &message(1)),
            with(LogChain::START, 1, &other, &message(1)),
            with(LogChain::START, 1, &one, &message(2)),
            with(LogChain::START, 1, &one, &commit),
            with(first, 1, &one, &message(1)),
            LogChain::START,
        ];
        assert!(others.iter().all(|it| *it != first));
        assert_eq!(with(LogChain::START, 1, &one, &message(1)), first);
    }

    #[test]
    fn the_value_is_the_one_of_the_wire_format() {
        let author = AgentId::from_bytes([7; 32]);
        let chain = LogChain::START.with(&Pure, EntryIndex(3), &author, &message(9));
        let bytes: &[&[u8]] = &[
            b"meshwork/v1/log-chain\0",
            &[0; 32],
            &[0, 0, 0, 0, 0, 0, 0, 3],
            &[7; 32],
            // The version, a message, of one byte.
            &[1, 1, 1, 9],
        ];
        let provider: &dyn Provider = &Pure;
        assert_eq!(chain, LogChain(provider.digest(bytes)));
    }
}
