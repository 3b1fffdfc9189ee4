//! Frames on their way to one session, and which of them goes first.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What a frame costs beside its bytes.
const PER_FRAME: usize = 64;

/// How many frames may go ahead of a waiting one of a later lane: it is delayed, and never for ever.
const AHEAD: u32 = 64;

/// Frames of one importance: those of an earlier lane go before those of a later one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Lane {
    /// Somebody waits for it: calls, their answers, and what keeps streams flowing.
    Calls,
    /// What may be lost, and is of no use when it is old.
    Datagrams,
    /// Messages and receipts.
    Router,
    /// What streams carry, which takes all that is left.
    Streams,
}

impl Lane {
    const ALL: [Self; 4] = [Self::Calls, Self::Datagrams, Self::Router, Self::Streams];

    /// The most bytes that wait in it.
    const fn bound(self) -> usize {
        match self {
            // Calls wait where they can still be withdrawn, and come here when it is their turn:
            // a few of the largest.
            Self::Calls => 4 << 20,
            // A quarter of a second of what a line of 10 Mbit/s carries. More would only be late.
            Self::Datagrams => 256 << 10,
            // What the router lets out to one peer without a receipt (4 MiB), one of the largest
            // frames, and receipts. A peer that leaves more untaken is sent it again later, on
            // another connection.
            Self::Router => 8 << 20,
            // Streams wait with their writer and not here: enough that the line never idles.
            Self::Streams => 256 << 10,
        }
    }
}

/// What waits for one session. Neither end waits for the other.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    lanes: [Waiting; Lane::ALL.len()],
    /// No more will come.
    ending: bool,
    /// Nothing is wanted any more.
    cut: bool,
}

/// What waits in one lane.
#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Vec<u8>>,
    cost: usize,
    /// How many frames went ahead since the last one from here.
    overtaken: u32,
}

/// Why frames were not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refused {
    /// More waits than may.
    Overfull,
    /// The session ends.
    Ending,
}

impl Outbound {
    /// Adds frames to a lane, to be written together: all of them, or none.
    pub(crate) fn push(&self, lane: Lane, frames: Vec<Vec<u8>>) -> Result<(), Refused> {
        let mut queue = self.lock();
        if queue.cut || queue.ending {
            return Err(Refused::Ending);
        }
        let waiting = queue.lane(lane);
        let cost = waiting.cost + frames.iter().map(|frame| cost(frame)).sum::<usize>();
        if cost > lane.bound() {
            return Err(Refused::Overfull);
        }
        waiting.cost = cost;
        waiting.frames.extend(frames);
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    /// Something waits elsewhere, and is to be looked for.
    pub(crate) fn stir(&self) {
        self.changed.notify_one();
    }

    /// How many bytes wait in a lane.
    pub(crate) fn waiting(&self, lane: Lane) -> usize {
        self.lock().lane(lane).cost
    }

    /// Ends the session in good order, behind what waits.
    pub(crate) fn end(&self) {
        self.lock().ending = true;
        self.changed.notify_one();
    }

    /// Ends the connection at once, whatever waits.
    pub(crate) fn cut(&self) {
        let mut queue = self.lock();
        *queue = Queue { cut: true, ..Queue::default() };
        drop(queue);
        self.changed.notify_one();
    }

    /// Whether the connection is to end at once.
    pub(crate) fn is_cut(&self) -> bool {
        self.lock().cut
    }

    /// The next frame, if it is no longer than `room`. A short one does not overtake a long one
    /// whose turn it is.
    pub(crate) fn pop(&self, room: usize) -> Option<Vec<u8>> {
        let mut queue = self.lock();
        let turn = queue.turn()?;
        if queue.lane(turn).frames.front()?.len() > room {
            return None;
        }
        queue.take(turn)
    }

    /// Whether nothing waits in a lane.
    pub(crate) fn lacks(&self, lane: Lane) -> bool {
        self.lock().lane(lane).frames.is_empty()
    }

    /// Whether nothing waits and nothing will come.
    pub(crate) fn is_at_end(&self) -> bool {
        let queue = self.lock();
        queue.ending && queue.lanes.iter().all(|waiting| waiting.frames.is_empty())
    }

    /// Waits until something was added, or the end was said. Dropping the future loses nothing.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Whose turn it is: of those that waited long enough, or else of all, the first.
    fn turn(&self) -> Option<Lane> {
        let lanes = || Lane::ALL.into_iter().zip(&self.lanes);
        let waiting = || lanes().filter(|(_, waiting)| !waiting.frames.is_empty());
        let patient = waiting().find(|(_, waiting)| waiting.overtaken >= AHEAD);
        patient.or_else(|| waiting().next()).map(|(lane, _)| lane)
    }

    fn take(&mut self, lane: Lane) -> Option<Vec<u8>> {
        for waiting in self.lanes.iter_mut().skip(lane as usize + 1) {
            if !waiting.frames.is_empty() {
                waiting.overtaken += 1;
            }
        }
        let waiting = self.lane(lane);
        waiting.overtaken = 0;
        let frame = waiting.frames.pop_front()?;
        waiting.cost -= cost(&frame);
        Some(frame)
    }

    fn lane(&mut self, lane: Lane) -> &mut Waiting {
        let [calls, datagrams, router, streams] = &mut self.lanes;
        match lane {
            Lane::Calls => calls,
            Lane::Datagrams => datagrams,
            Lane::Router => router,
            Lane::Streams => streams,
        }
    }
}

fn cost(frame: &[u8]) -> usize {
    frame.len() + PER_FRAME
}

#[cfg(test)]
mod tests {
    use super::{AHEAD, Lane, Outbound, PER_FRAME, Refused};

