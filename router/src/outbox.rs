//! Messages accepted and not yet settled: which wait, which are on their way, which come next.
//!
//! The rows are the truth; what is in memory is their index, rebuilt at a start. It chooses no
//! route and seals nothing.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::Provider;
use meshwork_protocols::time::{Timestamp, WallTime};
use meshwork_protocols::wire::{MAX_FRAME, Message, MessageId, Place};
use meshwork_state::{Namespace, Row, StoreError};
use serde::{Deserialize, Serialize};

use crate::choice::{Choice, Protocol, Reason, Way};
use crate::event::Level;
use crate::ledger::Ledger;
use crate::output::PathId;
use crate::row;
use crate::sent::SentRow;
use crate::stored::{KeptPacket, MAX_SEALED};
use crate::timers::Timers;
use crate::transition::Transition;

/// The most messages that wait in all: their index takes some 30 MB.
pub const OUTBOX_MESSAGES: usize = 100_000;

/// The most bytes that wait in all: read once at each start.
pub const OUTBOX_BYTES: usize = 512 << 20;

/// The most messages that wait for one peer, so that one that is away leaves room for others.
pub const PEER_MESSAGES: usize = 10_000;

/// The most bytes that wait for one peer.
pub const PEER_BYTES: usize = 64 << 20;

/// The most messages on their way to one peer without a receipt.
const WINDOW_MESSAGES: usize = 1_024;

/// The most bytes on their way to one peer without a receipt; one message always may be.
const WINDOW_BYTES: usize = 4 << 20;

/// The most messages for one peer that are sealed before there is a way to it: each has some ten
/// kilobytes of proofs around it until the peer has answered, and what is lost of so many is less
/// than a receiver skips.
pub(crate) const SEALED_AHEAD: usize = 256;

/// The most bytes that a frame puts around a message in clear.
const FRAME_AROUND: usize = 24;

/// The rows of conversations are keyed by peers, the others by message ids.
const CONVERSATION_KEY: usize = 32;

/// A row of the outbox.
#[derive(Deserialize, Serialize)]
pub(crate) struct OutboxRow {
    pub(crate) to: AgentId,
    /// The order in which messages were accepted.
    pub(crate) sequence: u64,
    /// The encoded [`Message`].
    #[serde(with = "meshwork_protocols::wire::bytes")]
    pub(crate) message: Vec<u8>,
    /// The packet, once a stored session sealed it: a resend sends these bytes again.
    pub(crate) sealed: Option<KeptPacket>,
}

/// How far a conversation with one peer got, as its row holds it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Conversation {
    pub(crate) id: [u8; 8],
    /// The next place to give.
    pub(crate) next: u64,
}

/// One message, in memory.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) to: AgentId,
    pub(crate) expires: WallTime,
    pub(crate) attempts: u32,
    /// What tells this message from another under the same id.
    pub(crate) fingerprint: [u8; 32],
    /// How it last went.
    pub(crate) choice: Choice,
    pub(crate) order: Option<Place>,
    sequence: u64,
    size: usize,
    /// The most bytes of its frame in the clear.
    pub(crate) frame: usize,
    whereabouts: Whereabouts,
    /// Whether it is known to be durable at a relay.
    pub(crate) relayed: bool,
    sealed: Option<[u8; 32]>,
}

/// Where a message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Whereabouts {
    /// In its peer's queue.
    Waiting,
    /// On a path, or left with the peer's mail, without a receipt so far.
    OnItsWay { way: Way },
    /// The peer asked for time.
    PutOff,
}

/// What waits for one peer and what is on its way.
#[derive(Debug, Default)]
struct Queue {
    waiting: BTreeSet<(u64, MessageId)>,
    messages: usize,
    bytes: usize,
    window_messages: usize,
    window_bytes: usize,
    /// Ordered ones, by place.
    ordered: BTreeSet<Place>,
    /// Those that no stored session sealed, wherever they are.
    unsealed: BTreeSet<(u64, MessageId)>,
}

