//! How far messages to groups got: a row each, which outlives the message as that of a message to a
//! peer does.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use meshwork_protocols::fleet::{Asks, GroupId, Said};
use meshwork_protocols::identity::AgentId;
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
    pub(crate) asks: Asks,
    /// Who is waited for to say that it is in its inbox, where that was asked.
    pub(crate) undelivered: BTreeSet<AgentId>,
    /// Who is waited for to say that its application dealt with it, where that was asked.
    pub(crate) unprocessed: BTreeSet<AgentId>,
    /// How many said the one.
    pub(crate) delivered: u32,
    /// How many said the other.
    pub(crate) processed: u32,
}

impl SentToGroupRow {
    /// That of a message that was just taken on.
    pub(crate) fn new(
        group: GroupId,
        expires: WallTime,
        fingerprint: [u8; 32],
        asks: Asks,
    ) -> Self {
        Self {
            forget_after: expires + CLOCK_TOLERANCE + KEPT,
            group,
            level: Level::Queued,
            fingerprint,
            asks,
            undelivered: BTreeSet::new(),
            unprocessed: BTreeSet::new(),
            delivered: 0,
            processed: 0,
        }
    }

    /// It is sealed to these.
    pub(crate) fn sealed_to(&mut self, others: &BTreeSet<AgentId>) {
        let whom = |asked| if asked { others.clone() } else { BTreeSet::new() };
        self.undelivered = whom(self.asks >= Asks::Delivered);
        self.unprocessed = whom(self.asks >= Asks::Processed);
        (self.delivered, self.processed) = (0, 0);
    }

    /// Waits for nobody but these any more; whether that is news.
    pub(crate) fn retain(&mut self, members: &BTreeSet<AgentId>) -> bool {
        let waited = self.undelivered.len() + self.unprocessed.len();
        self.undelivered.retain(|agent| members.contains(agent));
        self.unprocessed.retain(|agent| members.contains(agent));
        self.undelivered.len() + self.unprocessed.len() < waited
    }

    /// A member says what became of it; whether that is news.
    pub(crate) fn hear(&mut self, agent: &AgentId, said: Said) -> bool {
        let delivered = self.undelivered.remove(agent);
        let processed = said == Said::Processed && self.unprocessed.remove(agent);
        self.delivered += u32::from(delivered);
        self.processed += u32::from(processed);
        delivered || processed
    }

    /// How far it got by what was heard; `None` where somebody is still to say that it has it.
    pub(crate) fn heard(&self) -> Option<Level> {
        if self.asks == Asks::Nothing || !self.undelivered.is_empty() {
            return None;
        }
        let is_dealt_with = self.asks == Asks::Processed && self.unprocessed.is_empty();
        Some(if is_dealt_with { Level::Processed } else { Level::Delivered })
    }

    /// Whether nobody is waited for any more.
    pub(crate) fn is_answered(&self) -> bool {
        self.undelivered.is_empty() && self.unprocessed.is_empty()
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
            (Level::Queued, Level::Expired)
                | (Level::Queued | Level::Expired, Level::Relayed)
                | (Level::Relayed, Level::Delivered)
                | (Level::Relayed | Level::Delivered, Level::Processed)
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

    fn row(asks: Asks) -> SentToGroupRow {
        let group = GroupId::from_bytes([1; 32]);
        SentToGroupRow::new(group, WallTime::default(), [0; 32], asks)
    }

    fn agents(numbers: &[u8]) -> BTreeSet<AgentId> {
        numbers.iter().map(|number| AgentId::from_bytes([*number; 32])).collect()
    }

    #[test]
    fn a_message_moves_only_forward_and_may_be_read_late() {
        use Level::{Delivered, Expired, Processed, Queued, Relayed};
        let forward = [
            (Queued, Relayed),
            (Queued, Expired),
            (Expired, Relayed),
            (Relayed, Delivered),
            (Relayed, Processed),
            (Delivered, Processed),
        ];
        for from in [Queued, Relayed, Delivered, Processed, Expired] {
            for to in [Queued, Relayed, Delivered, Processed, Expired] {
                let mut row = row(Asks::Nothing);
                row.level = from;
                let moves = forward.contains(&(from, to));
                assert_eq!(row.moves(to), moves, "{from:?} to {to:?}");
                assert_eq!(row.level, if moves { to } else { from });
            }
        }
    }

    #[test]
    fn each_member_is_heard_once_and_nobody_who_was_not_there() {
        let (one, other) = (AgentId::from_bytes([1; 32]), AgentId::from_bytes([2; 32]));
        let mut row = row(Asks::Processed);
        row.sealed_to(&agents(&[1, 2]));
        assert!(row.hear(&one, Said::Delivered));
        assert!(!row.hear(&one, Said::Delivered));
        assert!(!row.hear(&AgentId::from_bytes([3; 32]), Said::Processed));
        assert_eq!((row.delivered, row.processed, row.heard()), (1, 0, None));
        // Whoever has dealt with it has it.
        assert!(row.hear(&other, Said::Processed));
        assert_eq!((row.delivered, row.processed), (2, 1));
        assert_eq!((row.heard(), row.is_answered()), (Some(Level::Delivered), false));
        assert!(row.hear(&one, Said::Processed));
        assert_eq!((row.heard(), row.is_answered()), (Some(Level::Processed), true));
    }

    #[test]
    fn who_is_gone_is_waited_for_no_more_and_what_it_said_counts() {
        let mut row = row(Asks::Processed);
        row.sealed_to(&agents(&[1, 2, 3]));
        assert!(row.hear(&AgentId::from_bytes([1; 32]), Said::Delivered));
        assert!(row.retain(&agents(&[3, 4])));
        assert!(!row.retain(&agents(&[3, 4])));
        assert!(row.hear(&AgentId::from_bytes([3; 32]), Said::Processed));
        assert_eq!((row.delivered, row.processed), (2, 1));
        assert_eq!((row.heard(), row.is_answered()), (Some(Level::Processed), true));
    }

    #[test]
    fn what_asks_for_nothing_waits_for_nobody() {
        let mut row = row(Asks::Nothing);
        row.sealed_to(&agents(&[1]));
        assert!(!row.hear(&AgentId::from_bytes([1; 32]), Said::Processed));
        assert_eq!((row.heard(), row.is_answered()), (None, true));
    }
}
