//! A nudge: the relay says to an agent that is connected that something waits.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Bounded, LogId, RelayWireError, decode, encode};

/// What waits. It is answered with nothing, and fetched by a request; a lost nudge loses nothing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub enum Nudge {
    /// Mail in one's mailbox.
    Mail,
    /// Entries in a log that one may read.
    Log(LogId),
    /// A pool of one's own runs low.
    LowPool,
}

impl Nudge {
    /// Its encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads one.
    pub fn decode(bytes: &[u8]) -> Result<Self, RelayWireError> {
        decode(bytes, MAX_NUDGE)
    }
}

impl Bounded for Nudge {
    fn is_bounded(&self) -> bool {
        true
    }
}

const MAX_NUDGE: usize = 64;
