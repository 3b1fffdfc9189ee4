//! Ordered messages: those that came before their turn wait here for the earlier ones.
//!
//! A gap closes when the missing message comes, or when its sender says that it gave the place up.
//! The rows are the truth; what is in memory is their index.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::wire::{MessageId, Place};
use meshwork_state::{Namespace, Row, StoreError};
use serde::{Deserialize, Serialize};

use crate::inbox::Delivery;
use crate::row;
use crate::timers::Timers;
use crate::transition::Transition;

/// The most messages of one sender that wait for a gap.
const WAITING_MESSAGES: usize = 1_000;

/// The most bytes of one sender that wait for a gap.
const WAITING_BYTES: usize = 16 << 20;

/// The most bytes of all senders that wait for gaps: read once at each start.
const ALL_WAITING_BYTES: usize = 256 << 20;

/// How often a sender is asked whether the missing place is still wanted: the answer may be lost,
/// and a message that expired there closes the gap.
const ASK_EVERY: Duration = Duration::from_secs(30);

/// How often, where mail is the only way to ask.
const ASK_BY_MAIL: Duration = Duration::from_secs(60 * 60);

/// How far a sender's conversation got, in the row whose key is the sender.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Progress {
    conversation: [u8; 8],
    next: u64,
}

/// A conversation, in memory.
#[derive(Debug, Default)]
struct Conversation {
    id: [u8; 8],
    /// The place whose turn it is.
    next: u64,
    /// Sizes of what waits, by place.
    waiting: BTreeMap<u64, usize>,
    bytes: usize,
}

/// What became of an ordered message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// It was its turn.
    Now,
    /// It waits, durably with this step.
    Waits,
    /// Its sender had given its place up.
    GivenUp,
}

/// All conversations in which others send to us.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    conversations: BTreeMap<AgentId, Conversation>,
    bytes: usize,
    /// When each sender for whom something waits is asked for what is missing.
    asks: Timers<AgentId>,
}

impl Gaps {
    /// Takes a row at a start, and says of which message it is, if of one. A sender's progress comes
    /// before what waits for it, its key being a prefix of theirs.
    pub(crate) fn load(
        &mut self,
        (key, value): &Row,
        now: Duration,
    ) -> Result<Option<(AgentId, MessageId)>, StoreError> {
        let (sender, place) = key.split_first_chunk::<32>().ok_or(StoreError::Damaged)?;
        let conversation = self.conversations.entry(AgentId::from_bytes(*sender)).or_default();
        if place.is_empty() {
            let progress: Progress = row::decode(value)?;
            conversation.id = progress.conversation;
            conversation.next = progress.next;
            return Ok(None);
        }
        let number = place.last_chunk::<8>().ok_or(StoreError::Damaged)?;
        let delivery = Delivery::decode(value)?;
        let size = delivery.size();
        conversation.waiting.insert(u64::from_be_bytes(*number), size);
        conversation.bytes += size;
        self.bytes += size;
        self.asks.set(AgentId::from_bytes(*sender), now);
        Ok(Some((delivery.sender, delivery.message.id)))
    }

    /// Whether there is room for a message at `place`. One whose turn it is always has it: it
    /// closes a gap and opens none.
    pub(crate) fn has_room(
        &self,
        sender: &AgentId,
        place: Place,
        lowest_wanted: u64,
        size: usize,
    ) -> bool {
        let Some(conversation) = self.conversations.get(sender) else { return true };
        let same = conversation.id == place.conversation;
        let next = if same { conversation.next.max(lowest_wanted) } else { lowest_wanted };
        place.number <= next
            || (conversation.waiting.len() < WAITING_MESSAGES
                && conversation.bytes + size <= WAITING_BYTES
                && self.bytes + size <= ALL_WAITING_BYTES)
    }

    /// Whether anything of this sender waits for a gap.
    pub(crate) fn wait_on(&self, sender: &AgentId) -> bool {
        self.conversations.get(sender).is_some_and(|of_it| !of_it.waiting.is_empty())
    }

    /// There is a way to this sender: it is asked at `at` for what is missing, if anything is.
    pub(crate) fn ask_at(&mut self, sender: AgentId, at: Duration) {
        if self.wait_on(&sender) {
            self.asks.set(sender, at);
        }
    }

    /// Whether something in this conversation waits for a place below this one.
    pub(crate) fn waits_for(&self, sender: &AgentId, place: Place) -> bool {
        self.conversations.get(sender).is_some_and(|conversation| {
            conversation.id == place.conversation
                && conversation.next < place.number
                && !conversation.waiting.is_empty()
        })
    }