/// All messages that are not settled.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    entries: BTreeMap<MessageId, Entry>,
    queues: BTreeMap<AgentId, Queue>,
    timers: Timers<MessageId>,
    expiries: BTreeSet<(WallTime, MessageId)>,
    by_ciphertext: BTreeMap<[u8; 32], MessageId>,
    bytes: usize,
    next_sequence: u64,
}

impl Outbox {
    /// Takes a row at a start.
    pub(crate) fn load(
        &mut self,
        (key, value): &Row,
        provider: &dyn Provider,
    ) -> Result<(), StoreError> {
        if key.len() == CONVERSATION_KEY {
            return Ok(());
        }
        let row: OutboxRow = row::decode(value)?;
        let message = Message::decode(&row.message).map_err(|_| StoreError::Damaged)?;
        let sealed = row.sealed.as_ref().map(|kept| provider.digest(&[&kept.packet]));
        let fingerprint = fingerprint(provider, row.to, &message);
        self.insert(&row, &message, fingerprint, sealed);
        Ok(())
    }

    /// Whether another message of `size` to this peer is within the bounds.
    pub(crate) fn has_room(&self, to: &AgentId, size: usize) -> bool {
        let (messages, bytes) =
            self.queues.get(to).map_or((0, 0), |queue| (queue.messages, queue.bytes));
        self.entries.len() < OUTBOX_MESSAGES
            && self.bytes + size <= OUTBOX_BYTES
            && messages < PEER_MESSAGES
            && bytes + size <= PEER_BYTES
    }

    /// Takes a message on, durably with this step; the most bytes of its frame.
    pub(crate) fn accept(
        &mut self,
        step: &mut Transition<'_>,
        to: AgentId,
        message: &Message,
        fingerprint: [u8; 32],
    ) -> usize {
        let row = OutboxRow {
            to,
            sequence: self.next_sequence,
            message: message.encode().expose().to_vec(),
            sealed: None,
        };
        write(step, message.id, &row);
        self.insert(&row, message, fingerprint, None);
        frame_size(&row.message)
    }

    /// Replaces the packet that a resend sends; the row that follows.
    pub(crate) fn set_sealed(
        &mut self,
        step: &mut Transition<'_>,
        id: MessageId,
        mut row: OutboxRow,
        packet: Option<(KeptPacket, [u8; 32])>,
    ) -> OutboxRow {
        let Some(entry) = self.entries.get_mut(&id) else { return row };
        let unsealed = &mut self.queues.entry(entry.to).or_default().unsealed;
        if let Some(before) = entry.sealed.take() {
            self.by_ciphertext.remove(&before);
            unsealed.insert((entry.sequence, id));
        }
        if let Some((_, hash)) = &packet {
            entry.sealed = Some(*hash);
            self.by_ciphertext.insert(*hash, id);
            unsealed.remove(&(entry.sequence, id));
        }
        row.sealed = packet.map(|(packet, _)| packet);
        write(step, id, &row);
        row
    }

    /// The row of a message.
    pub(crate) fn row(
        step: &Transition<'_>,
        id: MessageId,
    ) -> Result<Option<OutboxRow>, StoreError> {
        step.get(Namespace::Outbox, id.as_bytes())?.as_ref().map(row::decode).transpose()
    }

