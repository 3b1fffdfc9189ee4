//! The two ends.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use aws_lc_rs::{hkdf, hmac};
use bytes::BytesMut;
use quinn_proto::crypto::{ClientConfig as Crypto, ServerConfig as ServerCrypto};
use quinn_proto::{
    ClientConfig, Connection, ConnectionError, ConnectionHandle, ConnectionId, DatagramEvent, Dir,
    Endpoint, EndpointConfig, Event, HashedConnectionIdGenerator, ServerConfig, StreamId,
    TransportConfig, VarInt, WriteError,
};

use super::std::time::Instant;
use crate::live::fixture::{NOW, Node, Seeded};
use crate::live::hello::Channel;
use crate::live::quic::{NoiseClient, NoiseServer, QUIC_VERSION, QuicSession, Randomness};
use crate::live::{Dial, SessionError, SessionEvent};
use crate::time::Timestamp;

/// One way.
const LATENCY: Duration = Duration::from_millis(10);

/// How long a run may take.
const PATIENCE: Duration = Duration::from_secs(25);

/// Who sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum From {
    Client,
    Server,
}

/// What becomes of the datagram with this number from this side.
pub(super) type Fate = Box<dyn FnMut(From, usize, &[u8]) -> bool>;

pub(super) struct Pair {
    pub(super) client: End,
    pub(super) server: End,
    start: Instant,
    pub(super) now: Instant,
    /// Whether it arrives.
    pub(super) fate: Fate,
    pub(super) retry: bool,
}

pub(super) struct End {
    from: From,
    endpoint: Endpoint,
    connection: Option<(ConnectionHandle, Connection)>,
    address: SocketAddr,
    peer: SocketAddr,
    /// What the endpoint says by itself.
    responses: VecDeque<Vec<u8>>,
    inbound: VecDeque<(Instant, Vec<u8>)>,
    /// All that was ever sent.
    pub(super) sent: Vec<Vec<u8>>,
    pub(super) connected: bool,
    pub(super) data_ready: usize,
    pub(super) lost: Option<ConnectionError>,
    // The session on the first stream.
    node: Node,
    dial: Option<Dial>,
    pub(super) session: Option<QuicSession>,
    stream: Option<StreamId>,
    outgoing: Vec<u8>,
    finished: bool,
    pub(super) events: Vec<SessionEvent>,
    pub(super) broke: Option<SessionError>,
}

/// Randomness that differs from one handshake to the next, and is the same in each run.
pub(super) fn randomness(seed: u64) -> Randomness {
    let next = AtomicU64::new(seed << 16);
    Arc::new(move || Box::new(Seeded::new(next.fetch_add(1, Ordering::Relaxed))))
}

pub(super) fn noise_client(node: &Node, dial: Dial) -> NoiseClient {
    NoiseClient::new(node.local.clone(), dial, NOW.wall, randomness(1)).unwrap()
}

pub(super) fn noise_server(node: &Node) -> NoiseServer {
    NoiseServer::new(node.local.clone(), randomness(2)).unwrap()
}

impl Pair {
    /// A client that dials the server by its card.
    pub(super) fn between(client: &Node, server: &Node) -> Self {
        Self::dialling(client, Dial::Session(server.card()), server)
    }

    pub(super) fn dialling(client: &Node, dial: Dial, server: &Node) -> Self {
        let crypto = Arc::new(noise_client(client, dial.clone()));
        Self::with(crypto, client, dial, Arc::new(noise_server(server)), server, QUIC_VERSION)
    }

    pub(super) fn with(
        client_crypto: Arc<dyn Crypto>,
        client: &Node,
        dial: Dial,
        server_crypto: Arc<dyn ServerCrypto>,
        server: &Node,
        version: u32,
    ) -> Self {
        let start = Instant::now();
        let mut client = End::new(From::Client, client, Some(dial), version, None);
        let server = End::new(From::Server, server, None, QUIC_VERSION, Some(server_crypto));
        let mut config = ClientConfig::new(client_crypto);
        config.version(version);
        config.transport_config(transport());
        config.initial_dst_cid_provider(Arc::new(|| ConnectionId::new(&[7; 20])));
        let dialled = client.endpoint.connect(start, config, server.address, "peer").unwrap();
        client.connection = Some(dialled);
        let fate: Fate = Box::new(|_, _, _| true);
        Self { client, server, start, now: start, fate, retry: false }
    }

    /// Runs until `done`, or until nothing can happen any more; whether it is done.
    pub(super) fn run_until(&mut self, done: impl Fn(&Self) -> bool) -> bool {
        self.run(self.now + PATIENCE, done)
    }

