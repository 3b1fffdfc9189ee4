//! The direction of a stream in which we send.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::code::StreamCode;
use super::frame::{DATA_HEADER, MAX_DATA, StreamFrame, StreamId, data_header};
use super::multiplexer::StreamError;
use super::violation::StreamViolation;

/// The most bytes that wait in one stream to be sent: what a connection takes soon. Who writes more
/// waits, so that bytes wait where they can still be held back.
pub const MAX_UNSENT: usize = 16 * MAX_DATA;

/// What is to be sent, and how far the peer has taken it.
#[derive(Debug)]
pub(super) struct Sending {
    /// Data frames, all full but the last.
    frames: VecDeque<Vec<u8>>,
    unsent: usize,
    sent: u64,
    /// How many bytes the peer allows in all.
    limit: u64,
    /// How many its application took.
    taken: u64,
    end: End,
    /// The peer wants no more.
    stopped: Option<StreamCode>,
}

/// How a direction stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Open,
    /// The finish comes behind what waits.
    Finishing,
    /// The finish was sent.
    Finished,
    /// The peer took all of it.
    Done,
    ResetDue(StreamCode),
    Reset,
}

impl Sending {
    pub(super) fn new(credit: u32) -> Self {
        Self {
            frames: VecDeque::new(),
            unsent: 0,
            sent: 0,
            limit: credit.into(),
            taken: 0,
            end: End::Open,
            stopped: None,
        }
    }

    /// Takes as many of the bytes as may wait.
    pub(super) fn write(&mut self, id: StreamId, bytes: &[u8]) -> Result<usize, StreamError> {
        self.check_open()?;
        let mut rest = bytes.get(..bytes.len().min(MAX_UNSENT - self.unsent)).unwrap_or(bytes);
        let taken = rest.len();
        while !rest.is_empty() {
            let frame = match self.frames.pop_back() {
                Some(last) if last.len() < DATA_HEADER + MAX_DATA => last,
                full => {
                    self.frames.extend(full);
                    started(id, rest.len().min(MAX_DATA))
                }
            };
            rest = self.fill(frame, rest);
        }
        self.unsent += taken;
        Ok(taken)
    }

    /// Puts the frame back at the end with what fits into it; the rest.
    fn fill<'a>(&mut self, mut frame: Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
        let room = DATA_HEADER + MAX_DATA - frame.len();
        let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        frame.extend_from_slice(now);
        self.frames.push_back(frame);
        later
    }

    fn check_open(&self) -> Result<(), StreamError> {
        match (self.stopped, self.end) {
            (Some(code), _) => Err(StreamError::Stopped(code)),
            (None, End::Open) => Ok(()),
            (None, End::Finishing | End::Finished | End::Done) => Err(StreamError::Finished),
            (None, End::ResetDue(_) | End::Reset) => Err(StreamError::Abandoned),
        }
    }

    /// No more will be written.
    pub(super) fn finish(&mut self) -> Result<(), StreamError> {
        self.check_open()?;
        self.end = End::Finishing;
        Ok(())
    }

    /// Gives it up. Once the end was sent it is too late: the peer gets all of it.
    pub(super) fn reset(&mut self, code: StreamCode) {
        if matches!(self.end, End::Open | End::Finishing) {
            self.end = End::ResetDue(code);
            self.drop_unsent();
        }
    }

    /// Gives it up, unless it is finished: then what waits is still sent.
    pub(super) fn let_go(&mut self, code: StreamCode) {
        if self.end == End::Open {
            self.reset(code);
        }
    }

    fn drop_unsent(&mut self) {
        self.frames = VecDeque::new();
        self.unsent = 0;
    }

    /// Whether the peer took all of it.
    pub(super) fn is_done(&self) -> Result<bool, StreamError> {
        match (self.stopped, self.end) {
            (_, End::Done) => Ok(true),
            (Some(code), _) => Err(StreamError::Stopped(code)),
            (None, End::ResetDue(_) | End::Reset) => Err(StreamError::Abandoned),
            (None, _) => Ok(false),
        }
    }

    /// Whether nothing more will be sent, and nothing is waited for.
    pub(super) fn is_closed(&self) -> bool {
        match self.end {
            End::Done | End::Reset => true,
            End::Finished => self.stopped.is_some(),
            End::Open | End::Finishing | End::ResetDue(_) => false,
        }
    }

    /// Whether a byte or the end may be sent now.
    pub(super) fn is_ready(&self) -> bool {
        match self.unsent {
            0 => self.end == End::Finishing,
            _ => self.sent < self.limit,
        }
    }

    /// The reset that is to be sent.
    pub(super) fn take_reset(&mut self) -> Option<StreamCode> {
        let End::ResetDue(code) = self.end else { return None };
        self.end = End::Reset;
        Some(code)
    }

    /// Whether a reset is to be sent.
    pub(super) fn is_reset_due(&self) -> bool {
        matches!(self.end, End::ResetDue(_))
    }

    /// The next frame of bytes, or the end behind them.
    pub(super) fn take_frame(&mut self, id: StreamId) -> Option<Vec<u8>> {
        if self.unsent == 0 {
            return (self.end == End::Finishing).then(|| {
                self.end = End::Finished;
                StreamFrame::Finish.encode(id)
            });
        }
        let allowed = usize::try_from(self.limit - self.sent).unwrap_or(usize::MAX);
        if allowed == 0 {
            return None;
        }
        let mut frame = self.frames.pop_front()?;
        let length = frame.len() - DATA_HEADER;
        if length > allowed {
            self.frames.push_front(rest_of(id, &frame, allowed));
            frame.truncate(DATA_HEADER + allowed);
        }
        let length = length.min(allowed);
        self.unsent -= length;
        self.sent += length as u64;
        Some(frame)
    }

    pub(super) fn receive_window(
        &mut self,
        taken: u64,
        credit: u32,
    ) -> Result<(), StreamViolation> {
        if taken > self.sent {
            return Err(StreamViolation::TookUnsent);
        }
        let limit = taken.saturating_add(credit.into());
        if taken < self.taken || limit < self.limit {
            return Err(StreamViolation::CreditWithdrawn);
        }
        (self.taken, self.limit) = (taken, limit);
        Ok(())
    }

    pub(super) fn receive_done(&mut self) -> Result<(), StreamViolation> {
        if self.end != End::Finished {
            return Err(StreamViolation::TookUnsent);
        }
        self.end = End::Done;
        self.taken = self.sent;
        Ok(())
    }

    pub(super) fn receive_stop(&mut self, code: StreamCode) {
        if self.end != End::Done {
            self.stopped.get_or_insert(code);
        }
        self.reset(code);
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent
    }
}

fn started(id: StreamId, room: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(DATA_HEADER + room);
    frame.extend_from_slice(&data_header(id));
    frame
}

/// A frame of what stands behind the first `length` bytes of another.
fn rest_of(id: StreamId, frame: &[u8], length: usize) -> Vec<u8> {
    let rest = frame.get(DATA_HEADER + length..).unwrap_or_default();
    let mut next = started(id, rest.len());
    next.extend_from_slice(rest);
    next
}
