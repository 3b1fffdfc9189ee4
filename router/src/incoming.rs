//! Receiving: what a frame is, whether it came before, whether it may enter, and what its sender
//! is told.

use alloc::sync::Arc;
use core::time::Duration;

use meshwork_protocols::fleet::Said;
use meshwork_protocols::identity::{AgentId, Card};
use meshwork_protocols::posture::Posture;
use meshwork_protocols::time::CLOCK_TOLERANCE;
use meshwork_protocols::wire::{
    Frame, HeldPrekeys, MAX_LIFETIME, Message, MessageId, Payload, Receipt, RefusalReason, Verdict,
};
use meshwork_state::{Namespace, StoreError};

use crate::choice::Protocol;
use crate::command::CommandError;
use crate::deferred::Deferred;
use crate::desk::Desk;
use crate::event::{Event, Misbehaviour};
use crate::gap::Turn;
use crate::inbox::Delivery;
use crate::outbox::fingerprint;
use crate::outgoing::one_receipt;
use crate::output::{CloseReason, PathId};
use crate::owed::Owed;
use crate::path::Kind;
use crate::peer::{Meeting, Standing};
use crate::policy::FirstContact;
use crate::row;
use crate::seen::SeenRow;
use crate::stored::{self, Arrived, CiphertextRow, Outcome};
use crate::transition::Transition;

/// A repeated ciphertext is answered at most this often, so that whoever recorded one cannot make
/// us send.
pub(crate) const ANSWER_EVERY: Duration = Duration::from_secs(10);

/// The most repeated ciphertexts whose answers are timed; beyond it none is answered for a while.
const ANSWERED: usize = 10_000;

/// How long a sender waits when the inbox is full.
const BUSY_SECONDS: u16 = 30;

/// What is known of how a payload came.
#[derive(Clone, Copy, Debug)]
struct Origin<'a> {
    sender: AgentId,
    /// `None` for what a relay kept.
    path: Option<PathId>,
    protocol: Protocol,
    posture: Posture,
    /// What the sender showed of itself with this, or when the session opened.
    card: Option<&'a Arc<Card>>,
}

/// What is said about prekeys when a session opens is no use of it.
const fn is_about_prekeys(frame: &Frame) -> bool {
    matches!(frame, Frame::Clear(Payload::PrekeysHeld(_) | Payload::Prekeys(_)))
}

impl Desk {
    /// Takes a frame from a path.
    pub(crate) fn received(
        &mut self,
        step: &mut Transition<'_>,
        path: PathId,
        frame: &[u8],
        congested: bool,
    ) -> Result<(), StoreError> {
        let Some(found) = self.paths.get(path) else { return Ok(()) };
        let peer = found.peer;
        let posture = match &found.kind {
            Kind::Live(live) => Some(live.posture),
            Kind::Mail => None,
        };
        if self.peers.standing(&peer) == Some(Standing::Blocked) {
            return Ok(());
        }
        let frame = Frame::decode(frame);
        if !frame.as_ref().is_ok_and(is_about_prekeys) {
            self.used(step, path);
        }
        match (frame, posture) {
            (Ok(Frame::Clear(payload)), Some(posture)) => {
                let card = self.cards.get(path).cloned();
                let (path, protocol, card) = (Some(path), Protocol::Live, card.as_ref());
                let origin = Origin { sender: peer, path, protocol, posture, card };
                self.payload(step, origin, payload, congested)
            }
            (Ok(Frame::Clear(_)), None) => {
                self.misbehaved(step, Some(path), peer, Misbehaviour::ClearOutsideSession);
                Ok(())
            }
            (Ok(Frame::Sealed(packet)), _) => {
                self.packet(step, Some(path), peer, &packet, congested).map(drop)
            }
            (Ok(Frame::Skipped(_)), _) => Ok(()),
            (Err(_), _) => {
                self.misbehaved(step, Some(path), peer, Misbehaviour::Malformed);
                Ok(())
            }
        }
    }

