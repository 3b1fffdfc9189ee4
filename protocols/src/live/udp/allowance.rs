//! How often something may be done: so many times at once, and then so many a second. Knows nothing
//! of what it is.

use core::time::Duration;

use crate::time::Timestamp;

/// What is left of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    interval: Duration,
    at_once: u32,
    /// When all that was used is earned back.
    whole_at: Duration,
}

impl Allowance {
    pub(super) fn new(at_once: u32, per_second: u32) -> Self {
        let interval = Duration::from_secs(1).checked_div(per_second).unwrap_or(Duration::MAX);
        Self { interval, at_once, whole_at: Duration::ZERO }
    }

    /// Uses one, if there is one.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        let whole_at = self.whole_at.max(now.monotonic);
        let used = whole_at - now.monotonic;
        if used > self.interval * self.at_once.saturating_sub(1) {
            return false;
        }
        self.whole_at = whole_at + self.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_then_so_many_a_second() {
        let start = Timestamp { monotonic: Duration::from_secs(5), ..Default::default() };
        let mut allowance = Allowance::new(4, 2);
        assert_eq!((0..9).filter(|_| allowance.take(start)).count(), 4);
        let mut taken = 0;
        for tenth in 1..=100 {
            taken += u32::from(allowance.take(start + Duration::from_millis(100 * tenth)));
        }
        assert_eq!(taken, 20);
        assert_eq!((0..9).filter(|_| allowance.take(start + Duration::from_secs(99))).count(), 4);
    }
}
