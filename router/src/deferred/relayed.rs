//! Prekeys at relays: a pool of its own for each of ours, and what others' relays give of a peer's.

use alloc::vec::Vec;

use meshwork_protocols::deferred::agent::bundle::MAX_VALIDITY;
use meshwork_protocols::deferred::agent::pool::PoolTerms;
use meshwork_protocols::deferred::agent::prekey_store::ROTATION;
use meshwork_protocols::deferred::agent::{Pool, PoolError, PrekeyStore};
use meshwork_protocols::deferred::{CurvePublic, PrekeyId};
use meshwork_protocols::identity::{AgentId, Unverified};
use meshwork_protocols::random::Random;
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::OfferedPrekeys;
use meshwork_state::{Batch, Namespace, StoreError};
use serde::{Deserialize, Serialize};

use super::Deferred;
use super::own::{self, UpkeepError};
use crate::command::CommandError;
use crate::input::{TakenKey, TakenPrekeys};
use crate::output::RelayPool;
use crate::row;
use crate::stored::View;

/// What one of our relays was given: a row of [`Namespace::Prekey`], by [`key_of`].
#[derive(Debug, Default, Deserialize, Serialize)]
struct RelayRow {
    /// The number of the last pool.
    number: u64,
    /// When it was made; `None` before the first, and where a state was put back.
    made: Option<WallTime>,
    /// The pool that the relay has not said it keeps. Its keys are for this relay alone whatever
    /// becomes of it.
    pool: Option<RelayPool>,
}

/// What a relay of ours is to be given.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) bundle: Vec<u8>,
    pub(crate) pool: Option<RelayPool>,
    pub(crate) changes: Batch,
}

/// Why what a relay gave of a peer's prekeys is not used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TakeError {
    Store(StoreError),
    /// It is not what the peer signed, or counts no more.
    NotTheirs,
}

impl Deferred {
    /// The relays that the agent's card names.
    pub(crate) fn own_relays(&self) -> Vec<AgentId> {
        self.card.relays().iter().map(|relay| relay.agent).collect()
    }

    /// Whether the agent's card names this relay.
    pub(crate) fn is_own_relay(&self, relay: &AgentId) -> bool {
        self.card.relays().iter().any(|own| own.agent == *relay)
    }

    /// What a relay of ours that still has `depth` one-time keys is to be given, and the rows that
    /// follow. A pool that it has not confirmed is given again as it is.
    pub(crate) fn publish_at(
        &self,
        view: &View<'_>,
        relay: &AgentId,
        depth: usize,
        random: &mut dyn Random,
    ) -> Result<Option<Published>, UpkeepError> {
        let (Some(store), Some(bundle)) = (own::store(view)?, Self::export(view)?) else {
            return Ok(None);
        };
        let mut changes = Batch::new();
        let mut at = RelayRow::read(view, relay)?;
        let is_old = at.made.is_none_or(|made| view.now() >= made + ROTATION);
        if at.pool.is_none() && (is_old || self.is_low(depth)) {
            let wanted = if is_old { self.settings.pool_size } else { self.lack(depth) };
            if let Some((pool, next)) = self.pool_of(view, &store, wanted, random)? {
                at.number = view.now().as_secs().max(at.number.saturating_add(1));
                at.made = Some(view.now());
                at.pool = Some(RelayPool { number: at.number, replaces: is_old, ..pool });
                own::put_store(&mut changes, &next)?;
                at.write(&mut changes, relay);
            }
        }
        let bundle = bundle.expose().to_vec();
        Ok(Some(Published { bundle, pool: at.pool, changes }))
    }

    /// The rows that follow when a relay keeps a pool.
    pub(crate) fn published_at(
        &self,
        view: &View<'_>,
        relay: &AgentId,
        pool: u64,
    ) -> Result<Batch, StoreError> {
        let mut changes = Batch::new();
        let mut at = RelayRow::read(view, relay)?;
        if at.pool.take_if(|kept| kept.number == pool).is_some() {
            at.write(&mut changes, relay);
        }
        Ok(changes)
    }

