//! A session over QUIC, once its handshake is done: the exchange of Hellos, then frames.
//!
//! Both travel on the first stream, which the initiator opens: `length || frame`, a Hello first in
//! each direction. The end of the stream ends the session in good order. Datagrams go beside it, once
//! the session stands; so do streams, which are QUIC's own.
//!
//! Bytes, time and randomness come in; bytes to transmit and events go out. Knows no packets: they
//! are sealed by whoever carries the stream.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::mem;

use super::frames::{self, FrameReader};
use crate::live::dial::Dial;
use crate::live::directory::Directory;
use crate::live::exchange::{Exchange, Outcome};
use crate::live::hello::{Channel, MAX_HELLO};
use crate::live::local::Local;
use crate::live::patience::Patience;
use crate::live::session::{FIRST_FRAME_TYPE, SendError, SessionError, SessionEvent};
use crate::live::tcp::MAX_UNSENT;
use crate::live::traffic::Traffic;
use crate::random::Random;
use crate::time::{Timestamp, WallTime};
use crate::wire::MAX_FRAME;

/// One end of a session over QUIC.
pub struct QuicSession {
    random: Box<dyn Random>,
    state: State,
    /// Until the peer is accepted.
    patience: Option<Patience>,
    reader: FrameReader,
    transmit: Vec<u8>,
    events: VecDeque<SessionEvent>,
}

enum State {
    Exchange(Box<Exchange>),
    Open,
    Closed,
}

impl QuicSession {
    /// The end that dialled, over the channel that the handshake made; its first frame is ready to
    /// transmit.
    pub fn initiate(
        local: Arc<Local>,
        directory: Arc<dyn Directory>,
        dial: Dial,
        channel: Channel,
        now: Timestamp,
        mut random: Box<dyn Random>,
    ) -> Result<Self, SessionError> {
        let (exchange, first) = dial.exchange(channel, local, directory, random.as_mut())?;
        let mut session = Self::new(exchange, now, random);
        frames::write(&first, &mut session.transmit)?;
        Ok(session)
    }

    /// The end that was dialled.
    pub fn accept(
        local: Arc<Local>,
        directory: Arc<dyn Directory>,
        channel: Channel,
        now: Timestamp,
        random: Box<dyn Random>,
    ) -> Self {
        Self::new(Exchange::answer(channel, local, directory), now, random)
    }

