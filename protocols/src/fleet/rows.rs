//! The rows in which a fleet's state stands: what is read, and what is to be written.
//!
//! Each operation reads through [`Rows`] and gives its writes as [`RowChange`]s. They belong into
//! one transaction, with whatever else the operation moved; until it is durable, nothing that the
//! operation made leaves the process. A value longer than [`CHUNK_LENGTH`] stands in several rows.
//! Values hold private keys: who stores them seals them. Knows no store.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use crate::secret::SecretBytes;

/// The most bytes of a row: the tree of a thousand members has some 3 MB, which a store that
/// rewrites whole values should not hold as one.
pub const CHUNK_LENGTH: usize = 64 * 1024;

/// What an operation reads.
pub trait Rows: fmt::Debug {
    /// The value under `key`, which shows every change handed out before.
    fn get(&self, key: &[u8]) -> Result<Option<SecretBytes>, StoreError>;
}

/// One write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RowChange {
    /// Where.
    pub key: Vec<u8>,
    /// What stands there from now on, if anything.
    pub value: Option<SecretBytes>,
}

/// Rows that last as long as the process.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MemoryRows(pub(super) BTreeMap<Vec<u8>, SecretBytes>);

impl MemoryRows {
    /// Writes all of an operation's changes.
    pub fn adopt(&mut self, changes: Vec<RowChange>) {
        for RowChange { key, value } in changes {
            match value {
                Some(value) => self.0.insert(key, value),
                None => self.0.remove(&key),
            };
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Rows for MemoryRows {
    fn get(&self, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        Ok(self.0.get(key).cloned())
    }
}

/// Why rows gave no value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store failed.
    #[error("the store could not be read")]
    Unreadable,
    /// A format that this version does not read.
    #[error("format {0} of a fleet's row is not one that this version reads")]
    UnsupportedFormat(u8),
    /// A value that this crate did not write, or of which a part is gone.
    #[error("a row of the fleet is damaged")]
    Damaged,
}
