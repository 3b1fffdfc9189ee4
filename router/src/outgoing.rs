//! Sending: what the application asks for, which way it goes, what receipts do to it, how it ends.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::time::Timestamp;
use meshwork_protocols::wire::{
    Frame, MAX_BODY, MAX_LIFETIME, Message, MessageId, Payload, Place, Receipt, Verdict,
};
use meshwork_state::StoreError;

use crate::choice::{Choice, Protocol, Reason, Way, choose};
use crate::command::{Answer, CommandError, Outgoing, Ticket};
use crate::desk::Desk;
use crate::event::{Event, Level};
use crate::fleet::SentToGroupRow;
use crate::needs::Needs;
use crate::outbox::{Conversation, Outbox, OutboxRow, fingerprint};
use crate::path::Kind;
use crate::peer::Standing;
use crate::relaying::DEPOSIT_WAIT;
use crate::relays::Mail;
use crate::sent::SentRow;
use crate::stored;
use crate::transition::Transition;

/// The shortest time a message may be tried.
pub(crate) const MIN_LIFETIME: Duration = Duration::from_secs(1);

/// The first wait for a receipt on a session that loses nothing: only a peer whose disk failed
/// leaves one out.
const RELIABLE_WAIT: Duration = Duration::from_secs(30);

/// The first wait for a receipt on a path that can lose a frame.
const LOSSY_WAIT: Duration = Duration::from_secs(1);

/// The first wait for a receipt from a peer that gets mail.
const MAIL_WAIT: Duration = Duration::from_secs(60);

/// The longest wait for a receipt while a session stands.
const LONGEST_LIVE_WAIT: Duration = Duration::from_secs(5 * 60);

/// The longest wait for a receipt from a peer that gets mail.
const LONGEST_MAIL_WAIT: Duration = Duration::from_secs(60 * 60);

impl Desk {
    /// Takes a message on.
    pub(crate) fn send(
        &mut self,
        step: &mut Transition<'_>,
        outgoing: Outgoing,
        congested: bool,
    ) -> Result<Answer, CommandError> {
        let Outgoing { to, id, content_type, body, lifetime, ordered } = outgoing;
        // 1. Is it a message that may be sent at all?
        self.is_known(&to)?;
        if body.len() > MAX_BODY {
            return Err(CommandError::TooLarge);
        }
        if !(MIN_LIFETIME..=MAX_LIFETIME).contains(&lifetime) {
            return Err(CommandError::BadLifetime);
        }
        let drawn = id.is_none();
        let id = id.unwrap_or_else(|| MessageId::random(&mut *self.random));
        let created = step.now.wall;
        let place = Place { conversation: [0; 8], number: 0 };
        let order = ordered.then_some(place);
        let expires = created + lifetime;
        let mut message = Message { id, created, expires, order, content_type, body };
        let fingerprint = fingerprint(&*self.config.provider, to, &message);
        // 2. Was it sent before?
        if !drawn && let Some(before) = self.fingerprint_of(step, id)? {
            return if before == fingerprint {
                Ok(Answer::Accepted(id))
            } else {
                Err(CommandError::IdReused)
            };
        }
        // 3. Is there room?
        if congested || !self.outbox.has_room(&to, message.body.len()) {
            return Err(CommandError::Busy);
        }
        // 4. It is taken on.
        if ordered {
            message.order = Some(self.next_place(step, &to)?);
        }
        let frame = self.outbox.accept(step, to, &message, fingerprint);
        let choice = self.choice(&step.view(), &to, frame)?;
        step.tell(Event::Moved { id, to, level: Level::Queued, choice });
        self.dirty.insert(to);
        Ok(Answer::Accepted(id))
    }

    /// Sends what waits for every peer that something changed for.
    pub(crate) fn pump(&mut self, step: &mut Transition<'_>) -> Result<(), StoreError> {
        self.advance_groups(step)?;
        while let Some(peer) = self.dirty.pop_first() {
            self.send_waiting(step, &peer)?;
            self.dial(step, peer);
        }
        self.watch_contacts(step.now.monotonic);
        Ok(())
    }

    /// Sends what waits for a peer, as far as there is a way. One that is too large for the session
    /// that stands does not hold up those behind it.
    fn send_waiting(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
    ) -> Result<(), StoreError> {
        let mut from = 0;
        while let Some((id, sequence, frame)) = self.outbox.next_waiting(peer, from) {
            let situation = self.situation_that_counts(&step.view(), peer, frame)?;
            let route = choose(&situation);
            let has_left = match route.way {
                Some(way) => self.send_on(step, peer, id, way, route.choice)?,
                None => false,
            };
            if !has_left && !situation.too_large {
                self.ask_for_prekeys(step, peer, route.choice);
                return self.seal_waiting(step, peer, route.choice);
            }
            from = sequence + 1;
        }
        Ok(())
    }

