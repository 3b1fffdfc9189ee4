//! QUIC, as it is set up for sessions.
//!
//! The keys are somebody else's: they come in as quinn's traits, and whether they are Noise's or, in
//! a benchmark, TLS's is not seen here. Until a connection is
//! [`trusted`](QuicConnection::trust) the other end may open one stream, and send no more than a
//! Hello takes.

use std::any::Any;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac::{HMAC_SHA256, Key};
use quinn::crypto::{ClientConfig as ClientCrypto, ServerConfig as ServerCrypto};
use quinn::{
    AsyncUdpSocket, ClientConfig, Connecting, Connection, ConnectionError, Endpoint,
    EndpointConfig, Incoming, ServerConfig, TokioRuntime, TransportConfig, VarInt, ZeroRttAccepted,
};
use quinn_proto::HashedConnectionIdGenerator;

pub use quinn::{
    ConnectionError as QuicError, ReadError as QuicReadError, RecvStream as QuicReceiver,
    SendStream as QuicSender, VarInt as QuicCode, WriteError as QuicWriteError,
};

use meshwork_protocols::identity as card;
use tokio::time::timeout;

use crate::attempts::{Attempts, Verdict};
use crate::dial::{CONNECT, STAGGER, resolve};
use crate::port::canonical;
use crate::{DialError, race};

/// How long a round trip is taken to be before one was measured: a lost packet of the handshake is
/// sent again three times within the five seconds that a stranger has.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);

/// How long a connection may be silent before it counts as dead, in milliseconds, as over UDP: nobody
/// else says that the other end was killed, unless it starts again at the same port, and what waits
/// goes elsewhere only then.
const IDLE: u32 = 8_000;

/// How often a silent connection says that it is there: thrice before it would count as dead.
const KEEPALIVE: Duration = Duration::from_millis(2_500);

/// What may come and not be taken before a peer is trusted: a Hello with a card of the usual size
/// (11 KiB) comes whole, a longer one asks for more on the way.
pub const QUIC_WINDOW_BEFORE: u32 = 16 << 10;

/// What may come and not be taken, of all streams, from a trusted peer: four of the largest frames
/// on each of a few streams.
pub const QUIC_WINDOW: u32 = 16 << 20;

/// The same of one stream: a round trip of 100 ms at 40 MB/s.
pub const QUIC_STREAM_WINDOW: u32 = 4 << 20;

/// How many streams a trusted peer may have open beside the first.
pub const QUIC_STREAMS: u32 = 256;

/// How many bytes of datagrams may wait to be taken; older ones are lost first.
const DATAGRAMS: usize = 64 << 10;

/// The most that the handshake's messages of one level hold, with room for what came out of order.
const CRYPTO_BUFFER: usize = 8 << 10;

/// How many first packets may wait to be taken up.
const MAX_INCOMING: usize = 128;

/// What may come behind a first packet before that is taken up.
const INCOMING_BUFFER: u64 = 8 << 10;

/// The same behind all of them.
const INCOMING_BUFFERS: u64 = 256 << 10;

/// What a socket speaks QUIC with.
#[derive(Clone)]
pub struct QuicKeys {
    /// The version of QUIC, the only one.
    pub version: u32,
    /// What those who dial are answered with; nobody is where it is missing.
    pub server: Option<Arc<dyn ServerCrypto>>,
    /// The secret by which a later start at this port tells the peers of connections that it does
    /// not know that they are over (RFC 9000, section 10.3).
    pub reset: [u8; 32],
}

/// A socket that speaks QUIC, to be dialled and to dial from.
#[derive(Clone, Debug)]
pub struct QuicEndpoint {
    endpoint: Endpoint,
    version: u32,
    attempts: Arc<Mutex<Attempts>>,
}

