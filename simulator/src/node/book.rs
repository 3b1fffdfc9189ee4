//! What one process knows of cards and states, for its sessions to ask.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meshwork_protocols::identity::{AgentId, Card, CardHash, Newest};
use meshwork_protocols::lineage::Lineage;
use meshwork_protocols::live::Directory;
use meshwork_router::PeerFacts;
use meshwork_state::{Namespace, Rows, State};

/// What one process knows.
#[derive(Debug)]
pub(super) struct Book {
    state: Arc<State>,
    memory: Mutex<Memory>,
}

/// What does not outlive the process.
#[derive(Debug, Default)]
struct Memory {
    cards: BTreeMap<CardHash, Arc<Card>>,
    /// Who has shown that it holds our card.
    holders: BTreeSet<AgentId>,
}

impl Book {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self { state, memory: Mutex::default() }
    }

    /// A verified card.
    pub(super) fn learn(&self, card: Arc<Card>) {
        self.memory().cards.insert(card.hash(), card);
    }

    /// Whether `peer` holds our card.
    pub(super) fn set_holder(&self, peer: AgentId, holds: bool) {
        let mut memory = self.memory();
        if holds {
            memory.holders.insert(peer);
        } else {
            memory.holders.remove(&peer);
        }
    }

    /// What is durable of a peer.
    pub(super) fn facts(&self, peer: &AgentId) -> Option<PeerFacts> {
        let row = self.state.get(Namespace::Peer, peer.as_bytes()).ok()??;
        PeerFacts::decode(&row).ok()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory for Book {
    fn card(&self, hash: &CardHash) -> Option<Arc<Card>> {
        self.memory().cards.get(hash).cloned()
    }

    fn newest(&self, agent: &AgentId) -> Option<Newest> {
        self.facts(agent).map(|facts| facts.newest)
    }

    fn holds_ours(&self, peer: &AgentId, _: &CardHash) -> bool {
        self.memory().holders.contains(peer)
    }

    fn lineage(&self) -> Lineage {
        self.state.lineage()
    }

    fn remembered(&self, peer: &AgentId) -> Option<Lineage> {
        self.facts(peer).and_then(|facts| facts.remembered)
    }
}
