//! What was seen at one host. A copy of it goes with each copy of the disk.

use std::collections::{BTreeMap, BTreeSet};

use meshwork_protocols::wire::{MessageId, Place};
use meshwork_router::Level;

use crate::network::Host;

/// What was seen at one host.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Messages that came, with their place in the inbox.
    came: BTreeMap<(Host, MessageId), u64>,
    /// Places in the inbox, and whether the one there was told as new.
    places: BTreeMap<u64, Told>,
    processed: BTreeSet<(Host, MessageId)>,
    /// Messages whose senders were told that they came; they may still wait for their turn.
    acknowledged: BTreeSet<(Host, MessageId)>,
    accepted: BTreeSet<u64>,
    levels: BTreeMap<MessageId, Level>,
    /// The last place of each conversation that came.
    order: BTreeMap<(Host, [u8; 8]), (u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    message: (Host, MessageId),
    as_new: bool,
}

/// How a message came twice.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Twice {
    /// It has two places in the inbox.
    #[error("at two places of the inbox")]
    AtTwoPlaces,
    /// It came when the application had dealt with it.
    #[error("after the application had dealt with it")]
    AfterItWasProcessed,
    /// It was told as new when it had been told.
    #[error("told as new although it had been told")]
    ToldAsNew,
    /// Another message has its place.
    #[error("at the place of another message")]
    AtAnothersPlace,
}

impl Memory {
    /// A process begins: levels that no row holds are forgotten.
    pub(super) fn begin(&mut self) {
        self.levels.retain(|_, level| !matches!(level, Level::Queued | Level::Sent));
    }

    pub(super) fn accept(&mut self, number: u64) {
        self.accepted.insert(number);
    }

    /// A message moved; gives the level before, if it moved back.
    pub(super) fn advance(&mut self, id: MessageId, level: Level) -> Option<Level> {
        let before = self.levels.insert(id, level)?;
        let forward = match before {
            Level::Queued => true,
            Level::Sent => level != Level::Queued,
            Level::Relayed => !matches!(level, Level::Queued | Level::Sent),
            Level::Delivered => level == Level::Processed,
            Level::Expired => {
                matches!(level, Level::Delivered | Level::Processed | Level::Refused(_))
            }
            _ => false,
        };
        (!forward).then_some(before)
    }

    /// A message came, or was told of again.
    pub(super) fn arrive(
        &mut self,
        arrival: u64,
        message: (Host, MessageId),
        repeat: bool,
    ) -> Result<(), Twice> {
        if self.processed.contains(&message) {
            return Err(Twice::AfterItWasProcessed);
        }
        if *self.came.entry(message).or_insert(arrival) != arrival {
            return Err(Twice::AtTwoPlaces);
        }
        let told = self.places.entry(arrival).or_insert(Told { message, as_new: false });
        if told.message != message {
            return Err(Twice::AtAnothersPlace);
        }
        if !repeat && std::mem::replace(&mut told.as_new, true) {
            return Err(Twice::ToldAsNew);
        }
        Ok(())
    }

    /// Whether a message with this place in the order may come now. Told of again, one keeps its
    /// place in the inbox, so that only the first time counts.
    pub(super) fn comes_in_order(&mut self, from: Host, place: Place, arrival: u64) -> bool {
        let here = (arrival, place.number);
        let last = self.order.entry((from, place.conversation)).or_insert(here);
        if arrival <= last.0 {
            return true;
        }
        let later = place.number > last.1;
        *last = here;
        later
    }

    pub(super) fn process(&mut self, message: (Host, MessageId)) {
        self.processed.insert(message);
    }

    /// A sender is told that its message came; whether it is the first time.
    pub(super) fn acknowledge(&mut self, message: (Host, MessageId)) -> bool {
        self.acknowledged.insert(message)
    }

    pub(super) fn has_come(&self, message: (Host, MessageId)) -> bool {
        self.came.contains_key(&message)
    }

