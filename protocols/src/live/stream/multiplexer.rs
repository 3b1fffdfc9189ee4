//! One end of all the streams of a session.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::code::StreamCode;
use super::credit::Pool;
use super::frame::{StreamFrame, StreamId};
use super::receiving::{FIRST_CREDIT, Receiving};
use super::schedule::Turns;
use super::sending::Sending;
use super::violation::StreamViolation;
use crate::identity::ServiceName;
use crate::live::handshake::Role;

/// The most streams that each side may have opened at once: each costs its first credit in both
/// directions, 8 MiB for all of them.
pub const MAX_STREAMS: usize = 128;

/// The most streams of the peer's that wait to be accepted; further ones are refused as busy. Who
/// takes streams takes them within moments, so that more means that it stands still.
pub const MAX_UNACCEPTED: usize = 32;

/// One end of all the streams of a session.
///
/// Frames go out in this order: what is said about streams before their bytes, and each stream one
/// frame of bytes in its turn. They are made only when they are asked for, so that whoever carries
/// them decides what else goes first.
#[derive(Debug)]
pub struct Multiplexer {
    role: Role,
    streams: BTreeMap<StreamId, Stream>,
    /// The next that we open, while there are any.
    next_own: Option<StreamId>,
    /// The next that the peer opens.
    next_peer: Option<StreamId>,
    open_own: usize,
    open_peer: usize,
    unaccepted: usize,
    pool: Pool,
    /// Those about which something is to be said.
    urgent: Turns,
    /// Those whose bytes may go.
    bulk: Turns,
    /// Nothing more will be sent or come.
    over: bool,
}

#[derive(Debug)]
struct Stream {
    sending: Sending,
    receiving: Receiving,
    /// The name, until the peer was told of the stream.
    open_due: Option<ServiceName>,
    accepted: bool,
    /// Nobody at this end asks for it any more.
    released: bool,
    /// It counts as open.
    counted: bool,
}

/// What a frame brought.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Received {
    /// The peer opened a stream: [`accept`](Multiplexer::accept) or
    /// [`release`](Multiplexer::release) it.
    Opened {
        /// Its id.
        id: StreamId,
        /// What it is for.
        name: ServiceName,
    },
    /// Something changed about this stream: what can be read, what can be written, or its end.
    Stirred(StreamId),
    /// Nothing for anybody.
    Nothing,
}

/// What can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Readable<'a> {
    /// These bytes come next.
    Bytes(&'a [u8]),
    /// Nothing came so far.
    Nothing,
    /// All was read.
    End,
}

/// How far the two directions of a stream got, in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// Written here by the application.
    pub written: u64,
    /// Sent.
    pub sent: u64,
    /// Taken by the peer's application, as far as is known.
    pub acknowledged: u64,
    /// Received.
    pub received: u64,
    /// Taken here by the application.
    pub read: u64,
}

/// Why nothing can be read from a stream, or written to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The peer gave up what it was sending.
    #[error("the peer gave the stream up: {0}")]
    Reset(StreamCode),
    /// The peer wants no more of what we send.
    #[error("the peer does not want the rest of the stream: {0}")]
    Stopped(StreamCode),
    /// We said that no more will come.
    #[error("the stream was finished here")]
    Finished,
    /// We gave it up, or never had it.
    #[error("the stream was given up here")]
    Abandoned,
    /// The session ended before the stream.
    #[error("the session ended before the stream")]
    SessionOver,
}

/// Why no stream was opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// [`MAX_STREAMS`] of ours are open: when one ends, another may be opened.
    #[error("{MAX_STREAMS} streams to the peer are open already")]
    TooMany,
    /// All ids of the session are used: a new session has new ones.
    #[error("the session has used all its streams")]
    Exhausted,
    /// The session has ended.
    #[error("the session has ended")]
    SessionOver,
}

