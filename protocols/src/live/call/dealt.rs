//! Which calls a callee has dealt with: all below a number, and ranges above it.

use alloc::collections::BTreeMap;

/// The most ranges that are kept: one between any two calls that are under way, and as many again.
/// Past it the lowest gap counts as dealt with, so that a call can be lost and never run twice.
const MAX_RANGES: usize = 1_024;

/// A set of numbers that grows and forgets nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Dealt {
    /// All below.
    below: u64,
    /// Each from its start up to and without its end; apart from each other and from `below`.
    ranges: BTreeMap<u64, u64>,
}

impl Dealt {
    pub(super) fn contains(&self, id: u64) -> bool {
        let range = self.ranges.range(..=id).next_back();
        id < self.below || range.is_some_and(|(_, end)| id < *end)
    }

    pub(super) fn insert(&mut self, id: u64) {
        if self.contains(id) {
            return;
        }
        let mut end = id.saturating_add(1);
        if let Some(next) = self.ranges.remove(&end) {
            end = next;
        }
        match self.ranges.range_mut(..id).next_back() {
            Some((_, before)) if *before == id => *before = end,
            _ => {
                self.ranges.insert(id, end);
            }
        }
        self.tidy();
        if self.ranges.len() > MAX_RANGES
            && let Some((_, end)) = self.ranges.pop_first()
        {
            self.below = end;
            self.tidy();
        }
    }

    /// All below this number are dealt with.
    pub(super) fn raise(&mut self, below: u64) {
        self.below = self.below.max(below);
        self.tidy();
    }

    /// Takes ranges that `below` has reached into it.
    fn tidy(&mut self) {
        while let Some(first) = self.ranges.first_entry()
            && *first.key() <= self.below
        {
            self.below = self.below.max(first.remove());
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::{Dealt, MAX_RANGES};

    /// A cheap sequence that is the same each time.
    fn numbers(seed: u64, below: u64) -> impl Iterator<Item = u64> {
        let mut state = seed;
        core::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        })
    }

    #[test]
    fn it_holds_what_a_plain_set_holds() {
        for seed in 0..50 {
            let (mut dealt, mut plain, mut below) = (Dealt::default(), BTreeSet::new(), 0);
            for (step, id) in numbers(seed, 200).take(300).enumerate() {
                if step % 10 == 9 {
                    below = below.max(id / 2);
                    dealt.raise(below);
                } else {
                    dealt.insert(id);
                    plain.insert(id);
                }
                for id in 0..201 {
                    let expected = id < below || plain.contains(&id);
                    assert_eq!(dealt.contains(id), expected, "seed {seed}, step {step}, id {id}");
                }
            }
        }
    }

    #[test]
    fn what_comes_in_order_takes_one_number() {
        let mut dealt = Dealt::default();
        (0..10_000).for_each(|id| dealt.insert(id));
        assert_eq!((dealt.below, dealt.ranges.len()), (10_000, 0));
    }

    #[test]
    fn past_the_bound_the_lowest_gap_counts_as_dealt_with() {
        let mut dealt = Dealt::default();
        let odd = |number: usize| number as u64 * 2 + 1;
        (0..MAX_RANGES).for_each(|number| dealt.insert(odd(number)));
        assert!(!dealt.contains(0) && dealt.contains(1) && !dealt.contains(2));
        assert_eq!(dealt.ranges.len(), MAX_RANGES);
        dealt.insert(odd(MAX_RANGES));
        assert!(dealt.contains(0) && !dealt.contains(2));
        assert_eq!(dealt.ranges.len(), MAX_RANGES);
    }

    #[test]
    fn the_largest_number_is_one_too() {
        let mut dealt = Dealt::default();
        dealt.insert(u64::MAX - 1);
        dealt.insert(u64::MAX);
        assert!(dealt.contains(u64::MAX - 1) && !dealt.contains(u64::MAX - 2));
    }
}
