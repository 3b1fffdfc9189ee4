//! What goes through relays: mail left with those of a peer, mail and keys fetched from them, and
//! the prekeys that ours are given.
//!
//! Knows no session and no call: the driver says what came of each. Which relays rest is in
//! `relays`; what a message is, and whether it came before, in `incoming`.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::{AgentId, Card, Unverified};
use meshwork_protocols::wire::{Frame, MAX_RECEIPTS, MessageId, Payload, Receipt};
use meshwork_state::StoreError;

use crate::choice::{Choice, Reason};
use crate::command::CommandError;
use crate::deferred::{Published, TakeError};
use crate::desk::Desk;
use crate::event::{Event, Level};
use crate::input::{RelayFailure, RelayMail, RelayNews, TakenPrekeys};
use crate::peer::{Meeting, Standing};
use crate::relays::{Deposit, DepositId, Left, Mail, REFUSED_REST};
use crate::sent::SentRow;
use crate::transition::Transition;

/// How long a relay has to answer a deposit; the driver gives it less.
pub(crate) const DEPOSIT_WAIT: Duration = Duration::from_secs(2 * 60);

impl Desk {
    /// Takes what a relay answered.
    pub(crate) fn relay_news(
        &mut self,
        step: &mut Transition<'_>,
        news: RelayNews<'_>,
        congested: bool,
    ) -> Result<(), StoreError> {
        match news {
            RelayNews::Deposited(deposit) => self.deposited(step, deposit),
            RelayNews::NotDeposited { deposit, why } => self.not_deposited(step, deposit, why),
            RelayNews::Taken { relay, of, prekeys } => self.taken(step, relay, of, prekeys),
            RelayNews::Mail(mail) => self.mail(step, &mail, congested),
            RelayNews::Met { relay, depth, offers, is_back } => {
                self.met_relay(step, relay, depth, is_back)?;
                self.offer_at(step, relay, offers)
            }
            RelayNews::Ruled { relay, revision } => {
                self.rules.kept(relay, revision);
                Ok(())
            }
            RelayNews::Answered { ask, answer } => self.relay_answered(step, ask, answer),
            RelayNews::Published { relay, pool } => self.published(step, relay, pool),
        }
    }

    /// Begins to leave something with a relay of a peer, of which so many were tried before; the
    /// relay, or `None` where all rest.
    pub(crate) fn leave(
        &mut self,
        step: &mut Transition<'_>,
        mail: Mail,
        before: u32,
        message: Option<MessageId>,
    ) -> Option<AgentId> {
        let to = mail.to;
        let relays = self.peers.relays(&to);
        let relay = self.relays.usable(&relays, &to, before)?.clone();
        let agent = relay.agent;
        let what = message.map_or_else(|| Left::Saying(mail.clone()), Left::Message);
        let deposit = self.relays.leave(Deposit { relay: agent, to, what });
        step.deposit(deposit, relay, mail);
        Some(agent)
    }

    /// Leaves what is said about messages, once a relay of the peer's takes it. A restart forgets it,
    /// and says anew what the rows know.
    pub(crate) fn leave_saying(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        frame: Vec<u8>,
    ) {
        self.leave_or_hold(step, Mail { to: *peer, expires: step.now.wall + SAYING_KEPT, frame });
    }

    fn leave_or_hold(&mut self, step: &mut Transition<'_>, mail: Mail) {
        if self.has_relay(&mail.to) {
            self.leave(step, mail, 0, None);
        } else {
            self.relays.hold(mail);
        }
    }

    /// Says anew what a restart forgot on its way to a relay: of messages that nobody dealt with, that
    /// they are here. What was said of the others is owed.
    pub(crate) fn acknowledge_anew(
        &mut self,
        step: &mut Transition<'_>,
        unread: BTreeMap<AgentId, Vec<Receipt>>,
    ) -> Result<(), StoreError> {
        for (sender, receipts) in unread {
            let is_by_mail = self.peers.is_known(&sender)
                && !self.paths.reaches(&sender)
                && !self.peers.relays(&sender).is_empty();
            for receipts in receipts.chunks(MAX_RECEIPTS).filter(|_| is_by_mail) {
                self.say_sealed(step, &sender, &Payload::Receipts(receipts.to_vec()))?;
            }
        }
        Ok(())
    }

