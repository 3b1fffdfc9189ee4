//! Who waits for a session with which peer. Knows neither paths nor searches: it is told what
//! opened and what was not found.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use meshwork_protocols::identity::{AgentId, Transport};

use crate::command::Ticket;
use crate::needs::Needs;

/// The most requests that wait: each stands for a caller that waits too, and takes a few bytes.
/// Beyond it a caller is told `Busy`.
const REACHES: usize = 4_096;

/// Requests that wait for a session.
#[derive(Debug, Default)]
pub(crate) struct Reaches {
    waiting: BTreeMap<(AgentId, Needs), Vec<Ticket>>,
    count: usize,
}

impl Reaches {
    /// Whether one more may wait.
    pub(crate) const fn has_room(&self) -> bool {
        self.count < REACHES
    }

    /// One more waits.
    pub(crate) fn wait(&mut self, peer: AgentId, needs: Needs, ticket: Ticket) {
        self.waiting.entry((peer, needs)).or_default().push(ticket);
        self.count += 1;
    }

    /// Whether somebody waits for such a session with this peer.
    pub(crate) fn want(&self, peer: &AgentId, needs: Needs) -> bool {
        self.waiting.contains_key(&(*peer, needs))
    }

    /// A session over `transport` stands: those that it will do for, who wait no more.
    pub(crate) fn take_met(&mut self, peer: AgentId, transport: Transport) -> Vec<Ticket> {
        let met = Needs::ALL.into_iter().filter(|needs| needs.allow(transport));
        met.flat_map(|needs| self.take(peer, needs)).collect()
    }

    /// Those that wait for such a session with this peer, who wait no more.
    pub(crate) fn take(&mut self, peer: AgentId, needs: Needs) -> Vec<Ticket> {
        let taken = self.waiting.remove(&(peer, needs)).unwrap_or_default();
        self.count -= taken.len();
        taken
    }

    /// This one waits no more.
    pub(crate) fn withdraw(&mut self, ticket: Ticket) {
        for tickets in self.waiting.values_mut() {
            let before = tickets.len();
            tickets.retain(|waiting| *waiting != ticket);
            self.count -= before - tickets.len();
        }
        self.waiting.retain(|_, tickets| !tickets.is_empty());
    }

    /// All that wait for this peer, who wait no more.
    pub(crate) fn take_all(&mut self, peer: AgentId) -> Vec<Ticket> {
        Needs::ALL.into_iter().flat_map(|needs| self.take(peer, needs)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: AgentId = AgentId::from_bytes([2; 32]);
    const OTHER: AgentId = AgentId::from_bytes([3; 32]);

    #[test]
    fn a_session_answers_those_whom_it_will_do_for_and_once() {
        let mut reaches = Reaches::default();
        let needs =
            [Needs::Any, Needs::Bulk, Needs::Via(Transport::Udp), Needs::Via(Transport::Tcp)];
        for (number, needs) in (0..).zip(needs) {
            reaches.wait(PEER, needs, Ticket(number));
        }
        reaches.wait(OTHER, Needs::Any, Ticket(9));
        assert_eq!(reaches.take_met(PEER, Transport::Udp), [Ticket(2), Ticket(0)]);
        assert_eq!(reaches.take_met(PEER, Transport::Udp), []);
        assert!(reaches.want(&PEER, Needs::Bulk) && !reaches.want(&PEER, Needs::Any));
        assert_eq!(reaches.take(PEER, Needs::Via(Transport::Tcp)), [Ticket(3)]);
        reaches.wait(PEER, Needs::Bulk, Ticket(4));
        reaches.withdraw(Ticket(4));
        assert_eq!(reaches.take_all(PEER), [Ticket(1)]);
        assert_eq!(reaches.take_all(OTHER), [Ticket(9)]);
    }

    #[test]
    fn the_bound_holds_at_and_one_past() {
        let mut reaches = Reaches::default();
        for number in 0..REACHES as u64 {
            assert!(reaches.has_room());
            reaches.wait(PEER, Needs::Any, Ticket(number));
        }
        assert!(!reaches.has_room());
        assert_eq!(reaches.take_all(PEER).len(), REACHES);
        assert!(reaches.has_room());
    }
}