impl Multiplexer {
    /// The end of the side with this role in the session.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            streams: BTreeMap::new(),
            next_own: Some(StreamId::first(role)),
            next_peer: Some(StreamId::first(role.peer())),
            open_own: 0,
            open_peer: 0,
            unaccepted: 0,
            pool: Pool::default(),
            urgent: Turns::default(),
            bulk: Turns::default(),
            over: false,
        }
    }

    /// Opens a stream.
    pub fn open(&mut self, name: ServiceName) -> Result<StreamId, OpenError> {
        if self.over {
            return Err(OpenError::SessionOver);
        }
        if self.open_own >= MAX_STREAMS {
            return Err(OpenError::TooMany);
        }
        let id = self.next_own.ok_or(OpenError::Exhausted)?;
        self.next_own = id.next();
        self.open_own += 1;
        let stream = Stream { open_due: Some(name), accepted: true, ..Stream::new(FIRST_CREDIT) };
        self.streams.insert(id, stream);
        self.urgent.join(id);
        Ok(id)
    }

    /// Takes a stream that the peer opened.
    pub fn accept(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id)
            && !stream.accepted
        {
            stream.accepted = true;
            self.unaccepted -= 1;
        }
    }

    /// Takes as many of the bytes as may wait in the stream; none where it is full for now.
    pub fn write(&mut self, id: StreamId, bytes: &[u8]) -> Result<usize, StreamError> {
        let stream = self.writing(id)?;
        let taken = stream.sending.write(id, bytes)?;
        self.review(id);
        Ok(taken)
    }

    /// No more will be written to the stream; what was written is sent.
    pub fn finish(&mut self, id: StreamId) -> Result<(), StreamError> {
        self.writing(id)?.sending.finish()?;
        self.review(id);
        Ok(())
    }

    /// Gives up what is written to the stream, unless its end was sent already.
    pub fn reset(&mut self, id: StreamId, code: StreamCode) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.sending.reset(code);
            self.review(id);
        }
    }

    /// Wants no more of what the peer sends in the stream, unless all of it came and was read.
    pub fn stop(&mut self, id: StreamId, code: StreamCode) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.receiving.stop(code, &mut self.pool);
            self.review(id);
        }
    }

    /// Lets go of a stream: what is still open of it is given up, what was finished is still sent,
    /// and nothing will be asked of it any more.
    pub fn release(&mut self, id: StreamId, code: StreamCode) {
        self.accept(id);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.released = true;
            stream.sending.let_go(code);
            stream.receiving.stop(code, &mut self.pool);
            self.review(id);
        }
    }

    /// What can be read from the stream.
    pub fn readable(&self, id: StreamId) -> Result<Readable<'_>, StreamError> {
        let stream = self.streams.get(&id).ok_or(StreamError::Abandoned)?;
        match stream.receiving.readable()? {
            Readable::Nothing if self.over => Err(StreamError::SessionOver),
            readable => Ok(readable),
        }
    }

    /// So many bytes of what can be read were taken.
    pub fn consume(&mut self, id: StreamId, count: usize) {
        let share = self.share();
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.receiving.consume(count, &mut self.pool, share);
            self.review(id);
        }
    }

    /// Whether the peer has taken all that was written, and its end.
    pub fn is_done(&self, id: StreamId) -> Result<bool, StreamError> {
        let stream = self.streams.get(&id).ok_or(StreamError::Abandoned)?;
        match stream.sending.is_done()? {
            false if self.over => Err(StreamError::SessionOver),
            done => Ok(done),
        }
    }

    /// How far the stream got.
    pub fn progress(&self, id: StreamId) -> Progress {
        let Some(Stream { sending, receiving, .. }) = self.streams.get(&id) else {
            return Progress::default();
        };
        Progress {
            written: sending.sent() + sending.unsent() as u64,
            sent: sending.sent(),
            acknowledged: sending.taken(),
            received: receiving.received(),
            read: receiving.taken(),
        }
    }

    /// The session has ended: what came can still be read, and nothing else happens any more.
    pub fn end(&mut self) {
        self.over = true;
        self.urgent = Turns::default();
        self.bulk = Turns::default();
    }

    /// Whether a frame is to be sent.
    pub fn has_frame(&self) -> bool {
        !self.urgent.is_empty() || !self.bulk.is_empty()
    }

    /// The next frame to send, and the stream that it is about, in which more may be written now.
    pub fn next_frame(&mut self) -> Option<(StreamId, Vec<u8>)> {
        let share = self.share();
        while let Some(id) = self.urgent.next() {
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            if let Some(frame) = stream.urgent_frame(&mut self.pool, share) {
                self.review(id);
                return Some((id, frame.encode(id)));
            }
        }
        while let Some(id) = self.bulk.next() {
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            if let Some(frame) = stream.sending.take_frame(id) {
                self.review(id);
                return Some((id, frame));
            }
        }
        None
    }

    /// Takes a frame of the peer's. After an error the session must end.
    pub fn receive(&mut self, frame: Vec<u8>) -> Result<Received, StreamViolation> {
        let (id, content) = StreamFrame::decode(&frame)?;
        if let StreamFrame::Open { credit, name } = content {
            return self.receive_open(id, credit, name);
        }
        if !self.was_opened(id) {
            return Err(StreamViolation::UnknownStream);
        }
        let Some(stream) = self.streams.get_mut(&id) else { return after_the_end(&content) };
        let Stream { sending, receiving, .. } = stream;
        match content {
            StreamFrame::Data(_) => receiving.receive_data(frame)?,
            StreamFrame::Finish => receiving.receive_finish(&mut self.pool)?,
            StreamFrame::Reset(code) => receiving.receive_reset(code, &mut self.pool)?,
            StreamFrame::Window { taken, credit } => sending.receive_window(taken, credit)?,
            StreamFrame::Done => sending.receive_done()?,
            StreamFrame::Stop(code) => sending.receive_stop(code),
            StreamFrame::Open { .. } => {}
        }
        self.review(id);
        Ok(Received::Stirred(id))
    }

    fn receive_open(
        &mut self,
        id: StreamId,
        credit: u32,
        name: ServiceName,
    ) -> Result<Received, StreamViolation> {
        if id.opener() == self.role {
            return Err(StreamViolation::WrongParity);
        }
        if self.next_peer != Some(id) {
            return Err(StreamViolation::OutOfOrder);
        }
        if self.open_peer >= MAX_STREAMS {
            return Err(StreamViolation::TooManyStreams);
        }
        self.next_peer = id.next();
        self.open_peer += 1;
        self.unaccepted += 1;
        self.streams.insert(id, Stream::new(credit));
        if self.unaccepted > MAX_UNACCEPTED {
            self.release(id, StreamCode::BUSY);
            return Ok(Received::Nothing);
        }
        Ok(Received::Opened { id, name })
    }

    fn was_opened(&self, id: StreamId) -> bool {
        let next = if id.opener() == self.role { self.next_own } else { self.next_peer };
        id.0 > 0 && next.is_none_or(|next| id < next)
    }

    fn writing(&mut self, id: StreamId) -> Result<&mut Stream, StreamError> {
        if self.over {
            return Err(StreamError::SessionOver);
        }
        self.streams.get_mut(&id).ok_or(StreamError::Abandoned)
    }

    fn share(&self) -> u32 {
        Pool::share(self.open_own + self.open_peer)
    }

    /// Lets the stream stand where it has something to send, and takes note of its end.
    fn review(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if !self.over {
            if stream.is_urgent() {
                self.urgent.join(id);
            }
            if stream.sending.is_ready() {
                self.bulk.join(id);
            }
        }
        let own = id.opener() == self.role;
        // The peer counts what we said when we have said it, and we what it said when it came: so
        // neither sees more streams open than its opener does.
        let over = if own { stream.is_closed() } else { stream.is_settled() };
        if over && stream.counted {
            stream.counted = false;
            let open = if own { &mut self.open_own } else { &mut self.open_peer };
            *open -= 1;
        }
        if stream.released && (self.over || stream.is_closed()) {
            self.streams.remove(&id);
        }
    }
}