    /// Whether anything could be left for this peer now.
    pub(crate) fn has_relay(&self, peer: &AgentId) -> bool {
        self.relays.usable(&self.peers.relays(peer), peer, 0).is_some()
    }

    /// Asks a relay for what seals for a peer, where that is what a message waits for.
    pub(crate) fn ask_for_prekeys(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        choice: Choice,
    ) {
        if choice.reason == Reason::PrekeysWanted {
            self.ask_relay(step, peer);
        }
    }

    /// Asks a relay for the prekeys of a peer, if one can be asked.
    pub(crate) fn ask_relay(&mut self, step: &mut Transition<'_>, peer: &AgentId) {
        let relays = self.peers.relays(peer);
        let Some(relay) = self.relays.usable(&relays, peer, 0) else { return };
        if let Some(request) = self.relays.ask(relay.agent, *peer, &mut *self.random) {
            step.take_prekeys(request, relay.clone(), *peer);
        }
    }

    /// The rest of some relays is over: what waits for them goes on.
    pub(crate) fn rested(&mut self, step: &mut Transition<'_>) {
        let rested = self.relays.due(step.now.monotonic);
        if rested.is_empty() {
            return;
        }
        let peers = &self.peers;
        let named =
            |peer: &AgentId| peers.relays(peer).iter().any(|relay| rested.contains(&relay.agent));
        self.dirty.extend(self.outbox.wanted().filter(named));
        for mail in self.relays.take_unsaid(named) {
            if mail.expires > step.now.wall {
                self.leave_or_hold(step, mail);
            }
        }
    }

    fn deposited(
        &mut self,
        step: &mut Transition<'_>,
        deposit: DepositId,
    ) -> Result<(), StoreError> {
        let Some(Deposit { relay, what, .. }) = self.relays.ended(deposit) else { return Ok(()) };
        self.relays.answered(relay);
        if let Left::Message(id) = what {
            self.relayed(step, relay, id);
        }
        Ok(())
    }

    /// A message is durable at a relay. It stays in the outbox until its receipt comes.
    fn relayed(&mut self, step: &mut Transition<'_>, relay: AgentId, id: MessageId) {
        let Some(entry) = self.outbox.entry(id) else { return };
        let due = step.now.monotonic + Self::mail_wait(entry.attempts);
        if self.outbox.relayed(id, relay, due) != Some(true) {
            return;
        }
        if let Some(entry) = self.outbox.entry(id) {
            let (level, to, choice) = (Level::Relayed, entry.to, entry.choice);
            SentRow::new(entry, level).write(step, id);
            step.tell(Event::Moved { id, to, level, choice });
        }
    }

    fn not_deposited(
        &mut self,
        step: &mut Transition<'_>,
        deposit: DepositId,
        why: RelayFailure,
    ) -> Result<(), StoreError> {
        let Some(Deposit { relay, to, what }) = self.relays.ended(deposit) else { return Ok(()) };
        self.relay_failed(step, relay, to, why);
        match what {
            Left::Message(id) => self.outbox.not_relayed(id, relay),
            // What is left once is sealed for good: the same bytes go to the next relay.
            Left::Saying(mail) => self.leave_or_hold(step, mail),
        }
        self.dirty.insert(to);
        Ok(())
    }

    fn relay_failed(
        &mut self,
        step: &Transition<'_>,
        relay: AgentId,
        peer: AgentId,
        why: RelayFailure,
    ) {
        let now = step.now.monotonic;
        match why {
            RelayFailure::Gone => self.relays.gone(relay, now, &mut *self.random),
            RelayFailure::NotNow { retry_after } => {
                let wait = retry_after.clamp(Duration::from_secs(1), LONGEST_RETRY);
                self.relays.put_off(relay, peer, now + wait);
            }
            RelayFailure::Refused => self.relays.put_off(relay, peer, now + REFUSED_REST),
        }
    }

