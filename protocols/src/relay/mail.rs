//! Mail: what one agent leaves for another.

use serde::{Deserialize, Serialize};

use super::Opaque;
use crate::identity::AgentId;
use crate::time::WallTime;

/// The longest packet: with its request it fits a call.
pub const MAX_PACKET: usize = super::MAX_REQUEST - super::bounds::ROOM;

/// The most deposits of one request. Who has more mail than one sends it together, and pays for one
/// answer.
pub const MAX_DEPOSITS: usize = 64;

/// The most mail of one answer.
pub const MAX_FETCHED: usize = 1_024;

/// The most mail acknowledged at once: what one answer brought.
pub const MAX_ACKNOWLEDGED: usize = MAX_FETCHED;

/// The place of mail in its mailbox. It rises with each deposit and is never used again.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct MailNumber(pub u64);

/// A packet for somebody's mailbox.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Deposit {
    /// Whose mailbox.
    pub recipient: AgentId,
    /// When it need not be kept any longer. The relay may forget it earlier, never later.
    pub expires: WallTime,
    /// What the sender sealed, at most [`MAX_PACKET`] bytes.
    pub packet: Opaque,
}

/// Which mail to be given.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Fetch {
    /// Whose mailbox: one's own.
    pub mailbox: AgentId,
    /// Mail behind this number.
    pub after: MailNumber,
    /// The most pieces, from 1 to [`MAX_FETCHED`].
    pub most: u16,
    /// Milliseconds to wait where there is none, at most [`MAX_WAIT`](super::MAX_WAIT).
    pub wait: u32,
}

/// Mail as the relay kept it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Kept {
    /// Its place.
    pub number: MailNumber,
    /// Who left it, which the relay's session with the depositor proved to the relay.
    pub sender: AgentId,
    /// When, by the relay's clock.
    pub since: WallTime,
    /// What was left.
    pub packet: Opaque,
}

impl Deposit {
    pub(super) fn is_bounded(&self) -> bool {
        self.packet.len() <= MAX_PACKET
    }
}

impl Fetch {
    pub(super) fn is_bounded(&self) -> bool {
        (1..=MAX_FETCHED).contains(&usize::from(self.most)) && super::bounds::may_wait(self.wait)
    }
}
