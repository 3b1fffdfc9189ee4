//! A session over a byte stream: the handshake, the exchange of Hellos, then frames.
//!
//! ```text
//! message 1:     u16 length || suite || Noise message 1
//! message 2, 3:  u16 length || Noise message
//! then:          records
//! ```
//!
//! Bytes, time and randomness come in; bytes to transmit and events go out. Until the peer is
//! accepted, whatever is wrong ends the session with nothing sent. Knows no socket.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::mem;

use super::dial::Dial;
use super::directory::Directory;
use super::exchange::{Exchange, Outcome};
use super::framer::{Framer, frame};
use super::handshake::{
    self, AwaitMessage2, AwaitMessage3, Established, MESSAGE_1_LENGTH, Terms, prologue,
};
use super::hello::{Channel, MAX_HELLO};
use super::local::Local;
use super::patience::Patience;
use super::record::{Incoming, KeyLimits, RecordError, RecordReader, RecordWriter};
use super::session::{FIRST_FRAME_TYPE, SendError, SessionError, SessionEvent};
use super::suite::Suite;
use crate::identity::Transport;
use crate::random::Random;
use crate::time::{Timestamp, WallTime};
use crate::wire::MAX_FRAME;

/// The most sealed bytes that wait to be transmitted: four of the largest frames. What waits
/// longer waits where it can still be taken back.
pub const MAX_UNSENT: usize = 4 << 20;

/// One end of a session over TCP.
pub struct TcpSession {
    local: Arc<Local>,
    directory: Arc<dyn Directory>,
    random: Box<dyn Random>,
    limits: KeyLimits,
    state: State,
    /// Until the peer is accepted.
    patience: Option<Patience>,
    transmit: Vec<u8>,
    events: VecDeque<SessionEvent>,
}

enum State {
    AwaitMessage1 { framer: Framer },
    AwaitMessage2 { framer: Framer, noise: AwaitMessage2, dial: Dial },
    AwaitMessage3 { framer: Framer, noise: AwaitMessage3 },
    Exchange { exchange: Box<Exchange>, records: Box<Records> },
    Open { records: Box<Records> },
    Closed,
}

struct Records {
    reader: RecordReader,
    writer: RecordWriter,
}

impl TcpSession {
    /// The end that dials; message 1 is ready to transmit.
    pub fn initiate(
        local: Arc<Local>,
        directory: Arc<dyn Directory>,
        dial: Dial,
        now: Timestamp,
        mut random: Box<dyn Random>,
    ) -> Result<Self, SessionError> {
        let suite = dial.suite(&local)?;
        let key = dial.static_key(&local, random.as_mut());
        let header = message1_header(suite);
        let prologue = prologue(Transport::Tcp, suite, &header);
        let terms = Terms { provider: local.provider(), suite, prologue: &prologue, local: &key };
        let (noise, message1) = handshake::initiate(terms, random.as_mut())?;
        let state = State::AwaitMessage2 { framer: Framer::default(), noise, dial };
        let mut session = Self::new(local, directory, state, now, random);
        session.transmit.extend_from_slice(&header);
        session.transmit.extend_from_slice(&message1);
        Ok(session)
    }

    /// The end that was dialled.
    pub fn accept(
        local: Arc<Local>,
        directory: Arc<dyn Directory>,
        now: Timestamp,
        random: Box<dyn Random>,
    ) -> Self {
        let state = State::AwaitMessage1 { framer: Framer::default() };
        Self::new(local, directory, state, now, random)
    }

    /// With other limits than the protocol's. Both ends must have the same.
    #[must_use]
    pub fn with_key_limits(mut self, limits: KeyLimits) -> Self {
        self.limits = limits;
        self
    }

