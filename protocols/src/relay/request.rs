//! What an agent asks of a relay.

use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Append, BlobHash, Bounded, Deposit, EntryIndex, Fetch, KeyKind, LogId, MAX_ACKNOWLEDGED,
    MAX_BLOB, MAX_DEPOSITS, MAX_REQUEST, MailNumber, Opaque, Publish, ReadLog, RelayWireError,
    Rules, TakeId, decode, encode,
};
use crate::identity::AgentId;
use crate::identity::card::MAX_CARD_LENGTH;
use crate::time::WallTime;

/// A request. Each may be repeated: a repetition by the same agent is answered as the first was.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Request {
    /// Keep the caller's card, and with it a mailbox and pools. Answered [`Done`](super::Answer).
    PutCard(Opaque),
    /// Somebody's card. Answered `Card`.
    GetCard(AgentId),
    /// Keep the caller's keys, to be handed out. Answered `Depth`.
    Publish(Publish),
    /// A key of somebody's. Answered `Taken`.
    Take {
        /// Whose.
        target: AgentId,
        /// Of which pool.
        kind: KeyKind,
        /// What the caller calls this request.
        id: TakeId,
    },
    /// What is left of the caller's pools. Answered `Depth`.
    Depth(AgentId),
    /// Keep mail for others, at most [`MAX_DEPOSITS`] pieces. Answered `Deposited`.
    Deposit(Vec<Deposit>),
    /// Mail of the caller's. Answered `Mail`.
    Fetch(Fetch),
    /// The mail with these numbers is durable with the caller, or of no use. Answered `Done`.
    Acknowledge {
        /// Whose mailbox: the caller's.
        mailbox: AgentId,
        /// Sorted, at most [`MAX_ACKNOWLEDGED`].
        numbers: Vec<MailNumber>,
    },
    /// What the caller wants of its mailbox. Answered `Done`.
    SetRules(Rules),
    /// Put an entry behind a log. Answered `Appended`.
    Append(Append),
    /// Entries of a log. Answered `Entries`.
    ReadLog(ReadLog),
    /// The caller needs no entry of this log up to this one any more. Answered `Done`.
    PassedLog {
        /// Which log.
        log: LogId,
        /// The last that is not needed.
        through: EntryIndex,
    },
    /// Keep a blob. Answered `Done`.
    PutBlob {
        /// Its hash.
        hash: BlobHash,
        /// When it need not be kept any longer.
        expires: WallTime,
        /// At most [`MAX_BLOB`] bytes.
        bytes: Opaque,
    },
    /// A blob. Answered `Blob`.
    GetBlob(BlobHash),
}

impl Request {
    /// Its encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads one.
    pub fn decode(bytes: &[u8]) -> Result<Self, RelayWireError> {
        decode(bytes, MAX_REQUEST)
    }

    /// How long the relay may wait before it answers.
    pub fn wait(&self) -> Duration {
        let millis = match self {
            Self::Fetch(fetch) => fetch.wait,
            Self::ReadLog(read) => read.wait,
            _ => 0,
        };
        Duration::from_millis(millis.into())
    }

    /// It has waited: whatever is there now is its answer.
    pub fn has_waited(&mut self) {
        match self {
            Self::Fetch(fetch) => fetch.wait = 0,
            Self::ReadLog(read) => read.wait = 0,
            _ => {}
        }
    }
}

impl Bounded for Request {
    fn is_bounded(&self) -> bool {
        match self {
            Self::PutCard(card) => card.len() <= MAX_CARD_LENGTH,
            Self::Publish(publish) => publish.is_bounded(),
            Self::Deposit(deposits) => {
                (1..=MAX_DEPOSITS).contains(&deposits.len())
                    && deposits.iter().all(Deposit::is_bounded)
            }
            Self::Fetch(fetch) => fetch.is_bounded(),
            Self::Acknowledge { numbers, .. } => {
                (1..=MAX_ACKNOWLEDGED).contains(&numbers.len())
                    && numbers.is_sorted_by(|one, next| one < next)
            }
            Self::SetRules(rules) => rules.is_bounded(),
            Self::Append(append) => append.entry.is_bounded(),
            Self::ReadLog(read) => read.is_bounded(),
            Self::PutBlob { bytes, .. } => bytes.len() <= MAX_BLOB,
            Self::GetCard(_)
            | Self::Take { .. }
            | Self::Depth(_)
            | Self::PassedLog { .. }
            | Self::GetBlob(_) => true,
        }
    }
}
