//! What somebody opens who has copied the state of a session: nothing from before its last key
//! update, and nothing after the next new handshake.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::time::Duration;

use bytes::BytesMut;
use quinn_proto::crypto::{
    CryptoError, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, ServerConfig,
    Session, UnsupportedVersion,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, Side, TransportError};

use super::pair::{From, Pair, noise_client, noise_server};
use super::std::sync::Mutex;
use crate::live::Dial;
use crate::live::fixture::{Node, aws};
use crate::live::quic::handshake::NoiseSession;
use crate::live::quic::protection::{Protection, Secrets};
use crate::live::quic::{NoiseServer, QUIC_VERSION};

/// The length of the ids that quinn-proto chooses.
const ID: usize = 8;

/// How far the copy is moved on.
const PHASES: usize = 6;

#[test]
fn a_copied_state_opens_nothing_from_before_the_last_key_update() {
    let (client, server) = (Node::new(1), Node::new(5));
    let (mut pair, spy) = watched(&client, &server);
    assert!(pair.establish());
    assert!(pair.frame_arrives(From::Client, b"\x10before"));
    let before = pair.client.sent.len();
    pair.client.connection().force_key_update();
    assert!(pair.frame_arrives(From::Client, b"\x10after"));
    assert!(pair.frame_arrives(From::Server, b"\x10after"));
    // Until the keys of the phase before are forgotten.
    pair.run_for(Duration::from_secs(5));

    // The state holds the phase in use, the next one, and what follows from them.
    let copy = Copy { in_use: None, ..spy.lock().unwrap()[0].clone() };
    let opened = |packets: &[Vec<u8>]| copy.opens(packets);
    assert_eq!(opened(&pair.client.sent[..before]), 0);
    // The procedure can open what the copy has the keys of.
    assert!(opened(&pair.client.sent[before..]) > 0);
}

#[test]
fn a_copied_state_opens_nothing_after_the_next_new_handshake() {
    let (client, server) = (Node::new(1), Node::new(5));
    let (mut pair, spy) = watched(&client, &server);
    assert!(pair.establish());
    let copy = spy.lock().unwrap()[0].clone();

    let (mut next, next_spy) = watched(&client, &server);
    assert!(next.establish());
    assert!(next.frame_arrives(From::Client, b"\x10anew"));
    assert_eq!(copy.opens(&next.client.sent), 0);
    // The procedure can open what the copy has the keys of.
    assert!(copy.opens(&pair.client.sent) > 0);
    assert!(next_spy.lock().unwrap()[0].opens(&next.client.sent) > 0);
}

/// A pair whose server's state is copied.
fn watched(client: &Node, server: &Node) -> (Pair, Arc<Mutex<Vec<Copy>>>) {
    let spy = Arc::new(Mutex::new(Vec::new()));
    let dial = Dial::Session(server.card());
    let dialling = Arc::new(noise_client(client, dial.clone()));
    let answering = Spied { server: Arc::new(noise_server(server)), spy: Arc::clone(&spy) };
    let pair = Pair::with(dialling, client, dial, Arc::new(answering), server, QUIC_VERSION);
    (pair, spy)
}

/// What was copied: the header key, which stays, the key in use, and the secrets of the phase after
/// it, which give all later ones.
#[derive(Clone)]
struct Copy {
    header: Arc<dyn HeaderKey>,
    in_use: Option<Arc<dyn PacketKey>>,
    protection: Protection,
    next: Arc<Secrets>,
}

impl Copy {
    /// How many of the packets open under this phase or a later one.
    fn opens(&self, packets: &[Vec<u8>]) -> usize {
        let mut secrets = Secrets::copy(&self.next);
        let mut keys: Vec<_> = self.in_use.iter().cloned().collect();
        for _ in 0..PHASES {
            keys.push(Arc::from(self.protection.packet_keys(&secrets).remote));
            secrets = self.protection.next(&secrets);
        }
        let opens = |packet: &&Vec<u8>| keys.iter().any(|key| self.opens_one(packet, &**key));
        packets.iter().filter(opens).count()
    }