    /// A state that was put back may have given what its rows hold no more: each relay gets a pool
    /// in place of what it has.
    pub(crate) fn withdraw_pools(&self, view: &View<'_>) -> Result<Batch, StoreError> {
        let mut changes = Batch::new();
        for relay in self.own_relays() {
            let before = RelayRow::read(view, &relay)?;
            RelayRow { made: None, pool: None, ..before }.write(&mut changes, &relay);
        }
        Ok(changes)
    }

    /// The rows that follow from what a relay gave of a peer's prekeys.
    pub(crate) fn take_from_relay(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        taken: &TakenPrekeys,
    ) -> Result<Batch, TakeError> {
        let one_time = taken.one_time.as_ref().map(|key| self.verified_key(view, peer, key));
        let one_time = one_time.transpose()?;
        let offered = OfferedPrekeys { bundle: taken.bundle.clone(), one_time };
        self.take_offered(view, peer, &offered).map_err(|error| match error {
            CommandError::Store(error) => TakeError::Store(error),
            _ => TakeError::NotTheirs,
        })
    }

    /// A one-time key that a relay gave, if the peer signed the pool it is of.
    fn verified_key(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        taken: &TakenKey,
    ) -> Result<(PrekeyId, CurvePublic), TakeError> {
        let card = self.card_of(view, peer)?.ok_or(TakeError::NotTheirs)?;
        let pool = Unverified::<Pool>::parse(&taken.pool)?.verify(&*self.provider, &card)?;
        Ok(pool.verify_key(&*self.provider, &taken.key, view.now())?)
    }

    /// A signed pool of keys that nobody has, which are this pool's from now on, and the store
    /// after it; `None` where too many keys are kept already to give any away.
    fn pool_of(
        &self,
        view: &View<'_>,
        store: &PrekeyStore,
        wanted: usize,
        random: &mut dyn Random,
    ) -> Result<Option<(RelayPool, PrekeyStore)>, UpkeepError> {
        let (now, size) = (view.now(), self.settings.pool_size);
        let filled = store.refill(&*self.provider, size + wanted, now, random);
        // Half of a pool stays for peers that are met.
        let wanted = wanted.min(filled.available().saturating_sub(size / 2));
        let (keys, next) = filled.hand_out_pool(wanted, now);
        if keys.is_empty() {
            return Ok(None);
        }
        let (agent, card) = (self.own(), self.card.sequence());
        let terms = PoolTerms { agent, card, not_after: now + MAX_VALIDITY };
        let signed = Pool::sign(&*self.provider, &self.pair, &keys, terms, random);
        // The relay works out the paths.
        let (pool, _) = signed.map_err(unsigned)?;
        let signed = pool.as_bytes().to_vec();
        Ok(Some((RelayPool { number: 0, replaces: false, signed, keys }, next)))
    }

    /// Whether so few keys are left at a relay that it gets more.
    fn is_low(&self, depth: usize) -> bool {
        let (size, threshold) = (self.settings.pool_size, self.settings.refill_threshold);
        size.saturating_sub(depth) * 100 > size * threshold
    }

    fn lack(&self, depth: usize) -> usize {
        self.settings.pool_size.saturating_sub(depth)
    }
}

impl RelayRow {
    fn read(view: &View<'_>, relay: &AgentId) -> Result<Self, StoreError> {
        let value = view.row(Namespace::Prekey, &key_of(relay))?;
        value.as_ref().map_or_else(|| Ok(Self::default()), row::decode)
    }

    fn write(&self, changes: &mut Batch, relay: &AgentId) {
        changes.put(Namespace::Prekey, key_of(relay), row::encode(self));
    }
}

impl From<StoreError> for TakeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<PoolError> for TakeError {
    fn from(_: PoolError) -> Self {
        Self::NotTheirs
    }
}

/// Why a pool was not signed: of the ways to fail, only the provider's is left.
fn unsigned(error: PoolError) -> UpkeepError {
    match error {
        PoolError::Signing(error) => UpkeepError::Crypto(error),
        _ => UpkeepError::Store(StoreError::Damaged),
    }
}

/// The key of a relay's row.
fn key_of(relay: &AgentId) -> Vec<u8> {
    [b"relay/", relay.as_bytes().as_slice()].concat()
}
