//! Whose turn it is among the streams of a session.

use alloc::collections::{BTreeSet, VecDeque};

use super::frame::StreamId;

/// Streams in turn: each that waits stands here once, and who had its turn stands behind all others.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queue: VecDeque<StreamId>,
    waiting: BTreeSet<StreamId>,
}

impl Turns {
    /// Stands at the end, unless it stands here already.
    pub(super) fn join(&mut self, id: StreamId) {
        if self.waiting.insert(id) {
            self.queue.push_back(id);
        }
    }

    /// The one whose turn it is.
    pub(super) fn next(&mut self) -> Option<StreamId> {
        let id = self.queue.pop_front()?;
        self.waiting.remove(&id);
        Some(id)
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_once_and_goes_to_the_end_after_its_turn() {
        let mut turns = Turns::default();
        for id in [1, 3, 1, 5] {
            turns.join(StreamId(id));
        }
        assert_eq!(turns.next(), Some(StreamId(1)));
        turns.join(StreamId(1));
        for id in [3, 5, 1] {
            assert_eq!(turns.next(), Some(StreamId(id)));
        }
        assert_eq!(turns.next(), None);
    }
}
