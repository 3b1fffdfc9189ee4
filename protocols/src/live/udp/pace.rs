//! How much may be under way. It grows while the peer hears of everything and halves where something
//! was lost (AIMD), so that frames leave room for whoever else uses the path. What was lost is not
//! sent again here: the router's receipts and the calls see to that.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::packet::MAX_DATAGRAM;
use crate::time::Timestamp;

/// What may be under way at first: ten datagrams, as in TCP and QUIC (RFC 9002, section 7.2).
const FIRST: usize = 10 * MAX_DATAGRAM;

/// What may be under way however much is lost: four datagrams, so that losses are still seen.
const LEAST: usize = 4 * MAX_DATAGRAM;

/// The most that may be under way: the datagrams of the peer's replay window, and no less of a gap.
const MOST: usize = 512 * MAX_DATAGRAM;

/// How many counters may overtake one before it counts as lost.
const OVERTAKEN: u64 = 8;

/// How long nothing may be heard of what is under way before all of it counts as lost, while no
/// round trip was measured.
const SILENCE: Duration = Duration::from_millis(500);

/// The same where one was: twice the round trip and what an acknowledgement may wait, within these
/// bounds.
const SILENCE_LEAST: Duration = Duration::from_millis(100);
const SILENCE_MOST: Duration = Duration::from_secs(4);
const DELAY: Duration = Duration::from_millis(50);

/// What is under way, and how much may be.
#[derive(Debug)]
pub(super) struct Pace {
    window: usize,
    /// Where the growth slows down.
    threshold: usize,
    under_way: VecDeque<Sent>,
    bytes: usize,
    /// Acknowledged since the window last grew, once growth is slow.
    earned: usize,
    /// Losses of what was sent before this are one loss.
    recovers_at: u64,
    /// When something was last heard, or first sent after nothing was under way.
    heard: Timestamp,
    round_trip: Option<Duration>,
    /// How often in a row all was lost: each doubles the wait.
    silences: u32,
}

#[derive(Debug)]
struct Sent {
    at: Timestamp,
    counter: u64,
    bytes: usize,
    arrived: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            window: FIRST,
            threshold: usize::MAX,
            under_way: VecDeque::new(),
            bytes: 0,
            earned: 0,
            recovers_at: 0,
            heard: Timestamp::default(),
            round_trip: None,
            silences: 0,
        }
    }
}