    /// The application has dealt with a message.
    pub(crate) fn process(
        &mut self,
        step: &mut Transition<'_>,
        sender: AgentId,
        id: MessageId,
    ) -> Result<(), CommandError> {
        let mut seen = SeenRow::read(step, &sender, id)?.ok_or(CommandError::UnknownMessage)?;
        if seen.verdict == Verdict::Processed {
            return Ok(());
        }
        let arrival = seen.arrival.take().ok_or(CommandError::UnknownMessage)?;
        let taken = self.inbox.take(step, arrival)?.ok_or(CommandError::UnknownMessage)?;
        seen.verdict = Verdict::Processed;
        seen.write(step, &sender, id);
        // Over a group's log the sender is told with the next receipt, if it wants to know.
        if let (Some(group), Some(place)) = (taken.group, taken.asked_at) {
            self.owe_receipt(step, group, (place, Said::Processed));
        }
        if taken.group.is_none() && self.peers.is_known(&sender) {
            self.say(step, &sender, &one_receipt(id, Verdict::Processed))?;
            self.owe_processed(step, sender, id, &seen);
        }
        Ok(())
    }

    /// The sender is told that its message was dealt with until it says that it knows.
    fn owe_processed(
        &mut self,
        step: &mut Transition<'_>,
        sender: AgentId,
        id: MessageId,
        seen: &SeenRow,
    ) {
        let receipt = Receipt { id, verdict: Verdict::Processed };
        self.owed.owe(step, sender, receipt, seen.forget_after());
        if self.paths.reaches(&sender) {
            self.owed.schedule(&sender, Owed::repeat_at(step.now.monotonic));
        } else {
            self.owe_by_mail(step, &sender);
        }
        self.dirty.insert(sender);
    }

    /// Puts what was held of a stranger into the inbox: the owner accepted it.
    pub(crate) fn accept(
        &mut self,
        step: &mut Transition<'_>,
        sender: &AgentId,
    ) -> Result<(), StoreError> {
        for held in self.held.release(step, sender)? {
            let content = self.content(&held.delivery.message);
            self.enter(step, held.delivery, held.lowest_wanted, content)?;
        }
        Ok(())
    }

    /// Takes a packet that a stored session of `peer` sealed, or that says so, from a path or, where
    /// there is none, from a relay. Whether it has been dealt with, so that no relay need keep it.
    pub(crate) fn packet(
        &mut self,
        step: &mut Transition<'_>,
        path: Option<PathId>,
        peer: AgentId,
        packet: &[u8],
        congested: bool,
    ) -> Result<bool, StoreError> {
        let known = self.peers.is_known(&peer);
        // A stranger is heard over a session, whose Hello showed its card, or where it introduces
        // itself in its first packet.
        let shown = path.and_then(|path| self.cards.get(path).cloned());
        let heard = known || shown.is_some() || path.is_none();
        let Some(protocol) = self.config.stored.protocol().filter(|_| heard) else {
            return Ok(false);
        };
        let hash = self.config.provider.digest(&[packet]);
        // 1. It came before: its sender missed the answer, or somebody repeats it.
        if let Some(value) = step.get(Namespace::Ciphertext, &hash)? {
            let row: CiphertextRow = row::decode(&value)?;
            if known {
                self.answer_again(step, &peer, hash, row)?;
            }
            return Ok(true);
        }
        // 2. It opens, or its sender learns that it does not.
        let arrived = match stored::open(protocol, step, &peer, packet, &mut *self.random)? {
            Outcome::Arrived(arrived) => arrived,
            Outcome::Refused { is_lost } if known => {
                self.did_not_open(step, path, peer, hash, is_lost)?;
                // A relay takes the same packet for one that came: it keeps it until its sender was told
                // that it did not open.
                return Ok(!is_lost || path.is_some() || self.troubles.is_named(&peer, &hash));
            }
            Outcome::Refused { .. } => return Ok(true),
        };
        let Arrived { payload, changes, introduced } = *arrived;
        // 3. What is not taken now must be openable later: then the session stays as it is.
        let message = match &payload {
            Payload::Message { message, lowest_wanted } => {
                Message::decode(message).ok().map(|message| (message, *lowest_wanted))
            }
            _ => None,
        };
        if congested || !self.takes(&peer, message.as_ref()) {
            // No relay need keep what a stranger may not say; one that is heard later writes again.
            return Ok(!known && !congested);
        }
        // 4. The session moves on with what it brought.
        step.adopt(changes);
        let began = introduced.is_some();
        if let Some(card) = introduced.as_ref().filter(|_| known) {
            self.introduced(step, card)?;
        }
        self.troubles.opened(&peer);
        self.remember_packet(step, peer, hash, message.map(|(message, _)| message));
        let (protocol, posture) = (Protocol::Deferred, Posture::HYBRID);
        let card = shown.as_ref().or(introduced.as_ref());
        let origin = Origin { sender: peer, path, protocol, posture, card };
        self.payload(step, origin, payload, false)?;
        // 5. A session used the peer's one-time key: it gets another while it is here.
        if began && self.peers.is_known(&peer) {
            self.give_prekeys(step, &peer, &HeldPrekeys::default())?;
        }
        Ok(true)
    }

