//! Something that is longer than a datagram, in parts. Every part but the last is full, so that the
//! count says how long the whole is. Knows nothing of how parts travel, nor of what they make.

use alloc::vec::Vec;

use super::content::Part;

/// The most parts of anything: so many bits are kept of what came.
pub(super) const MOST_PARTS: usize = 128;

/// How something is cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Cut {
    /// The length of every part but the last.
    pub(super) chunk: usize,
    /// The most parts: at most [`MOST_PARTS`].
    pub(super) parts: usize,
}

impl Cut {
    /// The parts of `whole`; none where there would be too many.
    pub(super) fn cut<'a>(&self, whole: &'a [u8]) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let count = whole.len().div_ceil(self.chunk);
        let count = if count <= self.parts { u8::try_from(count).unwrap_or(0) } else { 0 };
        (0..count).zip(whole.chunks(self.chunk)).map(move |(number, bytes)| Part {
            number,
            count,
            bytes,
        })
    }
}

/// The parts that came.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    cut: Cut,
    count: u8,
    came: u128,
    bytes: usize,
    parts: Vec<(u8, Vec<u8>)>,
}

impl Parts {
    /// Of something of which this is a part; nothing where it is cut otherwise.
    pub(super) fn of(cut: Cut, part: &Part<'_>) -> Option<Self> {
        (usize::from(part.count) <= cut.parts.min(MOST_PARTS)).then(|| Self {
            cut,
            count: part.count,
            came: 0,
            bytes: 0,
            parts: Vec::new(),
        })
    }

    /// Takes a part; whether it was one that fits.
    pub(super) fn take(&mut self, part: &Part<'_>) -> bool {
        let is_last = part.number + 1 == self.count;
        let fits = if is_last {
            (1..=self.cut.chunk).contains(&part.bytes.len())
        } else {
            part.bytes.len() == self.cut.chunk
        };
        if part.count != self.count || part.number >= self.count || !fits {
            return false;
        }
        if self.came & (1 << part.number) == 0 {
            self.came |= 1 << part.number;
            self.bytes += part.bytes.len();
            self.parts.push((part.number, part.bytes.to_vec()));
        }
        true
    }

    /// Which of the first 64 parts came: bit 0 for part 0.
    pub(super) fn came(&self) -> u64 {
        u64::try_from(self.came & u128::from(u64::MAX)).unwrap_or_default()
    }

    /// How many bytes came.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The whole, if all came.
    pub(super) fn whole(&mut self) -> Option<Vec<u8>> {
        if self.parts.len() != usize::from(self.count) {
            return None;
        }
        self.parts.sort_unstable_by_key(|(number, _)| *number);
        let mut whole = Vec::with_capacity(self.bytes);
        for (_, bytes) in &self.parts {
            whole.extend_from_slice(bytes);
        }
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const CUT: Cut = Cut { chunk: 10, parts: 4 };

    fn whole(length: usize) -> Vec<u8> {
        (0_u8..).take(length).collect()
    }

    #[test]
    fn what_was_cut_comes_together_in_whatever_order() {
        for length in [1, 9, 10, 11, 39, 40] {
            let whole = whole(length);
            let cut: Vec<_> = CUT.cut(&whole).collect();
            for backwards in [true, false] {
                let mut parts = Parts::of(CUT, &cut[0]).unwrap();
                for nth in 0..cut.len() {
                    assert_eq!(parts.whole(), None);
                    let part = &cut[if backwards { cut.len() - 1 - nth } else { nth }];
                    assert!(parts.take(part) && parts.take(part), "also when it comes again");
                }
                assert_eq!(parts.whole().as_ref(), Some(&whole));
                assert_eq!(parts.bytes(), length);
                assert_eq!(parts.came(), (1 << cut.len()) - 1);
            }
        }
    }

    #[test]
    fn the_count_is_taken_at_its_bound_and_refused_one_past_it() {
        assert_eq!(CUT.cut(&whole(40)).count(), 4);
        assert_eq!(CUT.cut(&whole(41)).count(), 0);
        let part = |count| Part { number: 0, count, bytes: &[0; 10] };
        assert!(Parts::of(CUT, &part(4)).is_some());
        assert!(Parts::of(CUT, &part(5)).is_none());
        let wide = Cut { parts: 200, ..CUT };
        assert!(Parts::of(wide, &part(128)).is_some() && Parts::of(wide, &part(129)).is_none());
    }

    #[test]
    fn a_part_that_does_not_fit_changes_nothing() {
        let bytes = vec![7; 11];
        let mut parts = Parts::of(CUT, &Part { number: 0, count: 3, bytes: &bytes }).unwrap();
        for (number, count, length) in
            [(0, 3, 9), (0, 3, 11), (1, 3, 1), (2, 3, 11), (2, 3, 0), (3, 3, 1), (0, 2, 10)]
        {
            assert!(!parts.take(&Part { number, count, bytes: &bytes[..length] }));
        }
        assert_eq!((parts.came(), parts.bytes()), (0, 0));
    }
}
