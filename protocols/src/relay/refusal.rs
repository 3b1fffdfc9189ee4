//! Why a relay refuses. Nothing was changed by what it refuses.

use serde::{Deserialize, Serialize};

use super::EntryIndex;
use crate::identity::Sequence;

/// Why a relay refuses.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A quota or a rate is used up: try again later.
    #[error("the relay takes no more for now; try again after {retry_after} s")]
    NotNow {
        /// Seconds to wait.
        retry_after: u16,
    },
    /// It is more than the relay ever keeps of this kind.
    #[error("it is more than the relay keeps")]
    TooMuch,
    /// The request is not one of this version.
    #[error("the relay does not read the request")]
    Malformed,
    /// The mailbox, card, pool or rules are another agent's.
    #[error("it belongs to another agent")]
    NotYours,
    /// The agent has put no card here: the relay keeps nothing for it.
    #[error("the agent does not use this relay")]
    NotServed,
    /// The recipient takes no mail from agents that it does not know.
    #[error("the recipient takes no mail from strangers")]
    Unwanted,
    /// Another agent left the same packet.
    #[error("another agent deposited the same packet")]
    OtherDepositor,
    /// No mail ever had this number.
    #[error("no such mail was in the mailbox")]
    NoSuchMail,
    /// It has ended already, or keeps longer than 30 days.
    #[error("its expiry is past, or too far ahead")]
    BadExpiry,
    /// A signature does not verify, or is not by the card that is here.
    #[error("it is not signed by the agent's card")]
    Unsigned,
    /// The card has a lower number than the one that is here.
    #[error("card {newest} is here already")]
    OlderCard {
        /// The number of the one that is here.
        newest: Sequence,
    },
    /// Another card with this number is here.
    #[error("another card with the same number is here")]
    ConflictingCard,
    /// The card or the bundle does not count now.
    #[error("it is expired, or not valid yet")]
    NotValid,
    /// A bundle with a higher number, or rules with a higher revision, are here.
    #[error("a newer one is here")]
    Older,
    /// The agent has published no such keys here.
    #[error("the agent has published no such keys")]
    NoKeys,
    /// The commit does not build on the last one, or a log of this name is there.
    #[error("it does not build on the last commit")]
    NotLast {
        /// The last commit, which is to be processed first.
        last: EntryIndex,
    },
    /// The log does not list the caller for this.
    #[error("the log does not let this agent do this")]
    NotListed,
    /// There is no such log here.
    #[error("there is no such log")]
    NoSuchLog,
    /// There is no such commit in the log, or it was voided.
    #[error("there is no such commit")]
    NoSuchCommit,
    /// The author of a commit confirms it, or founds anew for it.
    #[error("this is for others than the author of the commit")]
    OwnCommit,
    /// The commit is confirmed.
    #[error("the commit is confirmed")]
    Confirmed,
    /// The bytes have another hash.
    #[error("the bytes do not have this hash")]
    WrongHash,
}

impl Refusal {
    /// What it is called in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotNow { .. } => "not-now",
            Self::TooMuch => "too-much",
            Self::Malformed => "malformed",
            Self::NotYours => "not-yours",
            Self::NotServed => "not-served",
            Self::Unwanted => "unwanted",
            Self::OtherDepositor => "other-depositor",
            Self::NoSuchMail => "no-such-mail",
            Self::BadExpiry => "bad-expiry",
            Self::Unsigned => "unsigned",
            Self::OlderCard { .. } => "older-card",
            Self::ConflictingCard => "conflicting-card",
            Self::NotValid => "not-valid",
            Self::Older => "older",
            Self::NoKeys => "no-keys",
            Self::NotLast { .. } => "not-last",
            Self::NotListed => "not-listed",
            Self::NoSuchLog => "no-such-log",
            Self::NoSuchCommit => "no-such-commit",
            Self::OwnCommit => "own-commit",
            Self::Confirmed => "confirmed",
            Self::WrongHash => "wrong-hash",
        }
    }

    /// After how many seconds the same request may be taken, if it may.
    pub const fn retry_after(self) -> Option<u16> {
        match self {
            Self::NotNow { retry_after } => Some(retry_after),
            _ => None,
        }
    }
}
