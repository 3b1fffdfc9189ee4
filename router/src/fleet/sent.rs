//! How far messages to groups got: a row each, which outlives the message as that of a message to a
//! peer does.

use alloc::vec::Vec;

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::time::{CLOCK_TOLERANCE, WallTime};
use meshwork_protocols::wire::MessageId;
use meshwork_state::{Namespace, StoreError};
use serde::{Deserialize, Serialize};

use crate::event::Level;
use crate::row;
use crate::sent::KEPT;
use crate::transition::Transition;

/// What is known of a message of ours to a group.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct SentToGroupRow {
    /// Stands first, where upkeep looks.
    forget_after: WallTime,
    pub(crate) group: GroupId,
    pub(crate) level: Level,
    /// What tells this message from another under the same id.
    pub(crate) fingerprint: [u8; 32],
}

impl SentToGroupRow {
    /// That of a message that was just taken on.
    pub(crate) fn new(group: GroupId, expires: WallTime, fingerprint: [u8; 32]) -> Self {
        let forget_after = expires + CLOCK_TOLERANCE + KEPT;
        Self { forget_after, group, level: Level::Queued, fingerprint }
    }

    pub(crate) fn read(step: &Transition<'_>, id: MessageId) -> Result<Option<Self>, StoreError> {
        step.get(Namespace::Sent, &key(id))?.as_ref().map(row::decode).transpose()
    }

    pub(crate) fn write(&self, step: &mut Transition<'_>, id: MessageId) {
        step.put(Namespace::Sent, key(id), row::encode(self));
    }

    /// Moves it to a level; whether that is news. One that has expired was read in the log late.
    pub(crate) fn moves(&mut self, level: Level) -> bool {
        let forward = matches!(
            (self.level, level),
            (Level::Queued, Level::Relayed | Level::Expired) | (Level::Expired, Level::Relayed)
        );
        if forward {
            self.level = level;
        }
        forward
    }
}

/// One byte longer than the key of a message to a peer, so that neither is read as the other.
fn key(id: MessageId) -> Vec<u8> {
    [&[GROUP], id.as_bytes().as_slice()].concat()
}

const GROUP: u8 = b'g';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_moves_only_forward_and_may_be_read_late() {
        let levels = [Level::Queued, Level::Relayed, Level::Expired];
        for from in levels {
            for to in levels {
                let group = GroupId::from_bytes([1; 32]);
                let mut row = SentToGroupRow::new(group, WallTime::default(), [0; 32]);
                row.level = from;
                let forward = matches!(
                    (from, to),
                    (Level::Queued, Level::Relayed | Level::Expired)
                        | (Level::Expired, Level::Relayed)
                );
                assert_eq!(row.moves(to), forward, "{from:?} to {to:?}");
                assert_eq!(row.level, if forward { to } else { from });
            }
        }
    }
}
