//! When something is due, by key: at most one time each.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

/// Times on the monotonic clock, by key.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    by_key: BTreeMap<K, Duration>,
    by_time: BTreeSet<(Duration, K)>,
}

impl<K: Copy + Ord> Timers<K> {
    /// Sets the time of `key`, in place of the one it had.
    pub(crate) fn set(&mut self, key: K, at: Duration) {
        self.clear(&key);
        self.by_key.insert(key, at);
        self.by_time.insert((at, key));
    }

    /// Sets the time of `key` unless it has one; whether it was set.
    pub(crate) fn set_if_none(&mut self, key: K, at: Duration) -> bool {
        let none = !self.by_key.contains_key(&key);
        if none {
            self.set(key, at);
        }
        none
    }

    /// Takes the time of `key` away.
    pub(crate) fn clear(&mut self, key: &K) {
        if let Some(at) = self.by_key.remove(key) {
            self.by_time.remove(&(at, *key));
        }
    }

    /// Takes the next key that is due, and its time away.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<K> {
        let &(_, key) = self.by_time.first().filter(|(at, _)| *at <= now)?;
        self.clear(&key);
        Some(key)
    }

    /// When the next key is due.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.by_time.first().map(|(at, _)| *at)
    }
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn keys_come_out_in_the_order_of_their_times_and_once() {
        let mut timers = Timers::default();
        timers.set('a', at(3));
        timers.set('b', at(1));
        timers.set('c', at(2));
        timers.set('a', at(4));
        assert!(!timers.set_if_none('b', at(9)));
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.pop_due(at(0)), None);
        assert_eq!(timers.pop_due(at(3)), Some('b'));
        assert_eq!(timers.pop_due(at(3)), Some('c'));
        assert_eq!(timers.pop_due(at(3)), None);
        timers.clear(&'a');
        assert_eq!(timers.next(), None);
        assert!(timers.set_if_none('a', at(1)));
    }
}
