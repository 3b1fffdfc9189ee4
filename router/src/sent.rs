//! What became of messages sent, after their bodies are gone.

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::time::{CLOCK_TOLERANCE, WallTime};
use meshwork_protocols::wire::MessageId;
use meshwork_state::{Namespace, StoreError};
use serde::{Deserialize, Serialize};

use crate::choice::Choice;
use crate::event::Level;
use crate::outbox::Entry;
use crate::row;
use crate::transition::Transition;

/// How long an end can be asked for after the message could last have lived.
pub(crate) const KEPT: core::time::Duration = core::time::Duration::from_secs(7 * 24 * 60 * 60);

/// What is known of a message of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// To whom.
    pub to: AgentId,
    /// How far it got.
    pub level: Level,
    /// How it went, or would go, and why.
    pub choice: Choice,
}

/// A row.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct SentRow {
    /// Stands first, where upkeep looks.
    forget_after: WallTime,
    pub(crate) to: AgentId,
    pub(crate) level: Level,
    pub(crate) choice: Choice,
    pub(crate) fingerprint: [u8; 32],
}

impl SentRow {
    pub(crate) fn new(entry: &Entry, level: Level) -> Self {
        Self {
            forget_after: entry.expires + CLOCK_TOLERANCE + KEPT,
            to: entry.to,
            level,
            choice: entry.choice,
            fingerprint: entry.fingerprint,
        }
    }

    /// The row of a message.
    pub(crate) fn read(step: &Transition<'_>, id: MessageId) -> Result<Option<Self>, StoreError> {
        step.get(Namespace::Sent, id.as_bytes())?.as_ref().map(row::decode).transpose()
    }

    pub(crate) fn write(self, step: &mut Transition<'_>, id: MessageId) {
        step.put(Namespace::Sent, id.as_bytes().to_vec(), row::encode(&self));
    }

    /// The row that a receipt makes of this one, or `None` where it says nothing new. A receipt
    /// that still comes moves an expired message on.
    pub(crate) fn moved(self, level: Level) -> Option<Self> {
        let forward = matches!(
            (self.level, level),
            (Level::Expired, Level::Delivered | Level::Processed | Level::Refused(_))
                | (Level::Delivered, Level::Processed)
        );
        forward.then_some(Self { level, ..self })
    }
}

#[cfg(test)]
mod tests {
    use meshwork_protocols::wire::RefusalReason;

    use crate::choice::{Protocol, Reason};

    use super::*;

    #[test]
    fn a_receipt_moves_a_message_only_forward() {
        let refused = Level::Refused(RefusalReason::Policy);
        let levels = [Level::Delivered, Level::Processed, Level::Expired, refused];
        for from in levels {
            for to in levels {
                let row = SentRow {
                    forget_after: WallTime::default(),
                    to: AgentId::from_bytes([1; 32]),
                    level: from,
                    choice: Choice { protocol: Protocol::Live, reason: Reason::SessionStands },
                    fingerprint: [0; 32],
                };
                let forward = matches!(
                    (from, to),
                    (Level::Expired, Level::Delivered | Level::Processed)
                        | (Level::Delivered, Level::Processed)
                ) || (from == Level::Expired && to == refused);
                assert_eq!(row.moved(to).is_some(), forward, "{from:?} to {to:?}");
            }
        }
    }
}
