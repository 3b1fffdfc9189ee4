//! One connection: the session on its first stream.

use std::time::Instant;

use meshwork_protocols::live::hello::Channel;
use meshwork_protocols::live::quic::{QuicSession, Randomness};
use meshwork_protocols::live::{Dial, SessionError, SessionEvent};
use meshwork_protocols::time::Timestamp;
use meshwork_transports::{QUIC_STREAMS, QUIC_WINDOW};
use quinn_proto::{
    Connection, ConnectionHandle, Dir, Endpoint, Event, StreamEvent, StreamId, VarInt, WriteError,
};

use super::{Party, QuicEvent};

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) handle: ConnectionHandle,
    pub(super) connection: Connection,
    /// When time alone matters next.
    pub(super) timeout: Option<Instant>,
    pub(super) session: Option<QuicSession>,
    /// What was dialled for, until the session begins.
    dial: Option<Dial>,
    initiated: bool,
    stream: Option<StreamId>,
    /// Given by the session, and not taken by the stream.
    outgoing: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Handshake,
    Connected,
    /// Our end of the stream has ended.
    Finished,
    /// Nothing more is told of it.
    Over,
}

/// What a look at the endpoint came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settled {
    /// Whether anything was said between the two.
    pub(super) is_any: bool,
    /// Whether nothing of the connection is left.
    pub(super) is_drained: bool,
}

impl Link {
    pub(super) fn new(
        handle: ConnectionHandle,
        connection: Connection,
        dial: Option<Dial>,
    ) -> Self {
        Self {
            handle,
            connection,
            timeout: None,
            session: None,
            initiated: dial.is_some(),
            dial,
            stream: None,
            outgoing: Vec::new(),
            state: State::Handshake,
        }
    }

    /// Ends the session behind what it has to say; before there is one, the connection.
    pub(super) fn close(&mut self, at: Instant) {
        match (&mut self.session, self.state) {
            (Some(session), State::Connected | State::Finished) => session.close(),
            _ => self.cut(at),
        }
    }

    /// Passes on what connection and endpoint have to tell each other.
    pub(super) fn settle(&mut self, endpoint: &mut Endpoint) -> Settled {
        let mut settled = Settled::default();
        while let Some(event) = self.connection.poll_endpoint_events() {
            settled.is_any = true;
            settled.is_drained |= event.is_drained();
            if let Some(event) = endpoint.handle_event(self.handle, event) {
                self.connection.handle_event(event);
            }
        }
        settled
    }

    /// Takes note of what happened, and moves bytes between the stream and the session.
    pub(super) fn turn(
        &mut self,
        now: Timestamp,
        at: Instant,
        party: &Party,
        randomness: &Randomness,
    ) -> Vec<QuicEvent> {
        let mut lost = false;
        while let Some(event) = self.connection.poll() {
            match event {
                Event::Connected if self.state == State::Handshake => {
                    self.state = State::Connected;
                }
                Event::ConnectionLost { .. } => lost = true,
                // The peer has all of it, or wants no more.
                Event::Stream(StreamEvent::Finished { .. } | StreamEvent::Stopped { .. }) => {
                    self.cut(at);
                }
                _ => {}
            }
        }
        let moved = match self.state {
            State::Handshake | State::Over => Ok(()),
            State::Connected | State::Finished => self.pump(now, party, randomness),
        };
        let mut events = self.take_events();
        if lost || moved.is_err() {
            self.cut(at);
            events.push(QuicEvent::Lost);
        }
        events
    }

    /// Notes when time alone matters next; `zero` is the zero of the monotonic clock.
    pub(super) fn note_timeout(&mut self, zero: Instant) {
        let session = self.session.as_ref().and_then(QuicSession::next_timeout);
        let session = session.map(|at| zero + at.monotonic);
        self.timeout = self.connection.poll_timeout().into_iter().chain(session).min();
    }

    fn take_events(&mut self) -> Vec<QuicEvent> {
        let Some(session) = &mut self.session else { return Vec::new() };
        let events: Vec<_> = std::iter::from_fn(|| session.poll()).collect();
        if events.iter().any(|event| matches!(event, SessionEvent::Established(_))) {
            self.connection.set_receive_window(VarInt::from_u32(QUIC_WINDOW));
            self.connection.set_max_concurrent_streams(Dir::Bi, VarInt::from_u32(QUIC_STREAMS));
        }
        events.into_iter().map(QuicEvent::Session).collect()
    }

    fn pump(
        &mut self,
        now: Timestamp,
        party: &Party,
        randomness: &Randomness,
    ) -> Result<(), SessionError> {
        if self.stream.is_none() {
            let mut streams = self.connection.streams();
            self.stream =
                if self.initiated { streams.open(Dir::Bi) } else { streams.accept(Dir::Bi) };
        }
        let Some(stream) = self.stream else { return Ok(()) };
        if self.session.is_none() {
            self.session = Some(self.begin(now, party, randomness)?);
        }
        let Some(session) = &mut self.session else { return Ok(()) };
        let (bytes, ended) = read_all(&mut self.connection, stream);
        session.receive(now, &bytes)?;
        if ended {
            session.receive_end()?;
        }
        session.take_transmit(&mut self.outgoing);
        write_all(&mut self.connection, stream, &mut self.outgoing);
        if session.is_closed() && self.outgoing.is_empty() && self.state == State::Connected {
            self.state = State::Finished;
            // Where it cannot end any more it is over.
            let _ = self.connection.send_stream(stream).finish();
        }
        Ok(())
    }

    fn begin(
        &mut self,
        now: Timestamp,
        party: &Party,
        randomness: &Randomness,
    ) -> Result<QuicSession, SessionError> {
        let data = self.connection.crypto_session().handshake_data();
        let channel = data.and_then(|data| data.downcast::<Channel>().ok());
        let channel = *channel.ok_or(SessionError::Truncated)?;
        let (local, directory) = (party.local.clone(), party.directory.clone());
        match self.dial.take() {
            Some(dial) => QuicSession::initiate(local, directory, dial, channel, now, randomness()),
            None => Ok(QuicSession::accept(local, directory, channel, now, randomness())),
        }
    }

    fn cut(&mut self, at: Instant) {
        self.state = State::Over;
        self.connection.close(at, VarInt::from_u32(0), bytes::Bytes::new());
    }
}

/// Writes as much as the stream takes. Nothing, written, would go out as a frame that the peer
/// acknowledges, and so for ever.
fn write_all(connection: &mut Connection, stream: StreamId, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let written = match connection.send_stream(stream).write(bytes) {
        Ok(written) => written,
        Err(WriteError::Blocked) => 0,
        // The peer takes no more.
        Err(_) => bytes.len(),
    };
    bytes.drain(..written);
}

fn read_all(connection: &mut Connection, stream: StreamId) -> (Vec<u8>, bool) {
    let (mut bytes, mut ended) = (Vec::new(), false);
    let mut receiving = connection.recv_stream(stream);
    let Ok(mut chunks) = receiving.read(true) else { return (bytes, ended) };
    // It says `Blocked` where there is no more for now.
    while let Ok(next) = chunks.next(usize::MAX) {
        match next {
            Some(chunk) => bytes.extend_from_slice(&chunk.bytes),
            None => {
                ended = true;
                break;
            }
        }
    }
    // What it would tell the peer goes out with the next packet anyway.
    let _ = chunks.finalize();
    (bytes, ended)
}
