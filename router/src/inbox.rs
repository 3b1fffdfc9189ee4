//! Messages received and not yet processed, in the order of arrival.

use alloc::vec::Vec;

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::posture::Posture;
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::Message;
use meshwork_state::{Namespace, Row, StoreError};
use serde::{Deserialize, Serialize};

use crate::choice::Protocol;
use crate::row;
use crate::seen::SEEN;
use crate::transition::Transition;

/// The most unread messages; the application is far behind by then, and senders hear `Busy`.
pub const INBOX_MESSAGES: usize = 100_000;

/// The most bytes of unread messages: read once at each start.
pub const INBOX_BYTES: usize = 512 << 20;

/// A message in the inbox, as its row holds it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Delivery {
    /// Who sent it, proved.
    pub sender: AgentId,
    /// Which protocol brought it.
    pub protocol: Protocol,
    /// How it was protected on its way.
    pub posture: Posture,
    /// When it came, by our clock.
    pub received: WallTime,
    /// The message.
    pub message: Message,
    /// The group that it was sent to, if it was. Its bytes stand behind the others in the row, so
    /// that rows of earlier versions are read as before.
    #[serde(skip)]
    pub group: Option<GroupId>,
    /// Its place in the log of the group, where its sender asks to be told when the application has
    /// dealt with it.
    #[serde(skip)]
    pub asked_at: Option<u64>,
}

impl Delivery {
    /// Reads a row of [`Namespace::Inbox`].
    pub fn decode(value: &SecretBytes) -> Result<Self, StoreError> {
        let (delivery, rest) =
            postcard::take_from_bytes::<Self>(value.expose()).map_err(|_| StoreError::Damaged)?;
        if rest.is_empty() {
            return Ok(delivery);
        }
        let (group, rest) = rest.split_first_chunk().ok_or(StoreError::Damaged)?;
        let group = Some(GroupId::from_bytes(*group));
        let asked_at = match rest {
            [] => None,
            place => Some(place.try_into().map_err(|_| StoreError::Damaged)?),
        };
        Ok(Self { group, asked_at: asked_at.map(u64::from_be_bytes), ..delivery })
    }

    /// The row, as [`decode`](Self::decode) reads it.
    pub fn encode(&self) -> SecretBytes {
        let mut row = row::encode(self).expose().to_vec();
        if let Some(group) = &self.group {
            row.extend_from_slice(group.as_bytes());
            row.extend(self.asked_at.iter().flat_map(|place| place.to_be_bytes()));
        }
        SecretBytes::new(row)
    }

    /// The key of the row with this arrival number.
    pub const fn key(arrival: u64) -> [u8; 8] {
        arrival.to_be_bytes()
    }

    pub(crate) fn size(&self) -> usize {
        self.message.body.len()
    }
}

/// What counts on over restarts, in the row with the empty key.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Counters {
    next_arrival: u64,
    seen: u64,
}

/// The index of the inbox.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    counters: Counters,
    messages: usize,
    bytes: usize,
}

impl Inbox {
    /// Takes a row at a start; returns what is unread.
    pub(crate) fn load(
        &mut self,
        (key, value): &Row,
    ) -> Result<Option<(u64, Delivery)>, StoreError> {
        if key.is_empty() {
            self.counters = row::decode(value)?;
            return Ok(None);
        }
        let arrival = key.as_slice().try_into().map_err(|_| StoreError::Damaged)?;
        let delivery = Delivery::decode(value)?;
        self.messages += 1;
        self.bytes += delivery.size();
        Ok(Some((u64::from_be_bytes(arrival), delivery)))
    }

    /// The number that the next message gets.
    pub(crate) const fn next_arrival(&self) -> u64 {
        self.counters.next_arrival
    }

    /// Whether a message of `size` is within the bounds.
    pub(crate) fn has_room(&self, size: usize) -> bool {
        self.messages < INBOX_MESSAGES
            && self.bytes + size <= INBOX_BYTES
            && self.counters.seen < SEEN
    }

    /// Puts a message in, durably with this step; returns its arrival number.
    pub(crate) fn put(&mut self, step: &mut Transition<'_>, delivery: &Delivery) -> u64 {
        let arrival = self.counters.next_arrival;
        self.counters.next_arrival += 1;
        self.messages += 1;
        self.bytes += delivery.size();
        step.put(Namespace::Inbox, Delivery::key(arrival).to_vec(), delivery.encode());
        self.count(step);
        arrival
    }

    /// A message of a group that is here stands at another place in its log too, and its sender asks
    /// there.
    pub(crate) fn move_to(
        step: &mut Transition<'_>,
        arrival: u64,
        place: u64,
    ) -> Result<(), StoreError> {
        let key = Delivery::key(arrival);
        let Some(value) = step.get(Namespace::Inbox, &key)? else { return Ok(()) };
        let delivery = Delivery { asked_at: Some(place), ..Delivery::decode(&value)? };
        step.put(Namespace::Inbox, key.to_vec(), delivery.encode());
        Ok(())
    }

    /// Takes a processed message out, durably with this step; the message, if it was there.
    pub(crate) fn take(
        &mut self,
        step: &mut Transition<'_>,
        arrival: u64,
    ) -> Result<Option<Delivery>, StoreError> {
        let key = Delivery::key(arrival);
        let Some(value) = step.get(Namespace::Inbox, &key)? else { return Ok(None) };
        let delivery = Delivery::decode(&value)?;
        let size = delivery.size();
        step.delete(Namespace::Inbox, key.to_vec());
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
        Ok(Some(delivery))
    }

    /// A message more is remembered as seen.
    pub(crate) fn one_more_seen(&mut self, step: &mut Transition<'_>) {
        self.counters.seen += 1;
        self.count(step);
    }

    /// So many messages are no longer remembered as seen.
    pub(crate) fn fewer_seen(&mut self, step: &mut Transition<'_>, forgotten: u64) {
        self.counters.seen = self.counters.seen.saturating_sub(forgotten);
        self.count(step);
    }

    fn count(&self, step: &mut Transition<'_>) {
        step.put(Namespace::Inbox, Vec::new(), row::encode(&self.counters));
    }
}