    /// Whether what a packet of this peer brought can be taken now. A stranger of which no message is
    /// taken leaves no session.
    fn takes(&self, peer: &AgentId, message: Option<&(Message, u64)>) -> bool {
        let known = self.peers.is_known(peer);
        let Some((message, lowest_wanted)) = message else { return known };
        let size = message.body.len();
        let in_order = |place| self.gaps.has_room(peer, place, *lowest_wanted, size);
        let has_room = self.inbox.has_room(size) && message.order.is_none_or(in_order);
        has_room && (known || self.takes_contact(peer, message))
    }

    /// Remembers a packet that was opened, so that it is answered when it comes again.
    fn remember_packet(
        &mut self,
        step: &mut Transition<'_>,
        peer: AgentId,
        hash: [u8; 32],
        message: Option<Message>,
    ) {
        let mut forget_after = step.now.wall + MAX_LIFETIME;
        if let Some(message) = &message {
            forget_after = message.expires + CLOCK_TOLERANCE;
            self.heartbeats.message(peer, step.now.monotonic);
        }
        let row = CiphertextRow { forget_after, message: message.map(|message| message.id) };
        step.put(Namespace::Ciphertext, hash.to_vec(), row::encode(&row));
    }

    /// A packet of a known peer does not open. Over a session, or to a protocol that has no other
    /// way, its sender is told at once; by mail a new session says so, once it is worth one.
    fn did_not_open(
        &mut self,
        step: &mut Transition<'_>,
        path: Option<PathId>,
        peer: AgentId,
        hash: [u8; 32],
        is_lost: bool,
    ) -> Result<(), StoreError> {
        let repairs = self.config.stored.deferred().is_some();
        if repairs && is_lost && !self.troubles.failed(peer, hash, step.now) {
            let given_up = Deferred::give_up(&step.view(), &peer)?;
            step.adopt(given_up);
        }
        let is_mail = path.is_none_or(|path| {
            self.paths.get(path).is_some_and(|found| matches!(found.kind, Kind::Mail))
        });
        if !(repairs && is_mail) && self.may_answer(step, hash) {
            self.say(step, &peer, &Payload::CannotOpen(hash))?;
        }
        Ok(())
    }

    /// A known peer introduced itself anew: its card may be newer than the one that is held.
    fn introduced(&mut self, step: &mut Transition<'_>, card: &Card) -> Result<(), StoreError> {
        match self.meet(step, card, Meeting::default()) {
            Err(CommandError::Store(error)) => Err(error),
            // An older card says nothing new: the session counts all the same.
            _ => Ok(()),
        }
    }

    fn payload(
        &mut self,
        step: &mut Transition<'_>,
        origin: Origin<'_>,
        payload: Payload,
        congested: bool,
    ) -> Result<(), StoreError> {
        let known = self.peers.is_known(&origin.sender);
        match payload {
            Payload::Message { lowest_wanted, message } => {
                self.message(step, origin, lowest_wanted, &message, congested)
            }
            // A stranger has nothing to tell us of our messages.
            _ if !known => Ok(()),
            Payload::Receipts(receipts) => self.receipts(step, &origin.sender, receipts),
            Payload::Settled(ids) => {
                for id in ids {
                    self.owed.settle(step, &origin.sender, id);
                }
                Ok(())
            }
            Payload::WaitingFor(place) => self.lowest_wanted(step, &origin.sender, place),
            Payload::LowestWanted(place) => {
                if self.gaps.waits_for(&origin.sender, place) {
                    let ready = self.gaps.advance(step, &origin.sender, place)?;
                    self.deliver(step, ready)?;
                }
                Ok(())
            }
            Payload::CannotOpen(hash) => self.seal_anew(step, &origin.sender, &hash),
            Payload::Repair(hashes) => {
                // What is owed may be among what did not open.
                self.owed.say_soon(&origin.sender, step.now.monotonic);
                hashes.iter().try_for_each(|hash| self.seal_anew(step, &origin.sender, hash))
            }
            Payload::PrekeysHeld(held) => match origin.path {
                Some(path) => self.peer_holds(step, path, &origin.sender, &held),
                None => Ok(()),
            },
            Payload::Prekeys(offered) => self.take_prekeys(step, origin.sender, &offered),
            Payload::Heartbeat => Ok(()),
        }
    }

