//! Mail of known peers that no session opens: when a new session is begun for it, and when one is
//! given up. It begins none itself.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::deferred::agent::open_budget::OpenBudget;
use meshwork_protocols::deferred::agent::repair::{PATIENCE, Repair};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::time::Timestamp;

use crate::timers::Timers;

/// Of how many peers it is noted what does not open: some 2 KiB each. Mail of others is still
/// answered over a live session.
const PEERS: usize = 4_096;

/// What does not open, by peer.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    peers: BTreeMap<AgentId, Trouble>,
    /// When each repair is due.
    timers: Timers<AgentId>,
}

#[derive(Debug, Default)]
struct Trouble {
    repair: Repair,
    budget: OpenBudget,
}

impl Troubles {
    /// A packet may be of a session that is lost here. `false` once so many came that the session is
    /// to be given up.
    pub(crate) fn failed(&mut self, peer: AgentId, hash: [u8; 32], now: Timestamp) -> bool {
        if self.peers.len() >= PEERS && !self.peers.contains_key(&peer) {
            return true;
        }
        let trouble = self.peers.entry(peer).or_default();
        trouble.repair.failed(hash, now);
        if let Some(due) = trouble.repair.due_at() {
            self.timers.set(peer, due.monotonic);
        }
        trouble.budget.allows_another(now)
    }

    /// A packet opened: the sessions fit again.
    pub(crate) fn opened(&mut self, peer: &AgentId) {
        if let Some(trouble) = self.peers.get_mut(peer) {
            trouble.repair.opened();
            self.timers.clear(peer);
        }
    }

    /// The next peer with which a new session is due.
    pub(crate) fn next_due(&mut self, now: Duration) -> Option<AgentId> {
        self.timers.pop_due(now)
    }

    /// There is no way to this peer now: the repair waits for one.
    pub(crate) fn put_off(&mut self, peer: AgentId, now: Duration) {
        self.timers.set(peer, now + PATIENCE);
    }

    /// A new session is begun: the hashes that it names.
    pub(crate) fn begin(&mut self, peer: &AgentId, now: Timestamp) -> Vec<[u8; 32]> {
        self.peers.get_mut(peer).map(|trouble| trouble.repair.begin(now)).unwrap_or_default()
    }

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }
}
