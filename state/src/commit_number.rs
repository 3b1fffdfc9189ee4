//! The number that each commit gives itself.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many commits a store has seen, from its first to its last durable one. It only grows, over
/// all starts; where it is lower than somebody remembers, the state was restored.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
pub struct CommitNumber(u64);

impl CommitNumber {
    /// Before the first commit.
    pub const ZERO: Self = Self(0);

    /// The number itself.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The number of the commit after this one. It does not run out: a million commits a second
    /// take half a million years.
    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl From<u64> for CommitNumber {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for CommitNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