    /// Takes an ordered message, for which there is room; returns what became of it, and what may
    /// now enter the inbox, in order. Places below `lowest_wanted` are not waited for any more.
    pub(crate) fn arrive(
        &mut self,
        step: &mut Transition<'_>,
        place: Place,
        lowest_wanted: u64,
        delivery: Delivery,
    ) -> Result<(Turn, Vec<Delivery>), StoreError> {
        let sender = delivery.sender;
        let lowest = Place { number: lowest_wanted, ..place };
        let mut ready = self.advance(step, &sender, lowest)?;
        let conversation = self.conversations.entry(sender).or_default();
        if place.number < conversation.next {
            return Ok((Turn::GivenUp, ready));
        }
        if place.number == conversation.next {
            conversation.next += 1;
            let next = Place { number: conversation.next, ..place };
            ready.push(delivery);
            ready.append(&mut self.advance(step, &sender, next)?);
            return Ok((Turn::Now, ready));
        }
        let size = delivery.size();
        self.asks.set_if_none(sender, step.now.monotonic + ASK_EVERY);
        conversation.waiting.insert(place.number, size);
        conversation.bytes += size;
        self.bytes += size;
        step.put(Namespace::Gap, key(&sender, place), row::encode(&delivery));
        Ok((Turn::Waits, ready))
    }

    /// Waits for nothing below `to` any more; returns what may now enter the inbox, in order. A
    /// conversation other than the one so far replaces it, and what waited in that one is ready.
    pub(crate) fn advance(
        &mut self,
        step: &mut Transition<'_>,
        sender: &AgentId,
        to: Place,
    ) -> Result<Vec<Delivery>, StoreError> {
        let conversation = self.conversations.entry(*sender).or_default();
        let mut ready = Vec::new();
        if conversation.id != to.conversation {
            while let Some(delivery) = conversation.take(step, sender, u64::MAX)? {
                self.bytes -= delivery.size();
                ready.push(delivery);
            }
            *conversation = Conversation { id: to.conversation, ..Conversation::default() };
        }
        conversation.next = conversation.next.max(to.number);
        while let Some(delivery) = conversation.take(step, sender, conversation.next)? {
            self.bytes -= delivery.size();
            ready.push(delivery);
        }
        let progress = Progress { conversation: conversation.id, next: conversation.next };
        step.put(Namespace::Gap, sender.as_bytes().to_vec(), row::encode(&progress));
        Ok(ready)
    }

    /// Senders to ask now, each with the place that is missing. Those that are not here are asked
    /// less often.
    pub(crate) fn due(
        &mut self,
        now: Duration,
        is_here: impl Fn(&AgentId) -> bool,
    ) -> Vec<(AgentId, Place)> {
        let mut due = Vec::new();
        while let Some(sender) = self.asks.pop_due(now) {
            if let Some(conversation) = self.conversations.get(&sender)
                && !conversation.waiting.is_empty()
            {
                let missing = Place { conversation: conversation.id, number: conversation.next };
                due.push((sender, missing));
            }
        }
        for (sender, _) in &due {
            let wait = if is_here(sender) { ASK_EVERY } else { ASK_BY_MAIL };
            self.asks.set(*sender, now + wait);
        }
        due
    }

    /// When [`Gaps::due`] may have something to say.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.asks.next()
    }
}

impl Conversation {
    /// Takes the first message that waits at `upto` or below it; one at `next` moves it on.
    fn take(
        &mut self,
        step: &mut Transition<'_>,
        sender: &AgentId,
        upto: u64,
    ) -> Result<Option<Delivery>, StoreError> {
        let Some((number, size)) = self.waiting.pop_first() else { return Ok(None) };
        if number > upto {
            self.waiting.insert(number, size);
            return Ok(None);
        }
        self.bytes -= size;
        self.next = self.next.max(number.saturating_add(1));
        let key = key(sender, Place { conversation: self.id, number });
        let value = step.get(Namespace::Gap, &key)?.ok_or(StoreError::Damaged)?;
        step.delete(Namespace::Gap, key);
        Delivery::decode(&value).map(Some)
    }
}

fn key(sender: &AgentId, place: Place) -> Vec<u8> {
    let mut key = Vec::with_capacity(48);
    key.extend_from_slice(sender.as_bytes());
    key.extend_from_slice(&place.conversation);
    key.extend_from_slice(&place.number.to_be_bytes());
    key
}
