//! Messages seen: what makes one that comes twice arrive once.

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::time::{CLOCK_TOLERANCE, WallTime};
use meshwork_protocols::wire::{Message, MessageId, Verdict};
use meshwork_state::{Namespace, StoreError};
use serde::{Deserialize, Serialize};

use crate::row;
use crate::transition::Transition;

/// The most messages remembered. At about 150 bytes a row on disk this is 1.5 GB, or four
/// messages a second for the 30 days that one may live; beyond it senders are told `Busy`.
pub(crate) const SEEN: u64 = 10_000_000;

/// What is remembered of a message.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct SeenRow {
    /// Stands first, where upkeep looks. Until then a copy could still be accepted.
    forget_after: WallTime,
    /// The hash of the message's encoding.
    pub(crate) content: [u8; 32],
    /// What its sender was last told.
    pub(crate) verdict: Verdict,
    /// Its place in the inbox; `None` while it waits for its turn, or once it is processed.
    pub(crate) arrival: Option<u64>,
}

impl SeenRow {
    pub(crate) fn new(message: &Message, content: [u8; 32], verdict: Verdict) -> Self {
        let forget_after = message.expires + CLOCK_TOLERANCE;
        Self { forget_after, content, verdict, arrival: None }
    }

    /// The row of a message, by its sender and the agent it was for.
    pub(crate) fn read(
        step: &Transition<'_>,
        sender: &AgentId,
        id: MessageId,
    ) -> Result<Option<Self>, StoreError> {
        step.get(Namespace::Seen, &row::pair(sender, id))?.as_ref().map(row::decode).transpose()
    }

    pub(crate) fn write(self, step: &mut Transition<'_>, sender: &AgentId, id: MessageId) {
        step.put(Namespace::Seen, row::pair(sender, id), row::encode(&self));
    }

    /// Whether the message is here, unread or waiting for its turn. Then its row stays, however
    /// late it is: both need it.
    pub(crate) fn is_here(&self) -> bool {
        self.verdict == Verdict::Delivered
    }

    /// Until when a final receipt for it is worth repeating.
    pub(crate) const fn forget_after(&self) -> WallTime {
        self.forget_after
    }
}
