//! Long frames, put together from the parts that came.
//!
//! A frame's name is the start of its hash. So parts of a frame that is sent again join those that
//! came the first time, and what comes out is what went in. Bounded, since a peer may leave frames
//! unfinished: the oldest gives way.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::content::{FRAME_CHUNK, FrameName, Part};
use super::parts::{Cut, MOST_PARTS, Parts};
use crate::provider::Provider;
use crate::time::Timestamp;

/// The longest frame in the clear: a message of 64 KiB and what stands around it.
pub const MAX_UDP_CLEAR: usize = 65 * 1024;

/// The longest frame: such a message once it is sealed, with its padding and the card that
/// introduces its sender.
pub const MAX_UDP_FRAME: usize = 112 * 1024;

/// How a long frame is cut.
pub(super) const FRAME_CUT: Cut =
    Cut { chunk: FRAME_CHUNK, parts: MAX_UDP_FRAME.div_ceil(FRAME_CHUNK) };

/// The most frames that wait for parts: 1 MiB at the most.
const MAX_UNFINISHED: usize = 9;

/// How long a frame waits for its parts: longer than the router waits until it sends again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name of a frame.
pub(super) fn name(provider: &dyn Provider, frame: &[u8]) -> FrameName {
    provider.digest(&[frame]).first_chunk().copied().unwrap_or_default()
}

/// The frames of which parts are missing, the oldest first.
#[derive(Debug, Default)]
pub struct Assembly {
    unfinished: VecDeque<Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    name: FrameName,
    since: Timestamp,
    parts: Parts,
}

impl Assembly {
    /// Takes a part of a frame; the frame, if it was the last one missing. A part that fits nothing
    /// is dropped, and a frame that does not have its name is too.
    pub fn take(
        &mut self,
        now: Timestamp,
        provider: &dyn Provider,
        of: FrameName,
        part: &Part<'_>,
    ) -> Option<Vec<u8>> {
        self.forget(now);
        let at = match self.unfinished.iter().position(|frame| frame.name == of) {
            Some(at) => at,
            None => {
                let parts = Parts::of(FRAME_CUT, part)?;
                if self.unfinished.len() == MAX_UNFINISHED {
                    self.unfinished.pop_front();
                }
                self.unfinished.push_back(Unfinished { name: of, since: now, parts });
                self.unfinished.len() - 1
            }
        };
        let unfinished = self.unfinished.get_mut(at)?;
        unfinished.parts.take(part);
        let frame = unfinished.parts.whole()?;
        self.unfinished.remove(at);
        (frame.len() <= MAX_UDP_FRAME && name(provider, &frame) == of).then_some(frame)
    }

    /// Gives up the frames that have waited too long.
    pub fn forget(&mut self, now: Timestamp) {
        self.unfinished.retain(|frame| now.monotonic < (frame.since + PATIENCE).monotonic);
    }
}

const _: () = assert!(FRAME_CUT.parts <= MOST_PARTS && MAX_UNFINISHED * MAX_UDP_FRAME <= 1 << 20);

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::provider::pure::Pure;

    fn frame(seed: u8) -> Vec<u8> {
        let mut frame = vec![seed; 5_000];
        frame[0] = 0x10;
        frame
    }

    /// Takes those parts of a frame that `chosen` names.
    fn take(assembly: &mut Assembly, frame: &[u8], chosen: &[usize]) -> Option<Vec<u8>> {
        let (name, mut out) = (name(&Pure, frame), None);
        for (_, part) in FRAME_CUT.cut(frame).enumerate().filter(|(at, _)| chosen.contains(at)) {
            out = out.or(assembly.take(Timestamp::default(), &Pure, name, &part));
        }
        out
    }

    #[test]
    fn a_frame_that_is_sent_again_brings_the_parts_that_were_lost() {
        let mut assembly = Assembly::default();
        assert_eq!(take(&mut assembly, &frame(1), &[0, 2, 4]), None);
        assert_eq!(take(&mut assembly, &frame(2), &[0, 1]), None);
        assert_eq!(take(&mut assembly, &frame(1), &[1, 3]), Some(frame(1)));
        assert_eq!(take(&mut assembly, &frame(2), &[2, 3, 4]), Some(frame(2)));
        assert!(assembly.unfinished.is_empty());
    }

    #[test]
    fn so_many_frames_wait_and_the_oldest_gives_way_to_one_more() {
        let mut assembly = Assembly::default();
        for seed in 0..9 {
            take(&mut assembly, &frame(seed), &[0]);
        }
        assert_eq!(take(&mut assembly, &frame(0), &[1, 2, 3, 4]), Some(frame(0)));
        for seed in 9..=10 {
            take(&mut assembly, &frame(seed), &[0]);
        }
        assert_eq!(assembly.unfinished.len(), MAX_UNFINISHED);
        assert_eq!(take(&mut assembly, &frame(1), &[1, 2, 3, 4]), None, "it gave way");
        assert_eq!(take(&mut assembly, &frame(10), &[1, 2, 3, 4]), Some(frame(10)));
    }

    #[test]
    fn a_frame_under_another_name_is_dropped() {
        let mut assembly = Assembly::default();
        let frame = frame(1);
        for part in FRAME_CUT.cut(&frame) {
            assert_eq!(assembly.take(Timestamp::default(), &Pure, [0; 8], &part), None);
        }
        assert!(assembly.unfinished.is_empty());
    }

    #[test]
    fn a_frame_waits_a_minute_for_its_parts() {
        let mut assembly = Assembly::default();
        take(&mut assembly, &frame(1), &[0]);
        assembly.forget(Timestamp::default() + (PATIENCE - Duration::from_millis(1)));
        assert_eq!(assembly.unfinished.len(), 1);
        assembly.forget(Timestamp::default() + PATIENCE);
        assert!(assembly.unfinished.is_empty());
    }

    #[test]
    fn the_longest_frame_fits_the_bitmap_and_comes_together() {
        let mut frame = vec![0x10; MAX_UDP_FRAME];
        frame[70] = 1;
        let all: Vec<usize> = (0..MOST_PARTS).collect();
        assert!(take(&mut Assembly::default(), &frame, &all) == Some(frame));
    }
}
