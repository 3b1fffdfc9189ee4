//! Who wants to be woken when. One that wants it later than it said is woken early and says so then,
//! so that what moves with each datagram costs nothing. Knows nothing of what is due.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::time::Timestamp;

/// The earliest wish of each.
#[derive(Debug)]
pub(super) struct Timers<K> {
    queue: BTreeSet<(Timestamp, K)>,
    wishes: BTreeMap<K, Timestamp>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { queue: BTreeSet::new(), wishes: BTreeMap::new() }
    }
}

impl<K: Copy + Ord> Timers<K> {
    /// This one is to be woken by then.
    pub(super) fn wake(&mut self, who: K, at: Timestamp) {
        match self.wishes.get(&who) {
            Some(before) if *before <= at => return,
            Some(before) => {
                self.queue.remove(&(*before, who));
            }
            None => {}
        }
        self.wishes.insert(who, at);
        self.queue.insert((at, who));
    }

    /// This one is gone.
    pub(super) fn forget(&mut self, who: K) {
        if let Some(at) = self.wishes.remove(&who) {
            self.queue.remove(&(at, who));
        }
    }

    /// When the next is to be woken.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// One that is to be woken now; its wish is fulfilled.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<K> {
        let (at, who) = *self.queue.first()?;
        if at.monotonic > now.monotonic {
            return None;
        }
        self.queue.pop_first();
        self.wishes.remove(&who);
        Some(who)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn each_is_woken_once_by_its_earliest_wish() {
        let at = |seconds| Timestamp::default() + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        for (who, wish) in [('a', 5), ('b', 3), ('a', 2), ('a', 9), ('c', 4)] {
            timers.wake(who, at(wish));
        }
        timers.forget('c');
        assert_eq!(timers.next(), Some(at(2)));
        assert_eq!(timers.due(at(1)), None);
        assert_eq!(
            [timers.due(at(9)), timers.due(at(9)), timers.due(at(9))],
            [Some('a'), Some('b'), None]
        );
    }
}
