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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac::{HMAC_SHA256, Key};
use quinn::crypto::{ClientConfig as ClientCrypto, ServerConfig as ServerCrypto};
use quinn::{
    AsyncUdpSocket, ClientConfig, Connecting, Connection, ConnectionError, Endpoint,
    EndpointConfig, Incoming, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use quinn_proto::HashedConnectionIdGenerator;

pub use quinn::{
    ConnectionError as QuicError, ReadError as QuicReadError, RecvStream as QuicReceiver,
    SendStream as QuicSender, VarInt as QuicCode, WriteError as QuicWriteError,
};

use meshwork_protocols::identity as card;
use tokio::time::timeout;

use crate::attempts::Attempts;
use crate::dial::{CONNECT, STAGGER, resolve};
use crate::port::canonical;
use crate::{DialError, race};

/// How long a round trip is taken to be before one was measured: a lost packet of the handshake is
/// sent again three times within the five seconds that a stranger has.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);

/// How long a connection may be silent before it counts as dead, in milliseconds: nobody else says
/// that the other end was killed, unless it starts again at the same port.
const IDLE: u32 = 20_000;

/// How often a silent connection says that it is there: thrice before it would count as dead.
const KEEPALIVE: Duration = Duration::from_secs(6);

/// What may come before a peer is trusted: the longest Hello, and what else a stream needs.
const WINDOW_BEFORE: u32 = 40 << 10;

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
const MAX_INCOMING: usize = 512;

/// What may come behind a first packet before that is taken up.
const INCOMING_BUFFER: u64 = 8 << 10;

/// The same behind all of them.
const INCOMING_BUFFERS: u64 = 1 << 20;

/// How many handshakes may be under way before addresses are validated first: a Retry costs some
/// microseconds, and an answer to message 1 a hundred.
pub const UNVALIDATED_HANDSHAKES: usize = 32;

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
    handshakes: Arc<AtomicUsize>,
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
        Ok(Self { endpoint, version: keys.version, handshakes: Arc::default(), attempts })
    }

    /// Where it is.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// Waits for somebody who dials; `None` once the endpoint is closed. While many handshakes are
    /// under way, an address has to show first that it receives; where too many began within a
    /// second, silence answers. Dropping the future loses nothing.
    pub async fn accept(&self) -> Option<QuicIncoming> {
        loop {
            let incoming = self.endpoint.accept().await?;
            let busy = self.handshakes.load(Ordering::Relaxed) >= UNVALIDATED_HANDSHAKES;
            if busy && !incoming.remote_address_validated() {
                // It may: an address that is not validated has not had its Retry.
                let _ = incoming.retry();
            } else if self.admit(incoming.remote_address().ip()) {
                return Some(QuicIncoming { incoming, handshakes: Arc::clone(&self.handshakes) });
            } else {
                incoming.ignore();
            }
        }
    }

    fn admit(&self, from: IpAddr) -> bool {
        // Each change under the lock is whole.
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.admit(Instant::now(), from)
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
        Ok(QuicConnecting { connecting, _counted: None })
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
    handshakes: Arc<AtomicUsize>,
}

impl QuicIncoming {
    /// Where it comes from, or says so.
    pub fn remote(&self) -> SocketAddr {
        canonical(self.incoming.remote_address())
    }

    /// Begins the handshake, under the keys as they are now.
    pub fn answer(self, keys: Arc<dyn ServerCrypto>) -> Result<QuicConnecting, ConnectionError> {
        let counted = Counted::one_more(self.handshakes);
        let connecting = self.incoming.accept_with(Arc::new(server_config(keys)))?;
        Ok(QuicConnecting { connecting, _counted: Some(counted) })
    }

    /// Does not answer at all.
    pub fn ignore(self) {
        self.incoming.ignore();
    }
}

/// A handshake that is under way.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn one_more(count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A handshake that is under way.
#[derive(Debug)]
pub struct QuicConnecting {
    connecting: Connecting,
    _counted: Option<Counted>,
}

impl QuicConnecting {
    /// Where the other end is.
    pub fn remote(&self) -> SocketAddr {
        canonical(self.connecting.remote_address())
    }

    /// Waits for the end of the handshake. Dropping the future gives it up.
    pub async fn finish(self) -> Result<QuicConnection, ConnectionError> {
        self.connecting.await.map(QuicConnection)
    }
}

/// A connection whose handshake is done.
#[derive(Clone, Debug)]
pub struct QuicConnection(Connection);

impl QuicConnection {
    /// What the keys know of the handshake, as a type of theirs.
    pub fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.0.handshake_data()
    }

    /// Opens a stream, once the other end lets one more be open.
    pub async fn open_stream(&self) -> Result<(QuicSender, QuicReceiver), QuicError> {
        self.0.open_bi().await
    }

    /// Waits for a stream that the other end has opened, and said something on. Dropping the future
    /// loses nothing.
    pub async fn accept_stream(&self) -> Result<(QuicSender, QuicReceiver), QuicError> {
        self.0.accept_bi().await
    }

    /// The longest datagram that goes now, if the other end takes any.
    pub fn max_datagram(&self) -> Option<usize> {
        self.0.max_datagram_size()
    }

    /// Sends a datagram, which may be lost: it is where it is longer than
    /// [`max_datagram`](Self::max_datagram). Older ones that wait make room.
    pub fn send_datagram(&self, datagram: Vec<u8>) {
        let _ = self.0.send_datagram(datagram.into());
    }

    /// Waits for a datagram. Dropping the future loses nothing.
    pub async fn receive_datagram(&self) -> Result<Vec<u8>, QuicError> {
        self.0.read_datagram().await.map(Into::into)
    }

    /// Closes it at once, whatever is under way.
    pub fn close(&self) {
        self.0.close(VarInt::from_u32(0), &[]);
    }

    /// Where the other end is now.
    pub fn remote(&self) -> SocketAddr {
        canonical(self.0.remote_address())
    }

    /// The other end has proved who it is: it may open streams, and send as fast as it is read.
    pub fn trust(&self) {
        self.0.set_receive_window(VarInt::from_u32(QUIC_WINDOW));
        self.0.set_max_concurrent_bi_streams(VarInt::from_u32(QUIC_STREAMS));
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
        .receive_window(VarInt::from_u32(WINDOW_BEFORE))
        .stream_receive_window(VarInt::from_u32(QUIC_STREAM_WINDOW))
        .datagram_receive_buffer_size(Some(DATAGRAMS))
        .crypto_buffer_size(CRYPTO_BUFFER)
        // Says to everybody on the way how long a round trip takes.
        .allow_spin(false);
    config
}
