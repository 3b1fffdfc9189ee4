//! What a receiver tells a sender of its message.

use serde::{Deserialize, Serialize};

use super::MessageId;

/// The most receipts in one frame: what one group commit of small messages may bring at once.
pub const MAX_RECEIPTS: usize = 1_024;

/// What became of one message at its receiver.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Receipt {
    /// The message, of those that the receiver of this receipt sent.
    pub id: MessageId,
    /// What became of it.
    pub verdict: Verdict,
}

/// What a receiver says of a message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Verdict {
    /// Opened and durable in the inbox.
    Delivered,
    /// The application marked it. Repeated until the sender answers `Settled`.
    Processed,
    /// It will never be put into the inbox. Repeated until the sender answers `Settled`.
    Refused(RefusalReason),
    /// Not now: the inbox is full. Try again after that many seconds.
    Busy {
        /// Seconds to wait.
        retry_after: u16,
    },
}

impl Verdict {
    /// Whether nothing can follow it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Processed | Self::Refused(_))
    }
}

/// Why a receiver refused.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// It came after its expiry.
    #[error("it arrived after its expiry")]
    Expired,
    /// Its expiry is further ahead than any message may live, by the receiver's clock.
    #[error("its expiry is too far ahead of the receiver's clock")]
    TooFarAhead,
    /// The receiver's policy does not take this from this sender.
    #[error("the receiver's policy does not accept it")]
    Policy,
    /// It came behind a place in the order that the sender had given up.
    #[error("its place in the order had been given up")]
    OutOfOrder,
}