    pub(crate) fn entry(&self, id: MessageId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// Whose packet this ciphertext was.
    pub(crate) fn by_ciphertext(&self, hash: &[u8; 32]) -> Option<MessageId> {
        self.by_ciphertext.get(hash).copied()
    }

    /// The next message for this peer, from this place in its queue on, if the window lets it out;
    /// with its place, and the most bytes of its frame.
    pub(crate) fn next_waiting(&self, to: &AgentId, from: u64) -> Option<(MessageId, u64, usize)> {
        let queue = self.queues.get(to)?;
        let first = (from, MessageId::from_bytes([0; 16]));
        let &(sequence, id) = queue.waiting.range(first..).next()?;
        let entry = self.entries.get(&id)?;
        let fits = queue.window_messages == 0
            || (queue.window_messages < WINDOW_MESSAGES
                && queue.window_bytes + entry.size <= WINDOW_BYTES);
        fits.then_some((id, sequence, entry.frame))
    }

    /// The next message for this peer that waits and was not sealed, as long as no more than
    /// [`SEALED_AHEAD`] are.
    pub(crate) fn next_unsealed(&self, to: &AgentId) -> Option<MessageId> {
        let queue = self.queues.get(to)?;
        let has_room = queue.messages - queue.unsealed.len() < SEALED_AHEAD;
        let waits = |(_, id): &&(u64, MessageId)| {
            self.entries.get(id).is_some_and(|entry| {
                entry.whereabouts == Whereabouts::Waiting && entry.frame <= MAX_SEALED
            })
        };
        queue.unsealed.iter().find(waits).filter(|_| has_room).map(|(_, id)| *id)
    }

    /// Whether a message for this peer waits whose frame may be larger than this.
    pub(crate) fn has_larger(&self, to: &AgentId, frame: usize) -> bool {
        let Some(queue) = self.queues.get(to).filter(|_| frame < MAX_FRAME) else { return false };
        let larger = |id| self.entries.get(id).is_some_and(|entry| entry.frame > frame);
        queue.waiting.iter().any(|(_, id)| larger(id))
    }

    /// How the message goes, or would.
    pub(crate) fn set_choice(&mut self, id: MessageId, choice: Choice) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.choice = choice;
        }
    }

    /// The message left on this way and is looked after again at `due`.
    pub(crate) fn left(&mut self, id: MessageId, way: Way, choice: Choice, due: Duration) {
        self.set_choice(id, choice);
        self.move_to(id, Whereabouts::OnItsWay { way });
        self.timers.set(id, due);
    }

    /// The message is durable at this relay, and is looked after again at `due`; `None` where it
    /// is not on its way there any more, else whether that is new.
    pub(crate) fn relayed(&mut self, id: MessageId, relay: AgentId, due: Duration) -> Option<bool> {
        let entry = self.entries.get_mut(&id)?;
        if entry.whereabouts != (Whereabouts::OnItsWay { way: Way::Relay(relay) }) {
            return None;
        }
        let is_new = !core::mem::replace(&mut entry.relayed, true);
        self.timers.set(id, due);
        Some(is_new)
    }

    /// Takes from the rows at a start which messages are durable at a relay: what is tried again of
    /// them is no news.
    pub(crate) fn load_relayed(&mut self, step: &Transition<'_>) -> Result<(), StoreError> {
        for (id, entry) in &mut self.entries {
            let row = SentRow::read(step, *id)?;
            entry.relayed = row.is_some_and(|row| row.level == Level::Relayed);
        }
        Ok(())
    }

    /// The message was not left with this relay, and goes back into its peer's queue.
    pub(crate) fn not_relayed(&mut self, id: MessageId, relay: AgentId) {
        let way = Way::Relay(relay);
        if self.entries.get(&id).is_some_and(|it| it.whereabouts == Whereabouts::OnItsWay { way }) {
            self.wait_again(id);
        }
    }

    /// Whether the message has left and no receipt came so far.
    pub(crate) fn is_on_its_way(&self, id: MessageId) -> bool {
        self.entries
            .get(&id)
            .is_some_and(|entry| matches!(entry.whereabouts, Whereabouts::OnItsWay { .. }))
    }

    /// The peer asked to be left alone with this message until `until`.
    pub(crate) fn put_off(&mut self, id: MessageId, until: Duration) {
        self.move_to(id, Whereabouts::PutOff);
        self.timers.set(id, until);
    }

    /// The message goes back into its peer's queue.
    pub(crate) fn wait_again(&mut self, id: MessageId) {
        self.move_to(id, Whereabouts::Waiting);
    }

    /// Everything on this path goes back into its queue.
    pub(crate) fn path_closed(&mut self, to: &AgentId, closed: PathId) {
        let lost: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.to == *to)
            .filter(|(_, entry)| {
                entry.whereabouts == Whereabouts::OnItsWay { way: Way::Path(closed) }
            })
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            self.wait_again(id);
        }
    }

    /// Timers that ran out put their messages back; returns the peers with something to send.
    pub(crate) fn due(&mut self, now: Duration) -> BTreeSet<AgentId> {
        let mut peers = BTreeSet::new();
        while let Some(id) = self.timers.pop_due(now) {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.attempts = entry.attempts.saturating_add(1);
                peers.insert(entry.to);
            }
            self.wait_again(id);
        }
        peers
    }

    /// The next message whose time is over.
    pub(crate) fn next_expired(&self, now: WallTime) -> Option<MessageId> {
        self.expiries.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }

    /// Lets a message go, durably with this step.
    pub(crate) fn settle(&mut self, step: &mut Transition<'_>, id: MessageId) -> Option<Entry> {
        self.move_to(id, Whereabouts::Waiting);
        let entry = self.entries.remove(&id)?;
        step.delete(Namespace::Outbox, id.as_bytes().to_vec());
        self.bytes -= entry.size;
        self.expiries.remove(&(entry.expires, id));
        if let Some(hash) = &entry.sealed {
            self.by_ciphertext.remove(hash);
        }
        if let Some(queue) = self.queues.get_mut(&entry.to) {
            queue.waiting.remove(&(entry.sequence, id));
            queue.unsealed.remove(&(entry.sequence, id));
            queue.messages -= 1;
            queue.bytes -= entry.size;
            if let Some(place) = &entry.order {
                queue.ordered.remove(place);
            }
            if queue.messages == 0 {
                self.queues.remove(&entry.to);
            }
        }
        Some(entry)
    }

    /// The lowest place of `conversation` that is still tried, or its next one.
    pub(crate) fn lowest_wanted(&self, to: &AgentId, conversation: Conversation) -> u64 {
        let first = Place { conversation: conversation.id, number: 0 };
        let last = Place { conversation: conversation.id, number: u64::MAX };
        self.queues
            .get(to)
            .and_then(|queue| queue.ordered.range(first..=last).next())
            .map_or(conversation.next, |place| place.number)
    }

    /// The lowest place that is still tried, of the conversation of a message in order.
    pub(crate) fn lowest_wanted_by(&self, id: MessageId) -> u64 {
        let Some((to, place)) = self.entries.get(&id).and_then(|it| Some((it.to, it.order?)))
        else {
            return 0;
        };
        let conversation = Conversation { id: place.conversation, next: place.number };
        self.lowest_wanted(&to, conversation)
    }

    /// The conversation with a peer, if one was begun.
    pub(crate) fn conversation(
        step: &Transition<'_>,
        to: &AgentId,
    ) -> Result<Option<Conversation>, StoreError> {
        step.get(Namespace::Outbox, to.as_bytes())?.as_ref().map(row::decode).transpose()
    }

    /// Keeps how far a conversation got.
    pub(crate) fn set_conversation(
        step: &mut Transition<'_>,
        to: &AgentId,
        conversation: Conversation,
    ) {
        step.put(Namespace::Outbox, to.as_bytes().to_vec(), row::encode(&conversation));
    }

    /// Ends every conversation: a state that was restored may have given these places before.
    pub(crate) fn end_conversations(
        ledger: &Ledger,
        step: &mut Transition<'_>,
    ) -> Result<(), StoreError> {
        ledger.each(Namespace::Outbox, |(key, _)| {
            if key.len() == CONVERSATION_KEY {
                step.delete(Namespace::Outbox, key);
            }
            Ok(())
        })
    }

    /// How many messages for one peer are not settled.
    pub(crate) fn depth(&self, to: &AgentId) -> usize {
        self.queues.get(to).map_or(0, |queue| queue.messages)
    }

    /// All messages for one peer.
    pub(crate) fn of(&self, to: &AgentId) -> Vec<MessageId> {
        self.entries.iter().filter(|(_, entry)| entry.to == *to).map(|(id, _)| *id).collect()
    }

    /// The peers that something waits for.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = AgentId> {
        self.queues.iter().filter(|(_, queue)| !queue.waiting.is_empty()).map(|(peer, _)| *peer)
    }

    /// When [`Outbox::due`] or [`Outbox::next_expired`] has something to say, on the monotonic
    /// clock of `now`.
    pub(crate) fn next_timeout(&self, now: Timestamp) -> Option<Duration> {
        let timer = self.timers.next();
        let expiry = self
            .expiries
            .first()
            .map(|(at, _)| now.monotonic.saturating_add(at.saturating_since(now.wall)));
        timer.into_iter().chain(expiry).min()
    }

    fn insert(
        &mut self,
        row: &OutboxRow,
        message: &Message,
        fingerprint: [u8; 32],
        sealed: Option<[u8; 32]>,
    ) {
        let id = message.id;
        let size = row.message.len();
        let entry = Entry {
            to: row.to,
            expires: message.expires,
            attempts: 0,
            fingerprint,
            choice: Choice { protocol: Protocol::Held, reason: Reason::NotTriedYet },
            order: message.order,
            sequence: row.sequence,
            size,
            frame: frame_size(&row.message),
            whereabouts: Whereabouts::Waiting,
            relayed: false,
            sealed,
        };
        let queue = self.queues.entry(row.to).or_default();
        queue.waiting.insert((row.sequence, id));
        queue.messages += 1;
        queue.bytes += size;
        queue.ordered.extend(message.order);
        queue.unsealed.extend(sealed.is_none().then_some((row.sequence, id)));
        self.bytes += size;
        self.next_sequence = self.next_sequence.max(row.sequence.saturating_add(1));
        self.expiries.insert((message.expires, id));
        if let Some(hash) = sealed {
            self.by_ciphertext.insert(hash, id);
        }
        self.entries.insert(id, entry);
    }

    fn move_to(&mut self, id: MessageId, whereabouts: Whereabouts) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let queue = self.queues.entry(entry.to).or_default();
        match core::mem::replace(&mut entry.whereabouts, whereabouts) {
            Whereabouts::Waiting => {
                queue.waiting.remove(&(entry.sequence, id));
            }
            Whereabouts::OnItsWay { .. } => {
                queue.window_messages -= 1;
                queue.window_bytes -= entry.size;
            }
            Whereabouts::PutOff => {}
        }
        self.timers.clear(&id);
        match whereabouts {
            Whereabouts::Waiting => {
                queue.waiting.insert((entry.sequence, id));
            }
            Whereabouts::OnItsWay { .. } => {
                queue.window_messages += 1;
                queue.window_bytes += entry.size;
            }
            Whereabouts::PutOff => {}
        }
    }
}

