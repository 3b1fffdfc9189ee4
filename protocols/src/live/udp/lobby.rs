//! Those who have not proved themselves: found by index, by the hash of their message 1, and by
//! their name at the caps. Owns that each is in all three or in none, and which first messages have
//! led to a session and are answered no more.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::super::admission::Applicant;
use super::caps::Caps;
use super::responder::Answering;
use crate::random::Random;
use crate::time::Timestamp;

/// How long a message 1 that has served is remembered: a replay costs a key exchange only after it.
const REMEMBERED: Duration = Duration::from_secs(120);

/// How many are remembered: a minute of sixty sessions a second, in 300 KB.
const MAX_REMEMBERED: usize = 4_096;

/// Those who have not proved themselves.
#[derive(Debug)]
pub(super) struct Lobby {
    caps: Box<dyn Caps>,
    by_index: BTreeMap<u32, Answering>,
    by_message: BTreeMap<[u8; 32], u32>,
    by_name: BTreeMap<Applicant, u32>,
    served: BTreeSet<[u8; 32]>,
    served_when: VecDeque<(Timestamp, [u8; 32])>,
}

impl Lobby {
    pub(super) fn new(caps: Box<dyn Caps>) -> Self {
        Self {
            caps,
            by_index: BTreeMap::new(),
            by_message: BTreeMap::new(),
            by_name: BTreeMap::new(),
            served: BTreeSet::new(),
            served_when: VecDeque::new(),
        }
    }

    /// Somebody came: its name, and the index of one that has to go for it.
    pub(super) fn admit(
        &mut self,
        from: IpAddr,
        random: &mut dyn Random,
    ) -> (Applicant, Option<u32>) {
        let admitted = self.caps.admit(from, random);
        (admitted.applicant, admitted.evicted.and_then(|name| self.index(name)))
    }

    /// Lets one in.
    pub(super) fn enter(&mut self, index: u32, answering: Answering) {
        self.by_message.insert(answering.message1, index);
        self.by_name.insert(answering.applicant, index);
        self.by_index.insert(index, answering);
    }

    /// This one holds more or less now; the indices of those that have to go for it.
    pub(super) fn weigh(&mut self, index: u32, random: &mut dyn Random) -> Vec<u32> {
        let Some(answering) = self.by_index.get(&index) else { return Vec::new() };
        let evicted = self.caps.buffered(answering.applicant, answering.held(), random);
        evicted.into_iter().filter_map(|name| self.index(name)).collect()
    }

    /// The index of one that has to go for somebody who came elsewhere.
    pub(super) fn turned_out(&mut self) -> Option<u32> {
        while let Some(name) = self.caps.turned_out() {
            if let Some(index) = self.index(name) {
                return Some(index);
            }
        }
        None
    }

    fn index(&self, name: Applicant) -> Option<u32> {
        self.by_name.get(&name).copied()
    }

    pub(super) fn get(&mut self, index: u32) -> Option<&mut Answering> {
        self.by_index.get_mut(&index)
    }

    /// Who said this message 1.
    pub(super) fn who_said(&self, message1: &[u8; 32]) -> Option<&Answering> {
        self.by_index.get(self.by_message.get(message1)?)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_index.len()
    }

    /// This one is gone.
    pub(super) fn leave(&mut self, index: u32) -> Option<Answering> {
        let answering = self.by_index.remove(&index)?;
        self.by_message.remove(&answering.message1);
        self.by_name.remove(&answering.applicant);
        self.caps.leave(answering.applicant);
        Some(answering)
    }

    /// This message 1 led to a session.
    pub(super) fn remember(&mut self, now: Timestamp, message1: [u8; 32]) {
        let is_old = |(at, _): &(Timestamp, _)| (*at + REMEMBERED).monotonic <= now.monotonic;
        while self.served_when.len() >= MAX_REMEMBERED
            || self.served_when.front().is_some_and(is_old)
        {
            let Some((_, oldest)) = self.served_when.pop_front() else { break };
            self.served.remove(&oldest);
        }
        if self.served.insert(message1) {
            self.served_when.push_back((now, message1));
        }
    }

    /// Whether this message 1 led to a session not long ago.
    pub(super) fn has_served(&self, message1: &[u8; 32]) -> bool {
        self.served.contains(message1)
    }
}
