//! What came of what the peer wants to hear of, and when to tell it. Knows nothing of keys: a
//! counter is noted once what it sealed has opened.

use core::time::Duration;

use super::content::Content;
use crate::time::Timestamp;

/// How many may come before the peer hears of them: an eighth of what one acknowledgement names, so
/// that seven of eight may be lost.
const AT_MOST: u32 = 8;

/// The same for the first so many times: the peer may have little under way, and waits.
const AT_MOST_AT_FIRST: u32 = 2;
const AT_FIRST: u32 = 32;

/// How long the peer may wait to hear of one.
const DELAY: Duration = Duration::from_millis(20);

/// The counters that came, and what the peer knows of them.
#[derive(Debug, Default)]
pub(super) struct Received {
    highest: Option<u64>,
    /// The 64 before it.
    before: u64,
    untold: u32,
    told: u32,
    due: Option<Timestamp>,
}

impl Received {
    /// It came.
    pub(super) fn note(&mut self, now: Timestamp, counter: u64) {
        let highest = self.highest.unwrap_or(counter);
        if counter > highest {
            self.before = match counter - highest {
                ahead @ 1..=63 => self.before << ahead | 1 << (ahead - 1),
                64 => 1 << 63,
                _ => 0,
            };
        } else if let behind @ 1..=64 = highest - counter {
            self.before |= 1 << (behind - 1);
        }
        self.highest = Some(highest.max(counter));
        self.untold += 1;
        self.due.get_or_insert(now + DELAY);
    }

    /// When the peer is to hear of it.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// What the peer is to hear now, if anything.
    pub(super) fn tell(&mut self, now: Timestamp) -> Option<Content<'static>> {
        let is_due = self.due.is_some_and(|due| due.monotonic <= now.monotonic);
        let at_most = if self.told < AT_FIRST { AT_MOST_AT_FIRST } else { AT_MOST };
        if !is_due && self.untold < at_most {
            return None;
        }
        let highest = self.highest?;
        (self.untold, self.due) = (0, None);
        self.told = self.told.saturating_add(1);
        Some(Content::Received { highest, before: self.before })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp {
        monotonic: Duration::from_secs(1),
        wall: crate::time::WallTime::from_millis(0),
    };

    #[test]
    fn the_bitmap_says_what_came() {
        let mut received = Received::default();
        for counter in [10, 12, 11, 20, 9, 84, 5] {
            received.note(NOW, counter);
        }
        let told = received.tell(NOW + DELAY);
        // 84 - 20 = 64: the last bit. Nothing else of what came is within 64 of 84.
        assert_eq!(told, Some(Content::Received { highest: 84, before: 1 << 63 }));
        received.note(NOW, 85);
        received.note(NOW, 83);
        let told = received.tell(NOW + DELAY);
        assert_eq!(told, Some(Content::Received { highest: 85, before: 0b11 }));
    }

    #[test]
    fn the_first_counter_may_be_zero() {
        let mut received = Received::default();
        received.note(NOW, 0);
        received.note(NOW, 1);
        let told = received.tell(NOW + DELAY);
        assert_eq!(told, Some(Content::Received { highest: 1, before: 1 }));
    }

    #[test]
    fn the_peer_hears_after_a_few_or_a_moment() {
        let (mut received, mut counter) = (Received::default(), 0);
        for at_most in [2; 32].into_iter().chain([8; 3]) {
            for _ in 1..at_most {
                received.note(NOW, counter);
                counter += 1;
                assert_eq!(received.tell(NOW), None);
            }
            received.note(NOW, counter);
            counter += 1;
            assert!(received.tell(NOW).is_some() && received.tell(NOW + DELAY).is_none());
        }
        received.note(NOW, counter);
        assert!(received.tell(NOW).is_none() && received.tell(NOW + DELAY).is_some());
    }
}
