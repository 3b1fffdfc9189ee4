//! What a relay answers.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{
    Bounded, Depth, EntryIndex, Kept, LogChain, Logged, MAX_ANSWER, MAX_BLOB, MAX_DEPOSITS,
    MAX_ENTRIES, MAX_FETCHED, MailNumber, Opaque, Refusal, RelayWireError, Taken, decode, encode,
};
use crate::identity::card::MAX_CARD_LENGTH;

/// An answer. One that says that something was kept or handed out was made after that was durable.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Answer {
    /// It is done.
    Done,
    /// The newest card that its agent put here, if there is one.
    Card(Option<Opaque>),
    /// What is left of one's pools.
    Depth(Depth),
    /// What was handed out.
    Taken(Taken),
    /// What became of each deposit, in their order.
    Deposited(Vec<Result<MailNumber, Refusal>>),
    /// Mail, the oldest first. As many as fit.
    Mail(Vec<Kept>),
    /// The place of the entry.
    Appended(EntryIndex),
    /// Entries of a log, in their order. As many as fit.
    Entries {
        /// The first that the log still has, so that a gap is seen.
        first: EntryIndex,
        /// The last.
        last: EntryIndex,
        /// The chain up to the entry right before the first of these, or up to the last where
        /// there are none.
        chain: LogChain,
        /// Those asked for.
        entries: Vec<Logged>,
    },
    /// The blob, if it is here.
    Blob(Option<Opaque>),
    /// No, and nothing was changed.
    Refused(Refusal),
}

impl Answer {
    /// Its encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads one.
    pub fn decode(bytes: &[u8]) -> Result<Self, RelayWireError> {
        decode(bytes, MAX_ANSWER)
    }
}

impl Bounded for Answer {
    fn is_bounded(&self) -> bool {
        match self {
            Self::Card(card) => card.as_ref().is_none_or(|card| card.len() <= MAX_CARD_LENGTH),
            Self::Taken(taken) => taken.is_bounded(),
            Self::Deposited(outcomes) => outcomes.len() <= MAX_DEPOSITS,
            Self::Mail(mail) => mail.len() <= MAX_FETCHED,
            Self::Entries { entries, .. } => {
                entries.len() <= MAX_ENTRIES
                    && entries.iter().all(|logged| logged.entry.is_bounded())
            }
            Self::Blob(blob) => blob.as_ref().is_none_or(|blob| blob.len() <= MAX_BLOB),
            Self::Done | Self::Depth(_) | Self::Appended(_) | Self::Refused(_) => true,
        }
    }
}
