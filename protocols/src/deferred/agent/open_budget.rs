//! How often a packet may fail to open before the session is given up: its MAC has eight bytes.

use core::time::Duration;

use crate::time::Timestamp;

/// Failures that one session may have within [`WINDOW`]. At this rate a forger needs on average two
/// billion years.
pub const MAX_FAILURES: u32 = 1_000;

/// Over which they are counted.
pub const WINDOW: Duration = Duration::from_secs(60 * 60);

/// The failures of one session. It lives in memory alone: what does not open changes no record.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OpenBudget {
    since: Timestamp,
    failures: u32,
}

impl OpenBudget {
    /// Notes a failure. False once there were too many: the session is then to be archived.
    #[must_use]
    pub fn allows_another(&mut self, now: Timestamp) -> bool {
        if now.monotonic.saturating_sub(self.since.monotonic) >= WINDOW {
            *self = Self { since: now, failures: 0 };
        }
        self.failures = self.failures.saturating_add(1);
        self.failures <= MAX_FAILURES
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_FAILURES, OpenBudget, WINDOW};
    use crate::time::Timestamp;

    #[test]
    fn a_thousand_failures_an_hour_are_allowed_and_one_more_is_not() {
        let mut budget = OpenBudget::default();
        let now = Timestamp::default();
        assert!((0..MAX_FAILURES).all(|_| budget.allows_another(now)));
        assert!(!budget.allows_another(now));
        assert!(budget.allows_another(now + WINDOW));
    }
}