    /// A relay gave a peer's prekeys, or did not.
    fn taken(
        &mut self,
        step: &mut Transition<'_>,
        relay: AgentId,
        of: AgentId,
        prekeys: Result<TakenPrekeys, RelayFailure>,
    ) -> Result<(), StoreError> {
        let answered = prekeys.as_ref().map_or_else(|why| *why != RelayFailure::Gone, |_| true);
        self.relays.asked(relay, of, answered);
        self.dirty.insert(of);
        let taken = match prekeys {
            Ok(taken) => taken,
            Err(why) => {
                self.relay_failed(step, relay, of, why);
                return Ok(());
            }
        };
        self.relays.answered(relay);
        if !self.peers.is_known(&of) {
            return Ok(());
        }
        // 1. A card that is newer than ours says whose signature counts.
        if let Some(card) = &taken.card {
            self.take_card(step, &of, card)?;
        }
        // 2. Nothing is used that the peer did not sign.
        let Some(deferred) = self.config.stored.deferred() else { return Ok(()) };
        match deferred.take_from_relay(&step.view(), &of, &taken) {
            Ok(changes) => {
                step.adopt(changes);
                self.troubles.has_prekeys(of, step.now.monotonic);
            }
            Err(TakeError::Store(error)) => return Err(error),
            // It is the relay that gave what is none of the peer's; another may do better.
            Err(_) => self.relays.put_off(relay, of, step.now.monotonic + REFUSED_REST),
        }
        Ok(())
    }

    /// Learns the card that a relay keeps of a known peer, if it is that peer's and newer.
    pub(crate) fn take_card(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        card: &[u8],
    ) -> Result<(), StoreError> {
        let Ok(card) = Unverified::<Card>::parse(card) else { return Ok(()) };
        if card.claimed_agent() != *peer {
            return Ok(());
        }
        let Ok(card) = card.verify(&*self.config.provider, step.now.wall) else { return Ok(()) };
        match self.meet(step, &card, Meeting::default()) {
            Err(CommandError::Store(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes a piece of mail, and acknowledges it once what it brought is durable.
    fn mail(
        &mut self,
        step: &mut Transition<'_>,
        mail: &RelayMail<'_>,
        congested: bool,
    ) -> Result<(), StoreError> {
        let RelayMail { relay, entry, from, frame } = *mail;
        let is_dealt_with = match Frame::decode(frame) {
            _ if self.peers.standing(&from) == Some(Standing::Blocked) => true,
            Ok(Frame::Sealed(packet)) => self.packet(step, None, from, &packet, congested)?,
            // Nothing in clear is believed outside a session.
            _ => true,
        };
        if is_dealt_with {
            step.acknowledge(relay, entry);
        }
        Ok(())
    }

    /// A relay of ours answers: it gets our bundle, and one-time keys where it has few.
    fn met_relay(
        &mut self,
        step: &mut Transition<'_>,
        relay: AgentId,
        depth: usize,
        is_back: bool,
    ) -> Result<(), StoreError> {
        self.relays.answered(relay);
        let Some(deferred) = self.config.stored.deferred().filter(|it| it.is_own_relay(&relay))
        else {
            return Ok(());
        };
        let published = deferred.publish_at(&step.view(), &relay, depth, &mut *self.random);
        self.rule(step, relay, is_back);
        match published {
            Ok(None) => {}
            Ok(Some(Published { bundle, pool, changes })) => {
                step.adopt(changes);
                step.publish(relay, bundle, pool);
            }
            Err(crate::UpkeepError::Store(error)) => return Err(error),
            Err(error) => step.tell_now(Event::PrekeysNotMade(error)),
        }
        Ok(())
    }

    fn published(
        &mut self,
        step: &mut Transition<'_>,
        relay: AgentId,
        pool: Option<u64>,
    ) -> Result<(), StoreError> {
        let (Some(deferred), Some(pool)) = (self.config.stored.deferred(), pool) else {
            return Ok(());
        };
        let changes = deferred.published_at(&step.view(), &relay, pool)?;
        step.adopt(changes);
        Ok(())
    }

    /// Our relays get a bundle that is new.
    pub(crate) fn publish_to_relays(&self, step: &mut Transition<'_>) -> Result<(), StoreError> {
        let Some(deferred) = self.config.stored.deferred() else { return Ok(()) };
        let Some(bundle) = crate::deferred::Deferred::export(&step.view())? else { return Ok(()) };
        for relay in deferred.own_relays() {
            step.publish(relay, bundle.expose().to_vec(), None);
        }
        Ok(())
    }
}

/// How long a receipt or the like is worth keeping: a sender that was away for longer is told once
/// more when it is met.
const SAYING_KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The longest that a relay may put something off: another is used meanwhile.
const LONGEST_RETRY: Duration = Duration::from_secs(60 * 60);
