//! When a new session is begun because the peer's mail opens in none.
//!
//! A value for each peer. Only mail from a known peer that no session opens counts; knows nothing of
//! who is known.

use alloc::vec::Vec;
use core::time::Duration;

use crate::time::Timestamp;

/// So many packets that do not open are enough.
pub const FAILURES: usize = 3;

/// Or one that has waited so long: what is missing for it would have come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The least time between two repairs with one peer. It doubles with each that brings nothing.
pub const FIRST_PAUSE: Duration = Duration::from_secs(10 * 60);

/// The longest pause.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// The most hashes that one repair names: the peer seals so many messages anew.
pub const MAX_HASHES: usize = 64;

/// What did not open of one peer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Repair {
    hashes: Vec<[u8; 32]>,
    since: Option<Timestamp>,
    not_before: Option<Timestamp>,
    pause: Option<Duration>,
}

impl Repair {
    /// Notes a packet by its SHA-256. One that comes again counts once.
    pub fn failed(&mut self, hash: [u8; 32], now: Timestamp) {
        if !self.hashes.contains(&hash) && self.hashes.len() < MAX_HASHES {
            self.hashes.push(hash);
        }
        self.since.get_or_insert(now);
    }

    /// Notes that a packet opened: the sessions fit again, and what did not open is named no more
    /// unless it comes again.
    pub fn opened(&mut self) {
        *self = Self::default();
    }

    /// When a repair is due. None while there is nothing to repair.
    pub fn due_at(&self) -> Option<Timestamp> {
        let since = self.since?;
        let ripe = if self.hashes.len() >= FAILURES { since } else { since + PATIENCE };
        let allowed = self.not_before.unwrap_or(ripe);
        Some(if allowed.monotonic > ripe.monotonic { allowed } else { ripe })
    }

    /// Begins a repair, and gives the hashes that it names.
    pub fn begin(&mut self, now: Timestamp) -> Vec<[u8; 32]> {
        let pause = self.pause.map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        self.not_before = Some(now + pause);
        self.since = None;
        core::mem::take(&mut self.hashes)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{FAILURES, FIRST_PAUSE, LONGEST_PAUSE, MAX_HASHES, PATIENCE, Repair};
    use crate::time::Timestamp;

    fn at(secs: u64) -> Timestamp {
        Timestamp::default() + Duration::from_secs(secs)
    }

    fn hash(number: usize) -> [u8; 32] {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        hash
    }

    #[test]
    fn three_failures_are_enough_and_fewer_wait_a_minute() {
        let mut repair = Repair::default();
        assert_eq!(repair.due_at(), None);
        for number in 0..FAILURES - 1 {
            repair.failed(hash(number), at(5));
            repair.failed(hash(number), at(6));
            assert_eq!(repair.due_at(), Some(at(5) + PATIENCE));
        }
        repair.failed(hash(FAILURES), at(7));
        assert_eq!(repair.due_at(), Some(at(5)));
    }

    #[test]
    fn each_repair_that_brings_nothing_doubles_the_pause_up_to_a_day() {
        let mut repair = Repair::default();
        let mut now = at(0);
        let mut expected = FIRST_PAUSE;
        for _ in 0..12 {
            for number in 0..FAILURES {
                repair.failed(hash(number), now);
            }
            assert_eq!(repair.begin(now).len(), FAILURES);
            assert_eq!(repair.due_at(), None);
            for number in 0..FAILURES {
                repair.failed(hash(number), now);
            }
            assert_eq!(repair.due_at(), Some(now + expected));
            now = now + expected;
            expected = (expected * 2).min(LONGEST_PAUSE);
        }
        repair.opened();
        assert_eq!(repair, Repair::default());
    }

    #[test]
    fn the_hashes_are_kept_up_to_the_bound_and_no_further() {
        let mut repair = Repair::default();
        for number in 0..=MAX_HASHES {
            repair.failed(hash(number), at(0));
        }
        assert_eq!(repair.begin(at(0)).len(), MAX_HASHES);
    }
}