impl QuicEndpoint {
    pub(crate) fn new(socket: Arc<dyn AsyncUdpSocket>, keys: QuicKeys) -> io::Result<Self> {
        let mut config = EndpointConfig::new(Arc::new(Key::new(HMAC_SHA256, &keys.reset)));
        // An id that this secret did not make is not answered with a reset.
        let ids = keys.reset.first_chunk().map_or(0, |key| u64::from_be_bytes(*key));
        config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
        // The port tells QUIC apart by the bit that this would grease.
        config.grease_quic_bit(false).supported_versions(vec![keys.version]);
        let server = keys.server.map(server_config);
        let runtime = Arc::new(TokioRuntime);
        let endpoint = Endpoint::new_with_abstract_socket(config, server, socket, runtime)?;
        let attempts = Arc::new(Mutex::new(Attempts::new(Instant::now())));
        Ok(Self { endpoint, version: keys.version, attempts })
    }

    /// Where it is.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// Waits for somebody who dials; `None` once the endpoint is closed. While many handshakes are
    /// held, an address has to show first that it receives; where more would be than may, silence
    /// answers. Dropping the future loses nothing.
    pub async fn accept(&self) -> Option<QuicIncoming> {
        loop {
            let incoming = self.endpoint.accept().await?;
            let from = incoming.remote_address().ip();
            let is_validated = incoming.remote_address_validated();
            match lock(&self.attempts).admit(Instant::now(), from, is_validated) {
                Verdict::Begins => {
                    let attempts = Arc::clone(&self.attempts);
                    let place =
                        Place { attempts, from, connection: None, state: PlaceState::Begun };
                    return Some(QuicIncoming { incoming, place });
                }
                Verdict::Validates => {
                    // It may: an address that is not validated has not had its Retry.
                    let _ = incoming.retry();
                }
                Verdict::Ignored => incoming.ignore(),
            }
        }
    }

    /// Dials from the first endpoint that reaches an address, and waits for the end of the handshake.
    /// Dropping the future gives it up.
    pub async fn dial(
        from: &[Self],
        to: &card::Endpoint,
        keys: Arc<dyn ClientCrypto>,
    ) -> Result<QuicConnection, QuicDialError> {
        let ways = resolve(to).await?.into_iter().map(|address| {
            let endpoint = from.iter().find(|endpoint| endpoint.reaches(address)).cloned();
            let keys = Arc::clone(&keys);
            async move {
                let endpoint = endpoint.ok_or(NOT_REACHED)?;
                endpoint.connect(address, keys)?.finish().await.map_err(Into::into)
            }
        });
        let dialling = timeout(CONNECT, race(ways, STAGGER));
        let timed_out = DialError::Unreachable(io::ErrorKind::TimedOut);
        let dialled = dialling.await.map_err(|_| timed_out)?;
        dialled.map_err(|errors| errors.into_iter().next_back().unwrap_or(UNKNOWN_HOST))
    }

    /// Whether packets from where it is get there: not if it is bound to one network and that is on
    /// another, as far as addresses tell.
    fn reaches(&self, to: SocketAddr) -> bool {
        let Ok(own) = self.address().map(|address| address.ip()) else { return false };
        let family = own.is_ipv4() == to.is_ipv4() || own == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        family && (own.is_unspecified() || own.is_loopback() && to.ip().is_loopback())
    }

    fn connect(
        &self,
        to: SocketAddr,
        keys: Arc<dyn ClientCrypto>,
    ) -> Result<QuicConnecting, QuicDialError> {
        let mut config = ClientConfig::new(keys);
        config.version(self.version).transport_config(Arc::new(quic_transport(0)));
        // It refuses addresses that its socket cannot reach, and to begin when it is closed.
        let connecting = self.endpoint.connect_with(config, to, NO_NAME);
        let connecting = connecting.map_err(|_| NOT_REACHED)?;
        Ok(QuicConnecting { handshake: Handshake::Dialled(connecting) })
    }

    /// Waits until no connection is left, and those that were closed have said so.
    pub async fn wait_idle(&self) {
        self.endpoint.wait_idle().await;
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuicDialError {
    /// Nobody answered.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// Somebody answered, and the handshake failed.
    #[error("the handshake failed: {0}")]
    Handshake(ConnectionError),
}

impl From<ConnectionError> for QuicDialError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::TimedOut => DialError::Unreachable(io::ErrorKind::TimedOut).into(),
            error => Self::Handshake(error),
        }
    }
}

