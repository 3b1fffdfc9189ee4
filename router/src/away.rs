//! What agents that know each other do while both are here, so that one can write to the other when
//! it is away: each gives the other its prekeys. And what time asks of one's own.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use meshwork_protocols::deferred::agent::BundleError;
use meshwork_protocols::identity::{AgentId, Card};
use meshwork_protocols::wire::{Frame, HeldPrekeys, OfferedPrekeys, Payload};
use meshwork_state::{Batch, Namespace, StoreError};

use crate::command::{Answer, CommandError};
use crate::deferred::{Deferred, UpkeepError, claimed_agent, is_misbehaviour, takes_mail};
use crate::desk::Desk;
use crate::event::{Event, Misbehaviour};
use crate::ledger::Ledger;
use crate::output::PathId;
use crate::transition::Transition;

/// How often own prekeys are looked at: none is due more often than weekly, and a pool that empties
/// is looked at when a key is given.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

/// What a peer says of our prekeys so long after a session opened it says because it knows us only
/// since: longer than what it says at once takes on most ways, and shorter than an owner decides.
const LATE: Duration = Duration::from_millis(500);

/// How long after it was told what is held a peer is told again, where nothing of it is: what was
/// said may be lost, on its way or with a commit of either. Twice as long each time.
const FIRST_ASK: Duration = Duration::from_secs(2);
const LONGEST_ASK: Duration = Duration::from_secs(60 * 60);

/// When own prekeys are looked at, and whose were asked for.
#[derive(Debug, Default)]
pub(crate) struct PrekeyLook {
    due: Option<Duration>,
    /// Sessions with peers of which nothing is held.
    asks: BTreeMap<PathId, Ask>,
    /// Sessions over which a peer of which nothing was held was asked once more.
    asked_again: BTreeSet<PathId>,
}

/// When a peer is told again what is held of it, and how long that was put off.
#[derive(Clone, Copy, Debug)]
struct Ask {
    due: Duration,
    wait: Duration,
}

impl PrekeyLook {
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.asks.values().map(|ask| ask.due).chain(self.due).min()
    }

    /// The peer is told what is held, and again where that brings nothing.
    fn ask(&mut self, path: PathId, now: Duration) {
        let first = Ask { due: now + FIRST_ASK, wait: FIRST_ASK };
        self.asks.entry(path).or_insert(first);
    }

    /// Whom to tell again; the next time is put off.
    fn next_ask(&mut self, now: Duration) -> Option<PathId> {
        let (path, ask) = self.asks.iter_mut().find(|(_, ask)| ask.due <= now)?;
        let wait = (ask.wait * 2).min(LONGEST_ASK);
        *ask = Ask { due: now + wait, wait };
        Some(*path)
    }

    /// A key was given: the pool is looked at in a step of its own.
    fn soon(&mut self, now: Duration) {
        self.due = Some(now);
    }

    pub(crate) fn path_closed(&mut self, path: PathId) {
        self.asked_again.remove(&path);
        self.asks.remove(&path);
    }

    fn later(&mut self, now: Duration) {
        self.due = Some(now + LOOK_EVERY);
    }
}

impl Desk {
    /// Makes the prekeys that are due.
    pub(crate) fn look_after_prekeys(
        &mut self,
        step: &mut Transition<'_>,
    ) -> Result<(), StoreError> {
        let Some(deferred) = self.config.stored.deferred() else { return Ok(()) };
        self.prekey_look.later(step.now.monotonic);
        let made = deferred.look_after(&step.view(), &mut *self.random);
        let is_new = made.as_ref().is_ok_and(Deferred::offers_anew);
        adopt_made(step, made)?;
        if is_new { self.publish_to_relays(step) } else { Ok(()) }
    }

    /// A state that was put back may have given and used what it still holds.
    pub(crate) fn draw_prekeys_anew(
        &mut self,
        ledger: &Ledger,
        step: &mut Transition<'_>,
    ) -> Result<(), StoreError> {
        let Some(deferred) = self.config.stored.deferred() else { return Ok(()) };
        let mut given_up = Batch::new();
        ledger.each(Namespace::Bundle, |(key, value)| {
            Deferred::give_up_one_time(&key, &value, &mut given_up)
        })?;
        step.adopt(given_up);
        step.adopt(deferred.withdraw_pools(&step.view())?);
        let made = deferred.draw_anew(&step.view(), &mut *self.random);
        adopt_made(step, made)
    }

