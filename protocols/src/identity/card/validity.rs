//! From when until when a card counts.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{CLOCK_TOLERANCE, WallTime};

/// Two points in time, both included.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Validity {
    /// The first moment.
    pub not_before: WallTime,
    /// The last moment.
    pub not_after: WallTime,
}

impl Validity {
    /// The longest validity of a card. What a peer cannot learn of (a revocation, new keys) ends by
    /// itself after this; a root kept off line must be fetched no more often than this.
    pub const MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// The time that starts at `not_before` and lasts `span`.
    pub fn starting(not_before: WallTime, span: Duration) -> Self {
        Self { not_before, not_after: not_before + span }
    }

    /// Whether `now` is before the first moment, with the tolerance that clocks are given.
    pub fn is_early(&self, now: WallTime) -> bool {
        now + CLOCK_TOLERANCE < self.not_before
    }

    /// Whether `now` is after the last moment, with the tolerance that clocks are given.
    pub fn is_over(&self, now: WallTime) -> bool {
        now > self.not_after + CLOCK_TOLERANCE
    }
}
