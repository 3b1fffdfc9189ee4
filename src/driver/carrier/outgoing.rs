//! What a session gave to a stream of bytes and the connection has not taken yet. Knows nothing of
//! either.

use std::time::Duration;

use tokio::time::Instant;

/// How much is taken from the session ahead of what the connection takes; what waits before it can
/// still be counted and taken back.
const AHEAD: usize = 256 << 10;

/// How long a connection may take nothing of what is written before it counts as dead.
const STALLED: Duration = Duration::from_secs(30);

/// What waits for the connection.
#[derive(Debug)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    written: usize,
    /// When the last byte was taken, while any waits.
    moved: Instant,
}

impl Outgoing {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), written: 0, moved: Instant::now() }
    }

    /// Takes what the session gives, once all of the last was written; whether there is anything to
    /// write.
    pub(super) fn fill(&mut self, give: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
            // What is large once should not stay so.
            self.bytes.shrink_to(AHEAD);
            give(&mut self.bytes);
            if self.bytes.is_empty() {
                // A session on which nothing happens holds no room for what went.
                self.bytes = Vec::new();
            }
            self.moved = Instant::now();
        }
        !self.rest().is_empty()
    }

    /// What is to be written.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// So much of it was.
    pub(super) fn wrote(&mut self, count: usize) {
        self.written += count;
        self.moved = Instant::now();
    }

    /// How many bytes may still be given, where so many wait in the session.
    pub(super) fn room(&self, unsent: usize) -> usize {
        let waiting = self.rest().len() + unsent;
        // One frame always may be.
        if waiting == 0 { usize::MAX } else { AHEAD.saturating_sub(waiting) }
    }

    /// When the connection counts as dead, if it takes nothing until then.
    pub(super) fn stalls(&self) -> Instant {
        self.moved + STALLED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_written_once_before_more_is_taken() {
        let mut outgoing = Outgoing::new();
        assert!(!outgoing.fill(|_| {}));
        assert_eq!(outgoing.room(0), usize::MAX);
        assert!(outgoing.fill(|bytes| bytes.extend(b"abc")));
        outgoing.wrote(2);
        assert!(outgoing.fill(|_| panic!("not all was written")));
        assert_eq!((outgoing.rest(), outgoing.room(7)), (b"c".as_slice(), AHEAD - 8));
        outgoing.wrote(1);
        assert!(outgoing.fill(|bytes| bytes.extend(b"d")));
        assert_eq!((outgoing.rest(), outgoing.room(AHEAD)), (b"d".as_slice(), 0));
    }
}
