//! QUIC: the first stream goes through the session, and back; datagrams go beside it.

use std::future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use meshwork_protocols::identity::Address;
use meshwork_protocols::live::hello::Channel;
use meshwork_protocols::live::patience::MAX_SILENCE;
use meshwork_protocols::live::quic::{NoiseClient, NoiseServer, QuicSession, Randomness, Refusal};
use meshwork_protocols::live::{
    Dial, Directory, Local, SendError, SessionError, SessionEvent, Traffic,
};
use meshwork_transports::{
    QUIC_WINDOW_BEFORE, QuicConnecting, QuicConnection, QuicDialError, QuicEndpoint, QuicError,
    QuicIncoming, QuicReadError, QuicReceiver, QuicSender, QuicWriteError,
};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::outgoing::Outgoing;
use super::{CarrierError, FAREWELL, step_aside, turned_out};
use crate::agent::FetchError;
use crate::driver::Shared;
use crate::driver::gate::Pass;
use crate::streams::Native;

/// How much is read at a time: a few of the largest batches of packets that a kernel hands over.
const READ: usize = 64 << 10;

/// What a connection and its handshake hold of a peer that has not proved itself: measured, and as
/// much as may come and not be taken.
const HELD_BEFORE: usize = (32 << 10) + QUIC_WINDOW_BEFORE as usize;

/// The first stream goes before all others: what is small and urgent is on it.
const FIRST: i32 = 1;

/// A session over QUIC, or a handshake that may become one.
#[derive(Debug)]
pub(crate) struct QuicCarrier {
    shared: Arc<Shared>,
    ours: Arc<Local>,
    remote: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    Handshake(QuicConnecting),
    Standing(Box<Standing>),
    Broken,
}

/// A connection whose handshake is done.
#[derive(Debug)]
struct Standing {
    session: QuicSession,
    connection: QuicConnection,
    sender: QuicSender,
    receiver: QuicReceiver,
    /// Whether the peer has ended the first stream.
    ended: bool,
    outgoing: Outgoing,
}

/// What a turn moved.
enum Moved {
    /// So many bytes came in: events may stand in the session.
    In(usize),
    /// Bytes went out.
    Out,
}

impl QuicCarrier {
    pub(super) async fn dial(
        shared: &Arc<Shared>,
        ours: Arc<Local>,
        dial: Dial,
        address: &Address,
    ) -> Result<Self, FetchError> {
        let now = shared.clock.now();
        let keys = NoiseClient::new(Arc::clone(&ours), dial.clone(), now.wall, randomness(&ours));
        let keys = Arc::new(keys.map_err(FetchError::Session)?);
        let sockets = shared.sockets.diallers(ours.provider().random().as_mut())?;
        let connection = QuicEndpoint::dial(&sockets, &address.endpoint, keys).await?;
        let remote = connection.remote();
        let (sender, receiver) = connection.open_stream().await.map_err(refused)?;
        let directory: Arc<dyn Directory> = Arc::clone(&shared.peers) as _;
        let (now, random) = (shared.clock.now(), ours.provider().random());
        let channel = channel(&connection).map_err(FetchError::Session)?;
        let local = Arc::clone(&ours);
        let session = QuicSession::initiate(local, directory, dial, channel, now, random);
        let session = session.map_err(FetchError::Session)?;
        let standing = Standing::new(session, connection, sender, receiver);
        let state = State::Standing(Box::new(standing));
        Ok(Self { shared: Arc::clone(shared), ours, remote, state })
    }

    /// Answers who came.
    pub(crate) fn accept(
        shared: &Arc<Shared>,
        ours: Arc<Local>,
        incoming: QuicIncoming,
    ) -> Result<Self, SessionError> {
        let remote = incoming.remote();
        let keys = NoiseServer::new(Arc::clone(&ours), randomness(&ours))?;
        let connecting = incoming.answer(Arc::new(keys)).map_err(|error| session_error(&error))?;
        let state = State::Handshake(connecting);
        Ok(Self { shared: Arc::clone(shared), ours, remote, state })
    }

    pub(super) fn remote(&self) -> SocketAddr {
        match &self.state {
            State::Standing(standing) => standing.connection.remote(),
            _ => self.remote,
        }
    }

