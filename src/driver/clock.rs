//! The one place that reads the clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use meshwork_protocols::time::{Timestamp, WallTime};

/// Both clocks of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// Monotonic time starts now.
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let wall = WallTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        Timestamp { monotonic: self.start.elapsed(), wall }
    }

    /// The moment at which a timer for `at` runs out.
    pub(crate) fn instant(&self, at: Timestamp) -> tokio::time::Instant {
        let far = Duration::from_secs(24 * 60 * 60);
        let wait = at.monotonic.saturating_sub(self.start.elapsed()).min(far);
        tokio::time::Instant::now() + wait
    }
}