    fn run(&mut self, deadline: Instant, done: impl Fn(&Self) -> bool) -> bool {
        loop {
            self.client.turn(self.now, self.wall(), self.retry);
            self.server.turn(self.now, self.wall(), self.retry);
            Self::carry(&mut self.client, &mut self.server, self.now, &mut self.fate);
            Self::carry(&mut self.server, &mut self.client, self.now, &mut self.fate);
            if done(self) {
                return true;
            }
            let next = [self.client.next_wake(), self.server.next_wake()].into_iter().flatten();
            match next.min() {
                Some(next) if next < deadline => self.now = self.now.max(next),
                _ => return false,
            }
        }
    }

    /// Runs until both sessions stand.
    pub(super) fn establish(&mut self) -> bool {
        self.run_until(|pair| pair.client.is_established() && pair.server.is_established())
    }

    /// Runs for so long.
    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        self.run(end, |_| false);
        self.now = end;
    }

    /// Sends a frame from one end, and sees it arrive at the other.
    pub(super) fn frame_arrives(&mut self, from: From, frame: &[u8]) -> bool {
        let (sender, _) = self.ends(from);
        sender.session.as_mut().unwrap().send(frame).unwrap();
        let arrived = |pair: &Self| {
            let receiver = if from == From::Client { &pair.server } else { &pair.client };
            receiver.events.contains(&SessionEvent::Frame(frame.to_vec()))
        };
        let arrived = self.run_until(arrived);
        self.ends(from).1.events.clear();
        arrived
    }

    pub(super) fn ends(&mut self, from: From) -> (&mut End, &mut End) {
        match from {
            From::Client => (&mut self.client, &mut self.server),
            From::Server => (&mut self.server, &mut self.client),
        }
    }

    /// Puts a datagram of an injector before one end, as from the other.
    pub(super) fn inject(&mut self, as_from: From, datagram: Vec<u8>) {
        let now = self.now;
        self.ends(as_from).1.inbound.push_front((now, datagram));
    }

    fn wall(&self) -> Timestamp {
        NOW + (self.now - self.start)
    }

    fn carry(sender: &mut End, receiver: &mut End, now: Instant, fate: &mut Fate) {
        while let Some(datagram) = sender.transmit(now) {
            let arrives = fate(sender.from, sender.sent.len(), &datagram);
            sender.sent.push(datagram.clone());
            if arrives {
                receiver.inbound.push_back((now + LATENCY, datagram));
            }
        }
    }
}

