//! What an agent counts about its connections.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was counted since the start of the agent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counters {
    /// Connections that somebody opened to us.
    pub accepted: u64,
    /// Sessions in which both sides proved themselves, whoever opened them.
    pub established: u64,
    /// Times our card was handed out to whoever asked for it.
    pub cards_served: u64,
    /// Connections to us that ended because of what came in before the peer proved itself.
    pub rejected: u64,
    /// Connections to us whose peer did not prove itself in time, or went away before.
    pub abandoned: u64,
    /// Connections to us that had to make room for others before their peer proved itself.
    pub evicted: u64,
    /// Established sessions that broke rather than being closed in good order.
    pub broken: u64,
    /// Established sessions that were closed because the peer did not take what was sent.
    pub too_slow: u64,
    /// Transactions of the store.
    pub commits: u64,
    /// Transactions that failed.
    pub failed_commits: u64,
}

/// The counters while they count.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) accepted: AtomicU64,
    pub(crate) established: AtomicU64,
    pub(crate) cards_served: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) abandoned: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) broken: AtomicU64,
    pub(crate) too_slow: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) failed_commits: AtomicU64,
}

impl Tally {
    /// One more.
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            accepted: read(&self.accepted),
            established: read(&self.established),
            cards_served: read(&self.cards_served),
            rejected: read(&self.rejected),
            abandoned: read(&self.abandoned),
            evicted: read(&self.evicted),
            broken: read(&self.broken),
            too_slow: read(&self.too_slow),
            commits: read(&self.commits),
            failed_commits: read(&self.failed_commits),
        }
    }
}
