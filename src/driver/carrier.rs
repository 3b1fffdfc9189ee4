//! What carries a session: one of the transports, behind the same few words.
//!
//! A carrier joins a sans-IO session of `protocols` with sockets of `transports`. It takes frames to
//! send, yields the session's events, and says what it can carry. What a frame says, and whether one
//! goes ahead of another, is decided before it comes here.

mod outgoing;
mod quic;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use std::{future, io, mem};

use meshwork_protocols::identity::{Address, Transport};
use meshwork_protocols::live::udp::MAX_UDP_CLEAR;
use meshwork_protocols::live::{Dial, Local, Role, SendError, SessionError, SessionEvent};
use meshwork_protocols::wire::MAX_FRAME;
use meshwork_transports::DialError;

pub(crate) use self::quic::{QuicCarrier, randomness};
pub(crate) use self::tcp::TcpCarrier;
pub(crate) use self::udp::UdpCarrier;
use super::Shared;
use super::gate::Pass;
use crate::agent::FetchError;
use crate::streams::{Muxed, SessionStreams};

/// How long a session gets to send its last bytes.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);

/// A session and what it goes over.
#[derive(Debug)]
pub(crate) enum Carrier {
    Quic(QuicCarrier),
    Tcp(Box<TcpCarrier>),
    Udp(UdpCarrier),
}

/// What a carrier can do, for as long as it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Carries {
    /// What it goes over.
    pub(crate) transport: Transport,
    /// Whether frames arrive in order and none is lost while it stands.
    pub(crate) reliable: bool,
    /// The longest frame.
    pub(crate) max_frame: usize,
}

/// Why a carrier is of no use any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CarrierError {
    /// The session broke.
    Session(SessionError),
    /// The connection broke.
    Connection(io::ErrorKind),
    /// The caps chose it.
    TurnedOut,
}

impl Carrier {
    /// Goes to an address of a card and begins what is dialled for.
    pub(crate) async fn dial(
        shared: &Arc<Shared>,
        ours: Arc<Local>,
        dial: Dial,
        address: &Address,
    ) -> Result<Self, FetchError> {
        match address.transport {
            Transport::Quic => QuicCarrier::dial(shared, ours, dial, address).await.map(Self::Quic),
            Transport::Tcp => TcpCarrier::dial(shared, ours, dial, address)
                .await
                .map(|it| Self::Tcp(Box::new(it))),
            Transport::Udp => UdpCarrier::dial(shared, dial, address).await.map(Self::Udp),
            other => Err(DialError::Unsupported(other).into()),
        }
    }

    /// What it can do.
    pub(crate) fn carries(&self) -> Carries {
        match self {
            Self::Quic(_) => {
                Carries { transport: Transport::Quic, reliable: true, max_frame: MAX_FRAME }
            }
            Self::Tcp(_) => {
                Carries { transport: Transport::Tcp, reliable: true, max_frame: MAX_FRAME }
            }
            Self::Udp(_) => {
                Carries { transport: Transport::Udp, reliable: false, max_frame: MAX_UDP_CLEAR }
            }
        }
    }

    /// The streams of an established session in which we have this role.
    pub(crate) fn streams(&self, role: Role) -> Option<SessionStreams> {
        match self {
            Self::Quic(carrier) => carrier.streams().map(SessionStreams::Native),
            Self::Tcp(_) => Some(SessionStreams::Muxed(Arc::new(Muxed::new(role)))),
            Self::Udp(_) => None,
        }
    }

    /// Where the other end is.
    pub(crate) fn remote(&self) -> SocketAddr {
        match self {
            Self::Quic(carrier) => carrier.remote(),
            Self::Tcp(carrier) => carrier.remote(),
            Self::Udp(carrier) => carrier.remote(),
        }
    }

    /// Runs the session up to its first event, under the caps where there is a pass.
    pub(crate) async fn open(&mut self, pass: Option<Pass>) -> Result<SessionEvent, CarrierError> {
        match self {
            Self::Quic(carrier) => carrier.open(pass).await,
            Self::Tcp(carrier) => carrier.open(pass).await,
            Self::Udp(carrier) => carrier.open().await,
        }
    }

    /// Waits until something came in, where it may, or there is more room. Events may stand
    /// afterwards, also behind an error. Dropping the future loses nothing.
    pub(crate) async fn progress(&mut self, may_read: bool) -> Result<(), CarrierError> {
        match self {
            Self::Quic(carrier) => carrier.progress(may_read).await,
            Self::Tcp(carrier) => carrier.progress(may_read).await,
            Self::Udp(carrier) => carrier.progress(may_read).await,
        }
    }

    /// How many bytes of frames may still be given before what was given has gone out.
    pub(crate) fn room(&self) -> usize {
        match self {
            Self::Quic(carrier) => carrier.room(),
            Self::Tcp(carrier) => carrier.room(),
            Self::Udp(carrier) => carrier.room(),
        }
    }

    /// Seals a frame, to go out with the next [`progress`](Self::progress).
    pub(crate) fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        match self {
            Self::Quic(carrier) => carrier.send(frame),
            Self::Tcp(carrier) => carrier.send(frame),
            Self::Udp(carrier) => carrier.send(frame),
        }
    }

    /// The next event of the session.
    pub(crate) fn poll(&mut self) -> Option<SessionEvent> {
        match self {
            Self::Quic(carrier) => carrier.poll(),
            Self::Tcp(carrier) => carrier.poll(),
            Self::Udp(carrier) => carrier.poll(),
        }
    }

    /// Ends the session in good order, and gives its last bytes some time.
    pub(crate) async fn end(self) {
        match self {
            Self::Quic(carrier) => carrier.end().await,
            Self::Tcp(carrier) => carrier.end().await,
            // Dropped, it ends behind what waits.
            Self::Udp(_) => {}
        }
    }
}

impl From<SessionError> for CarrierError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<io::Error> for CarrierError {
    fn from(error: io::Error) -> Self {
        Self::Connection(error.kind())
    }
}

impl From<CarrierError> for SessionError {
    /// A connection that broke cut short what the peer said.
    fn from(error: CarrierError) -> Self {
        match error {
            CarrierError::Session(error) => error,
            CarrierError::Connection(_) | CarrierError::TurnedOut => Self::Truncated,
        }
    }
}

/// Lets those go first who were just woken on this thread: what they say then goes out with the next
/// turn, and who waits for an answer does not wait for a line to look at its socket again.
pub(super) async fn step_aside() {
    let mut is_back = false;
    future::poll_fn(|context| {
        if mem::replace(&mut is_back, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits until the holder of a pass has to go.
async fn turned_out(pass: &mut Option<Pass>) {
    match pass {
        Some(pass) => pass.turned_out().await,
        None => future::pending().await,
    }
}
