//! When to say something again that nobody has answered. Knows nothing of what it is.

use core::time::Duration;

use crate::time::Timestamp;

/// The wait before the first repetition: longer than a round trip within a continent. One over a
/// longer way costs a datagram that was not needed.
const FIRST: Duration = Duration::from_millis(125);

/// The longest wait. A path that loses six of ten datagrams and changes some answers one question of
/// eight, and who is asked forgets an opening after five seconds of silence: so often it is asked
/// twenty times before, at 5 kB a second. At half of that one session of three hundred did not come
/// about within its minute.
const LONGEST: Duration = Duration::from_millis(250);

/// When the next repetition is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    at: Timestamp,
    wait: Duration,
}

impl Retry {
    /// It was said now.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { at: now + FIRST, wait: FIRST }
    }

    /// When the next is due.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether it is due; the one after it then comes later.
    pub(super) fn is_due(&mut self, now: Timestamp) -> bool {
        if now.monotonic < self.at.monotonic {
            return false;
        }
        self.wait = (self.wait * 2).min(LONGEST);
        self.at = now + self.wait;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_to_its_longest() {
        let mut now = Timestamp::default();
        let mut retry = Retry::new(now);
        let mut waits = alloc::vec::Vec::new();
        for _ in 0..5 {
            waits.push(retry.at().monotonic - now.monotonic);
            now = retry.at();
            assert!(retry.is_due(now) && !retry.is_due(now));
        }
        assert_eq!(waits, [125, 250, 250, 250, 250].map(Duration::from_millis));
    }
}