    /// Seals what waits for a peer that is away, though there is no way to it yet: what is taken
    /// from here later was sealed under keys that are gone by then.
    fn seal_waiting(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        choice: Choice,
    ) -> Result<(), StoreError> {
        if !matches!(choice.reason, Reason::PeerAwayNoMail | Reason::RelaysAway) {
            return Ok(());
        }
        while let Some(id) = self.outbox.next_unsealed(peer) {
            let row = Outbox::row(step, id)?.ok_or(StoreError::Damaged)?;
            if self.seal_message(step, peer, id, row)?.is_none() {
                break;
            }
            self.outbox.set_choice(id, choice);
        }
        Ok(())
    }

    /// Seals a message, and keeps the packet for each resend; `None` where it cannot be now.
    fn seal_message(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        id: MessageId,
        row: OutboxRow,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(protocol) = self.config.stored.protocol() else { return Ok(None) };
        let payload = Payload::Message {
            lowest_wanted: self.outbox.lowest_wanted_by(id),
            message: row.message.clone(),
        };
        let Some(kept) = stored::seal(protocol, step, peer, &payload, &mut *self.random)? else {
            return Ok(None);
        };
        let hash = self.config.provider.digest(&[&kept.packet]);
        let packet = kept.packet.clone();
        self.outbox.set_sealed(step, id, row, Some((kept, hash)));
        self.heartbeats.message(*peer, step.now.monotonic);
        Ok(Some(packet))
    }

    /// A live session with a peer: `None` while it is looked for.
    pub(crate) fn reach(
        &mut self,
        step: &Transition<'_>,
        peer: AgentId,
        needs: Needs,
        ticket: Ticket,
    ) -> Result<Option<Answer>, CommandError> {
        self.is_known(&peer)?;
        if let Some(path) = self.paths.meeting(&peer, needs) {
            return Ok(Some(Answer::Reached(path)));
        }
        if !self.reaches.has_room() {
            return Err(CommandError::Busy);
        }
        if !self.diallings.hurry(peer, needs, step.now.monotonic) {
            return Err(CommandError::Unreachable);
        }
        self.reaches.wait(peer, needs, ticket);
        self.dirty.insert(peer);
        Ok(None)
    }

    /// Whether the owner lets us talk to this peer.
    fn is_known(&self, peer: &AgentId) -> Result<(), CommandError> {
        match self.peers.standing(peer) {
            Some(Standing::Known) => Ok(()),
            Some(Standing::Blocked) => Err(CommandError::Blocked),
            Some(Standing::Stranger) | None => Err(CommandError::UnknownPeer),
        }
    }

    /// Takes receipts from `peer` for messages of ours.
    pub(crate) fn receipts(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        receipts: Vec<Receipt>,
    ) -> Result<(), StoreError> {
        let mut settled = Vec::new();
        for receipt in receipts {
            self.receipt(step, peer, receipt)?;
            if receipt.verdict.is_final() {
                settled.push(receipt.id);
            }
        }
        if !settled.is_empty() {
            self.say(step, peer, &Payload::Settled(settled))?;
        }
        self.dirty.insert(*peer);
        Ok(())
    }

    /// The peer asks whether a place in the order is still wanted.
    pub(crate) fn lowest_wanted(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        asked: Place,
    ) -> Result<(), StoreError> {
        let number = match Outbox::conversation(step, peer)? {
            Some(ours) if ours.id == asked.conversation => self.outbox.lowest_wanted(peer, ours),
            // Of a conversation that is over, only what is still in the outbox is wanted.
            _ => {
                let over = Conversation { id: asked.conversation, next: u64::MAX };
                self.outbox.lowest_wanted(peer, over)
            }
        };
        if number > asked.number {
            self.say(step, peer, &Payload::LowestWanted(Place { number, ..asked }))?;
        }
        Ok(())
    }

    /// The peer could not open a packet: its message is sealed anew.
    pub(crate) fn seal_anew(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        ciphertext: &[u8; 32],
    ) -> Result<(), StoreError> {
        let Some(id) = self.outbox.by_ciphertext(ciphertext) else { return Ok(()) };
        if self.outbox.entry(id).is_none_or(|entry| entry.to != *peer) {
            return Ok(());
        }
        if let Some(row) = Outbox::row(step, id)? {
            self.outbox.set_sealed(step, id, row, None);
            self.outbox.wait_again(id);
            self.dirty.insert(*peer);
        }
        Ok(())
    }

