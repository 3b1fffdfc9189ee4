//! The agent's own keys and card, in the rows of [`Namespace::Own`](meshwork_state::Namespace::Own).
//!
//! Owns how they are made, kept and renewed. Knows no peer and no socket. The root stands here
//! only where its owner did not keep it apart.

mod renewal;
mod rows;

pub(crate) use renewal::{NextCard, Presence, Rotation};
pub use rows::OwnError;

use std::sync::Arc;

use meshwork_protocols::deferred::CurveKey;
use meshwork_protocols::fleet::FleetKey;
use meshwork_protocols::identity::{
    AgentId, Card, HybridSeeds, LiveKey, Root, Sequence, SigningPair,
};
use meshwork_protocols::live::Local;
use meshwork_protocols::provider::FleetProvider;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;
use meshwork_protocols::time::WallTime;
use meshwork_router::{Deferred, Fleet, PrekeySettings};
use meshwork_state::{Batch, Rows};

/// What an agent is made of.
#[derive(Debug)]
pub(crate) struct Own {
    provider: Arc<dyn FleetProvider>,
    /// The root, while it is here.
    root: Option<Root>,
    signing_pair: HybridSeeds,
    live_keys: LiveKeys,
    /// What others begin stored sessions with.
    deferred: CurveKey,
    /// What the key in groups is made from.
    fleet: Secret<32>,
    card: Arc<Card>,
    /// Whether peers may have seen a newer card than that.
    is_behind: bool,
}

/// The secret halves of the live keys that the card names.
#[derive(Clone, Debug)]
struct LiveKeys {
    current: Secret<32>,
    next: Secret<32>,
}

impl LiveKeys {
    fn generate(random: &mut dyn Random) -> Self {
        Self { current: Secret::random(random), next: Secret::random(random) }
    }

    /// The next key becomes the current one, and a fresh one is next.
    fn rotated(&self, random: &mut dyn Random) -> Self {
        Self { current: self.next.clone(), next: Secret::random(random) }
    }
}

impl Own {
    /// Makes a new agent, and the batch that keeps it. A root that its owner brought is not kept;
    /// without one, one is drawn and kept.
    pub(crate) fn create(
        provider: Arc<dyn FleetProvider>,
        brought: Option<Root>,
        presence: &Presence,
        now: WallTime,
    ) -> Result<(Self, Batch), OwnError> {
        let random = &mut *provider.random();
        let mut batch = Batch::new();
        let root = match brought {
            Some(root) => root,
            None => {
                let root = Root::generate(&*provider, random)?;
                rows::put_root(&mut batch, &root);
                root
            }
        };
        let signing_pair = HybridSeeds::random(random);
        rows::put_signing_pair(&mut batch, &signing_pair);
        let live_keys = LiveKeys::generate(random);
        let deferred = CurveKey::generate(&*provider, random);
        rows::put_deferred_identity(&mut batch, &deferred);
        let fleet = Secret::random(random);
        rows::put_fleet_key(&mut batch, &fleet);
        let sequence = Sequence::next(None, now);
        let drafted = renewal::Draft {
            signing_pair: &signing_pair,
            live_keys: &live_keys,
            deferred: &deferred,
            fleet: &fleet,
            sequence,
        };
        let card = drafted.sign(&*provider, &root, presence, None, now)?;
        rows::put_live_keys(&mut batch, &live_keys);
        rows::put_card(&mut batch, &card);
        let (root, is_behind) = (Some(root), false);
        let own =
            Self { provider, root, signing_pair, live_keys, deferred, fleet, card, is_behind };
        Ok((own, batch))
    }

    /// What the rows of an agent lack that was made by a version without deferred messages or
    /// groups.
    pub(crate) fn complete(
        rows: &dyn Rows,
        provider: &dyn FleetProvider,
    ) -> Result<Batch, OwnError> {
        let mut batch = Batch::new();
        if rows::deferred_identity(rows, provider)?.is_none() {
            let drawn = CurveKey::generate(provider, &mut *provider.random());
            rows::put_deferred_identity(&mut batch, &drawn);
        }
        if rows::fleet_key(rows)?.is_none() {
            rows::put_fleet_key(&mut batch, &Secret::random(&mut *provider.random()));
        }
        Ok(batch)
    }

    /// Whether the rows hold no agent.
    pub(crate) fn is_missing(rows: &dyn Rows) -> Result<bool, OwnError> {
        rows::has_card(rows).map(|has| !has)
    }

    /// Reads the agent that the rows hold.
    pub(crate) fn load(
        rows: &dyn Rows,
        provider: Arc<dyn FleetProvider>,
        brought: Option<Root>,
        now: WallTime,
    ) -> Result<Self, OwnError> {
        let card = rows::card(rows, &*provider, now)?;
        if brought.as_ref().is_some_and(|root| root.agent() != card.agent()) {
            return Err(OwnError::AnotherRoot(card.agent()));
        }
        let root = match brought {
            Some(root) => Some(root),
            None => rows::root(rows, &*provider)?,
        };
        if root.is_none() {
            card.check_validity(now).map_err(OwnError::Card)?;
        }
        let signing_pair = rows::signing_pair(rows)?;
        let live_keys = rows::live_keys(rows)?;
        let deferred = rows::deferred_identity(rows, &*provider)?.ok_or(OwnError::Damaged)?;
        let fleet = rows::fleet_key(rows)?.ok_or(OwnError::Damaged)?;
        let (card, is_behind) = (Arc::new(card), rows::is_behind(rows)?);
        Ok(Self { provider, root, signing_pair, live_keys, deferred, fleet, card, is_behind })
    }

    /// Who this is.
    pub(crate) fn agent(&self) -> AgentId {
        self.card.agent()
    }

    /// The primitives.
    pub(crate) fn provider(&self) -> &Arc<dyn FleetProvider> {
        &self.provider
    }

    /// Takes over the card and the live keys that the rows hold.
    pub(crate) fn refresh(&mut self, rows: &dyn Rows, now: WallTime) -> Result<(), OwnError> {
        let card = rows::card(rows, &*self.provider, now)?;
        self.live_keys = rows::live_keys(rows)?;
        self.is_behind = rows::is_behind(rows)?;
        self.card = Arc::new(card);
        Ok(())
    }

    /// What the sessions of this agent need of it.
    pub(crate) fn local(&self) -> Result<Local, OwnError> {
        let live = LiveKey::from_secret(&*self.provider, self.live_keys.current.clone());
        let pair = SigningPair::from_seeds(&*self.provider, self.signing_pair.clone())?;
        Ok(Local::new(self.provider.clone(), Arc::clone(&self.card), live, pair)?)
    }

    /// What seals for peers that are away; `None` while the card does not name the identity for it,
    /// because its root was not here to sign one that does.
    pub(crate) fn deferred(&self, settings: PrekeySettings) -> Result<Option<Deferred>, OwnError> {
        let pair = SigningPair::from_seeds(&*self.provider, self.signing_pair.clone())?;
        let (provider, identity) = (Arc::clone(&self.provider), self.deferred.clone());
        Ok(Deferred::new(provider, identity, pair, Arc::clone(&self.card), settings))
    }

    /// What takes part in groups; `None` while the card does not name the key for it.
    pub(crate) fn fleet(&self) -> Result<Option<Fleet>, OwnError> {
        let pair = SigningPair::from_seeds(&*self.provider, self.signing_pair.clone())?;
        let key = FleetKey::from_seed(&*self.provider, self.fleet.clone())?;
        Ok(Fleet::new(Arc::clone(&self.provider), key, pair, Arc::clone(&self.card)))
    }
}
