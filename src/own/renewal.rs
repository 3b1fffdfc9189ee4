//! When the agent needs a new card, and what stands in it.

use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::deferred::CurveKey;
use meshwork_protocols::fleet::FleetKey;
use meshwork_protocols::identity::{
    Address, Card, CardBody, HybridPublic, HybridSeeds, LiveKey, Protocol, Relay, Root, Sequence,
    SigningPair, Validity,
};
use meshwork_protocols::live::Suite;
use meshwork_protocols::provider::Provider;
use meshwork_protocols::secret::Secret;
use meshwork_protocols::time::WallTime;
use meshwork_state::Batch;

use super::{LiveKeys, Own, OwnError, rows};
use crate::config::Transports;

/// How far ahead of the clock a state that was put back numbers its next card. Cards that it does
/// not remember are numbered by the seconds in which they were signed, or by as many more as were
/// signed within one; two cards of one number would both be refused.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// What the agent shows of itself: it changes with how the agent is started.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Presence {
    /// Where it can be reached, best first; `None` leaves it at what the card says.
    pub(crate) addresses: Option<Vec<Address>>,
    /// What it speaks.
    pub(crate) transports: Transports,
    /// Who keeps its mail, best first; `None` leaves it at what the card says.
    pub(crate) relays: Option<Vec<Relay>>,
    /// The live suites, best first; `None` leaves them at what the card says.
    pub(crate) suites: Option<Vec<Suite>>,
}

impl Presence {
    /// Whether `card` says otherwise.
    fn differs_from(&self, card: &Card) -> bool {
        let moved = self.addresses.as_ref().is_some_and(|it| *it != card.addresses());
        let suites = self.suites.as_deref().map(codes);
        let relays = self.relays.as_ref().is_some_and(|it| *it != card.relays());
        moved || relays || suites.is_some_and(|it| it != card.suites())
    }
}

fn codes(suites: &[Suite]) -> Vec<u8> {
    suites.iter().map(|suite| suite.byte()).collect()
}

/// When the next live key comes into use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rotation {
    /// With this card.
    Now,
    /// When the card is renewed because of its age.
    WhenDue,
}

/// A card to be used once its batch is durable.
#[derive(Debug)]
pub(crate) struct NextCard {
    pub(crate) batch: Batch,
    card: Arc<Card>,
    live_keys: LiveKeys,
}

impl Own {
    /// The card in use.
    pub(crate) fn card(&self) -> &Arc<Card> {
        &self.card
    }

    /// Whether the root is here to sign a new card.
    pub(crate) fn can_sign(&self) -> bool {
        self.root.is_some()
    }

    /// Whether the card no longer says where the agent is and what suits its machine, or does not
    /// name its deferred identity or its key in groups, is past the middle of its time, or may be
    /// older than one that peers have seen.
    pub(crate) fn wants_card(&self, presence: &Presence, now: WallTime) -> bool {
        let named = self.card.deferred_identity() == Some(&self.deferred.public().encode());
        let in_groups =
            self.card.fleet_key() == fleet_public(&*self.provider, &self.fleet).as_deref();
        !(named && in_groups)
            || presence.differs_from(&self.card)
            || self.is_behind
            || self.is_due(now)
    }

    /// The state was put back: there may be cards of this agent that it does not remember, and
    /// peers that have seen one refuse the card in use. The batch keeps that in mind until there
    /// is a new card.
    pub(crate) fn fall_behind(&mut self) -> Batch {
        self.is_behind = true;
        let mut batch = Batch::new();
        rows::put_behind(&mut batch);
        batch
    }

    /// When the card is to be renewed.
    fn renewal_at(&self) -> WallTime {
        let Validity { not_before, not_after } = self.card.validity();
        not_before + not_after.saturating_since(not_before) / 2
    }

    /// Signs the card that follows, with the next live key in use where the time for it has come.
    /// Nothing changes before [`Own::adopt`]. `None` where the root is not here.
    pub(crate) fn next_card(
        &self,
        presence: &Presence,
        rotation: Rotation,
        now: WallTime,
    ) -> Result<Option<NextCard>, OwnError> {
        let Some(root) = &self.root else { return Ok(None) };
        let live_keys = if rotation == Rotation::Now || self.is_due(now) {
            self.live_keys.rotated(&mut *self.provider.random())
        } else {
            self.live_keys.clone()
        };
        let ahead = if self.is_behind { FORGOTTEN } else { Duration::ZERO };
        let sequence = Sequence::next(Some(self.card.sequence()), now + ahead);
        let draft = Draft {
            signing_pair: &self.signing_pair,
            live_keys: &live_keys,
            deferred: &self.deferred,
            fleet: &self.fleet,
            sequence,
        };
        let card = draft.sign(&*self.provider, root, presence, Some(&self.card), now)?;
        let mut batch = Batch::new();
        rows::put_live_keys(&mut batch, &live_keys);
        rows::put_card(&mut batch, &card);
        rows::delete_behind(&mut batch);
        Ok(Some(NextCard { batch, card, live_keys }))
    }

    /// Uses a card whose batch is durable.
    pub(crate) fn adopt(&mut self, next: NextCard) {
        self.card = next.card;
        self.live_keys = next.live_keys;
        self.is_behind = false;
    }

    fn is_due(&self, now: WallTime) -> bool {
        now >= self.renewal_at() || self.card.check_validity(now).is_err()
    }
}

/// The keys that a card is to name, and its number.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) signing_pair: &'a HybridSeeds,
    pub(super) live_keys: &'a LiveKeys,
    pub(super) deferred: &'a CurveKey,
    pub(super) fleet: &'a Secret<32>,
    pub(super) sequence: Sequence,
}

impl Draft<'_> {
    /// Signs the card after `last`, which hands on what it says of things that do not change here.
    pub(super) fn sign(
        &self,
        provider: &dyn Provider,
        root: &Root,
        presence: &Presence,
        last: Option<&Card>,
        now: WallTime,
    ) -> Result<Arc<Card>, OwnError> {
        let pair = SigningPair::from_seeds(provider, self.signing_pair.clone())?;
        let sequence = self.sequence;
        let validity = Validity::starting(now, Validity::MAX);
        let live = |secret| *LiveKey::from_secret(provider, secret).public();
        let live_key = live(self.live_keys.current.clone());
        let mut body = match last {
            Some(last) => CardBody { sequence, validity, live_key, ..last.body().clone() },
            None => CardBody::new(sequence, validity, HybridPublic::clone(pair.public()), live_key),
        };
        body.deferred_identity = Some(self.deferred.public().encode().to_vec());
        body.fleet_key = fleet_public(provider, self.fleet);
        body.next_live_key = Some(live(self.live_keys.next.clone()));
        if let Some(addresses) = &presence.addresses {
            body.addresses.clone_from(addresses);
        }
        if let Some(relays) = &presence.relays {
            body.relays.clone_from(relays);
        }
        if let Some(suites) = &presence.suites {
            body.suites = codes(suites);
        }
        body.capabilities.protocols = [Protocol::Live, Protocol::Deferred, Protocol::Fleet].into();
        body.capabilities.transports = presence.transports.iter().collect();
        let card = root.sign_card(provider, body, &mut *provider.random());
        card.map(Arc::new).map_err(OwnError::Unsigned)
    }
}

/// The public half of the key in groups, as a card names it.
fn fleet_public(provider: &dyn Provider, seed: &Secret<32>) -> Option<Vec<u8>> {
    FleetKey::from_seed(provider, seed.clone()).ok().map(|key| key.public().to_vec())
}

#[cfg(test)]
mod tests;
