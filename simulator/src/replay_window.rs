//! Which datagrams of a session came already: the last 2,048 counters. Each datagram counts once.

/// The counters that came.
#[derive(Clone, Debug)]
pub struct ReplayWindow {
    /// One past the highest counter that came.
    next: u64,
    /// The bit of counter `c` is bit `c % 64` of word `c / 64 % WORDS`.
    bits: [u64; WORDS],
}

impl ReplayWindow {
    /// Nothing came.
    pub const fn new() -> Self {
        Self { next: 0, bits: [0; WORDS] }
    }

    /// Whether this counter is new. To be asked before its datagram is opened.
    pub fn is_new(&self, counter: u64) -> bool {
        if counter >= self.next {
            return true;
        }
        self.next - counter <= WIDTH && self.word(counter) & bit(counter) == 0
    }

    /// Its datagram was authentic.
    pub fn mark(&mut self, counter: u64) {
        if counter >= self.next {
            let skipped = (counter - self.next).min(WIDTH);
            for passed in counter - skipped..=counter {
                *self.word_mut(passed) &= !bit(passed);
            }
            self.next = counter + 1;
        }
        *self.word_mut(counter) |= bit(counter);
    }

    fn word(&self, counter: u64) -> u64 {
        self.bits.get(place(counter)).copied().unwrap_or(0)
    }

    #[allow(clippy::indexing_slicing, reason = "a place is below the number of words")]
    fn word_mut(&mut self, counter: u64) -> &mut u64 {
        &mut self.bits[place(counter)]
    }
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self::new()
    }
}

fn place(counter: u64) -> usize {
    usize::try_from(counter / 64).unwrap_or(usize::MAX) % WORDS
}

const fn bit(counter: u64) -> u64 {
    1 << (counter % 64)
}

const WORDS: usize = 32;

/// How many counters are remembered.
const WIDTH: u64 = WORDS as u64 * 64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::seeded::Seeded;

    #[test]
    fn each_counter_is_new_once_and_none_behind_the_window_is() {
        let (mut window, mut came) = (ReplayWindow::new(), BTreeSet::new());
        let mut random = Seeded::new(1);
        let mut highest = 0;
        for _ in 0..20_000 {
            let ahead = if random.chance(5) { random.below(5_000) } else { random.below(40) };
            let counter = (highest + ahead).saturating_sub(random.below(2_100));
            let expected = !came.contains(&counter) && counter + WIDTH > highest;
            assert_eq!(window.is_new(counter), expected, "{counter} of {highest}");
            if expected {
                window.mark(counter);
                came.insert(counter);
                highest = highest.max(counter);
            }
        }
    }

    #[test]
    fn the_window_holds_at_its_width_and_not_one_past() {
        let mut window = ReplayWindow::new();
        window.mark(WIDTH);
        assert!(window.is_new(1) && !window.is_new(0));
    }
}