    /// QUIC's streams beside the first.
    pub(super) fn streams(&self) -> Option<Native> {
        match &self.state {
            State::Standing(standing) => Some(Native::new(standing.connection.clone())),
            _ => None,
        }
    }

    pub(super) async fn open(
        &mut self,
        mut pass: Option<Pass>,
    ) -> Result<SessionEvent, CarrierError> {
        if let Some(pass) = &pass {
            pass.buffered(HELD_BEFORE);
        }
        let standing = tokio::select! {
            standing = self.stand() => standing?,
            () = turned_out(&mut pass) => return Err(CarrierError::TurnedOut),
        };
        self.state = State::Standing(Box::new(standing));
        self.exchange(pass).await
    }

    /// Waits for the end of the handshake, and for the first stream. A stranger gets as long as it
    /// may be silent.
    async fn stand(&mut self) -> Result<Standing, CarrierError> {
        let connecting = match std::mem::replace(&mut self.state, State::Broken) {
            State::Handshake(connecting) => connecting,
            State::Standing(standing) => return Ok(*standing),
            State::Broken => return Err(SessionError::Truncated.into()),
        };
        let deadline = Instant::now() + MAX_SILENCE;
        let timed_out = |_| CarrierError::Session(SessionError::TimedOut);
        let connection = timeout_at(deadline, connecting.finish()).await.map_err(timed_out)??;
        let stream = timeout_at(deadline, connection.accept_stream());
        let (sender, receiver) = stream.await.map_err(timed_out)??;
        let directory: Arc<dyn Directory> = Arc::clone(&self.shared.peers) as _;
        let (now, random) = (self.shared.clock.now(), self.ours.provider().random());
        let local = Arc::clone(&self.ours);
        let session = QuicSession::accept(local, directory, channel(&connection)?, now, random);
        Ok(Standing::new(session, connection, sender, receiver))
    }

    async fn exchange(&mut self, mut pass: Option<Pass>) -> Result<SessionEvent, CarrierError> {
        let Self { shared, state: State::Standing(standing), .. } = self else {
            return Err(SessionError::Truncated.into());
        };
        // The first stream goes ahead of others. It is open: this cannot fail.
        let _ = standing.sender.set_priority(FIRST);
        let mut buffered = HELD_BEFORE;
        loop {
            if let Some(event) = standing.session.poll() {
                if matches!(event, SessionEvent::Established(_)) {
                    standing.connection.proved();
                }
                return Ok(event);
            }
            let timeout = standing.session.next_timeout().map(|at| shared.clock.instant(at));
            let timeout = timeout.unwrap_or_else(Instant::now);
            tokio::select! {
                moved = standing.turn(true, shared) => if let Moved::In(bytes) = moved? {
                    buffered += bytes;
                    if let Some(pass) = &pass {
                        pass.buffered(buffered);
                    }
                },
                () = sleep_until(timeout) => standing.session.handle_timeout(shared.clock.now())?,
                () = turned_out(&mut pass) => return Err(CarrierError::TurnedOut),
            }
        }
    }

    pub(super) async fn progress(&mut self, may_read: bool) -> Result<(), CarrierError> {
        let Self { shared, state: State::Standing(standing), .. } = self else {
            return Err(SessionError::Truncated.into());
        };
        let (waits, stalled) = (standing.take_given(), standing.outgoing.stalls());
        let moved = tokio::select! {
            moved = standing.turn(may_read, shared) => moved,
            () = sleep_until(stalled), if waits => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        };
        if matches!(moved, Ok(Moved::Out)) && !standing.take_given() {
            // What sends it was woken, and goes first.
            step_aside().await;
        }
        moved.map(drop)
    }

    pub(super) fn room(&self) -> usize {
        let State::Standing(standing) = &self.state else { return 0 };
        standing.outgoing.room(standing.session.unsent())
    }