    /// A session with a known peer opened: it hears what is held of its prekeys.
    pub(crate) fn say_what_is_held(
        &mut self,
        step: &mut Transition<'_>,
        path: PathId,
        card: &Card,
    ) -> Result<(), StoreError> {
        let peer = card.agent();
        if !self.has_prekeys_to_give(card) {
            return Ok(());
        }
        // Whatever becomes of this, it is looked at again.
        self.prekey_look.ask(path, step.now.monotonic);
        let held = Deferred::held_of(&step.view(), &peer)?;
        if held.bundle.is_some() {
            self.prekey_look.asks.remove(&path);
        }
        step.transmit(path, Frame::Clear(Payload::PrekeysHeld(held)).encode());
        Ok(())
    }

    /// Tells those again of whom still nothing is held.
    pub(crate) fn ask_again(&mut self, step: &mut Transition<'_>) -> Result<(), StoreError> {
        while let Some(path) = self.prekey_look.next_ask(step.now.monotonic) {
            match self.cards.get(path).filter(|card| self.has_prekeys_to_give(card)).cloned() {
                Some(card) if Deferred::held_of(&step.view(), &card.agent())?.bundle.is_none() => {
                    self.say_what_is_held(step, path, &card)?;
                }
                _ => {
                    self.prekey_look.asks.remove(&path);
                }
            }
        }
        Ok(())
    }

    /// Whether we and the agent of this card exchange prekeys.
    fn has_prekeys_to_give(&self, card: &Card) -> bool {
        self.config.stored.deferred().is_some()
            && takes_mail(card)
            && self.peers.is_known(&card.agent())
    }

    /// A peer became known while a session with it stood.
    pub(crate) fn is_known_now(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
    ) -> Result<(), StoreError> {
        match self.paths.live(peer).and_then(|path| Some((path, self.cards.get(path).cloned()?))) {
            Some((path, card)) => self.say_what_is_held(step, path, &card),
            None => Ok(()),
        }
    }

    /// A peer said what it holds of our prekeys: it is given what is missing. It may know us only
    /// now, and have passed over what we said when the session opened: where nothing of it is held,
    /// it is asked once more.
    pub(crate) fn peer_holds(
        &mut self,
        step: &mut Transition<'_>,
        path: PathId,
        peer: &AgentId,
        held: &HeldPrekeys,
    ) -> Result<(), StoreError> {
        self.give_prekeys(step, peer, held)?;
        let now = step.now.monotonic;
        let is_late = self.paths.get(path).is_some_and(|found| now >= found.opened + LATE);
        match self.cards.get(path).cloned() {
            Some(card)
                if is_late
                    && Deferred::held_of(&step.view(), peer)?.bundle.is_none()
                    && self.prekey_look.asked_again.insert(path) =>
            {
                self.say_what_is_held(step, path, &card)
            }
            _ => Ok(()),
        }
    }

    /// Gives a peer that holds this of our prekeys what is missing.
    pub(crate) fn give_prekeys(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        held: &HeldPrekeys,
    ) -> Result<(), StoreError> {
        let (Some(deferred), Some(path)) = (self.config.stored.deferred(), self.paths.live(peer))
        else {
            return Ok(());
        };
        if let Some((offered, changes)) = deferred.offer(&step.view(), peer, held)? {
            step.adopt(changes);
            step.transmit(path, Frame::Clear(Payload::Prekeys(offered)).encode());
            self.prekey_look.soon(step.now.monotonic);
        }
        Ok(())
    }

