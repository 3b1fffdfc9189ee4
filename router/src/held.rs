//! First contacts: messages of strangers, kept for the owner to decide. The strangers hear nothing.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::MessageId;
use meshwork_state::{Namespace, Row, StoreError};
use serde::{Deserialize, Serialize};

use crate::inbox::Delivery;
use crate::owed::split;
use crate::row;
use crate::transition::Transition;

/// The most messages held of one stranger.
pub(crate) const OF_ONE: usize = 16;

/// The most messages held of all strangers.
pub(crate) const OF_ALL: usize = 1_000;

/// The largest body that is held: what a stranger can make us keep stays under 64 MiB.
pub(crate) const HELD_BODY: usize = 64 << 10;

/// How long one is held.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A row.
#[derive(Debug, Deserialize, Serialize)]
struct HeldRow {
    /// Stands first, where upkeep looks.
    forget_after: WallTime,
    /// In the order of arrival.
    arrival: u64,
    delivery: Delivery,
    lowest_wanted: u64,
}

/// A message that was held.
#[derive(Debug)]
pub(crate) struct Released {
    pub(crate) delivery: Delivery,
    pub(crate) lowest_wanted: u64,
}

/// What is held, by stranger and arrival.
#[derive(Debug, Default)]
pub(crate) struct Held {
    strangers: BTreeMap<AgentId, BTreeMap<MessageId, u64>>,
    messages: usize,
    next_arrival: u64,
}

impl Held {
    /// Takes a row at a start.
    pub(crate) fn load(&mut self, (key, value): &Row) -> Result<(), StoreError> {
        let row: HeldRow = row::decode(value)?;
        let (sender, id) = split(key).ok_or(StoreError::Damaged)?;
        self.strangers.entry(sender).or_default().insert(id, row.arrival);
        self.messages += 1;
        self.next_arrival = self.next_arrival.max(row.arrival + 1);
        Ok(())
    }

    /// Whether this message may be held: it is not already, and no bound says no.
    pub(crate) fn has_room(&self, sender: &AgentId, id: MessageId, size: usize) -> bool {
        let held = self.strangers.get(sender);
        held.is_none_or(|messages| messages.len() < OF_ONE && !messages.contains_key(&id))
            && self.messages < OF_ALL
            && size <= HELD_BODY
    }

    /// Holds a message for which there is room, durably with this step.
    pub(crate) fn hold(
        &mut self,
        step: &mut Transition<'_>,
        delivery: &Delivery,
        lowest_wanted: u64,
    ) {
        let id = delivery.message.id;
        let row = HeldRow {
            forget_after: step.now.wall + KEPT,
            arrival: self.next_arrival,
            delivery: delivery.clone(),
            lowest_wanted,
        };
        step.put(Namespace::Held, row::pair(&delivery.sender, id), row::encode(&row));
        self.strangers.entry(delivery.sender).or_default().insert(id, row.arrival);
        self.messages += 1;
        self.next_arrival += 1;
    }

    /// Hands out everything of a stranger, in the order of arrival, durably with this step.
    pub(crate) fn release(
        &mut self,
        step: &mut Transition<'_>,
        sender: &AgentId,
    ) -> Result<Vec<Released>, StoreError> {
        let Some(messages) = self.strangers.remove(sender) else { return Ok(Vec::new()) };
        self.messages -= messages.len();
        let mut order: Vec<_> = messages.into_iter().map(|(id, arrival)| (arrival, id)).collect();
        order.sort_unstable();
        let mut released = Vec::with_capacity(order.len());
        for (_, id) in order {
            let key = row::pair(sender, id);
            let value = step.get(Namespace::Held, &key)?.ok_or(StoreError::Damaged)?;
            let HeldRow { delivery, lowest_wanted, .. } = row::decode(&value)?;
            step.delete(Namespace::Held, key);
            released.push(Released { delivery, lowest_wanted });
        }
        Ok(released)
    }

    /// Upkeep lets a row go; `true` where it was the stranger's last.
    pub(crate) fn forget(&mut self, sender: &AgentId, id: MessageId) -> bool {
        let Some(messages) = self.strangers.get_mut(sender) else { return false };
        if messages.remove(&id).is_some() {
            self.messages -= 1;
        }
        let last = messages.is_empty();
        if last {
            self.strangers.remove(sender);
        }
        last
    }

    /// The strangers, and how much is held of each.
    pub(crate) fn strangers(&self) -> impl Iterator<Item = (&AgentId, usize)> {
        self.strangers.iter().map(|(id, messages)| (id, messages.len()))
    }
}
