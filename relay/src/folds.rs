//! States that were folded from logs, as many as memory may have.
//!
//! A log's state is read when it is first needed, and dropped when others were needed since. Knows
//! nothing of what a state is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// States by their key, and when each was last used.
#[derive(Debug)]
pub(crate) struct Folds<K, V> {
    states: HashMap<K, (u64, V)>,
    most: usize,
    clock: u64,
}

impl<K: Copy + Eq + Hash, V> Folds<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { states: HashMap::new(), most, clock: 0 }
    }

    /// The state, read by `read` where it is not here.
    pub(crate) fn of<E>(
        &mut self,
        key: K,
        read: impl FnOnce() -> Result<V, E>,
    ) -> Result<&mut V, E> {
        self.clock += 1;
        let (used, state) = match self.states.entry(key) {
            Entry::Occupied(occupied) => occupied.into_mut(),
            Entry::Vacant(vacant) => vacant.insert((0, read()?)),
        };
        *used = self.clock;
        Ok(state)
    }

    /// The state, if it is here.
    pub(crate) fn here(&mut self, key: &K) -> Option<&mut V> {
        self.states.get_mut(key).map(|(_, state)| state)
    }

    #[cfg(test)]
    fn held(&self, key: &K) -> Option<&V> {
        self.states.get(key).map(|(_, state)| state)
    }

    pub(crate) fn forget(&mut self, key: &K) {
        self.states.remove(key);
    }

    /// Drops the half that was not used for longest, where there are more than may be. Between
    /// batches alone: a state that a change under way has adopted must stay until that is durable.
    pub(crate) fn trim(&mut self) {
        if self.states.len() <= self.most {
            return;
        }
        let mut used: Vec<_> = self.states.values().map(|(used, _)| *used).collect();
        let middle = used.len() / 2;
        let (_, median, _) = used.select_nth_unstable(middle);
        let median = *median;
        self.states.retain(|_, (used, _)| *used >= median);
    }
}

#[cfg(test)]
mod tests {
    use super::Folds;

    #[test]
    fn the_half_that_was_not_used_for_longest_goes_and_is_read_again() {
        let mut folds = Folds::new(4);
        for key in 0..5 {
            folds.of::<()>(key, || Ok(key)).unwrap();
        }
        folds.of::<()>(0, || Err(())).unwrap();
        folds.trim();
        assert!(folds.held(&0).is_some() && folds.held(&4).is_some());
        assert!(folds.held(&1).is_none() && folds.held(&2).is_none());
        assert_eq!(folds.of(1, || Err("read again")), Err("read again"));
        folds.forget(&0);
        assert!(folds.held(&0).is_none());
    }
}