/// Judges a frame for a stream that is closed at both ends. What the peer said of what it takes may
/// have crossed our end; of what it sends, it has said all.
fn after_the_end(frame: &StreamFrame<'_>) -> Result<Received, StreamViolation> {
    match frame {
        StreamFrame::Window { .. } | StreamFrame::Done | StreamFrame::Stop(_) => {
            Ok(Received::Nothing)
        }
        _ => Err(StreamViolation::AfterEnd),
    }
}

impl Stream {
    fn new(credit: u32) -> Self {
        Self {
            sending: Sending::new(credit),
            receiving: Receiving::new(),
            open_due: None,
            accepted: false,
            released: false,
            counted: true,
        }
    }

    fn is_urgent(&self) -> bool {
        self.open_due.is_some() || self.sending.is_reset_due() || self.receiving.is_due()
    }

    fn urgent_frame(&mut self, pool: &mut Pool, share: u32) -> Option<StreamFrame<'static>> {
        if let Some(name) = self.open_due.take() {
            return Some(StreamFrame::Open { credit: FIRST_CREDIT, name });
        }
        if let Some(code) = self.sending.take_reset() {
            return Some(StreamFrame::Reset(code));
        }
        self.receiving.take_due(pool, share)
    }

    /// Whether both directions are over as far as the peer said.
    fn is_settled(&self) -> bool {
        self.sending.is_closed() && self.receiving.is_settled()
    }

    /// Whether both directions are over, and all was said.
    fn is_closed(&self) -> bool {
        self.sending.is_closed() && self.receiving.is_closed() && self.open_due.is_none()
    }
}

#[cfg(test)]
impl Multiplexer {
    /// What is kept of what came: bytes, and the memory that they take.
    pub(super) fn kept(&self) -> (usize, usize) {
        self.streams
            .values()
            .map(|stream| stream.receiving.kept())
            .fold((0, 0), |(bytes, memory), (more, of)| (bytes + more, memory + of))
    }

    /// What was taken out of the pool, by the streams and by the pool's own account.
    pub(super) fn drawn(&self) -> (u32, u32) {
        let streams = self.streams.values().map(|stream| stream.receiving.drawn()).sum();
        (streams, super::credit::POOL - self.pool.left())
    }

    /// Passes over all ids of ours but the last.
    pub(super) fn open_last_id_next(&mut self) {
        self.next_own = Some(StreamId(u32::MAX));
    }

    pub(super) fn count(&self) -> usize {
        self.streams.len()
    }
}
