//! Two ends of quinn-proto, joined without a network.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use quinn_proto::crypto;
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, EndpointConfig,
    Event, ServerConfig, StreamId, TransportConfig, VarInt, WriteError,
};

use crate::Failure;

/// How long a datagram travels.
const LATENCY: Duration = Duration::from_micros(250);

/// How many datagrams are made together, as for a socket that takes segments.
const SEGMENTS: usize = 10;

/// More turns than anything here takes.
const PATIENCE: usize = 100_000;

/// What both ends are made with.
pub struct Setup {
    client: Arc<dyn crypto::ClientConfig>,
    server: Arc<dyn crypto::ServerConfig>,
    version: u32,
}

impl Setup {
    pub fn new(
        client: Arc<dyn crypto::ClientConfig>,
        server: &Arc<dyn crypto::ServerConfig>,
        version: u32,
    ) -> Self {
        Self { client, server: Arc::clone(server), version }
    }
}

/// A connection.
pub struct Pair {
    client: End,
    server: End,
    now: Instant,
    chunk: Vec<u8>,
    stream: Option<StreamId>,
}

struct End {
    endpoint: Endpoint,
    connection: Option<(ConnectionHandle, Connection)>,
    peer: SocketAddr,
    inbound: VecDeque<BytesMut>,
    out: Vec<u8>,
    connected: bool,
}

impl Pair {
    /// Runs a handshake to its end on both sides.
    pub fn connect(setup: Setup) -> Result<Self, Failure> {
        let now = Instant::now();
        let mut config = EndpointConfig::default();
        config.supported_versions(vec![setup.version]);
        let config = Arc::new(config);
        let mut server = ServerConfig::with_crypto(setup.server);
        server.transport_config(transport());
        let mut client = ClientConfig::new(setup.client);
        client.version(setup.version).transport_config(transport());
        let mut pair = Self {
            client: End::new(Endpoint::new(Arc::clone(&config), None, true, None), SERVER),
            server: End::new(Endpoint::new(config, Some(Arc::new(server)), true, None), CLIENT),
            now,
            chunk: vec![7; 1 << 16],
            stream: None,
        };
        pair.client.connection =
            Some(pair.client.endpoint.connect(now, client, address(SERVER), "peer")?);
        pair.run_until(|pair| pair.client.connected && pair.server.connected)?;
        Ok(pair)
    }

    /// Carries so many bytes from the client to the server.
    pub fn carry(&mut self, length: usize) -> Result<(), Failure> {
        let (mut written, mut read) = (0, 0);
        for _ in 0..PATIENCE {
            let client = self.client.connection()?;
            let stream = match self.stream {
                Some(stream) => stream,
                None => client.streams().open(Dir::Uni).ok_or("no stream")?,
            };
            self.stream = Some(stream);
            while written < length {
                let chunk = &self.chunk[..self.chunk.len().min(length - written)];
                match client.send_stream(stream).write(chunk) {
                    Ok(count) => written += count,
                    Err(WriteError::Blocked) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            self.turn()?;
            read += read_all(self.server.connection()?, stream)?;
            if read == length {
                return Ok(());
            }
        }
        Err("the bytes did not arrive".into())
    }

    fn run_until(&mut self, done: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        for _ in 0..PATIENCE {
            self.turn()?;
            if done(self) {
                return Ok(());
            }
        }
        Err("a connection does not get on".into())
    }

    /// Both ends take and give what there is.
    fn turn(&mut self) -> Result<(), Failure> {
        self.now += LATENCY;
        self.client.work(self.now)?;
        self.client.transmit(self.now, &mut self.server.inbound);
        self.now += LATENCY;
        self.server.work(self.now)?;
        self.server.transmit(self.now, &mut self.client.inbound);
        Ok(())
    }
}

impl End {
    fn new(endpoint: Endpoint, peer: u16) -> Self {
        Self {
            endpoint,
            connection: None,
            peer: address(peer),
            inbound: VecDeque::new(),
            out: Vec::new(),
            connected: false,
        }
    }

    fn connection(&mut self) -> Result<&mut Connection, Failure> {
        self.connection.as_mut().map(|(_, connection)| connection).ok_or("no connection".into())
    }

    fn work(&mut self, now: Instant) -> Result<(), Failure> {
        while let Some(datagram) = self.inbound.pop_front() {
            self.receive(now, datagram)?;
        }
        let Some((handle, connection)) = &mut self.connection else { return Ok(()) };
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
                Event::ConnectionLost { reason } => return Err(reason.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn receive(&mut self, now: Instant, datagram: BytesMut) -> Result<(), Failure> {
        self.out.clear();
        match self.endpoint.handle(now, self.peer, None, None, datagram, &mut self.out) {
            Some(DatagramEvent::ConnectionEvent(_, event)) => {
                self.connection()?.handle_event(event);
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                let accepted = self.endpoint.accept(incoming, now, &mut self.out, None);
                self.connection = Some(accepted.map_err(|error| error.cause)?);
            }
            Some(DatagramEvent::Response(_)) => return Err("an endpoint answers by itself".into()),
            None => {}
        }
        Ok(())
    }

    fn transmit(&mut self, now: Instant, to: &mut VecDeque<BytesMut>) {
        let Some((_, connection)) = &mut self.connection else { return };
        loop {
            self.out.clear();
            let Some(sent) = connection.poll_transmit(now, SEGMENTS, &mut self.out) else { break };
            let segment = sent.segment_size.unwrap_or(sent.size);
            to.extend(self.out[..sent.size].chunks(segment).map(BytesMut::from));
        }
    }
}

fn read_all(connection: &mut Connection, stream: StreamId) -> Result<usize, Failure> {
    let mut read = 0;
    let mut receiving = connection.recv_stream(stream);
    // The stream is not known before its first byte came.
    let Ok(mut chunks) = receiving.read(true) else { return Ok(0) };
    // It says `Blocked` where there is no more for now.
    while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
        read += chunk.bytes.len();
    }
    // What it made room for, the next turn tells the other end.
    let _ = chunks.finalize();
    Ok(read)
}

fn transport() -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    // More than one turn carries, so that neither waits for room.
    config
        .receive_window(VarInt::from_u32(16 << 20))
        .stream_receive_window(VarInt::from_u32(8 << 20));
    config.send_window(8 << 20);
    Arc::new(config)
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

const CLIENT: u16 = 1;
const SERVER: u16 = 2;