const NOT_REACHED: DialError = DialError::Unreachable(io::ErrorKind::AddrNotAvailable);

const UNKNOWN_HOST: QuicDialError = QuicDialError::Dial(DialError::UnknownHost);

/// Nobody is dialled by a name: the keys know whom they want.
const NO_NAME: &str = "peer";

impl fmt::Debug for QuicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicKeys").field("version", &self.version).finish_non_exhaustive()
    }
}

/// Somebody who dials, of whom one packet came.
#[derive(Debug)]
pub struct QuicIncoming {
    incoming: Incoming,
    place: Place,
}

impl QuicIncoming {
    /// Where it comes from, or says so.
    pub fn remote(&self) -> SocketAddr {
        canonical(self.incoming.remote_address())
    }

    /// Begins the handshake, under the keys as they are now.
    pub fn answer(self, keys: Arc<dyn ServerCrypto>) -> Result<QuicConnecting, ConnectionError> {
        let Self { incoming, mut place } = self;
        let connecting = incoming.accept_with(Arc::new(server_config(keys)))?;
        // Nothing is sent early: the handle alone is wanted.
        let handshake = match connecting.into_0rtt() {
            Ok((connection, ended)) => {
                place.connection = Some(connection.clone());
                Handshake::Answered { connection, ended, place }
            }
            Err(connecting) => Handshake::Dialled(connecting),
        };
        Ok(QuicConnecting { handshake })
    }

    /// Does not answer at all.
    pub fn ignore(self) {
        self.incoming.ignore();
    }
}

/// A place among the handshakes that are held: given back when the peer has proved itself, or when
/// the connection has left the memory after it was given up: three probe timeouts later (RFC 9000,
/// section 10.2).
#[derive(Debug)]
struct Place {
    attempts: Arc<Mutex<Attempts>>,
    from: IpAddr,
    connection: Option<Connection>,
    state: PlaceState,
}

/// How far the one who holds a place has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum PlaceState {
    Begun,
    /// The handshake is done.
    Standing,
    Proved,
}

impl Place {
    /// How long the connection stays in memory if it is given up now.
    fn lingers(&self) -> Duration {
        let Some(connection) = &self.connection else { return Duration::ZERO };
        match connection.close_reason() {
            // quinn-proto sets no timer where the very first packet is the end.
            Some(ConnectionError::ConnectionClosed(_) | ConnectionError::ApplicationClosed(_))
                if self.state == PlaceState::Begun =>
            {
                Duration::from_millis(IDLE.into())
            }
            _ => 3 * probe_timeout(connection),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let lingers = self.lingers();
        let mut attempts = lock(&self.attempts);
        match self.state {
            PlaceState::Proved => attempts.proved(self.from),
            _ => attempts.given_up(Instant::now(), self.from, lingers),
        }
    }
}

/// A round trip, four times its variation, which is half of it at first, and the longest delay of an
/// acknowledgement (RFC 9002, section 6.2.1).
fn probe_timeout(connection: &Connection) -> Duration {
    const MAX_ACK_DELAY: Duration = Duration::from_millis(25);
    3 * connection.rtt() + MAX_ACK_DELAY
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change under a lock here is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A handshake that is under way.
pub struct QuicConnecting {
    handshake: Handshake,
}

enum Handshake {
    Dialled(Connecting),
    Answered { connection: Connection, ended: ZeroRttAccepted, place: Place },
}

impl QuicConnecting {
    /// Where the other end is.
    pub fn remote(&self) -> SocketAddr {
        canonical(match &self.handshake {
            Handshake::Dialled(connecting) => connecting.remote_address(),
            Handshake::Answered { connection, .. } => connection.remote_address(),
        })
    }

    /// Waits for the end of the handshake. Dropping the future gives it up.
    pub async fn finish(self) -> Result<QuicConnection, ConnectionError> {
        let (connection, mut place) = match self.handshake {
            Handshake::Dialled(connecting) => (connecting.await?, None),
            Handshake::Answered { connection, ended, place } => {
                ended.await;
                (connection, Some(place))
            }
        };
        if let Some(error) = connection.close_reason() {
            return Err(error);
        }
        if let Some(place) = &mut place {
            place.state = PlaceState::Standing;
        }
        Ok(QuicConnection { connection, place: Arc::new(Mutex::new(place)) })
    }
}

impl fmt::Debug for QuicConnecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicConnecting").field("remote", &self.remote()).finish_non_exhaustive()
    }
}