    /// A peer gave its prekeys.
    pub(crate) fn take_prekeys(
        &mut self,
        step: &mut Transition<'_>,
        peer: AgentId,
        offered: &OfferedPrekeys,
    ) -> Result<(), StoreError> {
        let Some(deferred) = self.config.stored.deferred() else { return Ok(()) };
        match deferred.take_offered(&step.view(), &peer, offered) {
            Ok(changes) => {
                step.adopt(changes);
                self.dirty.insert(peer);
            }
            Err(CommandError::Store(error)) => return Err(error),
            Err(CommandError::Bundle(error)) if is_misbehaviour(&error) => {
                let how = Misbehaviour::BadBundle;
                step.tell_now(Event::Misbehaved { peer, how });
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// Begins new sessions where mail opens in none, and says inside which it was.
    pub(crate) fn repair(&mut self, step: &mut Transition<'_>) -> Result<(), StoreError> {
        let now = step.now;
        while let Some(peer) = self.troubles.next_due(now.monotonic) {
            if !self.paths.reaches(&peer) && (!self.has_relay(&peer) || self.troubles.asks(&peer)) {
                self.troubles.put_off(peer, now.monotonic);
                self.ask_relay(step, &peer);
                continue;
            }
            let Some(deferred) = self.config.stored.deferred() else { return Ok(()) };
            match deferred.begin_anew(&step.view(), &peer, &mut *self.random)? {
                Some(changes) => {
                    let hashes = self.troubles.begin(&peer, now);
                    step.adopt(changes);
                    self.say_sealed(step, &peer, &Payload::Repair(hashes))?;
                }
                None => self.troubles.begun_nothing(peer, now.monotonic),
            }
        }
        Ok(())
    }

    /// Says something in the conversations that would stand still.
    pub(crate) fn beat(&mut self, step: &mut Transition<'_>) -> Result<(), StoreError> {
        while let Some(peer) = self.heartbeats.next_due(step.now.monotonic) {
            let is_here = self.peers.is_known(&peer) && self.paths.reaches(&peer);
            if is_here && Deferred::has_session(&step.view(), &peer)? {
                self.say_sealed(step, &peer, &Payload::Heartbeat)?;
            }
        }
        Ok(())
    }

    /// The owner wants new prekeys now.
    pub(crate) fn rotate_prekeys(&mut self, step: &mut Transition<'_>) -> Result<(), CommandError> {
        let deferred = self.config.stored.deferred().ok_or(CommandError::NoMail)?;
        step.adopt(deferred.rotate(&step.view(), &mut *self.random)?);
        self.give_prekeys_to_all(step)?;
        self.publish_to_relays(step)?;
        Ok(())
    }

    /// The owner wants peers to have a bundle that counts from now on.
    pub(crate) fn publish_prekeys(
        &mut self,
        step: &mut Transition<'_>,
    ) -> Result<(), CommandError> {
        let deferred = self.config.stored.deferred().ok_or(CommandError::NoMail)?;
        step.adopt(deferred.sign_anew(&step.view(), &mut *self.random)?);
        self.give_prekeys_to_all(step)?;
        self.publish_to_relays(step)?;
        Ok(())
    }

    /// Each known peer that is here gets the newest bundle; the others when they are.
    fn give_prekeys_to_all(&mut self, step: &mut Transition<'_>) -> Result<(), StoreError> {
        let here = self.cards.all().filter(|card| takes_mail(card)).map(|card| card.agent());
        for peer in here.collect::<BTreeSet<_>>() {
            if self.peers.is_known(&peer) {
                self.give_prekeys(step, &peer, &HeldPrekeys::default())?;
            }
        }
        Ok(())
    }

    /// The owner brought a peer's bundle.
    pub(crate) fn import_bundle(
        &mut self,
        step: &mut Transition<'_>,
        bundle: &[u8],
    ) -> Result<Answer, CommandError> {
        let peer = claimed_agent(bundle)?;
        if self.peers.standing(&peer).is_none() {
            return Err(CommandError::UnknownPeer);
        }
        let deferred = self.config.stored.deferred().ok_or(CommandError::NoMail)?;
        step.adopt(deferred.import(&step.view(), &peer, bundle)?);
        self.dirty.insert(peer);
        Ok(Answer::Imported(peer))
    }

    /// What was kept to write to a peer goes with it.
    pub(crate) fn forget_mail(&self, step: &mut Transition<'_>, peer: &AgentId) {
        if self.config.stored.deferred().is_some() {
            step.delete(Namespace::Session, peer.as_bytes().to_vec());
            step.delete(Namespace::Bundle, peer.as_bytes().to_vec());
        }
    }
}

/// Adopts prekeys that were made, or tells that none were: the next look tries again, and the keys that
/// stand are good for a while.
fn adopt_made(
    step: &mut Transition<'_>,
    made: Result<Batch, UpkeepError>,
) -> Result<(), StoreError> {
    match made {
        Ok(changes) => step.adopt(changes),
        Err(UpkeepError::Store(error)) => return Err(error),
        Err(error) => step.tell_now(Event::PrekeysNotMade(error)),
    }
    Ok(())
}

impl From<UpkeepError> for CommandError {
    fn from(error: UpkeepError) -> Self {
        match error {
            UpkeepError::Store(error) => Self::Store(error),
            UpkeepError::Bundle(error) => Self::Bundle(error),
            UpkeepError::Crypto(error) => Self::Bundle(BundleError::Signing(error)),
        }
    }
}
