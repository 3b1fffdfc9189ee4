//! When something is said again that may have been lost.

use core::time::Duration;

use crate::time::Timestamp;

/// The first pause: longer than a round trip over most of the earth.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// How long the same thing is not said again because the other end repeats itself: its packets may
/// have been doubled on the way, and ours need not be.
const ECHO: Duration = Duration::from_millis(50);

/// How often something was said, and when it is said next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resend {
    said: Timestamp,
    pause: Duration,
}

impl Resend {
    /// It was said for the first time.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { said: now, pause: FIRST_PAUSE }
    }

    /// It was said again.
    pub(super) fn said_again(&mut self, now: Timestamp) {
        self.said = now;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// When it is to be said again by itself.
    pub(super) fn due(&self) -> Timestamp {
        self.said + self.pause
    }

    /// Whether it may be said again because the other end asks.
    pub(super) fn may_echo(&self, now: Timestamp) -> bool {
        now.monotonic >= self.said.monotonic + ECHO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp { monotonic: Duration::from_millis(millis), ..Timestamp::default() }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut resend = Resend::new(at(0));
        let mut pauses = alloc::vec::Vec::new();
        for _ in 0..6 {
            let due = resend.due();
            pauses.push((due.monotonic - resend.said.monotonic).as_millis());
            resend.said_again(due);
        }
        assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 4_000]);
    }

    #[test]
    fn an_echo_waits_a_moment() {
        let resend = Resend::new(at(100));
        assert!(!resend.may_echo(at(149)));
        assert!(resend.may_echo(at(150)));
    }
}
