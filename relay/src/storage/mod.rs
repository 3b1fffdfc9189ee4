//! What a backend offers: logs by subject and values by key, and nothing that a replicated log
//! with compare-and-append could not do.
//!
//! - The caller numbers the entries of a subject from 1. An append is taken only if its sequence is
//!   one above the last that the subject ever had, so that of two writers one is refused.
//! - An entry can be removed; its sequence is not used again.
//! - A value is put, or put only if there is none.
//! - A [`Change`] concerns one subject or key by its condition. Where the condition fails nothing of
//!   it is done. What stands behind the condition is done after it, and may be lost in a crash that
//!   the condition survives: it only clears up, or is done again.
//!
//! Knows nothing of what an entry or a value means.

#[cfg(feature = "suites")]
pub mod conformance;
mod memory;
#[cfg(feature = "redb")]
mod redb;
mod subject;

use std::fmt;

pub use memory::MemoryStorage;
pub use subject::{Key, Subject};

#[cfg(feature = "redb")]
pub use self::redb::RedbStorage;

/// A change with its condition.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What has to hold, and is done if it does.
    pub condition: Option<Condition>,
    /// What is done then.
    pub then: Vec<Then>,
}

/// What is done only if something holds.
#[derive(Clone, Debug)]
pub enum Condition {
    /// Puts an entry behind a log whose last sequence is one less.
    Append {
        /// Which log.
        subject: Subject,
        /// The entry's number.
        sequence: u64,
        /// The entry.
        record: Vec<u8>,
    },
    /// Puts a value where there is none.
    PutNew {
        /// Its key.
        key: Key,
        /// The value.
        value: Vec<u8>,
    },
}

/// What is done without a condition.
#[derive(Clone, Debug)]
pub enum Then {
    /// Puts a value in the place of another.
    Put {
        /// Its key.
        key: Key,
        /// The value.
        value: Vec<u8>,
    },
    /// Removes a value.
    Delete(Key),
    /// Removes an entry.
    Remove {
        /// Of which log.
        subject: Subject,
        /// Its number.
        sequence: u64,
    },
    /// Removes all entries up to a number, with that one.
    Truncate {
        /// Of which log.
        subject: Subject,
        /// The last to go.
        through: u64,
    },
}

/// What became of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Applied {
    /// It is durable.
    Done,
    /// Its condition did not hold, and nothing of it was done.
    NotLast {
        /// The last sequence of the subject.
        last: u64,
    },
    /// There is a value, and nothing was done.
    Exists,
}

/// An entry with its number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// Its place in its subject.
    pub sequence: u64,
    /// What was appended.
    pub bytes: Vec<u8>,
}

/// How much to read at most. The first entry is given whatever its length.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// Entries.
    pub entries: usize,
    /// Bytes of them together.
    pub bytes: usize,
}

/// What is stored.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// Entries of all logs.
    pub entries: u64,
    /// Bytes of entries and values.
    pub bytes: u64,
}

/// A backend.
pub trait Storage: fmt::Debug + Send {
    /// Makes the changes durable, in their order, before it returns. After an error it answers
    /// nothing any more until [`Storage::reopen`]: what is on the disk is not known before.
    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Applied>, StorageError>;

    /// Goes back to what is durable: what is read then is what a crash would have left of an
    /// [`Storage::apply`] that failed.
    fn reopen(&mut self) -> Result<(), StorageError>;

    /// Entries of a subject behind a number, in their order.
    fn read(&self, subject: &Subject, after: u64, most: Most) -> Result<Vec<Record>, StorageError>;

    /// The highest sequence that the subject ever had, or 0.
    fn last(&self, subject: &Subject) -> Result<u64, StorageError>;

    /// A value.
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StorageError>;

    /// Subjects that have entries, behind one, in the order of their bytes.
    fn subjects(&self, after: Option<&Subject>, most: usize) -> Result<Vec<Subject>, StorageError>;

    /// Values whose keys come behind one, in the order of their bytes.
    fn values(&self, after: Option<&Key>, most: usize)
    -> Result<Vec<(Key, Vec<u8>)>, StorageError>;

    /// What is stored.
    fn totals(&self) -> Result<Totals, StorageError>;
}

/// Why a backend does not answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Another process has it open.
    #[error("another process has the relay's storage open")]
    Locked,
    /// It is truncated, or no storage of a relay's.
    #[error("the relay's storage is damaged, or none")]
    Damaged,
    /// The operating system refused a read, a write or a sync.
    #[error("the relay's disk failed: {0}")]
    Disk(std::io::ErrorKind),
    /// An earlier change failed: the storage has to be opened again.
    #[error("an earlier change failed; the relay's storage has to be opened again")]
    Poisoned,
}

impl From<Then> for Change {
    fn from(then: Then) -> Self {
        Self { condition: None, then: vec![then] }
    }
}
