//! How many agents that are not known may have a session at once.
//!
//! Each session costs memory, and no stranger is owed one. Knows neither peers nor paths: they are
//! counted by who asks.

/// The most sessions with agents that are not known, where nothing is offered to them: enough for
/// those who introduce themselves at once, and less than 8 MiB of memory.
pub(crate) const STRANGERS: usize = 256;

/// The bound, and whether it was reached when somebody last counted.
#[derive(Debug)]
pub(crate) struct Strangers {
    most: usize,
    full: bool,
}

impl Strangers {
    /// From now on so many may be, and those whom an agent that offers nothing would let in.
    pub(crate) fn welcome(&mut self, most: usize) {
        *self = Self { most: most.max(STRANGERS), full: false };
    }

    /// Whether one more may be, where sessions with `connected` agents stand. `count` says how many
    /// of these are not known; it looks at each, and so is asked only where it matters.
    pub(crate) fn admit(&mut self, connected: usize, count: impl FnOnce() -> usize) -> bool {
        if connected < self.most {
            return true;
        }
        self.full = self.full || count() >= self.most;
        !self.full
    }

    /// A session ended, or somebody became known: there may be room again.
    pub(crate) fn fewer(&mut self) {
        self.full = false;
    }
}

impl Default for Strangers {
    fn default() -> Self {
        Self { most: STRANGERS, full: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_may_be_are_let_in_and_not_one_more_until_one_leaves() {
        let mut strangers = Strangers::default();
        strangers.welcome(1_000);
        assert!(strangers.admit(999, || unreachable!("there is room whoever they are")));
        assert!(strangers.admit(1_001, || 999));
        assert!(!strangers.admit(1_001, || 1_000));
        assert!(!strangers.admit(1_001, || unreachable!("nobody left since")));
        strangers.fewer();
        assert!(strangers.admit(1_001, || 999));
    }

    #[test]
    fn a_lower_bound_than_everybody_has_is_not_taken() {
        let mut strangers = Strangers::default();
        strangers.welcome(1);
        assert!(strangers.admit(STRANGERS, || STRANGERS - 1));
        assert!(!strangers.admit(STRANGERS, || STRANGERS));
    }
}
