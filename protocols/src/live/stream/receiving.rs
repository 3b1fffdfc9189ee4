//! The direction of a stream in which the peer sends.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::code::StreamCode;
use super::credit::Pool;
use super::frame::{DATA_HEADER, MAX_DATA, StreamFrame};
use super::multiplexer::{Readable, StreamError};
use super::violation::StreamViolation;

/// How many bytes may come in a new stream before anybody reads it: two frames, enough for a small
/// request and its answer. A stream that nobody reads costs no more.
pub const FIRST_CREDIT: u32 = 32 << 10;

/// How many bytes may come ahead of what was read: at 100 ms there and back this carries 5 MiB a
/// second, and it is what a slow reader makes us keep. On a fast path it is also what stands before
/// whatever else the session carries; long paths have QUIC.
pub const MOST_CREDIT: u32 = 512 << 10;

/// What came and was not read, and how much more may come.
#[derive(Debug)]
pub(super) struct Receiving {
    chunks: VecDeque<Chunk>,
    buffered: usize,
    received: u64,
    /// How many the application took.
    taken: u64,
    /// How many the peer may send in all.
    limit: u64,
    /// What of `limit - taken` came out of the pool.
    drawn: u32,
    window_due: bool,
    end: End,
    stop: Stop,
}

/// Bytes of a frame, from `start` on.
#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    start: usize,
}

/// What the peer said last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Open,
    Finished,
    /// All was taken, and the peer is to hear it.
    DoneDue,
    /// It was told.
    Done,
    Reset(StreamCode),
}

/// Whether we want no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stop {
    No,
    Due(StreamCode),
    Said,
}