    /// The numbers of messages that were accepted here and not in `before`.
    pub(super) fn accepted_since(&self, before: &Self) -> impl Iterator<Item = u64> + use<> {
        self.accepted.difference(&before.accepted).copied().collect::<Vec<_>>().into_iter()
    }

    /// The messages that came here, as far as anybody was told, and not in `before`.
    pub(super) fn arrived_since(
        &self,
        before: &Self,
    ) -> impl Iterator<Item = (Host, MessageId)> + use<> {
        let came: BTreeSet<_> = self.came.keys().chain(&self.acknowledged).copied().collect();
        let before = before.clone();
        came.into_iter().filter(move |message| {
            !before.came.contains_key(message) && !before.acknowledged.contains(message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Host = Host(0);
    const ID: MessageId = MessageId::from_bytes([1; 16]);
    const OTHER: MessageId = MessageId::from_bytes([2; 16]);

    #[test]
    fn a_message_comes_once_and_may_be_told_of_again_until_it_is_processed() {
        let mut memory = Memory::default();
        assert_eq!(memory.arrive(0, (A, ID), false), Ok(()));
        assert_eq!(memory.arrive(0, (A, ID), true), Ok(()));
        assert_eq!(memory.arrive(0, (A, ID), false), Err(Twice::ToldAsNew));
        assert_eq!(memory.arrive(1, (A, ID), false), Err(Twice::AtTwoPlaces));
        assert_eq!(memory.arrive(0, (A, OTHER), false), Err(Twice::AtAnothersPlace));
        memory.process((A, ID));
        assert_eq!(memory.arrive(0, (A, ID), true), Err(Twice::AfterItWasProcessed));
    }

    #[test]
    fn levels_move_forward_and_a_restart_forgets_those_that_no_row_holds() {
        let refused = Level::Refused(meshwork_protocols::wire::RefusalReason::Expired);
        let table = [
            (Level::Queued, Level::Sent, true),
            (Level::Sent, Level::Sent, true),
            (Level::Sent, Level::Queued, false),
            (Level::Sent, Level::Expired, true),
            (Level::Expired, Level::Delivered, true),
            (Level::Expired, Level::Sent, false),
            (Level::Delivered, Level::Processed, true),
            (Level::Delivered, Level::Sent, false),
            (Level::Delivered, Level::Expired, false),
            (Level::Processed, Level::Delivered, false),
            (refused, Level::Processed, false),
        ];
        for (before, after, forward) in table {
            let mut memory = Memory::default();
            assert_eq!(memory.advance(ID, before), None);
            let back = memory.advance(ID, after);
            assert_eq!(back, (!forward).then_some(before), "{before:?} to {after:?}");
        }
        let mut memory = Memory::default();
        memory.advance(ID, Level::Sent);
        memory.begin();
        assert_eq!(memory.advance(ID, Level::Queued), None);
    }

    #[test]
    fn places_of_one_conversation_come_in_order_and_gaps_are_none() {
        let mut memory = Memory::default();
        let place = |number| Place { conversation: [1; 8], number };
        assert!(memory.comes_in_order(A, place(3), 10));
        assert!(memory.comes_in_order(A, place(7), 11));
        assert!(memory.comes_in_order(A, place(3), 10), "told of again");
        assert!(!memory.comes_in_order(A, place(5), 12));
        let another = Place { conversation: [2; 8], number: 0 };
        assert!(memory.comes_in_order(A, another, 13));
    }

    #[test]
    fn what_happened_since_a_copy_is_told_from_what_it_holds() {
        let mut memory = Memory::default();
        memory.accept(1);
        memory.acknowledge((A, ID));
        let copy = memory.clone();
        memory.accept(2);
        memory.acknowledge((A, OTHER));
        assert_eq!(memory.arrive(0, (A, ID), false), Ok(()));
        assert_eq!(memory.accepted_since(&copy).collect::<Vec<_>>(), [2]);
        assert_eq!(memory.arrived_since(&copy).collect::<Vec<_>>(), [(A, OTHER)]);
    }
}