    fn new(exchange: Exchange, now: Timestamp, random: Box<dyn Random>) -> Self {
        Self {
            random,
            state: State::Exchange(Box::new(exchange)),
            patience: Some(Patience::new(now)),
            reader: FrameReader::new(MAX_HELLO),
            transmit: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Takes bytes of the first stream. The events that they cause are to be polled before the next
    /// call; they hold no more than `bytes` did, and one frame.
    pub fn receive(&mut self, now: Timestamp, bytes: &[u8]) -> Result<(), SessionError> {
        self.handle_timeout(now)?;
        // QUIC has authenticated them.
        if let Some(patience) = self.patience.as_mut().filter(|_| !bytes.is_empty()) {
            patience.renew(now);
        }
        let mut rest = bytes;
        self.attempt(|session| {
            while session.step(now.wall, &mut rest)? {}
            Ok(())
        })
    }

    /// Takes a datagram, which counts only while the session is open; whatever else it is, it is
    /// dropped.
    pub fn receive_datagram(&mut self, datagram: Vec<u8>) {
        if Traffic::of(&datagram) == Traffic::Datagram && self.is_open() {
            self.events.push_back(SessionEvent::Frame(datagram));
        }
    }

    /// The peer has ended the first stream: so do we.
    pub fn receive_end(&mut self) -> Result<(), SessionError> {
        self.attempt(|session| match session.state {
            State::Closed => Ok(()),
            State::Open if session.reader.is_between_frames() => {
                session.close();
                session.events.push_back(SessionEvent::Closed);
                Ok(())
            }
            _ => Err(SessionError::Truncated),
        })
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing happens before.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.patience.as_ref().map(Patience::ends)
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), SessionError> {
        self.attempt(|session| match &session.patience {
            Some(patience) if patience.is_over(now) => Err(SessionError::TimedOut),
            _ => Ok(()),
        })
    }

    /// Takes a frame to transmit on the first stream.
    pub fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        self.check_frame(frame)?;
        if frame.len() > MAX_FRAME {
            return Err(SendError::TooLong);
        }
        if self.transmit.len() + frame.len() > MAX_UNSENT {
            return Err(SendError::Busy);
        }
        frames::write(frame, &mut self.transmit).map_err(SendError::Record)
    }

    /// Whether the frame may go out as a datagram.
    pub fn check_datagram(&self, frame: &[u8]) -> Result<(), SendError> {
        self.check_frame(frame)?;
        match Traffic::of(frame) {
            Traffic::Datagram => Ok(()),
            _ => Err(SendError::ReservedFrame),
        }
    }

    /// Ends the session in good order: behind what is to transmit the stream ends.
    pub fn close(&mut self) {
        self.finish();
    }

    /// Whether both Hellos were accepted, and neither side has closed.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether nothing more will be received or sent, but for what is left to transmit.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Moves the bytes to transmit behind those in `out`.
    pub fn take_transmit(&mut self, out: &mut Vec<u8>) {
        if out.is_empty() {
            mem::swap(out, &mut self.transmit);
        } else {
            out.append(&mut self.transmit);
        }
    }

    /// How many bytes wait to be transmitted.
    pub fn unsent(&self) -> usize {
        self.transmit.len()
    }

    /// The next event.
    pub fn poll(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    fn check_frame(&self, frame: &[u8]) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::NotOpen);
        }
        if frame.first().is_none_or(|kind| *kind < FIRST_FRAME_TYPE) {
            return Err(SendError::ReservedFrame);
        }
        Ok(())
    }

    /// Runs a step, after whose failure nothing is sent.
    fn attempt(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        let result = step(self);
        if result.is_err() {
            self.finish();
            self.transmit = Vec::new();
        }
        result
    }

    fn finish(&mut self) -> State {
        self.patience = None;
        mem::replace(&mut self.state, State::Closed)
    }

    /// Takes one frame off `input`; whether there may be another.
    fn step(&mut self, now: WallTime, input: &mut &[u8]) -> Result<bool, SessionError> {
        if self.is_closed() {
            return Ok(false);
        }
        let Some(frame) = self.reader.read(input)? else { return Ok(false) };
        match self.state {
            State::Open if frame.first().is_none_or(|kind| *kind < FIRST_FRAME_TYPE) => {
                return Err(SessionError::ReservedFrame);
            }
            State::Open => self.events.push_back(SessionEvent::Frame(frame)),
            State::Exchange(_) => self.receive_first(now, &frame)?,
            State::Closed => {}
        }
        Ok(true)
    }

    /// Takes the frame that decides whether the peer is accepted.
    fn receive_first(&mut self, now: WallTime, frame: &[u8]) -> Result<(), SessionError> {
        let State::Exchange(exchange) = self.finish() else { return Ok(()) };
        let (event, reply) = match exchange.receive(now, frame, self.random.as_mut())? {
            Outcome::Opened { peer, reply } => {
                self.state = State::Open;
                self.reader.allow_frames_of(MAX_FRAME);
                (SessionEvent::Established(peer), reply)
            }
            Outcome::CardFetched(card) => (SessionEvent::CardFetched(card), None),
            Outcome::CardServed { reply } => (SessionEvent::CardServed, Some(reply)),
            Outcome::CardUnknown { reply } => (SessionEvent::CardUnknown, Some(reply)),
            Outcome::CardWanted => (SessionEvent::CardWanted, None),
        };
        if let Some(reply) = reply {
            frames::write(&reply, &mut self.transmit)?;
        }
        self.events.push_back(event);
        Ok(())
    }
}

impl fmt::Debug for QuicSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Exchange(_) => "Exchange",
            State::Open => "Open",
            State::Closed => "Closed",
        };
        f.debug_struct("QuicSession").field("state", &state).finish_non_exhaustive()
    }
}
