//! QUIC on virtual time: quinn-proto with the product's handshake and sessions. Datagrams, time and
//! randomness come in, datagrams and the sessions' events come out.
//!
//! Knows nothing of routers, and of the network only where somebody is.

mod link;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::{hkdf, hmac};
use bytes::BytesMut;
use meshwork_protocols::identity::Card;
use meshwork_protocols::live::quic::{NoiseClient, NoiseServer, QUIC_VERSION, Randomness};
use meshwork_protocols::live::{Dial, Directory, Local, SessionError, SessionEvent};
use meshwork_protocols::time::Timestamp;
use meshwork_transports::quic_transport;
use quinn_proto::{
    ClientConfig, ConnectionId, ConnectionIdGenerator, DatagramEvent, Endpoint, EndpointConfig,
    Incoming, ServerConfig, TimeSource, Transmit,
};

use self::link::Link;
use crate::network::Host;
use crate::seeded::Seeded;

/// Names a connection at its port, for ever.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct QuicIndex(u64);

/// What happened on a connection.
#[derive(Debug)]
pub enum QuicEvent {
    /// Something happened in its session.
    Session(SessionEvent),
    /// It is of no more use, or never was.
    Lost,
}

/// What an agent brings to a port.
#[derive(Debug)]
pub struct Party {
    /// Its keys and card.
    pub local: Arc<Local>,
    /// What it knows of its peers.
    pub directory: Arc<dyn Directory>,
}

/// Of a thousand who dial, how many have to show first that they receive at their address, as all do
/// in the product while many handshakes are held.
const ASKED: u64 = 250;

/// How long the id is that who dials chooses for the dialled. Ids that a port gives out are shorter.
const CHOSEN_ID: usize = 20;

/// All connections of one process.
pub struct QuicPort {
    party: Party,
    endpoint: Endpoint,
    randomness: Randomness,
    /// Decides who has to show where it is.
    doubts: Seeded,
    /// What the zero of the monotonic clock is to QUIC, which only ever takes differences.
    zero: Instant,
    links: BTreeMap<QuicIndex, Link>,
    by_handle: BTreeMap<usize, QuicIndex>,
    next_index: u64,
    transmits: Vec<(Host, Vec<u8>)>,
    events: VecDeque<(QuicIndex, QuicEvent)>,
}

impl QuicPort {
    /// No connection. By `reset` a later start of the same agent tells its peers that connections
    /// which it does not know are over.
    pub fn new(party: Party, reset: [u8; 64], random: &Seeded) -> Result<Self, SessionError> {
        let randomness = randomness(random);
        let keys = NoiseServer::new(Arc::clone(&party.local), Arc::clone(&randomness))?;
        let endpoint = endpoint(keys, &reset, random);
        Ok(Self {
            party,
            endpoint,
            randomness,
            doubts: random.fork("doubts", 0),
            zero: Instant::now(),
            links: BTreeMap::new(),
            by_handle: BTreeMap::new(),
            next_index: 0,
            transmits: Vec::new(),
            events: VecDeque::new(),
        })
    }

    /// Dials the agent of a card. An error means that it cannot be dialled.
    pub fn dial(
        &mut self,
        now: Timestamp,
        host: Host,
        card: Arc<Card>,
    ) -> Result<QuicIndex, SessionError> {
        let (local, dial) = (Arc::clone(&self.party.local), Dial::Session(card));
        let randomness = Arc::clone(&self.randomness);
        let keys = NoiseClient::new(local, dial.clone(), now.wall, Arc::clone(&randomness))?;
        let mut config = ClientConfig::new(Arc::new(keys));
        config.version(QUIC_VERSION).transport_config(Arc::new(quic_transport(0)));
        config.initial_dst_cid_provider(Arc::new(move || {
            ConnectionId::new(&randomness().as_mut().array::<CHOSEN_ID>())
        }));
        let connected = self.endpoint.connect(self.instant(now), config, host.address(), "peer");
        let (handle, connection) = connected.map_err(|_| SessionError::Truncated)?;
        let index = self.enter(Link::new(handle, connection, Some(dial)));
        self.drive(now, index);
        Ok(index)
    }