    fn message(
        &mut self,
        step: &mut Transition<'_>,
        origin: Origin<'_>,
        lowest_wanted: u64,
        encoded: &[u8],
        congested: bool,
    ) -> Result<(), StoreError> {
        let sender = origin.sender;
        // 1. Is it a message?
        let Ok(message) = Message::decode(encoded) else {
            self.misbehaved(step, origin.path, sender, Misbehaviour::Malformed);
            return Ok(());
        };
        let id = message.id;
        let delivery = Delivery {
            sender,
            protocol: origin.protocol,
            posture: origin.posture,
            received: step.now.wall,
            message,
            group: None,
            asked_at: None,
        };
        // 2. Does the owner know its sender?
        if !self.peers.is_known(&sender)
            && !self.first_contact(step, origin, &delivery, lowest_wanted)?
        {
            return Ok(());
        }
        // 3. Did it come before?
        let content = self.content(&delivery.message);
        if let Some(seen) = SeenRow::read(step, &sender, id)? {
            if seen.content == content {
                return self.answer(step, origin, id, seen.verdict);
            }
            self.misbehaved(step, origin.path, sender, Misbehaviour::IdReused);
            return Ok(());
        }
        // 4. Is it in time?
        if step.now.wall > delivery.message.expires + CLOCK_TOLERANCE {
            return self.answer(step, origin, id, Verdict::Refused(RefusalReason::Expired));
        }
        if delivery.message.expires > step.now.wall + MAX_LIFETIME + CLOCK_TOLERANCE {
            return self.answer(step, origin, id, Verdict::Refused(RefusalReason::TooFarAhead));
        }
        // 5. Is there room?
        if congested || !self.inbox.has_room(delivery.size()) {
            return self.answer(step, origin, id, Verdict::Busy { retry_after: BUSY_SECONDS });
        }
        // 6. It enters.
        let verdict = self.enter(step, delivery, lowest_wanted, content)?;
        self.answer(step, origin, id, verdict)
    }

    /// Puts a message into the inbox, or where it waits for its turn; returns what to say.
    pub(crate) fn enter(
        &mut self,
        step: &mut Transition<'_>,
        delivery: Delivery,
        lowest_wanted: u64,
        content: [u8; 32],
    ) -> Result<Verdict, StoreError> {
        let (sender, id) = (delivery.sender, delivery.message.id);
        let mut seen = SeenRow::new(&delivery.message, content, Verdict::Delivered);
        let Some(place) = delivery.message.order else {
            seen.write(step, &sender, id);
            self.inbox.one_more_seen(step);
            let is_dealt_with = self.word_in(&delivery).is_some();
            self.deliver(step, [delivery])?;
            return Ok(if is_dealt_with { Verdict::Processed } else { Verdict::Delivered });
        };
        if !self.gaps.has_room(&sender, place, lowest_wanted, delivery.size()) {
            return Ok(Verdict::Busy { retry_after: BUSY_SECONDS });
        }
        let (turn, ready) = self.gaps.arrive(step, place, lowest_wanted, delivery)?;
        if turn == Turn::GivenUp {
            seen.verdict = Verdict::Refused(RefusalReason::OutOfOrder);
        }
        seen.write(step, &sender, id);
        self.inbox.one_more_seen(step);
        self.deliver(step, ready)?;
        Ok(seen.verdict)
    }

    /// Puts messages into the inbox and tells the application.
    fn deliver(
        &mut self,
        step: &mut Transition<'_>,
        ready: impl IntoIterator<Item = Delivery>,
    ) -> Result<(), StoreError> {
        for delivery in ready {
            let (sender, id) = (delivery.sender, delivery.message.id);
            let mut seen = SeenRow::read(step, &sender, id)?.ok_or(StoreError::Damaged)?;
            if let Some(word) = self.word_in(&delivery) {
                self.hear(step, word, &delivery)?;
                seen.verdict = Verdict::Processed;
                seen.write(step, &sender, id);
                // A relay keeps what is left again once: the one answer may be lost for good.
                self.owe_processed(step, sender, id, &seen);
                continue;
            }
            let arrival = self.inbox.put(step, &delivery);
            seen.arrival = Some(arrival);
            seen.write(step, &sender, id);
            step.tell(Event::Arrived { arrival, sender, id, repeat: false });
        }
        Ok(())
    }