    fn new(
        local: Arc<Local>,
        directory: Arc<dyn Directory>,
        state: State,
        now: Timestamp,
        random: Box<dyn Random>,
    ) -> Self {
        Self {
            local,
            directory,
            random,
            limits: KeyLimits::default(),
            state,
            patience: Some(Patience::new(now)),
            transmit: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Takes bytes that the peer sent. The events that they cause are to be polled before the next
    /// call; they hold no more than `bytes` did, and one frame.
    pub fn receive(&mut self, now: Timestamp, bytes: &[u8]) -> Result<(), SessionError> {
        self.handle_timeout(now)?;
        let mut rest = bytes;
        self.attempt(|session| {
            while session.step(now, &mut rest)? {}
            Ok(())
        })
    }

    /// The connection has ended: nothing more will be received.
    pub fn receive_end(&mut self) -> Result<(), SessionError> {
        self.attempt(|session| match session.state {
            State::Closed => Ok(()),
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

    /// Seals a frame, to be transmitted.
    pub fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        let State::Open { records } = &mut self.state else { return Err(SendError::NotOpen) };
        if frame.first().is_none_or(|kind| *kind < FIRST_FRAME_TYPE) {
            return Err(SendError::ReservedFrame);
        }
        if frame.len() > MAX_FRAME {
            return Err(SendError::TooLong);
        }
        if self.transmit.len() + frame.len() > MAX_UNSENT {
            return Err(SendError::Busy);
        }
        records.writer.seal_frame(frame, &mut self.transmit).map_err(|error| {
            self.fail();
            error.into()
        })
    }

    /// Closes the session in good order; the end of the stream is to be transmitted.
    pub fn close(&mut self) {
        if let State::Open { records } = self.finish() {
            // Where the end cannot be sealed, the peer sees a truncation, which is the truth.
            let _ = records.writer.seal_end(&mut self.transmit);
        }
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

    /// Runs a step, after whose failure nothing is sent.
    fn attempt(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        let result = step(self);
        if result.is_err() {
            self.fail();
        }
        result
    }

    fn fail(&mut self) {
        self.finish();
        self.transmit = Vec::new();
    }

    fn finish(&mut self) -> State {
        self.patience = None;
        mem::replace(&mut self.state, State::Closed)
    }

    /// Takes one handshake message or frame off `input`; whether there may be another.
    fn step(&mut self, now: Timestamp, input: &mut &[u8]) -> Result<bool, SessionError> {
        match &mut self.state {
            State::AwaitMessage1 { framer }
            | State::AwaitMessage2 { framer, .. }
            | State::AwaitMessage3 { framer, .. } => {
                let Some(message) = framer.take(input)? else { return Ok(false) };
                self.state = self.receive_message(now, &message)?;
                self.renew_patience(now);
            }
            State::Exchange { records, .. } => {
                let before = records.reader.opened();
                let incoming = records.reader.read(input)?;
                if records.reader.opened() > before {
                    self.renew_patience(now);
                }
                match incoming {
                    None => return Ok(false),
                    Some(Incoming::End) => self.end(),
                    Some(Incoming::Frame(frame)) => self.receive_first(now.wall, &frame)?,
                }
            }
            State::Open { records } => match records.reader.read(input)? {
                None => return Ok(false),
                Some(Incoming::End) => self.end(),
                Some(Incoming::Frame(frame)) => {
                    if frame.first().is_none_or(|kind| *kind < FIRST_FRAME_TYPE) {
                        return Err(SessionError::ReservedFrame);
                    }
                    self.events.push_back(SessionEvent::Frame(frame));
                }
            },
            State::Closed => return Ok(false),
        }
        Ok(true)
    }

    fn renew_patience(&mut self, now: Timestamp) {
        if let Some(patience) = &mut self.patience {
            patience.renew(now);
        }
    }

    fn receive_message(&mut self, now: Timestamp, message: &[u8]) -> Result<State, SessionError> {
        match mem::replace(&mut self.state, State::Closed) {
            State::AwaitMessage1 { framer } => {
                let (noise, message2) = self.receive_message1(message)?;
                frame(&message2, &mut self.transmit)?;
                Ok(State::AwaitMessage3 { framer, noise })
            }
            State::AwaitMessage2 { noise, dial, .. } => {
                let (established, message3) = dial.receive_message2(noise, message, now.wall)?;
                frame(&message3, &mut self.transmit)?;
                let channel = Channel::new(Transport::Tcp, &established);
                let mut records = self.records(&established);
                let (local, directory) = (Arc::clone(&self.local), Arc::clone(&self.directory));
                let (exchange, first) =
                    dial.exchange(channel, local, directory, self.random.as_mut())?;
                records.writer.seal_frame(&first, &mut self.transmit)?;
                Ok(State::Exchange { exchange: Box::new(exchange), records })
            }
            State::AwaitMessage3 { noise, .. } => {
                let established = noise.receive(message)?;
                let channel = Channel::new(Transport::Tcp, &established);
                let records = self.records(&established);
                let (local, directory) = (Arc::clone(&self.local), Arc::clone(&self.directory));
                let exchange = Box::new(Exchange::answer(channel, local, directory));
                Ok(State::Exchange { exchange, records })
            }
            other => Ok(other),
        }
    }

    fn receive_message1(
        &mut self,
        message: &[u8],
    ) -> Result<(AwaitMessage3, Vec<u8>), SessionError> {
        let (kind, message1) = message.split_first().ok_or(SessionError::SuiteNotListed)?;
        let suite = Suite::from_byte(*kind)
            .filter(|suite| self.local.suites().any(|listed| listed == *suite))
            .ok_or(SessionError::SuiteNotListed)?;
        let prologue = prologue(Transport::Tcp, suite, &message1_header(suite));
        let terms = Terms {
            provider: self.local.provider(),
            suite,
            prologue: &prologue,
            local: self.local.live_key(),
        };
        Ok(handshake::respond(terms, message1, self.random.as_mut())?)
    }

    fn records(&self, established: &Established) -> Box<Records> {
        let (suite, keys) = (established.suite, &established.keys);
        let provider = || Arc::clone(self.local.provider());
        Box::new(Records {
            reader: RecordReader::new(provider(), suite, &keys.receive, self.limits, MAX_HELLO),
            writer: RecordWriter::new(provider(), suite, &keys.send, self.limits),
        })
    }

    /// Takes the frame that decides whether the peer is accepted.
    fn receive_first(&mut self, now: WallTime, frame: &[u8]) -> Result<(), SessionError> {
        let State::Exchange { exchange, records } = self.finish() else { return Ok(()) };
        let event = match exchange.receive(now, frame, self.random.as_mut())? {
            Outcome::Opened { peer, reply } => {
                self.open(records, reply.as_deref())?;
                SessionEvent::Established(peer)
            }
            Outcome::CardFetched(card) => {
                self.transmit_last(*records, None)?;
                SessionEvent::CardFetched(card)
            }
            Outcome::CardServed { reply } => {
                self.transmit_last(*records, Some(&reply))?;
                SessionEvent::CardServed
            }
            Outcome::CardUnknown { reply } => {
                self.transmit_last(*records, Some(&reply))?;
                SessionEvent::CardUnknown
            }
            Outcome::CardWanted => SessionEvent::CardWanted,
        };
        self.events.push_back(event);
        Ok(())
    }

    fn open(&mut self, mut records: Box<Records>, reply: Option<&[u8]>) -> Result<(), RecordError> {
        if let Some(reply) = reply {
            records.writer.seal_frame(reply, &mut self.transmit)?;
        }
        records.reader.allow_frames_of(MAX_FRAME);
        self.state = State::Open { records };
        Ok(())
    }

    fn transmit_last(
        &mut self,
        mut records: Records,
        frame: Option<&[u8]>,
    ) -> Result<(), RecordError> {
        if let Some(frame) = frame {
            records.writer.seal_frame(frame, &mut self.transmit)?;
        }
        records.writer.seal_end(&mut self.transmit)
    }

    /// The peer has ended the stream: so do we.
    fn end(&mut self) {
        self.close();
        self.events.push_back(SessionEvent::Closed);
    }
}

impl fmt::Debug for TcpSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpSession").field("state", &self.state).finish_non_exhaustive()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwaitMessage1 { .. } => "AwaitMessage1",
            Self::AwaitMessage2 { .. } => "AwaitMessage2",
            Self::AwaitMessage3 { .. } => "AwaitMessage3",
            Self::Exchange { .. } => "Exchange",
            Self::Open { .. } => "Open",
            Self::Closed => "Closed",
        })
    }
}

/// What TCP sends in front of the Noise message 1, which the prologue binds.
fn message1_header(suite: Suite) -> [u8; 3] {
    let [.., high, low] = (1 + MESSAGE_1_LENGTH).to_be_bytes();
    [high, low, suite.byte()]
}

// The suite stands in front of message 1.
const _: () = assert!(MESSAGE_1_LENGTH < handshake::MAX_HANDSHAKE_MESSAGE);

#[cfg(all(feature = "aws-lc-rs", feature = "pure"))]
#[cfg(test)]
mod tests;
