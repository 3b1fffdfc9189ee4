//! The keys of messages that have not come yet, while later ones of their chain have.
//!
//! They lie in runs of 32, found by their index. A copy of the whole is one reference, and taking a
//! key out copies one run, so that a late message costs the same however many are missing.

use alloc::sync::Arc;
use alloc::vec::Vec;

use zeroize::Zeroize;

use crate::secret::Secret;

/// Keys by their index.
#[derive(Clone, Debug, Default)]
pub(super) struct SkippedKeys {
    /// In rising order; none is empty.
    runs: Arc<Vec<Arc<Run>>>,
}

impl SkippedKeys {
    /// Takes keys of rising indexes, above all that it holds.
    pub(super) fn adding(&mut self) -> Adding<'_> {
        let runs = Arc::make_mut(&mut self.runs);
        let last = runs.pop().map(Arc::unwrap_or_clone);
        Adding { runs, last }
    }

    /// The key of `index`, which is then gone.
    pub(super) fn take(&mut self, index: u32) -> Option<Secret<32>> {
        let place = self.runs.binary_search_by_key(&number(index), |run| run.number).ok()?;
        if !self.runs.get(place)?.holds(index) {
            return None;
        }
        let runs = Arc::make_mut(&mut self.runs);
        let run = Arc::make_mut(runs.get_mut(place)?);
        let key = run.take(index);
        if run.held == 0 {
            runs.remove(place);
        }
        key
    }

    /// Lets go of every key below `floor`.
    pub(super) fn drop_below(&mut self, floor: u32) {
        let Some(first) = self.runs.first() else { return };
        if first.lowest() >= floor {
            return;
        }
        let runs = Arc::make_mut(&mut self.runs);
        runs.retain(|run| run.number >= number(floor));
        if let Some(run) = runs.first_mut().filter(|run| run.number == number(floor)) {
            let run = Arc::make_mut(run);
            for index in number(floor) * RUN..floor {
                drop(run.take(index));
            }
        }
        runs.retain(|run| run.held != 0);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.runs.iter().map(|run| run.held.count_ones() as usize).sum()
    }

    /// Each index and its key, in rising order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &[u8; 32])> {
        self.runs.iter().flat_map(|run| run.iter())
    }
}

/// Keys that are being added. The run that fills up is not shared yet, so that a key costs a copy
/// and no look at who else holds the run.
pub(super) struct Adding<'a> {
    runs: &'a mut Vec<Arc<Run>>,
    last: Option<Run>,
}

impl Adding<'_> {
    pub(super) fn push(&mut self, index: u32, key: &[u8; 32]) {
        if self.last.as_ref().is_none_or(|run| run.number != number(index)) {
            self.runs.extend(self.last.replace(Run::new(number(index))).map(Arc::new));
        }
        if let Some(run) = &mut self.last {
            run.put(index, key);
        }
    }
}

impl Drop for Adding<'_> {
    fn drop(&mut self) {
        self.runs.extend(self.last.take().map(Arc::new));
    }
}

/// Keys of 32 neighbouring indexes.
#[derive(Clone, Debug)]
struct Run {
    /// The indexes divided by 32.
    number: u32,
    /// One bit for each that is there.
    held: u32,
    /// Zero where none is.
    keys: Secret<{ RUN as usize * 32 }>,
}

impl Run {
    fn new(number: u32) -> Self {
        Self { number, held: 0, keys: Secret::new([0; RUN as usize * 32]) }
    }

    fn holds(&self, index: u32) -> bool {
        self.held & bit(index) != 0
    }

    fn lowest(&self) -> u32 {
        self.number * RUN + self.held.trailing_zeros()
    }

    fn put(&mut self, index: u32, key: &[u8; 32]) {
        if let Some(slot) = self.slot_mut(index) {
            *slot = *key;
            self.held |= bit(index);
        }
    }

    fn take(&mut self, index: u32) -> Option<Secret<32>> {
        if !self.holds(index) {
            return None;
        }
        self.held &= !bit(index);
        let slot = self.slot_mut(index)?;
        let key = Secret::from(&*slot);
        slot.zeroize();
        Some(key)
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut [u8; 32]> {
        self.keys.expose_mut().as_chunks_mut().0.get_mut((index % RUN) as usize)
    }

    fn iter(&self) -> impl Iterator<Item = (u32, &[u8; 32])> {
        let indexes = self.number * RUN..;
        indexes.zip(self.keys.expose().as_chunks().0).filter(|(index, _)| self.holds(*index))
    }
}

/// Indexes of a run.
const RUN: u32 = 32;

fn number(index: u32) -> u32 {
    index / RUN
}

fn bit(index: u32) -> u32 {
    1 << (index % RUN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: u32) -> [u8; 32] {
        let mut key = [7; 32];
        key[..4].copy_from_slice(&index.to_be_bytes());
        key
    }

    fn holding(indexes: impl IntoIterator<Item = u32>) -> SkippedKeys {
        let mut keys = SkippedKeys::default();
        let mut adding = keys.adding();
        for index in indexes {
            adding.push(index, &key(index));
        }
        drop(adding);
        keys
    }

    #[test]
    fn each_key_is_given_out_once_in_any_order() {
        let mut keys = holding((5..200).filter(|index| index % 3 != 0));
        assert_eq!(keys.len(), 130);
        for index in (0..210).rev().chain(0..210) {
            let expected = (5..200).contains(&index) && index % 3 != 0 && keys.len() > 0;
            let taken = keys.take(index);
            assert_eq!(taken.is_some(), expected && taken.is_some());
            if let Some(taken) = taken {
                assert_eq!(taken.expose(), &key(index));
                assert!(keys.take(index).is_none());
            }
        }
        assert_eq!(keys.len(), 0);
        assert!(keys.runs.is_empty());
    }

    #[test]
    fn what_is_added_in_parts_is_as_if_added_at_once_and_no_copy_sees_it() {
        let mut keys = holding(5..40);
        let before = keys.clone();
        let mut adding = keys.adding();
        (40..70).for_each(|index| adding.push(index, &key(index)));
        drop(adding);
        assert!(keys.iter().eq(holding(5..70).iter()));
        assert_eq!((keys.runs.len(), before.len()), (3, 35));
    }

    #[test]
    fn what_is_below_the_floor_goes_and_the_rest_stays() {
        for floor in [0, 5, 6, 31, 32, 33, 64, 99, 100, 101, 1_000] {
            let mut keys = holding(5..100);
            keys.drop_below(floor);
            let left: Vec<_> = keys.iter().map(|(index, _)| index).collect();
            assert_eq!(left, (5..100).filter(|index| *index >= floor).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_taken_key_leaves_the_copy_that_gave_it_out_and_no_other() {
        let before = holding(0..40);
        let mut after = before.clone();
        after.take(3).unwrap();
        assert_eq!((before.len(), after.len()), (40, 39));
        let slot = &after.runs[0].keys.expose()[3 * 32..4 * 32];
        assert_eq!(slot, [0; 32]);
        assert!(before.iter().all(|(index, held)| *held == key(index)));
    }
}
