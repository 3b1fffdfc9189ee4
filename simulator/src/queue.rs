//! What is going to happen, in order. Knows nothing of what it is.

use std::collections::BTreeMap;
use std::time::Duration;

/// Events by their time; of two at the same time the one that was put in first comes first.
#[derive(Debug)]
pub struct Queue<E> {
    now: Duration,
    next: u64,
    events: BTreeMap<(Duration, u64), E>,
}

impl<E> Queue<E> {
    /// Nothing is going to happen.
    pub const fn new() -> Self {
        Self { now: Duration::ZERO, next: 0, events: BTreeMap::new() }
    }

    /// The virtual time: that of the event that was taken last.
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// Puts an event in, at `at` or now if that is over.
    pub fn put(&mut self, at: Duration, event: E) {
        self.events.insert((at.max(self.now), self.next), event);
        self.next += 1;
    }

    /// Takes the next event up to `end`; the time moves to it, or to `end` if there is none.
    pub fn take(&mut self, end: Duration) -> Option<E> {
        let next = self.events.first_entry().filter(|entry| entry.key().0 <= end);
        let Some(entry) = next else {
            self.now = self.now.max(end);
            return None;
        };
        let ((at, _), event) = entry.remove_entry();
        self.now = at;
        Some(event)
    }
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_in_the_order_in_which_they_were_put() {
        let mut queue = Queue::new();
        let at = Duration::from_secs;
        for (second, name) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b'), (9, 'x')] {
            queue.put(at(second), name);
        }
        let order: String = std::iter::from_fn(|| queue.take(at(5))).collect();
        assert_eq!(order, "abcd");
        assert_eq!(queue.now(), at(5));
        queue.put(at(1), 'y');
        assert_eq!(queue.take(at(6)), Some('y'));
        assert_eq!(queue.now(), at(5), "time does not go back");
    }
}
