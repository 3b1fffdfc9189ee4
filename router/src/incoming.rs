//! Receiving: what a frame is, whether it came before, whether it may enter, and what its sender
//! is told.

use core::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::posture::Posture;
use meshwork_protocols::time::CLOCK_TOLERANCE;
use meshwork_protocols::wire::{
    Frame, MAX_LIFETIME, Message, MessageId, Payload, Receipt, RefusalReason, Verdict,
};
use meshwork_state::{Namespace, StoreError};

use crate::choice::Protocol;
use crate::command::CommandError;
use crate::desk::Desk;
use crate::event::{Event, Misbehaviour};
use crate::gap::Turn;
use crate::inbox::Delivery;
use crate::outgoing::one_receipt;
use crate::output::{CloseReason, PathId};
use crate::owed::Owed;
use crate::path::Kind;
use crate::peer::{Meeting, Standing};
use crate::policy::FirstContact;
use crate::row;
use crate::seen::SeenRow;
use crate::stored::{self, CiphertextRow};
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
struct Origin {
    sender: AgentId,
    path: PathId,
    protocol: Protocol,
    posture: Posture,
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
        self.used(step, path);
        match (Frame::decode(frame), posture) {
            (Ok(Frame::Clear(payload)), Some(posture)) => {
                let origin = Origin { sender: peer, path, protocol: Protocol::Live, posture };
                self.payload(step, origin, payload, congested)
            }
            (Ok(Frame::Clear(_)), None) => {
                self.misbehaved(step, path, peer, Misbehaviour::ClearOutsideSession);
                Ok(())
            }
            (Ok(Frame::Sealed(packet)), _) => self.packet(step, path, peer, &packet, congested),
            (Ok(Frame::Skipped(_)), _) => Ok(()),
            (Err(_), _) => {
                self.misbehaved(step, path, peer, Misbehaviour::Malformed);
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
        if !self.inbox.take(step, arrival)? {
            return Err(CommandError::UnknownMessage);
        }
        seen.verdict = Verdict::Processed;
        seen.write(step, &sender, id);
        if self.peers.is_known(&sender) {
            let receipt = Receipt { id, verdict: Verdict::Processed };
            self.owed.owe(step, sender, receipt, seen.forget_after());
            self.say(step, &sender, &one_receipt(id, Verdict::Processed))?;
            if self.paths.reaches(&sender) {
                self.owed.schedule(&sender, Owed::repeat_at(step.now.monotonic));
            }
            self.dirty.insert(sender);
        }
        Ok(())
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

    /// Takes a packet that a stored session of `peer` sealed, or that says so.
    fn packet(
        &mut self,
        step: &mut Transition<'_>,
        path: PathId,
        peer: AgentId,
        packet: &[u8],
        congested: bool,
    ) -> Result<(), StoreError> {
        let known = self.peers.is_known(&peer);
        let Some(protocol) = self.config.stored.as_deref().filter(|_| known) else {
            return Ok(());
        };
        let hash = self.config.provider.digest(&[packet]);
        // 1. It came before: its sender missed the answer, or somebody repeats it.
        if let Some(value) = step.get(Namespace::Ciphertext, &hash)? {
            let row: CiphertextRow = row::decode(&value)?;
            return self.answer_again(step, &peer, hash, row);
        }
        // 2. It opens, or its sender learns that it does not.
        let Some((payload, next)) = stored::open(protocol, step, &peer, packet)? else {
            if self.may_answer(step, hash) {
                self.say(step, &peer, &Payload::CannotOpen(hash))?;
            }
            return Ok(());
        };
        // 3. What is not taken now must be openable later: then the session stays as it is.
        let message = match &payload {
            Payload::Message { message, lowest_wanted } => {
                Message::decode(message).ok().map(|message| (message, *lowest_wanted))
            }
            _ => None,
        };
        let has_room = message.as_ref().is_none_or(|(message, lowest_wanted)| {
            let size = message.body.len();
            let in_order = |place| self.gaps.has_room(&peer, place, *lowest_wanted, size);
            self.inbox.has_room(size) && message.order.is_none_or(in_order)
        });
        if congested || !has_room {
            return Ok(());
        }
        // 4. The session moves on with what it brought.
        step.put(Namespace::Session, peer.as_bytes().to_vec(), next);
        let message = message.map(|(message, _)| message);
        let forget_after = message
            .as_ref()
            .map_or(step.now.wall + MAX_LIFETIME, |message| message.expires + CLOCK_TOLERANCE);
        let row = CiphertextRow { forget_after, message: message.map(|message| message.id) };
        step.put(Namespace::Ciphertext, hash.to_vec(), row::encode(&row));
        let posture = Posture::HYBRID;
        let origin = Origin { sender: peer, path, protocol: Protocol::Deferred, posture };
        self.payload(step, origin, payload, false)
    }

    fn payload(
        &mut self,
        step: &mut Transition<'_>,
        origin: Origin,
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
        }
    }

    fn message(
        &mut self,
        step: &mut Transition<'_>,
        origin: Origin,
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
    fn enter(
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
            self.deliver(step, [delivery])?;
            return Ok(Verdict::Delivered);
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
            let arrival = self.inbox.put(step, &delivery);
            let mut seen = SeenRow::read(step, &sender, id)?.ok_or(StoreError::Damaged)?;
            seen.arrival = Some(arrival);
            seen.write(step, &sender, id);
            step.tell(Event::Arrived { arrival, sender, id, repeat: false });
        }
        Ok(())
    }

    /// What the owner's policy makes of a stranger's message; `true` where it may go on.
    fn first_contact(
        &mut self,
        step: &mut Transition<'_>,
        origin: Origin,
        delivery: &Delivery,
        lowest_wanted: u64,
    ) -> Result<bool, StoreError> {
        let Some(card) = self.cards.get(&origin.path).cloned() else { return Ok(false) };
        let standing = match self.config.policy.first_contact {
            FirstContact::Accept => Standing::Known,
            FirstContact::Hold => Standing::Stranger,
            FirstContact::Drop => return Ok(false),
        };
        if standing == Standing::Stranger && !self.held.has_room(delivery) {
            return Ok(false);
        }
        let first = self.peers.standing(&origin.sender).is_none();
        match self.peers.meet(step, &card, Meeting::of(standing)) {
            Ok(_) => {}
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

    /// Answers a message on the session that brought it, or on whatever way there is.
    fn answer(
        &mut self,
        step: &mut Transition<'_>,
        origin: Origin,
        id: MessageId,
        verdict: Verdict,
    ) -> Result<(), StoreError> {
        let payload = one_receipt(id, verdict);
        if origin.protocol == Protocol::Live {
            step.transmit(origin.path, Frame::Clear(payload).encode());
            return Ok(());
        }
        self.say(step, &origin.sender, &payload)
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
        path: PathId,
        peer: AgentId,
        how: Misbehaviour,
    ) {
        step.tell_now(Event::Misbehaved { peer, how });
        step.close(path, CloseReason::PeerMisbehaved);
    }

    fn content(&self, message: &Message) -> [u8; 32] {
        self.config.provider.digest(&[message.encode().expose()])
    }
}
