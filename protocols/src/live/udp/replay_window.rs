//! Which counters have come. Knows nothing of keys: a counter is taken once what it sealed has
//! opened, and asked for before.

/// How far behind the highest counter one may come: at 1,200 bytes a datagram 2.4 MB, more than any
/// path has under way and reorders.
pub const WINDOW: u64 = 2048;

/// The counters of the window that have come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplayWindow {
    blocks: [u64; BLOCKS],
    /// One past the highest that has come.
    end: u64,
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self { blocks: [0; BLOCKS], end: 0 }
    }
}

impl ReplayWindow {
    /// Whether this counter may still come.
    pub fn admits(&self, counter: u64) -> bool {
        if counter >= self.end {
            return true;
        }
        self.end - counter <= WINDOW && self.block(counter) & bit(counter) == 0
    }

    /// Whether this counter would be the highest.
    pub fn is_highest(&self, counter: u64) -> bool {
        counter >= self.end
    }

    /// It has come.
    pub fn take(&mut self, counter: u64) {
        if counter >= self.end {
            let (last, now) = (self.end.saturating_sub(1) / 64, counter / 64);
            for passed in (last + 1..=now).rev().take(BLOCKS) {
                self.change(passed * 64, |_| 0);
            }
            self.end = counter.saturating_add(1);
        }
        self.change(counter, |block| block | bit(counter));
    }

    fn block(&self, counter: u64) -> u64 {
        self.blocks.get(place(counter)).copied().unwrap_or(u64::MAX)
    }

    fn change(&mut self, counter: u64, change: impl FnOnce(u64) -> u64) {
        if let Some(block) = self.blocks.get_mut(place(counter)) {
            *block = change(*block);
        }
    }
}

/// One block more than the window has bits for: the one into which it grows is cleared whole.
const BLOCKS: usize = 2048 / 64 + 1;

const _: () = assert!(WINDOW == (BLOCKS as u64 - 1) * 64);

fn place(counter: u64) -> usize {
    usize::try_from((counter / 64) % BLOCKS as u64).unwrap_or(0)
}

const fn bit(counter: u64) -> u64 {
    1 << (counter % 64)
}

#[cfg(all(feature = "aws-lc-rs", feature = "pure"))]
#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;
    use crate::live::fixture::Seeded;
    use crate::random::Random;

    #[test]
    fn the_window_holds_at_its_bound_and_not_one_past_it() {
        for highest in [2_047, 2_048, 5_000, 5_055, 5_056, u64::MAX - 1] {
            let mut window = ReplayWindow::default();
            window.take(highest);
            assert!(!window.admits(highest));
            assert!(window.admits(highest - (WINDOW - 1)), "{highest}");
            assert!(highest < WINDOW || !window.admits(highest - WINDOW), "{highest}");
        }
    }

    #[test]
    fn each_counter_is_admitted_once_in_whatever_order() {
        let mut random = Seeded::new(3);
        let (mut window, mut came, mut highest) = (ReplayWindow::default(), BTreeSet::new(), 0);
        for _ in 0..200_000 {
            let random: &mut dyn Random = &mut random;
            let ahead = if random.below(500) == 0 { random.below(5_000) } else { random.below(80) };
            let counter =
                (highest + u64::from(ahead)).saturating_sub(u64::from(random.below(2_300)));
            let is_new = !came.contains(&counter);
            let is_near = came.is_empty() || counter + WINDOW > highest;
            assert_eq!(window.admits(counter), is_new && is_near, "{counter} below {highest}");
            if window.admits(counter) {
                window.take(counter);
                came.insert(counter);
                highest = highest.max(counter);
            }
        }
        assert!(came.len() > 10_000);
    }
}