    fn frames(count: usize, first: u8) -> Vec<Vec<u8>> {
        vec![vec![first]; count]
    }

    fn firsts(outbound: &Outbound) -> Vec<u8> {
        std::iter::from_fn(|| outbound.pop(1)).flatten().collect()
    }

    #[test]
    fn the_bound_of_each_lane_holds_at_and_one_past() {
        for lane in Lane::ALL {
            let outbound = Outbound::default();
            let most = vec![vec![0; lane.bound() - 2 * PER_FRAME], vec![]];
            assert_eq!(outbound.push(lane, most), Ok(()));
            assert_eq!(outbound.push(lane, vec![vec![]]), Err(Refused::Overfull), "{lane:?}");
        }
    }

    #[test]
    fn what_was_taken_makes_room_and_the_end_comes_behind_all() {
        let outbound = Outbound::default();
        let most = || vec![vec![0; Lane::Router.bound() - PER_FRAME]];
        assert_eq!(outbound.push(Lane::Router, most()), Ok(()));
        assert_eq!(outbound.pop(Lane::Router.bound() - PER_FRAME - 1), None);
        assert!(outbound.pop(Lane::Router.bound() - PER_FRAME).is_some());
        assert_eq!(outbound.push(Lane::Router, most()), Ok(()));
        outbound.end();
        assert!(!outbound.is_at_end());
        assert_eq!(outbound.push(Lane::Calls, frames(1, 0)), Err(Refused::Ending));
        assert!(outbound.pop(Lane::Router.bound()).is_some());
        assert!(outbound.is_at_end());
    }

    #[test]
    fn a_call_goes_ahead_of_messages_and_both_ahead_of_streams() {
        let outbound = Outbound::default();
        for lane in Lane::ALL.into_iter().rev() {
            assert_eq!(outbound.push(lane, frames(2, lane as u8)), Ok(()));
        }
        assert_eq!(firsts(&outbound), [0, 0, 1, 1, 2, 2, 3, 3]);
    }

    #[test]
    fn what_waits_is_overtaken_so_often_and_not_once_more() {
        let outbound = Outbound::default();
        let ahead = AHEAD as usize;
        assert_eq!(outbound.push(Lane::Streams, frames(2, 3)), Ok(()));
        assert_eq!(outbound.push(Lane::Router, frames(2, 2)), Ok(()));
        assert_eq!(outbound.push(Lane::Calls, frames(3 * ahead, 1)), Ok(()));
        let order = firsts(&outbound);
        let places = |first| {
            let places = order.iter().enumerate().filter(move |(_, other)| **other == first);
            places.map(|(place, _)| place).collect::<Vec<_>>()
        };
        assert_eq!(places(2), [ahead, 2 * ahead + 2]);
        assert_eq!(places(3), [ahead + 1, 2 * ahead + 2 + 1]);
    }

    #[test]
    fn a_cut_drops_what_waits_and_takes_nothing_more() {
        let outbound = Outbound::default();
        assert_eq!(outbound.push(Lane::Calls, frames(2, 1)), Ok(()));
        outbound.cut();
        assert!(outbound.is_cut());
        assert_eq!(outbound.pop(1), None);
        assert_eq!(outbound.push(Lane::Calls, frames(1, 1)), Err(Refused::Ending));
    }
}
