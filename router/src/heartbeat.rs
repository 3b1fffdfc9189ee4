//! Keeps both directions of a conversation by stored sessions moving, so that it heals: an epoch of
//! the post-quantum ratchet takes some ninety messages to and fro, and one-sided traffic completes
//! none.
//!
//! A heartbeat is a step of the session, durable at both ends. It goes only where there is a way,
//! and is never kept for later.

use alloc::collections::BTreeMap;
use core::time::Duration;

use meshwork_protocols::identity::AgentId;

use crate::timers::Timers;

/// How often each end says something, where the owner says nothing else: an epoch then takes about
/// an hour.
pub const HEARTBEAT: Duration = Duration::from_secs(60);

/// How long a conversation stays open after its last message: an epoch and a half.
const OPEN_FOR: Duration = Duration::from_secs(2 * 60 * 60);

/// The most conversations that are kept moving: each costs two commits a minute.
const CONVERSATIONS: usize = 1_024;

/// The conversations that are open.
#[derive(Debug, Default)]
pub(crate) struct Heartbeats {
    /// How often; `None` where the owner wants none.
    every: Option<Duration>,
    /// Until when each is open.
    open: BTreeMap<AgentId, Duration>,
    timers: Timers<AgentId>,
}

impl Heartbeats {
    pub(crate) fn new(every: Option<Duration>) -> Self {
        Self { every, ..Self::default() }
    }

    /// A message went or came by a stored session.
    pub(crate) fn message(&mut self, peer: AgentId, now: Duration) {
        let Some(every) = self.every else { return };
        if self.open.len() < CONVERSATIONS || self.open.contains_key(&peer) {
            self.open.insert(peer, now + OPEN_FOR);
            self.timers.set_if_none(peer, now + every);
        }
    }

    /// Something was sealed for this peer: no heartbeat is wanted for a while.
    pub(crate) fn sealed(&mut self, peer: AgentId, now: Duration) {
        if let (Some(every), true) = (self.every, self.open.contains_key(&peer)) {
            self.timers.set(peer, now + every);
        }
    }

    /// The next peer that is to hear something now; its next heartbeat is set.
    pub(crate) fn next_due(&mut self, now: Duration) -> Option<AgentId> {
        loop {
            let peer = self.timers.pop_due(now)?;
            if self.open.get(&peer).is_some_and(|until| now < *until) {
                self.sealed(peer, now);
                return Some(peer);
            }
            self.open.remove(&peer);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: AgentId = AgentId::from_bytes([2; 32]);
    const EVERY: Duration = Duration::from_secs(60);

    #[test]
    fn a_conversation_is_kept_moving_for_two_hours_after_its_last_message() {
        let mut beats = Heartbeats::new(Some(EVERY));
        beats.message(PEER, Duration::ZERO);
        assert_eq!(beats.next_due(EVERY - Duration::from_millis(1)), None);
        let mut count = 0;
        while let Some(at) = beats.next_timeout() {
            count += u32::from(beats.next_due(at).is_some());
        }
        assert_eq!(count, 119);
    }

    #[test]
    fn what_is_sealed_anyway_is_heartbeat_enough_and_none_is_wanted_where_none_is_asked_for() {
        let mut beats = Heartbeats::new(Some(EVERY));
        beats.message(PEER, Duration::ZERO);
        beats.sealed(PEER, EVERY / 2);
        assert_eq!(beats.next_timeout(), Some(EVERY / 2 + EVERY));
        let mut none = Heartbeats::new(None);
        none.message(PEER, Duration::ZERO);
        assert_eq!(none.next_timeout(), None);
    }

    #[test]
    fn so_many_conversations_are_kept_moving_and_no_more() {
        let mut beats = Heartbeats::new(Some(EVERY));
        for number in 0..=u16::try_from(CONVERSATIONS).unwrap() {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            beats.message(AgentId::from_bytes(bytes), Duration::ZERO);
        }
        assert_eq!(beats.open.len(), CONVERSATIONS);
    }
}