    fn opens_one(&self, packet: &[u8], key: &dyn PacketKey) -> bool {
        // Short packets alone: first byte, id, number.
        if packet[0] & 0x80 != 0 || packet.len() < 1 + ID + 4 + 16 {
            return false;
        }
        let mut packet = packet.to_vec();
        self.header.decrypt(1 + ID, &mut packet);
        let number_length = usize::from(packet[0] & 3) + 1;
        let header = 1 + ID + number_length;
        let number = packet[1 + ID..header].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let mut payload = BytesMut::from(&packet[header..]);
        key.decrypt(number, &packet[..header], &mut payload).is_ok()
    }
}

impl Secrets {
    fn copy(&self) -> Self {
        Self { local: self.local.clone(), remote: self.remote.clone() }
    }
}

struct Spied {
    server: Arc<NoiseServer>,
    spy: Arc<Mutex<Vec<Copy>>>,
}

impl ServerConfig for Spied {
    fn initial_keys(&self, version: u32, id: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        self.server.initial_keys(version, id)
    }

    fn retry_tag(&self, version: u32, id: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.server.retry_tag(version, id, packet)
    }

    fn start_session(
        self: Arc<Self>,
        _version: u32,
        params: &TransportParameters,
    ) -> Box<dyn Session> {
        let session = Arc::clone(&self.server).session(params);
        Box::new(SpiedSession { session, given: None, spy: Arc::clone(&self.spy) })
    }
}

struct SpiedSession {
    session: NoiseSession,
    /// The keys that the server last got to open with.
    given: Option<(Arc<dyn HeaderKey>, Arc<dyn PacketKey>)>,
    spy: Arc<Mutex<Vec<Copy>>>,
}

impl Session for SpiedSession {
    fn initial_keys(&self, id: &ConnectionId, side: Side) -> Keys {
        self.session.initial_keys(id, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.session.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.session.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        None
    }

    fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        self.session.read_handshake(buf)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.session.transport_parameters()
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let mut keys = self.session.write_handshake(buf)?;
        let header: Arc<dyn HeaderKey> = Arc::from(keys.header.remote);
        let packet: Arc<dyn PacketKey> = Arc::from(keys.packet.remote);
        keys.header.remote = Box::new(Shared(Arc::clone(&header)));
        keys.packet.remote = Box::new(Shared(Arc::clone(&packet)));
        self.given = Some((header, packet));
        Some(keys)
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        if let (Some((header, packet)), Some((protection, next))) =
            (&self.given, self.session.updates())
        {
            let copy = Copy {
                header: Arc::clone(header),
                in_use: Some(Arc::clone(packet)),
                protection: protection.clone(),
                next: Arc::new(next.copy()),
            };
            self.spy.lock().unwrap().push(copy);
        }
        self.session.next_1rtt_keys()
    }

    fn is_valid_retry(&self, id: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.session.is_valid_retry(id, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.session.export_keying_material(output, label, context)
    }
}

/// A key that two have.
struct Shared<T: ?Sized>(Arc<T>);

impl HeaderKey for Shared<dyn HeaderKey> {
    fn decrypt(&self, pn_offset: usize, packet: &mut [u8]) {
        self.0.decrypt(pn_offset, packet);
    }

    fn encrypt(&self, pn_offset: usize, packet: &mut [u8]) {
        self.0.encrypt(pn_offset, packet);
    }

    fn sample_size(&self) -> usize {
        self.0.sample_size()
    }
}

impl PacketKey for Shared<dyn PacketKey> {
    fn encrypt(&self, packet: u64, buf: &mut [u8], header_len: usize) {
        self.0.encrypt(packet, buf, header_len);
    }

    fn decrypt(
        &self,
        packet: u64,
        header: &[u8],
        payload: &mut BytesMut,
    ) -> Result<(), CryptoError> {
        self.0.decrypt(packet, header, payload)
    }

    fn tag_len(&self) -> usize {
        self.0.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.0.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.0.integrity_limit()
    }
}

#[test]
fn the_next_phase_is_not_this_one() {
    let protection = Protection::of(aws(), crate::live::Suite::AesGcm).unwrap();
    let secret = |byte| crate::secret::Secret::new([byte; 32]);
    let secrets = Secrets { local: secret(1), remote: secret(2) };
    let next = protection.next(&secrets);
    assert_ne!(next.local, secrets.local);
    assert_ne!(next.remote, secrets.remote);
    assert_ne!(next.local, next.remote);
}
