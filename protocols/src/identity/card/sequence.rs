//! The number of a card.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::time::WallTime;

/// The number of a card among those of its agent. A higher one replaces.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Sequence(u64);

impl Sequence {
    /// The number with this value.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// Its value.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The number of the card after the one numbered `last`: the Unix time in seconds, so that an
    /// agent whose state was lost still finds a higher one, or `last` and one if that is more.
    pub fn next(last: Option<Self>, now: WallTime) -> Self {
        let after = last.map_or(0, |last| last.0.saturating_add(1));
        Self(after.max(now.as_secs()))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Sequence;
    use crate::time::WallTime;

    #[test]
    fn the_next_number_is_the_time_unless_that_is_not_higher() {
        let now = WallTime::from_secs(1_000);
        for (last, next) in [(None, 1_000), (Some(998), 1_000), (Some(999), 1_000)] {
            assert_eq!(Sequence::next(last.map(Sequence::new), now).value(), next);
        }
        for (last, next) in [(1_000, 1_001), (5_000, 5_001), (u64::MAX, u64::MAX)] {
            assert_eq!(Sequence::next(Some(Sequence::new(last)), now).value(), next);
        }
    }
}
