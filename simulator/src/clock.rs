//! The clocks of one machine: a monotonic one that starts with each process, and a wall clock that
//! is wrong by as much as the tolerance forgives.

use std::time::Duration;

use meshwork_protocols::time::{CLOCK_TOLERANCE, Timestamp, WallTime};

use crate::seeded::Seeded;

/// Both clocks of one machine.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    process_began: Duration,
    /// How far the wall clock is ahead of one that is slow by [`MAX_SKEW`].
    ahead: Duration,
}

impl Clock {
    /// Clocks whose wall time is wrong by a span from `random`.
    pub fn new(random: &mut Seeded) -> Self {
        Self { process_began: Duration::ZERO, ahead: random.span(Duration::ZERO, MAX_SKEW * 2) }
    }

    /// What the machine reads at the virtual time `now`.
    pub fn read(&self, now: Duration) -> Timestamp {
        Timestamp {
            monotonic: now.saturating_sub(self.process_began),
            wall: (EPOCH + now + self.ahead).saturating_sub(MAX_SKEW),
        }
    }

    /// When the monotonic clock will read `monotonic`.
    pub fn when(&self, monotonic: Duration) -> Duration {
        self.process_began.saturating_add(monotonic)
    }

    /// A process starts: the monotonic clock reads zero.
    pub const fn restart(&mut self, now: Duration) {
        self.process_began = now;
    }

    /// Somebody sets the wall clock, forward or back.
    pub fn jump(&mut self, random: &mut Seeded) {
        self.ahead = random.span(Duration::ZERO, MAX_SKEW * 2);
    }
}

/// The true time at which each run begins: the start of 2026.
pub const EPOCH: WallTime = WallTime::from_secs(1_767_225_600);

/// How wrong a wall clock may be, so that two of them stay within the tolerance of each other.
const MAX_SKEW: Duration =
    CLOCK_TOLERANCE.checked_div(2).expect("two is not zero").saturating_sub(Duration::from_secs(5));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_starts_with_the_process_and_does_not_jump() {
        let mut random = Seeded::new(1);
        let mut clock = Clock::new(&mut random);
        let second = Duration::from_secs;
        clock.restart(second(10));
        clock.jump(&mut random);
        assert_eq!(clock.read(second(12)).monotonic, second(2));
        assert_eq!(clock.when(second(2)), second(12));
    }

    #[test]
    fn two_wall_clocks_stay_within_the_tolerance_of_each_other() {
        let mut random = Seeded::new(2);
        let mut clock = Clock::new(&mut random);
        let mut reads = Vec::new();
        for _ in 0..1_000 {
            clock.jump(&mut random);
            reads.push(clock.read(Duration::from_secs(1_000)).wall);
        }
        let (first, last) = (*reads.iter().min().unwrap(), *reads.iter().max().unwrap());
        assert!(last.saturating_since(first) < CLOCK_TOLERANCE);
        assert!(last.saturating_since(first) > CLOCK_TOLERANCE.mul_f64(0.9));
    }
}
