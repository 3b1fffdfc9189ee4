//! Frames on their way from the driver to one connection.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The most bytes that wait for one connection: what the router lets out to one peer without a
/// receipt (4 MiB), one of the largest frames, and receipts. A peer that leaves more untaken is
/// sent it again later, on another connection.
const WAITING: usize = 8 << 20;

/// What a frame costs beside its bytes.
const PER_FRAME: usize = 64;

/// What waits for one connection. Neither end waits for the other.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Vec<u8>>,
    cost: usize,
    /// No more will come.
    ending: bool,
    /// Nothing is wanted any more.
    cut: bool,
}

/// More waits than may.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Overfull;

impl Outbound {
    /// Adds frames that were released together, to be written together.
    pub(crate) fn push(&self, frames: Vec<Vec<u8>>) -> Result<(), Overfull> {
        let mut queue = self.lock();
        queue.cost += frames.iter().map(|frame| cost(frame)).sum::<usize>();
        if queue.cost > WAITING {
            return Err(Overfull);
        }
        queue.frames.extend(frames);
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    /// Ends the session in good order, behind what waits.
    pub(crate) fn end(&self) {
        self.lock().ending = true;
        self.changed.notify_one();
    }

    /// Ends the connection at once, whatever waits.
    pub(crate) fn cut(&self) {
        let mut queue = self.lock();
        queue.cut = true;
        queue.frames = VecDeque::new();
        drop(queue);
        self.changed.notify_one();
    }

    /// Whether the connection is to end at once.
    pub(crate) fn is_cut(&self) -> bool {
        self.lock().cut
    }

    /// The next frame, if it is no longer than `room`.
    pub(crate) fn pop(&self, room: usize) -> Option<Vec<u8>> {
        let mut queue = self.lock();
        if queue.frames.front()?.len() > room {
            return None;
        }
        let frame = queue.frames.pop_front()?;
        queue.cost -= cost(&frame);
        Some(frame)
    }

    /// Whether nothing waits and nothing will come.
    pub(crate) fn is_at_end(&self) -> bool {
        let queue = self.lock();
        queue.ending && queue.frames.is_empty()
    }

    /// Waits until something was added, or the end was said. Dropping the future loses nothing.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(frame: &[u8]) -> usize {
    frame.len() + PER_FRAME
}

#[cfg(test)]
mod tests {
    use super::{Outbound, Overfull, PER_FRAME, WAITING};

    #[test]
    fn the_bound_holds_at_and_one_past() {
        let outbound = Outbound::default();
        assert_eq!(outbound.push(vec![vec![0; WAITING - 2 * PER_FRAME], vec![]]), Ok(()));
        assert_eq!(outbound.push(vec![vec![]]), Err(Overfull));
    }

    #[test]
    fn what_was_taken_makes_room_and_the_end_comes_behind_all() {
        let outbound = Outbound::default();
        assert_eq!(outbound.push(vec![vec![0; WAITING - PER_FRAME]]), Ok(()));
        outbound.end();
        assert!(!outbound.is_at_end());
        assert_eq!(outbound.pop(WAITING - PER_FRAME - 1), None);
        assert!(outbound.pop(WAITING - PER_FRAME).is_some());
        assert!(outbound.is_at_end());
        assert_eq!(outbound.push(vec![vec![0; WAITING - PER_FRAME]]), Ok(()));
    }
}