    pub(super) fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        let State::Standing(standing) = &mut self.state else { return Err(SendError::NotOpen) };
        if Traffic::of(frame) != Traffic::Datagram {
            return standing.session.send(frame);
        }
        standing.session.check_datagram(frame)?;
        // One that finds no room, or a path too narrow, is lost, as it may be.
        standing.connection.send_datagram(frame.to_vec());
        Ok(())
    }

    pub(super) fn poll(&mut self) -> Option<SessionEvent> {
        match &mut self.state {
            State::Standing(standing) => standing.session.poll(),
            _ => None,
        }
    }

    pub(super) async fn end(self) {
        let State::Standing(mut standing) = self.state else { return };
        standing.session.close();
        let flushed = timeout(FAREWELL, async {
            while standing.take_given() {
                standing.write().await.ok()?;
            }
            standing.sender.finish().ok()?;
            // Until the peer has all of it.
            standing.sender.stopped().await.ok()
        });
        // The peer that does not take them sees a truncation, which is the truth.
        let _ = flushed.await;
    }
}

impl Standing {
    fn new(
        session: QuicSession,
        connection: QuicConnection,
        sender: QuicSender,
        receiver: QuicReceiver,
    ) -> Self {
        let outgoing = Outgoing::new();
        Self { session, connection, sender, receiver, ended: false, outgoing }
    }

    async fn turn(&mut self, may_read: bool, shared: &Shared) -> Result<Moved, CarrierError> {
        let writes = self.take_given();
        let Self { session, connection, sender, receiver, ended, outgoing } = self;
        tokio::select! {
            chunk = receiver.read_chunk(READ, true), if may_read && !*ended => {
                let Some(chunk) = chunk? else {
                    *ended = true;
                    session.receive_end()?;
                    return Ok(Moved::In(0));
                };
                session.receive(shared.clock.now(), &chunk.bytes)?;
                Ok(Moved::In(chunk.bytes.len()))
            }
            count = sender.write(outgoing.rest()), if writes => {
                outgoing.wrote(count?);
                Ok(Moved::Out)
            }
            datagram = connection.receive_datagram(), if may_read => {
                session.receive_datagram(datagram?);
                Ok(Moved::In(0))
            }
            else => future::pending().await,
        }
    }

    async fn write(&mut self) -> Result<(), QuicWriteError> {
        let count = self.sender.write(self.outgoing.rest()).await?;
        self.outgoing.wrote(count);
        Ok(())
    }

    /// Takes what the session gives; whether there is anything to write.
    fn take_given(&mut self) -> bool {
        self.outgoing.fill(|bytes| self.session.take_transmit(bytes))
    }
}

/// The randomness of the provider, for each handshake anew.
pub(crate) fn randomness(ours: &Arc<Local>) -> Randomness {
    let provider = Arc::clone(ours.provider());
    Arc::new(move || provider.random())
}

/// What the handshake made.
fn channel(connection: &QuicConnection) -> Result<Channel, SessionError> {
    let data = connection.handshake_data().and_then(|data| data.downcast::<Channel>().ok());
    data.map(|channel| *channel).ok_or(SessionError::Truncated)
}

/// Why a connection is over. What our side refused has a name; whatever the other did is an end
/// without the end of the session.
fn session_error(error: &QuicError) -> SessionError {
    match error {
        QuicError::TransportError(error) => {
            Refusal::of(error).map_or(SessionError::Truncated, Refusal::to_session_error)
        }
        QuicError::TimedOut => SessionError::TimedOut,
        _ => SessionError::Truncated,
    }
}

fn refused(error: QuicError) -> FetchError {
    QuicDialError::from(error).into()
}

impl From<QuicDialError> for FetchError {
    fn from(error: QuicDialError) -> Self {
        match error {
            QuicDialError::Dial(error) => error.into(),
            QuicDialError::Handshake(error) => Self::Session(session_error(&error)),
            _ => Self::NoAddress,
        }
    }
}

impl From<QuicError> for CarrierError {
    fn from(error: QuicError) -> Self {
        Self::Session(session_error(&error))
    }
}

impl From<QuicReadError> for CarrierError {
    fn from(error: QuicReadError) -> Self {
        match error {
            QuicReadError::ConnectionLost(error) => error.into(),
            _ => Self::Session(SessionError::Truncated),
        }
    }
}

impl From<QuicWriteError> for CarrierError {
    fn from(error: QuicWriteError) -> Self {
        match error {
            QuicWriteError::ConnectionLost(error) => error.into(),
            _ => Self::Session(SessionError::Truncated),
        }
    }
}
