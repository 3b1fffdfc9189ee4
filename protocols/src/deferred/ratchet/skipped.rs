//! The seeds of messages that have not come yet, while later ones of their chain have.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::MessageSeed;
use crate::deferred::stored;
use crate::secret::{Secret, SecretBytes};

/// The most seeds that one chain keeps, the newest: as many as the official client.
pub const MAX_SKIPPED: usize = 2_000;

/// Seeds by their index, which only grows. They lie one behind the other, so that a copy of the
/// session copies them at once.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct SkippedSeeds {
    indexes: Vec<u32>,
    #[serde(with = "stored::secret_bytes")]
    seeds: SecretBytes,
}

impl SkippedSeeds {
    /// Takes the seeds of `from..`, one behind the other, which are newer than all that it holds.
    /// The oldest beyond [`MAX_SKIPPED`] go.
    pub(super) fn append(&mut self, from: u32, new: SecretBytes) {
        let count = new.len() / SEED;
        let kept_new = count.min(MAX_SKIPPED);
        let kept_old = self.indexes.len().min(MAX_SKIPPED - kept_new);
        let (first_old, first_new) = (self.indexes.len() - kept_old, count - kept_new);

        let mut indexes = Vec::with_capacity(kept_old + kept_new);
        indexes.extend(self.indexes.iter().skip(first_old));
        indexes.extend((from..).take(count).skip(first_new));
        self.indexes = indexes;
        if kept_old + first_new == 0 {
            self.seeds = new;
            return;
        }
        let mut seeds = SecretBytes::new(Vec::with_capacity((kept_old + kept_new) * SEED));
        seeds.extend(self.seeds.expose().get(first_old * SEED..).unwrap_or_default());
        seeds.extend(new.expose().get(first_new * SEED..).unwrap_or_default());
        self.seeds = seeds;
    }

    /// The seed of a message that comes late, which is then gone.
    pub(super) fn take(&mut self, index: u32) -> Option<MessageSeed> {
        let place = self.indexes.binary_search(&index).ok()?;
        let seeds = self.seeds.expose_mut();
        let seed = Secret::from_slice(seeds.get(place * SEED..(place + 1) * SEED)?)?;
        seeds.copy_within((place + 1) * SEED.., place * SEED);
        let rest = seeds.len().saturating_sub(SEED);
        seeds.get_mut(rest..).unwrap_or_default().zeroize();
        self.seeds.truncate(rest);
        self.indexes.remove(place);
        Some(MessageSeed(seed))
    }

    /// How many it holds.
    pub fn len(&self) -> usize {
        self.indexes.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.indexes.is_empty()
    }

    /// Whether the parts fit together, as they do in each record that was written here.
    pub(in crate::deferred) fn is_sound(&self) -> bool {
        self.indexes.len() <= MAX_SKIPPED
            && self.seeds.len() == self.indexes.len() * SEED
            && self.indexes.is_sorted_by(|a, b| a < b)
    }
}

/// Seeds with their indexes in rising order, as a test record holds them.
impl FromIterator<(u32, Secret<32>)> for SkippedSeeds {
    fn from_iter<I: IntoIterator<Item = (u32, Secret<32>)>>(seeds: I) -> Self {
        let mut skipped = Self::default();
        for (index, seed) in seeds {
            skipped.append(index, SecretBytes::new(seed.expose().to_vec()));
        }
        skipped
    }
}

/// Bytes of a seed.
const SEED: usize = 32;

#[cfg(test)]
mod tests {
    use super::{MAX_SKIPPED, MessageSeed, SkippedSeeds};
    use crate::secret::{Secret, SecretBytes};

    fn seed(number: usize) -> MessageSeed {
        MessageSeed(Secret::from(&bytes(number)))
    }

    fn bytes(number: usize) -> [u8; 32] {
        [u8::try_from(number % 251).unwrap(); 32]
    }

    fn seeds(numbers: impl Iterator<Item = usize>) -> SecretBytes {
        SecretBytes::new(numbers.flat_map(bytes).collect())
    }

    fn holding(count: usize) -> SkippedSeeds {
        let mut skipped = SkippedSeeds::default();
        skipped.append(0, seeds(0..count));
        skipped
    }

    #[test]
    fn each_seed_is_given_out_once_in_any_order() {
        let mut skipped = holding(10);
        for index in [5, 0, 9, 3, 4, 1, 2, 8, 6, 7] {
            assert_eq!(skipped.take(index), Some(seed(usize::try_from(index).unwrap())));
            assert_eq!(skipped.take(index), None);
            assert!(skipped.is_sound());
        }
        assert!(skipped.is_empty());
    }

    #[test]
    fn two_thousand_are_kept_and_one_more_drives_the_oldest_out() {
        let mut skipped = holding(MAX_SKIPPED);
        assert_eq!(skipped.len(), MAX_SKIPPED);
        skipped.append(2_000, seeds(2_000..2_001));
        assert_eq!(skipped.len(), MAX_SKIPPED);
        assert_eq!(skipped.take(0), None);
        assert_eq!(skipped.take(1), Some(seed(1)));
        assert_eq!(skipped.take(2_000), Some(seed(2_000)));
    }

    #[test]
    fn of_more_at_once_than_it_keeps_the_newest_stay() {
        let mut skipped = holding(3);
        skipped.append(100, seeds(100..100 + MAX_SKIPPED + 5));
        assert_eq!(skipped.len(), MAX_SKIPPED);
        assert_eq!((skipped.take(2), skipped.take(104)), (None, None));
        assert_eq!(skipped.take(105), Some(seed(105)));
    }
}
