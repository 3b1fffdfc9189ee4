//! The number of a prekey among those of its kind and agent.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The number of a prekey.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct PrekeyId(pub u32);

impl PrekeyId {
    /// The number after this one. It starts anew behind the last: prekeys live for weeks, so that
    /// no number can come round while its first bearer is kept.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl fmt::Display for PrekeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
