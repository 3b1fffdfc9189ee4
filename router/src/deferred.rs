//! Mail for peers that are away: the product's protocol with stored sessions, over rows.
//!
//! `protocols` has the steps; this says in which rows their states lie, which bundle a session
//! begins with, and which rows follow from a step. It decides nothing about messages.

mod mail;
mod own;
mod peer_row;
mod prekeys;
mod relayed;
mod status;

use alloc::sync::Arc;
use core::time::Duration;

use meshwork_protocols::deferred::CurveKey;
use meshwork_protocols::deferred::agent::prekey_store::{POOL_SIZE, REFILL_THRESHOLD};
use meshwork_protocols::deferred::agent::{Local, Surroundings};
use meshwork_protocols::identity::{AgentId, Card, SigningPair};
use meshwork_protocols::provider::DeferredProvider;
use meshwork_protocols::random::Random;
use meshwork_protocols::time::WallTime;
use meshwork_state::StoreError;

use crate::heartbeat::HEARTBEAT;

pub use self::own::UpkeepError;
pub use self::peer_row::PeerPrekeys;
pub use self::status::PrekeyStatus;

pub(crate) use self::own::claimed_agent;
pub(crate) use self::prekeys::is_misbehaviour;
pub(crate) use self::relayed::{Published, TakeError};

/// The product's protocol for peers that are away.
#[derive(Debug)]
pub struct Deferred {
    provider: Arc<dyn DeferredProvider>,
    identity: CurveKey,
    pair: SigningPair,
    card: Arc<Card>,
    settings: PrekeySettings,
    heartbeat: Option<Duration>,
}

/// What the owner says of the agent's prekeys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PrekeySettings {
    /// How many one-time keys nobody has when the pool is full.
    pub pool_size: usize,
    /// The share of the pool, in percent, past which it is filled again.
    pub refill_threshold: usize,
}

impl Default for PrekeySettings {
    fn default() -> Self {
        Self { pool_size: POOL_SIZE, refill_threshold: REFILL_THRESHOLD }
    }
}

impl Deferred {
    /// The protocol of the agent whose card names this identity and this pair; `None` where the
    /// card does not.
    pub fn new(
        provider: Arc<dyn DeferredProvider>,
        identity: CurveKey,
        pair: SigningPair,
        card: Arc<Card>,
        settings: PrekeySettings,
    ) -> Option<Self> {
        let heartbeat = Some(HEARTBEAT);
        let this = Self { provider, identity, pair, card, settings, heartbeat };
        this.is_named_by(&this.card).then_some(this)
    }

    /// Keeps conversations moving at another rate than [`HEARTBEAT`], or not at all.
    #[must_use]
    pub fn with_heartbeat(self, heartbeat: Option<Duration>) -> Self {
        Self { heartbeat, ..self }
    }

    pub(crate) fn heartbeat(&self) -> Option<Duration> {
        self.heartbeat
    }

    /// Speaks by a newer card of the agent from now on.
    pub(crate) fn show(&mut self, card: Arc<Card>) {
        if self.is_named_by(&card) {
            self.card = card;
        }
    }

    fn is_named_by(&self, card: &Card) -> bool {
        card.deferred_identity() == Some(self.identity.public().encode().as_slice())
            && card.signing_pair() == self.pair.public()
    }

    fn own(&self) -> AgentId {
        self.card.agent()
    }

    fn local(&self) -> Local<'_> {
        Local { identity: &self.identity, card: &self.card, pair: &self.pair }
    }

    fn around<'a>(&'a self, now: WallTime, random: &'a mut dyn Random) -> Surroundings<'a> {
        Surroundings { provider: &*self.provider, random, now }
    }
}

/// Whether a card's agent takes mail while it is away.
pub(crate) fn takes_mail(card: &Card) -> bool {
    card.deferred_identity().is_some()
}

/// A record that was sealed by this store and is none: damage.
fn damaged<E>(_: E) -> StoreError {
    StoreError::Damaged
}
