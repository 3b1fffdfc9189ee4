//! QUIC's handshake below its packets, and the session on its first stream.

use std::sync::{Arc, LazyLock};

use meshwork_protocols::identity::Transport;
use meshwork_protocols::live::hello::{self, Addressee, Channel};
use meshwork_protocols::live::quic::{
    NoiseClient, NoiseServer, QUIC_VERSION, QuicSession, Randomness,
};
use meshwork_protocols::live::{Dial, Role, SessionEvent, Suite};
use quinn_proto::Side;
use quinn_proto::crypto::{ClientConfig, ServerConfig, Session};
use quinn_proto::transport_parameters::TransportParameters;

use crate::agent::{Agent, NOW, Seeded};

/// A side reads bytes of the handshake: the first byte names the side and in what pieces they come.
/// It completes with what the peer said, and with nothing else.
pub fn quic_handshake(data: &[u8]) {
    let Some((control, stream)) = data.split_first() else { return };
    let genuine = &*GENUINE;
    let (mut session, expected) = match control & 1 {
        0 => (server(), genuine.by_client.concat()),
        _ => (client(), genuine.by_server.concat()),
    };
    // QUIC cuts between its packet number spaces, and so behind the first message.
    let first = match stream {
        [high, low, ..] => 2 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => stream.len(),
    };
    let (first, second) = stream.split_at(first.min(stream.len()));
    for space in [first, second] {
        for chunk in space.chunks(16 * (usize::from(*control) + 1)) {
            if session.read_handshake(chunk).is_err() {
                assert!(session.is_handshaking(), "refused, and done all the same");
                return;
            }
        }
    }
    if !session.is_handshaking() {
        assert_eq!(stream, expected, "a handshake that nobody made");
        assert!(session.next_1rtt_keys().is_some());
    }
}

/// A responder's session behind the handshake: the first byte says in what pieces the others come.
pub fn quic_session(data: &[u8]) {
    let Some((chunk, stream)) = data.split_first() else { return };
    let own = Agent::own();
    let channel = channel(Role::Responder);
    let (local, directory) = (own.local.clone(), own.directory());
    let mut session = QuicSession::accept(local, directory, channel, NOW, Box::new(Seeded::new(6)));
    let mut open = false;
    for chunk in stream.chunks(16 * (usize::from(*chunk) + 1)) {
        let failed = session.receive(NOW, chunk).is_err();
        assert!(!failed || (session.is_closed() && session.unsent() == 0));
        while let Some(event) = session.poll() {
            match event {
                SessionEvent::Established(peer) => {
                    assert_eq!(peer.agent, Agent::peer().id());
                    assert!(stream.starts_with(&FIRST_FRAME), "a Hello that nobody made");
                    open = true;
                }
                SessionEvent::Frame(frame) => {
                    assert!(open && frame.first().is_some_and(|kind| *kind >= 0x10));
                }
                _ => {}
            }
        }
        if session.is_closed() {
            return;
        }
    }
    let _ = session.receive_end();
    assert!(session.is_closed());
}

/// What each side of a handshake says.
pub(crate) struct Genuine {
    /// Messages 1 and 3.
    pub(crate) by_client: [Vec<u8>; 2],
    /// Message 2 and the marker.
    pub(crate) by_server: [Vec<u8>; 2],
}

pub(crate) static GENUINE: LazyLock<Genuine> = LazyLock::new(|| {
    let (mut client, mut server) = (client(), server());
    let message1 = say(client.as_mut());
    server.read_handshake(&message1).unwrap();
    let message2 = say(server.as_mut());
    client.read_handshake(&message2).unwrap();
    // The keys that come into use.
    client.write_handshake(&mut Vec::new()).unwrap();
    let marker = say(server.as_mut());
    client.read_handshake(&marker).unwrap();
    let message3 = say(client.as_mut());
    server.read_handshake(&message3).unwrap();
    assert!(!server.is_handshaking());
    Genuine { by_client: [message1, message3], by_server: [message2, marker] }
});

/// The peer's Hello to us, as it comes over QUIC, and a frame behind it.
pub(crate) fn session_stream() -> Vec<u8> {
    [FIRST_FRAME.as_slice(), &[1, 0x80]].concat()
}

static FIRST_FRAME: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (own, peer) = (Agent::own(), Agent::peer());
    let addressee = Addressee { agent: own.id(), card: own.card().sequence(), holds_ours: false };
    let directory = peer.directory();
    let mut random = Seeded::new(4);
    let channel = channel(Role::Initiator);
    let hello = hello::compose(&channel, &peer.local, &*directory, addressee, &mut random).unwrap();
    // The form of four bytes, which a length from 16,384 up has.
    let length = u32::try_from(hello.len()).unwrap();
    assert!(length >= 0x4000);
    [&(0x8000_0000 | length).to_be_bytes(), hello.as_slice()].concat()
});

fn say(session: &mut dyn Session) -> Vec<u8> {
    let mut message = Vec::new();
    session.write_handshake(&mut message);
    message
}

fn client() -> Box<dyn Session> {
    let (own, peer) = (Agent::own(), Agent::peer());
    let dial = Dial::Session(own.card().clone());
    let client = NoiseClient::new(peer.local.clone(), dial, NOW.wall, randomness(1)).unwrap();
    Arc::new(client).start_session(QUIC_VERSION, "peer", &parameters()).ok().unwrap()
}

fn server() -> Box<dyn Session> {
    let server = NoiseServer::new(Agent::own().local.clone(), randomness(2)).unwrap();
    Arc::new(server).start_session(QUIC_VERSION, &parameters())
}

fn parameters() -> TransportParameters {
    TransportParameters::read(Side::Server, &mut [].as_slice()).unwrap()
}

fn randomness(seed: u64) -> Randomness {
    Arc::new(move || Box::new(Seeded::new(seed)))
}

fn channel(role: Role) -> Channel {
    let remote_static = match role {
        Role::Initiator => *Agent::own().card().live_key(),
        Role::Responder => *Agent::peer().card().live_key(),
    };
    Channel {
        transport: Transport::Quic,
        suite: Suite::ChaChaPoly,
        role,
        handshake_hash: [4; 32],
        remote_static,
    }
}