impl End {
    fn new(
        from: From,
        node: &Node,
        dial: Option<Dial>,
        version: u32,
        crypto: Option<Arc<dyn ServerCrypto>>,
    ) -> Self {
        let number = 1 + from as u8;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[number; 64]);
        let mut config = EndpointConfig::new(Arc::new(key));
        config.supported_versions([version].to_vec()).grease_quic_bit(false);
        config.rng_seed(Some([number; 32]));
        config.cid_generator(move || {
            Box::new(HashedConnectionIdGenerator::from_key(u64::from(number)))
        });
        let server = crypto.map(|crypto| {
            let token = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&[number; 64]);
            let mut config = ServerConfig::new(crypto, Arc::new(token));
            config.transport_config(transport());
            Arc::new(config)
        });
        Self {
            from,
            endpoint: Endpoint::new(Arc::new(config), server, false, None),
            connection: None,
            address: address(u16::from(number)),
            peer: address(3 - u16::from(number)),
            responses: VecDeque::new(),
            inbound: VecDeque::new(),
            sent: Vec::new(),
            connected: false,
            data_ready: 0,
            lost: None,
            node: node.clone(),
            dial,
            session: None,
            stream: None,
            outgoing: Vec::new(),
            finished: false,
            events: Vec::new(),
            broke: None,
        }
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection.as_mut().unwrap().1
    }

    pub(super) fn channel(&self) -> Option<Channel> {
        let (_, connection) = self.connection.as_ref()?;
        connection.crypto_session().handshake_data()?.downcast().ok().map(|channel| *channel)
    }

    pub(super) fn is_established(&self) -> bool {
        self.session.as_ref().is_some_and(QuicSession::is_open)
    }

    fn next_wake(&mut self) -> Option<Instant> {
        let timer = self.connection.as_mut().and_then(|(_, connection)| connection.poll_timeout());
        let arrival = self.inbound.iter().map(|(at, _)| *at).min();
        [timer, arrival].into_iter().flatten().min()
    }

    fn turn(&mut self, now: Instant, wall: Timestamp, retry: bool) {
        while let Some(at) = self.inbound.iter().position(|(at, _)| *at <= now) {
            let (_, datagram) = self.inbound.remove(at).unwrap();
            self.receive(now, &datagram, retry);
        }
        let Some((handle, connection)) = &mut self.connection else { return };
        if connection.poll_timeout().is_some_and(|at| at <= now) {
            connection.handle_timeout(now);
        }
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(*handle, event) {
                connection.handle_event(event);
            }
        }
        while let Some(event) = connection.poll() {
            match event {
                Event::Connected => self.connected = true,
                Event::HandshakeDataReady => self.data_ready += 1,
                Event::ConnectionLost { reason } => self.lost = Some(reason),
                _ => {}
            }
        }
        if self.connected && self.lost.is_none() {
            self.pump(wall);
        }
    }

    fn receive(&mut self, now: Instant, datagram: &[u8], retry: bool) {
        let mut out = Vec::new();
        let data = BytesMut::from(datagram);
        match self.endpoint.handle(now, self.peer, None, None, data, &mut out) {
            Some(DatagramEvent::ConnectionEvent(_, event)) => {
                if let Some((_, connection)) = &mut self.connection {
                    connection.handle_event(event);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                if retry && !incoming.remote_address_validated() {
                    let sent = self.endpoint.retry(incoming, &mut out).unwrap();
                    self.responses.push_back(out[..sent.size].to_vec());
                } else {
                    match self.endpoint.accept(incoming, now, &mut out, None) {
                        Ok(accepted) => self.connection = Some(accepted),
                        Err(error) => {
                            self.lost = Some(error.cause);
                            if let Some(sent) = error.response {
                                self.responses.push_back(out[..sent.size].to_vec());
                            }
                        }
                    }
                }
            }
            Some(DatagramEvent::Response(sent)) => {
                self.responses.push_back(out[..sent.size].to_vec());
            }
            None => {}
        }
    }

    fn transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        if let Some(response) = self.responses.pop_front() {
            return Some(response);
        }
        let (_, connection) = self.connection.as_mut()?;
        let mut out = Vec::new();
        let sent = connection.poll_transmit(now, 1, &mut out)?;
        out.truncate(sent.size);
        Some(out)
    }

    /// Moves bytes between the first stream and the session.
    fn pump(&mut self, now: Timestamp) {
        if self.session.is_none() && self.broke.is_none() {
            self.begin(now);
        }
        let (Some(session), Some((_, connection))) = (&mut self.session, &mut self.connection)
        else {
            return;
        };
        if self.stream.is_none() {
            self.stream = match self.from {
                From::Client => connection.streams().open(Dir::Bi),
                From::Server => connection.streams().accept(Dir::Bi),
            };
        }
        let Some(stream) = self.stream else { return };
        let mut result = session.handle_timeout(now);
        let (bytes, ended) = read_all(connection, stream);
        if result.is_ok() {
            result = session.receive(now, &bytes);
        }
        if result.is_ok() && ended {
            result = session.receive_end();
        }
        session.take_transmit(&mut self.outgoing);
        let written = match connection.send_stream(stream).write(&self.outgoing) {
            Ok(written) => written,
            Err(WriteError::Blocked) => 0,
            Err(_) => self.outgoing.len(),
        };
        self.outgoing.drain(..written);
        if session.is_closed() && self.outgoing.is_empty() && !self.finished {
            self.finished = true;
            let _ = connection.send_stream(stream).finish();
        }
        while let Some(event) = session.poll() {
            self.events.push(event);
        }
        if let Err(error) = result {
            self.broke = Some(error);
            self.session = None;
        }
    }

    fn begin(&mut self, now: Timestamp) {
        let channel = self.channel().unwrap();
        let (local, directory) = (self.node.local.clone(), self.node.directory());
        let random = Box::new(Seeded::new(3 + self.from as u64));
        let session = match &self.dial {
            Some(dial) => {
                QuicSession::initiate(local, directory, dial.clone(), channel, now, random)
            }
            None => Ok(QuicSession::accept(local, directory, channel, now, random)),
        };
        match session {
            Ok(session) => self.session = Some(session),
            Err(error) => self.broke = Some(error),
        }
    }
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
    let _ = chunks.finalize();
    (bytes, ended)
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Without the discovery of larger packets, so that the number of datagrams is that of the
/// protocol.
fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport.mtu_discovery_config(None);
    transport.max_concurrent_bidi_streams(VarInt::from_u32(1));
    transport.initial_rtt(Duration::from_millis(100));
    Arc::new(transport)
}