    /// Whether the owner's policy takes a stranger's message, or holds it and has room.
    fn takes_contact(&self, sender: &AgentId, message: &Message) -> bool {
        match self.config.policy.first_contact {
            FirstContact::Accept => true,
            FirstContact::Hold => self.held.has_room(sender, message.id, message.body.len()),
            FirstContact::Drop => false,
        }
    }

    /// What the owner's policy makes of a stranger's message; `true` where it may go on.
    fn first_contact(
        &mut self,
        step: &mut Transition<'_>,
        origin: Origin<'_>,
        delivery: &Delivery,
        lowest_wanted: u64,
    ) -> Result<bool, StoreError> {
        let standing = match self.config.policy.first_contact {
            FirstContact::Accept => Standing::Known,
            FirstContact::Hold => Standing::Stranger,
            FirstContact::Drop => return Ok(false),
        };
        if !self.takes_contact(&origin.sender, &delivery.message) {
            return Ok(false);
        }
        let first = self.peers.standing(&origin.sender).is_none();
        if let (true, None, Some(path)) = (first, origin.card, origin.path) {
            // Its card went for those of later ones: it shows it again with its next session.
            step.close(path, CloseReason::Unused);
            return Ok(false);
        }
        let met = match origin.card {
            Some(card) => self.peers.meet(step, card, Meeting::of(standing)).map(drop),
            // It introduced itself with an earlier message.
            None => self.peers.stand(step, origin.sender, standing),
        };
        match met {
            Ok(()) => {}
            Err(CommandError::Store(error)) => return Err(error),
            // The table of peers is full.
            Err(_) => return Ok(false),
        }
        if standing == Standing::Known {
            // What was held under a stricter policy enters before it.
            self.accept(step, &origin.sender)?;
            return Ok(true);
        }
        self.held.hold(step, delivery, lowest_wanted);
        if first {
            step.tell(Event::FirstContact(origin.sender));
        }
        Ok(false)
    }

    /// Answers a message on the session that brought it. One that a stored session sealed is
    /// answered by that, so that the peer knows that it stands.
    fn answer(
        &mut self,
        step: &mut Transition<'_>,
        origin: Origin<'_>,
        id: MessageId,
        verdict: Verdict,
    ) -> Result<(), StoreError> {
        let payload = one_receipt(id, verdict);
        if let (Protocol::Live, Some(path)) = (origin.protocol, origin.path) {
            step.transmit(path, Frame::Clear(payload).encode());
            return Ok(());
        }
        if self.say_sealed(step, &origin.sender, &payload)? {
            return Ok(());
        }
        self.say(step, &origin.sender, &payload).map(drop)
    }

    fn answer_again(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        hash: [u8; 32],
        row: CiphertextRow,
    ) -> Result<(), StoreError> {
        let Some(id) = row.message else { return Ok(()) };
        let Some(seen) = SeenRow::read(step, peer, id)? else { return Ok(()) };
        if self.may_answer(step, hash) {
            self.say(step, peer, &one_receipt(id, seen.verdict))?;
        }
        Ok(())
    }

    /// Whether this ciphertext may be answered now; if so it may not be for a while.
    fn may_answer(&mut self, step: &Transition<'_>, hash: [u8; 32]) -> bool {
        let now = step.now.monotonic;
        let rested = self.answered.get(&hash).is_none_or(|at| now >= *at + ANSWER_EVERY);
        let may = rested && (self.answered.len() < ANSWERED || self.answered.contains_key(&hash));
        if may {
            self.answered.insert(hash, now);
        }
        may
    }

    fn misbehaved(
        &mut self,
        step: &mut Transition<'_>,
        path: Option<PathId>,
        peer: AgentId,
        how: Misbehaviour,
    ) {
        step.tell_now(Event::Misbehaved { peer, how });
        if let Some(path) = path {
            step.close(path, CloseReason::PeerMisbehaved);
        }
    }

    /// What a message is. Its times are not: a sender whose state was put back makes them anew when
    /// its application, which knows no better, sends under the same id again.
    pub(crate) fn content(&self, message: &Message) -> [u8; 32] {
        fingerprint(&*self.config.provider, self.config.own, message)
    }
}
