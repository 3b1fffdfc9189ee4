//! How long a peer may take until it is accepted. Knows no clock and closes nothing.

use core::time::Duration;

use crate::time::Timestamp;

/// The longest time without a new sign of life from a peer that is not yet accepted: a stranger
/// holds memory here, and a handshake takes two round trips.
pub const MAX_SILENCE: Duration = Duration::from_secs(5);

/// The longest time until a peer is accepted, however lively it is.
pub const MAX_OPENING: Duration = Duration::from_secs(60);

/// What is left of both.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    silence_ends: Timestamp,
    opening_ends: Timestamp,
}

impl Patience {
    /// All of it.
    pub fn new(now: Timestamp) -> Self {
        Self { silence_ends: now + MAX_SILENCE, opening_ends: now + MAX_OPENING }
    }

    /// The peer gave a sign of life that nobody else could give.
    pub fn renew(&mut self, now: Timestamp) {
        self.silence_ends = now + MAX_SILENCE;
    }

    /// When it ends.
    pub fn ends(&self) -> Timestamp {
        let silence_first = self.silence_ends.monotonic <= self.opening_ends.monotonic;
        if silence_first { self.silence_ends } else { self.opening_ends }
    }

    /// When it ends however lively the peer is.
    pub fn last(&self) -> Timestamp {
        self.opening_ends
    }

    /// Whether it has ended.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.monotonic >= self.ends().monotonic
    }
}
