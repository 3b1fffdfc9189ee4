//! What the tests of live sessions share.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;

use super::{Directory, Local};
use crate::identity::{
    AgentId, Card, CardBody, CardHash, LiveKey, Newest, SigningPair, fixture as identity,
};
use crate::lineage::{Incarnation, Lineage};
use crate::provider::Provider;
use crate::provider::aws::AwsLc;
use crate::provider::pure::Pure;
pub(super) use crate::random::fixture::Seeded;
use crate::secret::Secret;
use crate::time::Timestamp;

/// A moment at which the cards count.
pub(super) const NOW: Timestamp =
    Timestamp { monotonic: core::time::Duration::from_secs(1_000), wall: identity::NOW };

/// The provider in Rust alone.
pub(super) fn pure() -> Arc<dyn Provider> {
    Arc::new(Pure)
}

/// The fast provider.
pub(super) fn aws() -> Arc<dyn Provider> {
    Arc::new(AwsLc)
}

/// An agent and what its node knows. Two with the same number are the same agent.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) number: u8,
    pub(super) local: Arc<Local>,
    pub(super) known: Known,
}

impl Node {
    pub(super) fn new(number: u8) -> Self {
        Self::with_body(number, |_| {})
    }

    /// One whose card differs from the usual one.
    pub(super) fn with_body(number: u8, change: impl FnOnce(&mut CardBody)) -> Self {
        let mut body = identity::body(number);
        change(&mut body);
        let card = Arc::new(identity::sign(number, body));
        let local = Local::new(aws(), card, live_key(number), signing_pair(number)).unwrap();
        Self { number, local: Arc::new(local), known: Known::new(number) }
    }

    /// The same agent under another of its live keys.
    pub(super) fn with_live_key(&self, secret: u8) -> Self {
        let card = Arc::clone(self.local.card());
        let local = Local::new(aws(), card, live_key(secret), signing_pair(self.number)).unwrap();
        Self { local: Arc::new(local), ..self.clone() }
    }

    pub(super) fn agent(&self) -> AgentId {
        self.local.agent()
    }

    pub(super) fn card(&self) -> Arc<Card> {
        Arc::clone(self.local.card())
    }

    pub(super) fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(self.known.clone())
    }
}

pub(super) fn live_key(number: u8) -> LiveKey {
    LiveKey::from_secret(&AwsLc, Secret::new([number; 32]))
}

pub(super) fn signing_pair(number: u8) -> SigningPair {
    SigningPair::from_seeds(&AwsLc, identity::seeds(number | 0x80)).unwrap()
}

/// What a node knows.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) cards: BTreeMap<CardHash, Arc<Card>>,
    pub(super) newest: BTreeMap<AgentId, Newest>,
    pub(super) holders: BTreeSet<(AgentId, CardHash)>,
    pub(super) lineage: Lineage,
    pub(super) remembered: BTreeMap<AgentId, Lineage>,
}

impl Known {
    fn new(number: u8) -> Self {
        Self {
            cards: BTreeMap::new(),
            newest: BTreeMap::new(),
            holders: BTreeSet::new(),
            lineage: lineage(number),
            remembered: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, card: Arc<Card>) {
        self.cards.insert(card.hash(), card);
    }
}

/// Some place of a state, another for each number.
pub(super) fn lineage(number: u8) -> Lineage {
    Lineage {
        incarnation: Incarnation::from_bytes([number; 16]),
        parent: Incarnation::from_bytes([!number; 16]),
        number: 1_000 + u64::from(number),
    }
}

impl Directory for Known {
    fn card(&self, hash: &CardHash) -> Option<Arc<Card>> {
        self.cards.get(hash).cloned()
    }

    fn newest(&self, agent: &AgentId) -> Option<Newest> {
        self.newest.get(agent).copied()
    }

    fn holds_ours(&self, peer: &AgentId, ours: &CardHash) -> bool {
        self.holders.contains(&(*peer, *ours))
    }

    fn lineage(&self) -> Lineage {
        self.lineage
    }

    fn remembered(&self, peer: &AgentId) -> Option<Lineage> {
        self.remembered.get(peer).copied()
    }
}
