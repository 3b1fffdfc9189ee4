//! How many bytes all streams of a session may be allowed together.
//!
//! Each stream has its first credit for itself, so that none can starve another; what is allowed
//! beyond that comes out of one pool.

use super::receiving::{FIRST_CREDIT, MOST_CREDIT};

/// What the streams of one session may be allowed beyond their first credit: sixteen that are read as
/// fast as they come have all that a stream may have. With the first credits of all streams that
/// may be open (8 MiB) a session keeps at most 16 MiB that was not read.
pub(super) const POOL: u32 = 8 << 20;

/// What is left of the pool.
#[derive(Debug)]
pub(super) struct Pool {
    left: u32,
}

impl Default for Pool {
    fn default() -> Self {
        Self { left: POOL }
    }
}

impl Pool {
    /// Takes at most `wanted` out.
    pub(super) fn take(&mut self, wanted: u32) -> u32 {
        let taken = wanted.min(self.left);
        self.left -= taken;
        taken
    }

    /// How much is left.
    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// Puts back what was taken out.
    pub(super) fn put_back(&mut self, taken: u32) {
        self.left = self.left.saturating_add(taken).min(POOL);
    }

    /// How much one of so many streams should be allowed at a time.
    pub(super) fn share(streams: usize) -> u32 {
        let streams = u32::try_from(streams).unwrap_or(u32::MAX).max(1);
        (POOL / streams).clamp(FIRST_CREDIT, MOST_CREDIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_comes_out_than_was_put_in() {
        let mut pool = Pool::default();
        assert_eq!(pool.take(POOL - 1), POOL - 1);
        assert_eq!(pool.take(2), 1);
        assert_eq!(pool.take(1), 0);
        pool.put_back(5);
        assert_eq!(pool.take(6), 5);
    }

    #[test]
    fn many_streams_get_less_each_and_never_less_than_the_first_credit() {
        assert_eq!(Pool::share(0), MOST_CREDIT);
        assert_eq!(Pool::share(16), MOST_CREDIT);
        assert_eq!(Pool::share(32), MOST_CREDIT / 2);
        assert_eq!(Pool::share(100_000), FIRST_CREDIT);
    }
}