impl Pace {
    /// Whether something may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < self.window
    }

    /// It was sent.
    pub(super) fn sent(&mut self, now: Timestamp, counter: u64, bytes: usize) {
        if self.under_way.is_empty() {
            self.heard = now;
        }
        self.bytes += bytes;
        self.under_way.push_back(Sent { at: now, counter, bytes, arrived: false });
    }

    /// The peer says what it got: the highest counter, and which of the 64 before.
    pub(super) fn heard(&mut self, now: Timestamp, highest: u64, before: u64) {
        self.heard = now;
        let (mut acknowledged, mut round_trip) = (0, None);
        for sent in self.under_way.iter_mut().take_while(|sent| sent.counter <= highest) {
            let came = match highest - sent.counter {
                0 => true,
                behind @ 1..=64 => before & (1 << (behind - 1)) != 0,
                _ => false,
            };
            if came && !sent.arrived {
                sent.arrived = true;
                acknowledged += sent.bytes;
                round_trip = Some(now.monotonic.saturating_sub(sent.at.monotonic));
            }
        }
        if let Some(last) = round_trip {
            self.silences = 0;
            self.round_trip = Some(self.round_trip.map_or(last, |before| (before * 7 + last) / 8));
        }
        while let Some(sent) = self.under_way.front() {
            let is_lost = !sent.arrived && sent.counter.saturating_add(OVERTAKEN) <= highest;
            if !sent.arrived && !is_lost {
                break;
            }
            let Some(Sent { counter, bytes, .. }) = self.under_way.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(bytes);
            if is_lost && counter >= self.recovers_at {
                self.slow_down();
            }
        }
        self.grow(acknowledged);
    }

    /// When all that is under way counts as lost.
    pub(super) fn timeout(&self) -> Option<Timestamp> {
        (!self.under_way.is_empty()).then(|| self.heard + self.silence())
    }

    fn silence(&self) -> Duration {
        let wait = self.round_trip.map_or(SILENCE, |round_trip| round_trip * 2 + DELAY);
        (wait * 2_u32.saturating_pow(self.silences)).clamp(SILENCE_LEAST, SILENCE_MOST)
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        if self.timeout().is_some_and(|at| at.monotonic <= now.monotonic) {
            self.threshold = (self.window / 2).max(LEAST);
            self.window = LEAST;
            self.silences = (self.silences + 1).min(8);
            self.forget();
        }
    }

    /// New keys count anew, and the path is the same.
    pub(super) fn forget(&mut self) {
        self.under_way.clear();
        (self.bytes, self.earned, self.recovers_at) = (0, 0, 0);
    }

    fn slow_down(&mut self) {
        self.window = (self.window / 2).max(LEAST);
        self.threshold = self.window;
        self.earned = 0;
        self.recovers_at = self.under_way.back().map_or(0, |sent| sent.counter + 1);
    }

    fn grow(&mut self, acknowledged: usize) {
        if self.window < self.threshold {
            self.window += acknowledged;
        } else {
            self.earned += acknowledged;
            if self.earned >= self.window {
                self.earned = 0;
                self.window += MAX_DATAGRAM;
            }
        }
        self.window = self.window.min(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp {
        monotonic: Duration::from_secs(1),
        wall: crate::time::WallTime::from_millis(0),
    };

    /// Fills the window from a counter on; the next counter.
    fn fill(pace: &mut Pace, mut counter: u64) -> u64 {
        while pace.has_room() {
            pace.sent(NOW, counter, MAX_DATAGRAM);
            counter += 1;
        }
        counter
    }

    #[test]
    fn the_window_doubles_while_all_arrives_and_has_a_bound() {
        let (mut pace, mut next) = (Pace::default(), 0);
        for _ in 0..12 {
            let start = next;
            next = fill(&mut pace, start);
            for highest in start..next {
                pace.heard(NOW, highest, u64::MAX);
            }
            assert!(pace.under_way.is_empty() && pace.bytes == 0);
        }
        assert_eq!(pace.window, MOST);
    }

    #[test]
    fn a_loss_halves_the_window_once_and_it_then_grows_slowly() {
        let mut pace = Pace { window: 40 * MAX_DATAGRAM, ..Pace::default() };
        let next = fill(&mut pace, 0);
        // 3, 4 and 30 are lost.
        for highest in (5..next).filter(|highest| *highest != 30) {
            let came = (1..=64).filter(|behind| {
                highest.checked_sub(*behind).is_some_and(|at| ![3, 4, 30].contains(&at))
            });
            pace.heard(NOW, highest, came.fold(0, |came, behind| came | 1 << (behind - 1)));
        }
        // It had grown a little until the loss was seen.
        assert!((20..=26).contains(&(pace.window / MAX_DATAGRAM)), "{}", pace.window);
        let (window, start) = (pace.window, next);
        let next = fill(&mut pace, start);
        for highest in start..next {
            pace.heard(NOW, highest, u64::MAX);
        }
        assert!(pace.window <= window + 2 * MAX_DATAGRAM, "{window} to {}", pace.window);
    }

    #[test]
    fn silence_takes_all_as_lost_and_leaves_the_least() {
        let mut pace = Pace::default();
        fill(&mut pace, 0);
        assert!(!pace.has_room());
        pace.handle_timeout(NOW + (SILENCE - Duration::from_millis(1)));
        assert!(!pace.has_room());
        pace.handle_timeout(NOW + SILENCE);
        assert_eq!((pace.bytes, pace.window), (0, LEAST));
        assert_eq!(pace.timeout(), None);
    }

    #[test]
    fn each_silence_doubles_the_wait_and_an_answer_ends_that() {
        let (mut pace, mut now, mut waits) = (Pace::default(), NOW, alloc::vec::Vec::new());
        for counter in 0..6 {
            pace.sent(now, counter, 100);
            let timeout = pace.timeout().unwrap();
            waits.push(timeout.monotonic - now.monotonic);
            now = timeout;
            pace.handle_timeout(now);
        }
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 4_000, 4_000].map(Duration::from_millis));
        pace.sent(now, 7, 100);
        now = now + Duration::from_millis(80);
        pace.heard(now, 7, 0);
        pace.sent(now, 8, 100);
        assert_eq!(pace.timeout(), Some(now + Duration::from_millis(210)));
    }
}