/// What tells two messages under one id apart: to whom, what, and its kind.
pub(crate) fn fingerprint(provider: &dyn Provider, to: AgentId, message: &Message) -> [u8; 32] {
    fingerprint_to(provider, to.as_bytes(), message)
}

/// The same of a message to a peer or to a group.
pub(crate) fn fingerprint_to(
    provider: &dyn Provider,
    to: &[u8; 32],
    message: &Message,
) -> [u8; 32] {
    let kind = message.content_type.as_str();
    let length = u64::try_from(kind.len()).unwrap_or(u64::MAX).to_be_bytes();
    let ordered = [u8::from(message.order.is_some())];
    provider.digest(&[to, &ordered, &length, kind.as_bytes(), &message.body])
}

/// The most bytes of a message's frame in the clear. What carries that carries its packet too.
const fn frame_size(message: &[u8]) -> usize {
    message.len() + FRAME_AROUND
}

fn write(step: &mut Transition<'_>, id: MessageId, row: &OutboxRow) {
    step.put(Namespace::Outbox, id.as_bytes().to_vec(), row::encode(row));
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use meshwork_protocols::wire::{Frame, MAX_BODY, Payload};

    use super::*;

    #[test]
    fn no_frame_is_larger_than_is_reckoned_with() {
        for length in [0, 1, 127, 128, 16_384, MAX_BODY] {
            let message = vec![0; length];
            let most = frame_size(&message);
            let payload = Payload::Message { lowest_wanted: u64::MAX, message };
            assert!(Frame::Clear(payload).encode().len() <= most, "{length}");
        }
    }
}
