//! What an agent and a relay say to each other: requests, answers, and a nudge.
//!
//! A request is the body of a call to [`SERVICE`], an answer the body of its answer; the session
//! proves who asks. A nudge is the body of a call the other way, to [`MAIL_SERVICE`]: something
//! waits. All are postcard behind a version byte, read strictly, with a bound on each field.
//! Knows neither how a relay keeps what it is given, nor when an agent asks for what.

mod answer;
mod blob;
mod bounds;
mod chain;
mod log;
mod mail;
mod nudge;
mod opaque;
mod pool;
mod refusal;
mod request;
mod rules;

use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use answer::Answer;
pub use blob::{BlobHash, MAX_BLOB};
pub use bounds::{MAX_ANSWER, MAX_REQUEST, MAX_WAIT};
pub use chain::LogChain;
pub use log::{
    Append, Commit, Entry, EntryIndex, LogId, Logged, MAX_COMMIT, MAX_ENTRIES, MAX_LISTED,
    MAX_STATEMENT, MayAppend, ReadLog, Refounding, Statement, StatementKind,
};
pub use mail::{
    Deposit, Fetch, Kept, MAX_ACKNOWLEDGED, MAX_DEPOSITS, MAX_FETCHED, MAX_PACKET, MailNumber,
};
pub use nudge::Nudge;
pub use opaque::Opaque;
pub use pool::{
    Depth, KeyKind, MAX_PACKAGE, MAX_PACKAGES, OneTime, Publication, Publish, PublishMode,
    SignedKeys, TakeId, Taken,
};
pub use refusal::Refusal;
pub use request::Request;
pub use rules::{MAX_KNOWN, Rules, RulesKey, SenderTag, StrangerQuota};

/// The service that a relay offers.
pub const SERVICE: &str = "meshwork.relay.v1";

/// The service that an agent offers to its relays.
pub const MAIL_SERVICE: &str = "meshwork.relay.mail.v1";

/// Why bytes are not what they should be. Each is the fault of who sent them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RelayWireError {
    /// A version that this one does not read.
    #[error("version {0} of the relay's protocol is not one that this version reads")]
    UnsupportedVersion(u8),
    /// Not the one encoding of a value.
    #[error("the bytes are malformed")]
    Malformed,
    /// A list or a field is longer than it may be.
    #[error("a field exceeds its bound")]
    OverBound,
}

/// What has bounds beyond its encoding.
trait Bounded {
    fn is_bounded(&self) -> bool;
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Writing to memory fails for no value of ours; an empty body is refused by each decoder.
    postcard::to_extend(value, Vec::from([VERSION])).unwrap_or_default()
}

fn decode<T: Bounded + DeserializeOwned + Serialize>(
    bytes: &[u8],
    most: usize,
) -> Result<T, RelayWireError> {
    if bytes.len() > most {
        return Err(RelayWireError::OverBound);
    }
    let (version, rest) = bytes.split_first().ok_or(RelayWireError::Malformed)?;
    if *version != VERSION {
        return Err(RelayWireError::UnsupportedVersion(*version));
    }
    let value: T = crate::wire::decode(rest).ok_or(RelayWireError::Malformed)?;
    if value.is_bounded() { Ok(value) } else { Err(RelayWireError::OverBound) }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests;