    /// Takes a datagram.
    pub fn receive(&mut self, now: Timestamp, from: Host, datagram: &[u8]) {
        let (mut out, data) = (Vec::new(), BytesMut::from(datagram));
        let at = self.instant(now);
        match self.endpoint.handle(at, from.address(), None, None, data, &mut out) {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                let index = self.by_handle.get(&handle.0).copied();
                if let Some((index, link)) =
                    index.and_then(|at| Some((at, self.links.get_mut(&at)?)))
                {
                    link.connection.handle_event(event);
                    self.drive(now, index);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => self.accept(now, incoming),
            Some(DatagramEvent::Response(transmit)) => self.respond(&transmit, &out),
            None => {}
        }
    }

    /// Sends a frame; nothing where the session is gone.
    pub fn send(&mut self, now: Timestamp, index: QuicIndex, frame: &[u8]) {
        if let Some(session) = self.links.get_mut(&index).and_then(|link| link.session.as_mut()) {
            // What a session does not take, the router sends again.
            let _ = session.send(frame);
        }
        self.drive(now, index);
    }

    /// Ends a session in good order, or gives a dial up. No event follows.
    pub fn close(&mut self, now: Timestamp, index: QuicIndex) {
        let at = self.instant(now);
        if let Some(link) = self.links.get_mut(&index) {
            link.close(at);
        }
        self.drive(now, index);
    }

    /// When [`QuicPort::handle_timeout`] has something to do, on the monotonic clock.
    pub fn next_timeout(&self) -> Option<Duration> {
        let next = self.links.values().filter_map(|link| link.timeout).min()?;
        Some(next.saturating_duration_since(self.zero))
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let at = self.instant(now);
        let due = |link: &Link| link.timeout.is_some_and(|timeout| timeout <= at);
        let due: Vec<_> =
            self.links.iter().filter(|(_, link)| due(link)).map(|(index, _)| *index).collect();
        for index in due {
            if let Some(link) = self.links.get_mut(&index) {
                link.connection.handle_timeout(at);
            }
            self.drive(now, index);
        }
    }

    /// Datagrams to send.
    pub fn take_transmits(&mut self) -> Vec<(Host, Vec<u8>)> {
        std::mem::take(&mut self.transmits)
    }

    /// The next event.
    pub fn poll(&mut self) -> Option<(QuicIndex, QuicEvent)> {
        self.events.pop_front()
    }

    fn accept(&mut self, now: Timestamp, incoming: Incoming) {
        let (mut out, at) = (Vec::new(), self.instant(now));
        if !incoming.remote_address_validated() && self.asks(incoming.orig_dst_cid()) {
            // It may: an address that is not validated has not had its Retry.
            if let Ok(transmit) = self.endpoint.retry(incoming, &mut out) {
                self.respond(&transmit, &out);
            }
            return;
        }
        match self.endpoint.accept(incoming, at, &mut out, None) {
            Ok((handle, connection)) => {
                let index = self.enter(Link::new(handle, connection, None));
                self.drive(now, index);
            }
            Err(refused) => {
                if let Some(transmit) = refused.response {
                    self.respond(&transmit, &out);
                }
            }
        }
    }

    /// Whether who chose `id` has to show where it is, however often its first packets come.
    ///
    /// Under an id that a port gave out comes what is late for a connection that is gone. Whether
    /// quinn-proto takes that for a first packet, until it is to open it, hangs on what bytes the
    /// primitives make. It gets no answer, so that routers decide alike whatever the primitives.
    fn asks(&self, id: &ConnectionId) -> bool {
        let chosen = id.first_chunk().filter(|_| id.len() == CHOSEN_ID);
        let number = chosen.map(|start| u64::from_be_bytes(*start));
        number.is_some_and(|number| self.doubts.fork("address", number).chance(ASKED))
    }

    fn enter(&mut self, link: Link) -> QuicIndex {
        let index = QuicIndex(self.next_index);
        self.next_index += 1;
        self.by_handle.insert(link.handle.0, index);
        self.links.insert(index, link);
        index
    }

    /// Does all that a connection can do now.
    fn drive(&mut self, now: Timestamp, index: QuicIndex) {
        let at = self.instant(now);
        let Some(link) = self.links.get_mut(&index) else { return };
        let mut settled = link.settle(&mut self.endpoint);
        loop {
            for event in link.turn(now, at, &self.party, &self.randomness) {
                self.events.push_back((index, event));
            }
            let mut out = Vec::new();
            while let Some(transmit) = link.connection.poll_transmit(at, 1, &mut out) {
                self.transmits.extend(datagram(&transmit, &out));
                out.clear();
            }
            if settled.is_drained {
                self.by_handle.remove(&link.handle.0);
                self.links.remove(&index);
                return;
            }
            settled = link.settle(&mut self.endpoint);
            if !settled.is_any {
                break;
            }
        }
        link.note_timeout(self.zero);
    }

    fn respond(&mut self, transmit: &Transmit, out: &[u8]) {
        self.transmits.extend(datagram(transmit, out));
    }

    fn instant(&self, now: Timestamp) -> Instant {
        self.zero + now.monotonic
    }
}

impl fmt::Debug for QuicPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicPort").field("links", &self.links).finish_non_exhaustive()
    }
}

/// What is to be sent, and to whom.
fn datagram(transmit: &Transmit, out: &[u8]) -> Option<(Host, Vec<u8>)> {
    let bytes = out.get(..transmit.size)?;
    Host::at(transmit.destination).map(|to| (to, bytes.to_vec()))
}

/// An endpoint all of whose choices follow from `random`, and whose tokens know no time: that one has
/// expired is answered, and would be by chance, as [`QuicPort::asks`] says.
fn endpoint(keys: NoiseServer, reset: &[u8; 64], random: &Seeded) -> Endpoint {
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, reset)));
    config.supported_versions(vec![QUIC_VERSION]).grease_quic_bit(false);
    config.rng_seed(Some(random.fork("endpoint", 0).bytes()));
    let ids = random.fork("connection ids", 0);
    config.cid_generator(move || Box::new(Ids(ids.clone())));
    let tokens = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(reset);
    let mut server = ServerConfig::new(Arc::new(keys), Arc::new(tokens));
    server.transport_config(Arc::new(quic_transport(1))).time_source(Arc::new(NoTime));
    // No discovery of larger packets: the network here takes all alike.
    Endpoint::new(Arc::new(config), Some(Arc::new(server)), false, None)
}

/// Randomness that differs from one handshake to the next, and is the same in each run.
fn randomness(random: &Seeded) -> Randomness {
    let (random, next) = (random.clone(), AtomicU64::new(0));
    Arc::new(move || Box::new(random.fork("handshake", next.fetch_add(1, Ordering::Relaxed))))
}

/// Draws the ids of connections.
struct Ids(Seeded);

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&self.0.bytes::<8>())
    }

    fn cid_len(&self) -> usize {
        8
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// What QUIC takes for the time of day.
struct NoTime;

impl TimeSource for NoTime {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

#[cfg(test)]
mod tests;