    /// Ends the messages whose time is over.
    pub(crate) fn expire(&mut self, step: &mut Transition<'_>) -> Result<(), StoreError> {
        while let Some(id) = self.outbox.next_expired(step.now.wall) {
            self.end(step, id, Level::Expired);
        }
        Ok(())
    }

    /// Ends every message to a peer that is forgotten.
    pub(crate) fn abandon(&mut self, step: &mut Transition<'_>, peer: &AgentId) {
        for id in self.outbox.of(peer) {
            self.end(step, id, Level::Expired);
        }
    }

    /// Says something about messages to a peer, on whatever way there is; it may get lost. `false`
    /// where there is none.
    pub(crate) fn say(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        payload: &Payload,
    ) -> Result<bool, StoreError> {
        if let Some(path) = self.paths.live(peer) {
            step.transmit(path, Frame::Clear(payload.clone()).encode());
            self.used(step, path);
            return Ok(true);
        }
        self.say_sealed(step, peer, payload)
    }

    /// Says something sealed by a stored session, on whatever way there is; `false` where there is
    /// none, or nothing to seal with.
    pub(crate) fn say_sealed(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        payload: &Payload,
    ) -> Result<bool, StoreError> {
        let path = self.paths.live(peer).or_else(|| self.paths.mail(peer));
        let Some(protocol) = self.config.stored.protocol() else { return Ok(false) };
        if path.is_none() && (self.peers.relays(peer).is_empty() || !self.relays.has_room()) {
            return Ok(false);
        }
        let sealed = stored::seal(protocol, step, peer, payload, &mut *self.random)?;
        let Some(kept) = sealed else { return Ok(false) };
        self.heartbeats.sealed(*peer, step.now.monotonic);
        let frame = Frame::Sealed(kept.packet).encode();
        match path {
            Some(path) => {
                step.transmit(path, frame);
                self.used(step, path);
            }
            None => self.leave_saying(step, peer, frame),
        }
        Ok(true)
    }

    /// Puts a message on its way; `false` where it cannot be sealed now.
    fn send_on(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        id: MessageId,
        way: Way,
        mut choice: Choice,
    ) -> Result<bool, StoreError> {
        let mut row = Outbox::row(step, id)?.ok_or(StoreError::Damaged)?;
        let protocol = self.config.stored.protocol();
        if let (Some(kept), Some(protocol)) = (&row.sealed, protocol)
            && !kept.is_fresh(protocol, step, peer)?
        {
            row = self.outbox.set_sealed(step, id, row, None);
        }
        let Some(entry) = self.outbox.entry(id) else { return Ok(false) };
        let (attempts, expires, relayed) = (entry.attempts, entry.expires, entry.relayed);
        let frame = match (row.sealed.take(), choice.protocol) {
            // Sealed once, it travels as those bytes whatever carries it.
            (Some(kept), protocol) => {
                if protocol == Protocol::Live {
                    choice = Choice { protocol: Protocol::Deferred, reason: Reason::SealedBefore };
                }
                Frame::Sealed(kept.packet)
            }
            (None, Protocol::Deferred) => match self.seal_message(step, peer, id, row)? {
                Some(packet) => Frame::Sealed(packet),
                None => return Ok(false),
            },
            (None, _) => {
                let lowest_wanted = self.outbox.lowest_wanted_by(id);
                Frame::Clear(Payload::Message { lowest_wanted, message: row.message })
            }
        };
        let way = match way {
            Way::Path(path) => {
                step.transmit(path, frame.encode());
                self.used(step, path);
                way
            }
            Way::Relay(_) => {
                let mail = Mail { to: *peer, expires, frame: frame.encode() };
                let left = self.leave(step, mail, attempts, Some(id));
                let Some(relay) = left else { return Ok(false) };
                Way::Relay(relay)
            }
        };
        let due = step.now.monotonic + self.wait(way, attempts);
        self.outbox.left(id, way, choice, due);
        if attempts == 0 && !relayed {
            step.tell(Event::Moved { id, to: *peer, level: Level::Sent, choice });
        }
        Ok(true)
    }

    fn receipt(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        receipt: Receipt,
    ) -> Result<(), StoreError> {
        let level = match receipt.verdict {
            Verdict::Delivered => Level::Delivered,
            Verdict::Processed => Level::Processed,
            Verdict::Refused(reason) => Level::Refused(reason),
            Verdict::Busy { retry_after } => {
                self.put_off(step.now, peer, receipt.id, retry_after);
                return Ok(());
            }
        };
        if self.outbox.entry(receipt.id).is_some_and(|entry| entry.to == *peer) {
            self.end(step, receipt.id, level);
        } else if let Some(row) = SentRow::read(step, receipt.id)?
            && row.to == *peer
            && let Some(moved) = row.moved(level)
        {
            moved.write(step, receipt.id);
            step.tell(Event::Moved { id: receipt.id, to: *peer, level, choice: row.choice });
        }
        Ok(())
    }