impl Receiving {
    pub(super) fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            buffered: 0,
            received: 0,
            taken: 0,
            limit: FIRST_CREDIT.into(),
            drawn: 0,
            window_due: false,
            end: End::Open,
            stop: Stop::No,
        }
    }

    /// Takes a data frame.
    pub(super) fn receive_data(&mut self, frame: Vec<u8>) -> Result<(), StreamViolation> {
        self.check_open()?;
        let length = frame.len().saturating_sub(DATA_HEADER);
        if self.received + length as u64 > self.limit {
            return Err(StreamViolation::PastCredit);
        }
        self.received += length as u64;
        // Bytes that nobody wants are counted, so that the bound holds for them too.
        if self.stop == Stop::No {
            self.buffered += length;
            self.keep(frame);
        }
        Ok(())
    }

    /// Small frames are put together: each would cost many times its bytes.
    fn keep(&mut self, frame: Vec<u8>) {
        if frame.len() <= SMALL
            && let Some(last) = self.chunks.back_mut()
            && last.bytes.len() + frame.len() <= DATA_HEADER + MAX_DATA
        {
            last.bytes.extend_from_slice(frame.get(DATA_HEADER..).unwrap_or_default());
        } else {
            self.chunks.push_back(Chunk { bytes: frame, start: DATA_HEADER });
        }
    }

    pub(super) fn receive_finish(&mut self, pool: &mut Pool) -> Result<(), StreamViolation> {
        self.check_open()?;
        self.end = End::Finished;
        // No more will come than what came.
        self.limit = self.received;
        self.note_taken(pool);
        Ok(())
    }

    pub(super) fn receive_reset(
        &mut self,
        code: StreamCode,
        pool: &mut Pool,
    ) -> Result<(), StreamViolation> {
        self.check_open()?;
        self.end = End::Reset(code);
        self.drop_buffered(pool);
        Ok(())
    }

    fn check_open(&self) -> Result<(), StreamViolation> {
        if self.end == End::Open { Ok(()) } else { Err(StreamViolation::AfterEnd) }
    }

    /// What can be read.
    pub(super) fn readable(&self) -> Result<Readable<'_>, StreamError> {
        match (self.end, self.stop) {
            (End::Reset(code), _) => Err(StreamError::Reset(code)),
            (_, Stop::Due(_) | Stop::Said) => Err(StreamError::Abandoned),
            (end, Stop::No) => Ok(match (self.chunks.front(), end) {
                (Some(chunk), _) => Readable::Bytes(chunk.rest()),
                (None, End::Open) => Readable::Nothing,
                (None, _) => Readable::End,
            }),
        }
    }

    /// So many bytes of what can be read were taken.
    pub(super) fn consume(&mut self, count: usize, pool: &mut Pool, share: u32) {
        let Some(chunk) = self.chunks.front_mut() else { return };
        let count = count.min(chunk.rest().len());
        chunk.start += count;
        if chunk.rest().is_empty() {
            self.chunks.pop_front();
        }
        self.buffered -= count;
        self.taken += count as u64;
        self.note_taken(pool);
        let reachable =
            share.min(FIRST_CREDIT.saturating_add(self.drawn).saturating_add(pool.left()));
        if self.end == End::Open && self.outstanding() <= reachable / 2 {
            self.window_due = true;
        }
    }

    /// What was taken is no longer to be kept; where it was all, the peer is to hear it.
    fn note_taken(&mut self, pool: &mut Pool) {
        let drawn = self.outstanding().saturating_sub(FIRST_CREDIT);
        pool.put_back(self.drawn.saturating_sub(drawn));
        self.drawn = self.drawn.min(drawn);
        if self.end == End::Finished && self.buffered == 0 && self.stop == Stop::No {
            self.end = End::DoneDue;
        }
    }

    /// Wants no more.
    pub(super) fn stop(&mut self, code: StreamCode, pool: &mut Pool) {
        if self.stop != Stop::No || matches!(self.end, End::DoneDue | End::Done | End::Reset(_)) {
            return;
        }
        self.stop = Stop::Due(code);
        self.window_due = false;
        self.drop_buffered(pool);
    }

    fn drop_buffered(&mut self, pool: &mut Pool) {
        self.chunks = VecDeque::new();
        self.buffered = 0;
        pool.put_back(self.drawn);
        self.drawn = 0;
    }

    /// Whether a frame about this direction is to be sent.
    pub(super) fn is_due(&self) -> bool {
        self.end == End::DoneDue || matches!(self.stop, Stop::Due(_)) || self.is_window_due()
    }

    fn is_window_due(&self) -> bool {
        self.window_due && self.end == End::Open
    }

    /// The frame that is to be sent.
    pub(super) fn take_due(&mut self, pool: &mut Pool, share: u32) -> Option<StreamFrame<'static>> {
        if let Stop::Due(code) = self.stop {
            self.stop = Stop::Said;
            return Some(StreamFrame::Stop(code));
        }
        if self.end == End::DoneDue {
            self.end = End::Done;
            return Some(StreamFrame::Done);
        }
        self.is_window_due().then(|| self.window(pool, share))
    }

    fn window(&mut self, pool: &mut Pool, share: u32) -> StreamFrame<'static> {
        self.window_due = false;
        let wanted = share.max(FIRST_CREDIT) - FIRST_CREDIT;
        self.drawn += pool.take(wanted.saturating_sub(self.drawn));
        // What was allowed before stays allowed.
        let credit = self.outstanding().max(FIRST_CREDIT + self.drawn);
        self.limit = self.taken + u64::from(credit);
        StreamFrame::Window { taken: self.taken, credit }
    }

    /// How many bytes the peer may make us keep.
    fn outstanding(&self) -> u32 {
        u32::try_from(self.limit - self.taken).unwrap_or(u32::MAX)
    }

    /// Whether the peer has said its last and knows that we have.
    pub(super) fn is_settled(&self) -> bool {
        match self.end {
            End::Open => false,
            End::Finished => self.stop != Stop::No,
            End::DoneDue | End::Done | End::Reset(_) => true,
        }
    }

    /// Whether that was also sent.
    pub(super) fn is_closed(&self) -> bool {
        self.is_settled() && !self.is_due()
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> (usize, usize) {
        (self.buffered, self.chunks.iter().map(|chunk| chunk.bytes.capacity()).sum())
    }

    #[cfg(test)]
    pub(super) fn drawn(&self) -> u32 {
        self.drawn
    }
}

impl Chunk {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

/// Frames up to this size are put together with what came before.
const SMALL: usize = 1 << 10;
