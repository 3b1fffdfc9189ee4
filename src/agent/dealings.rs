//! What went between this agent and each peer, so that the chatty hop can be found.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use meshwork_protocols::identity::{AgentId, Transport};

/// Of how many peers is counted: 64 bytes each. Past it another is forgotten, whichever it is.
const PEERS: usize = 65_536;

/// What went between this agent and a peer since the start.
///
/// Many handshakes beside few reuses are a hop that talks too often and too little at a time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Dealings {
    /// Handshakes that ended, whoever dialled: of new sessions, and of new keys for one over UDP.
    pub handshakes: u64,
    /// How often a session that had been used was used again instead of a new one: for what the
    /// router sent at once, a call, a datagram or a stream.
    pub reuses: u64,
    /// Bytes of frames that came, before they were sealed.
    pub bytes_in: u64,
    /// Bytes of frames that went.
    pub bytes_out: u64,
    /// How many sessions stand: more than one while one replaces another, or where one carries what
    /// another cannot.
    pub sessions: usize,
    /// Over what the session goes that is used now, if one stands.
    pub transport: Option<Transport>,
}

/// The dealings with one peer while they are counted.
#[derive(Debug, Default)]
pub(crate) struct DealingsTally {
    handshakes: AtomicU64,
    reuses: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl DealingsTally {
    pub(crate) fn shook_hands(&self) {
        add(&self.handshakes, 1);
    }

    pub(crate) fn reused(&self) {
        add(&self.reuses, 1);
    }

    pub(crate) fn received(&self, bytes: usize) {
        add(&self.bytes_in, bytes as u64);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        add(&self.bytes_out, bytes as u64);
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// The sessions with a peer that stand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) sessions: usize,
    pub(crate) transport: Option<Transport>,
}

/// The dealings with each peer.
#[derive(Debug, Default)]
pub(crate) struct DealingsBook(RwLock<HashMap<AgentId, Arc<DealingsTally>>>);

impl DealingsBook {
    /// A session with a peer was opened: where to count.
    pub(crate) fn opened(&self, peer: AgentId) -> Arc<DealingsTally> {
        let mut book = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if book.len() >= PEERS && !book.contains_key(&peer) {
            let any = book.keys().next().copied();
            any.and_then(|any| book.remove(&any));
        }
        let tally = Arc::clone(book.entry(peer).or_default());
        tally.shook_hands();
        tally
    }

    /// What was counted of a peer.
    pub(crate) fn with(&self, peer: &AgentId, now: Standing) -> Dealings {
        let book = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(tally) = book.get(peer) else { return Dealings::default() };
        let Standing { sessions, transport } = now;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Dealings {
            handshakes: read(&tally.handshakes),
            reuses: read(&tally.reuses),
            bytes_in: read(&tally.bytes_in),
            bytes_out: read(&tally.bytes_out),
            sessions,
            transport,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> AgentId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        AgentId::from_bytes(bytes)
    }

    #[test]
    fn what_two_sessions_with_one_peer_do_is_counted_together() {
        let book = DealingsBook::default();
        book.opened(peer(1)).sent(5);
        let second = book.opened(peer(1));
        second.received(7);
        second.reused();
        second.sent(1);
        let Dealings { handshakes, reuses, bytes_in, bytes_out, .. } =
            book.with(&peer(1), Standing::default());
        assert_eq!((handshakes, reuses, bytes_in, bytes_out), (2, 1, 7, 6));
        assert_eq!(book.with(&peer(2), Standing::default()), Dealings::default());
    }

    #[test]
    fn past_the_bound_another_is_forgotten() {
        let book = DealingsBook::default();
        for number in 0..=u32::try_from(PEERS).unwrap() {
            book.opened(peer(number));
        }
        assert_eq!(book.0.read().unwrap().len(), PEERS);
        assert_eq!(book.with(&peer(65_536), Standing::default()).handshakes, 1);
    }
}
