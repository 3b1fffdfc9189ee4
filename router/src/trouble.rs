//! Mail of known peers that no session opens: when a new session is begun for it, and when one is
//! given up. It begins none itself.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::deferred::agent::open_budget::OpenBudget;
use meshwork_protocols::deferred::agent::repair::{MAX_HASHES, PATIENCE, Repair};
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
    /// Whether a relay was asked for newer prekeys of the peer's, for the repair that is due.
    asked: bool,
    /// What the last repairs named: its sender knows of it.
    named: BTreeSet<[u8; 32]>,
}

/// How many hashes are remembered as named of one peer: those of two repairs.
const NAMED: usize = 2 * MAX_HASHES;

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

    /// Whether newer prekeys of the peer's are to be asked for, before a repair by mail begins: what
    /// is held of one that lost its state opens nothing there.
    pub(crate) fn asks(&mut self, peer: &AgentId) -> bool {
        self.peers
            .get_mut(peer)
            .is_some_and(|trouble| !core::mem::replace(&mut trouble.asked, true))
    }

    /// Prekeys of the peer's came: a repair that waits for them begins.
    pub(crate) fn has_prekeys(&mut self, peer: AgentId, now: Duration) {
        let is_due = |trouble: &Trouble| trouble.asked && trouble.repair.due_at().is_some();
        if self.peers.get(&peer).is_some_and(is_due) {
            self.timers.set(peer, now);
        }
    }

    /// No repair could begin with what is held: others are asked for.
    pub(crate) fn begun_nothing(&mut self, peer: AgentId, now: Duration) {
        if let Some(trouble) = self.peers.get_mut(&peer) {
            trouble.asked = false;
        }
        self.put_off(peer, now);
    }

    /// A new session is begun: the hashes that it names.
    pub(crate) fn begin(&mut self, peer: &AgentId, now: Timestamp) -> Vec<[u8; 32]> {
        let Some(trouble) = self.peers.get_mut(peer) else { return Vec::new() };
        let hashes = trouble.repair.begin(now);
        trouble.asked = false;
        trouble.named.extend(&hashes);
        while trouble.named.len() > NAMED {
            trouble.named.pop_first();
        }
        hashes
    }

    /// Whether a repair named this packet, so that it need not come again.
    pub(crate) fn is_named(&self, peer: &AgentId, hash: &[u8; 32]) -> bool {
        self.peers.get(peer).is_some_and(|trouble| trouble.named.contains(hash))
    }

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }
}