    fn put_off(&mut self, now: Timestamp, peer: &AgentId, id: MessageId, seconds: u16) {
        if self.outbox.entry(id).is_some_and(|entry| entry.to == *peer) {
            let wait = Duration::from_secs(u64::from(seconds.max(1)));
            self.outbox.put_off(id, now.monotonic + wait);
        }
    }

    fn end(&mut self, step: &mut Transition<'_>, id: MessageId, level: Level) {
        if let Some(entry) = self.outbox.settle(step, id) {
            SentRow::new(&entry, level).write(step, id);
            step.tell(Event::Moved { id, to: entry.to, level, choice: entry.choice });
        }
    }

    /// What was sent under this id, to a peer or to a group.
    pub(crate) fn fingerprint_of(
        &self,
        step: &Transition<'_>,
        id: MessageId,
    ) -> Result<Option<[u8; 32]>, StoreError> {
        if let Some(entry) = self.outbox.entry(id) {
            return Ok(Some(entry.fingerprint));
        }
        if let Some(row) = SentRow::read(step, id)? {
            return Ok(Some(row.fingerprint));
        }
        Ok(SentToGroupRow::read(step, id)?.map(|row| row.fingerprint))
    }

    fn next_place(&mut self, step: &mut Transition<'_>, to: &AgentId) -> Result<Place, StoreError> {
        let mut conversation = match Outbox::conversation(step, to)? {
            Some(conversation) => conversation,
            None => Conversation { id: self.random.array(), next: 0 },
        };
        let place = Place { conversation: conversation.id, number: conversation.next };
        conversation.next += 1;
        Outbox::set_conversation(step, to, conversation);
        Ok(place)
    }

    /// Looks for the sessions that are wanted and do not stand, one after the other: what one
    /// search finds may do for the next.
    fn dial(&mut self, step: &mut Transition<'_>, peer: AgentId) {
        let now = step.now.monotonic;
        for needs in Needs::ALL {
            if self.wants(&peer, needs, now) {
                if self.peers.is_known(&peer) && self.diallings.want(peer, needs, now) {
                    step.dial(peer, needs);
                }
            } else if self.paths.meeting(&peer, needs).is_none() {
                self.diallings.let_go(&peer, needs, now);
            }
        }
    }

    /// Whether such a session with this peer is to be looked for.
    fn wants(&self, peer: &AgentId, needs: Needs, now: Duration) -> bool {
        if self.paths.meeting(peer, needs).is_some() {
            return matches!(needs, Needs::Via(_)) && self.paths.is_aged(peer, needs, now);
        }
        let wants = match needs {
            Needs::Any => self.has_to_say(peer),
            Needs::Bulk => self
                .paths
                .largest_frame(peer)
                .is_some_and(|largest| self.outbox.has_larger(peer, largest)),
            Needs::Via(_) => false,
        };
        wants || self.reaches.want(peer, needs)
    }

    /// Whether there is anything to say to this peer: a message, a receipt, or what is missing
    /// between messages that came. Its sender may have settled all of its own and never dial.
    fn has_to_say(&self, peer: &AgentId) -> bool {
        self.outbox.depth(peer) > 0 || self.owed.owes(peer) || self.gaps.wait_on(peer)
    }

    /// How long to wait for a receipt, or for a relay's word.
    fn wait(&self, way: Way, attempts: u32) -> Duration {
        let Way::Path(path) = way else { return DEPOSIT_WAIT };
        match self.paths.get(path).map(|path| &path.kind) {
            Some(Kind::Live(live)) if live.transport.is_reliable() => {
                doubled(RELIABLE_WAIT, attempts, LONGEST_LIVE_WAIT)
            }
            Some(Kind::Live(_)) => doubled(LOSSY_WAIT, attempts, LONGEST_LIVE_WAIT),
            Some(Kind::Mail) | None => Self::mail_wait(attempts),
        }
    }

    /// How long to wait for a receipt from a peer that gets mail.
    pub(crate) fn mail_wait(attempts: u32) -> Duration {
        doubled(MAIL_WAIT, attempts, LONGEST_MAIL_WAIT)
    }
}

fn doubled(first: Duration, attempts: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << attempts.min(16)).min(longest)
}

/// One receipt, as a payload.
pub(crate) fn one_receipt(id: MessageId, verdict: Verdict) -> Payload {
    Payload::Receipts(vec![Receipt { id, verdict }])
}