/// A connection whose handshake is done.
#[derive(Clone, Debug)]
pub struct QuicConnection {
    connection: Connection,
    /// Until the other end has proved who it is.
    place: Arc<Mutex<Option<Place>>>,
}

impl QuicConnection {
    /// What the keys know of the handshake, as a type of theirs.
    pub fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.connection.handshake_data()
    }

    /// Opens a stream, once the other end lets one more be open.
    pub async fn open_stream(&self) -> Result<(QuicSender, QuicReceiver), QuicError> {
        self.connection.open_bi().await
    }

    /// Waits for a stream that the other end has opened, and said something on. Dropping the future
    /// loses nothing.
    pub async fn accept_stream(&self) -> Result<(QuicSender, QuicReceiver), QuicError> {
        self.connection.accept_bi().await
    }

    /// The longest datagram that goes now, if the other end takes any.
    pub fn max_datagram(&self) -> Option<usize> {
        self.connection.max_datagram_size()
    }

    /// Sends a datagram, which may be lost: it is where it is longer than
    /// [`max_datagram`](Self::max_datagram). Older ones that wait make room.
    pub fn send_datagram(&self, datagram: Vec<u8>) {
        let _ = self.connection.send_datagram(datagram.into());
    }

    /// Waits for a datagram. Dropping the future loses nothing.
    pub async fn receive_datagram(&self) -> Result<Vec<u8>, QuicError> {
        self.connection.read_datagram().await.map(Into::into)
    }

    /// Closes it at once, whatever is under way.
    pub fn close(&self) {
        self.connection.close(VarInt::from_u32(0), &[]);
    }

    /// Where the other end is now.
    pub fn remote(&self) -> SocketAddr {
        canonical(self.connection.remote_address())
    }

    /// The other end has proved who it is: it takes no place of those who have not.
    pub fn proved(&self) {
        if let Some(mut place) = lock(&self.place).take() {
            place.state = PlaceState::Proved;
        }
    }

    /// The other end has proved who it is, and is known: it may open streams, and send as fast as it
    /// is read.
    pub fn trust(&self) {
        self.connection.set_receive_window(VarInt::from_u32(QUIC_WINDOW));
        self.connection.set_max_concurrent_bi_streams(VarInt::from_u32(QUIC_STREAMS));
    }
}

fn server_config(keys: Arc<dyn ServerCrypto>) -> ServerConfig {
    let mut config = ServerConfig::with_crypto(keys);
    config
        .transport_config(Arc::new(quic_transport(1)))
        .max_incoming(MAX_INCOMING)
        .incoming_buffer_size(INCOMING_BUFFER)
        .incoming_buffer_size_total(INCOMING_BUFFERS);
    config
}

/// How a connection is set up whose other end may open so many streams before it is trusted.
pub fn quic_transport(streams: u32) -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .initial_rtt(FIRST_ROUND_TRIP)
        .max_idle_timeout(Some(VarInt::from_u32(IDLE).into()))
        .keep_alive_interval(Some(KEEPALIVE))
        .max_concurrent_bidi_streams(VarInt::from_u32(streams))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .receive_window(VarInt::from_u32(QUIC_WINDOW_BEFORE))
        .stream_receive_window(VarInt::from_u32(QUIC_STREAM_WINDOW))
        .datagram_receive_buffer_size(Some(DATAGRAMS))
        .crypto_buffer_size(CRYPTO_BUFFER)
        // Says to everybody on the way how long a round trip takes.
        .allow_spin(false);
    config
}
