//! A live session, from the first byte of a stranger to its records.

use std::sync::LazyLock;

use meshwork_protocols::identity::{LiveKey, LivePublic, Transport};
use meshwork_protocols::live::card_fetch::{encode_answer, encode_request};
use meshwork_protocols::live::cipher_state::CipherState;
use meshwork_protocols::live::exchange::{Exchange, Outcome};
use meshwork_protocols::live::handshake::{self, ExpectedKeys, MESSAGE_1_LENGTH, Terms};
use meshwork_protocols::live::hello::{self, Addressee, Channel};
use meshwork_protocols::live::record::{Incoming, KeyLimits, RecordReader, RecordWriter};
use meshwork_protocols::live::{Dial, Role, SessionEvent, Suite, TcpSession};
use meshwork_protocols::secret::Secret;

use crate::agent::{Agent, NOW, PROVIDER, Seeded, live_key};

/// An initiator goes on with the one message 2 that the responder's key made.
pub fn handshake_initiator(data: &[u8]) {
    let genuine = &*HANDSHAKE;
    let key = live_key(1);
    let (initiator, _) = handshake::initiate(terms(&key), &mut Seeded::new(1)).unwrap();
    let named = [*live_key(2).public()];
    if initiator.receive(data, ExpectedKeys::Named(&named)).is_ok() {
        assert_eq!(data, genuine.message2, "a message 2 that nobody made");
    }
}

/// A responder takes the one message 3 that fits the message 1 it answered.
pub fn handshake_responder(data: &[u8]) {
    let genuine = &*HANDSHAKE;
    let (message1, message3) = data.split_at(MESSAGE_1_LENGTH.min(data.len()));
    let key = live_key(2);
    let Ok((responder, message2)) = handshake::respond(terms(&key), message1, &mut Seeded::new(2))
    else {
        return;
    };
    assert!(message2.len() <= message1.len(), "an answer longer than the question");
    if responder.receive(message3).is_ok() {
        assert_eq!(message1, genuine.message1, "a message 1 that nobody made");
        assert_eq!(message3, genuine.message3, "a message 3 that nobody made");
    }
}

/// A responder accepts the peer's Hello, as the peer made it for this session, and gives its own
/// card to who names it.
pub fn hello(data: &[u8]) {
    let own = Agent::own();
    let exchange = Exchange::answer(channel(Role::Responder), own.local.clone(), own.directory());
    match exchange.receive(NOW.wall, data, &mut Seeded::new(3)) {
        Ok(Outcome::Opened { peer, .. }) => {
            assert_eq!(peer.agent, Agent::peer().id());
            assert_eq!(data, *HELLO, "a Hello that nobody made");
        }
        Ok(Outcome::CardServed { reply }) => {
            assert_eq!(data, encode_request(&own.id()));
            assert_eq!(reply, encode_answer(own.card()));
        }
        Ok(Outcome::CardFetched(_)) => panic!("a card that nobody asked for"),
        Ok(_) | Err(_) => {}
    }
}

/// Who asks for a card gets that card or none.
pub fn answer(data: &[u8]) {
    let (own, peer) = (Agent::own(), Agent::peer());
    let channel = channel(Role::Initiator);
    let (exchange, _) = Exchange::fetch(channel, own.local.clone(), own.directory(), peer.id());
    match exchange.receive(NOW.wall, data, &mut Seeded::new(3)) {
        Ok(Outcome::CardFetched(card)) => assert_eq!(card, *peer.card()),
        Ok(other) => panic!("{other:?} came of a card fetch"),
        Err(_) => {}
    }
}

/// Bytes behind the handshake: only what was sealed opens, in its order.
pub fn records(data: &[u8]) {
    let Some((chunk, stream)) = data.split_first() else { return };
    let mut reader = reader(KeyLimits::default());
    let mut frames = Vec::new();
    for chunk in stream.chunks(usize::from(*chunk) + 1) {
        if !read(&mut reader, chunk, &mut frames) {
            break;
        }
    }
    assert!(sealed_frames().starts_with(&frames), "a frame that nobody sealed");
}

/// Records of a peer that holds the keys and keeps no rule: data is a list of records, each a
/// kind, a length of two bytes, and its content.
pub fn sealed_records(data: &[u8]) {
    let limits = KeyLimits { records: 8, bytes: 100_000 };
    let mut cipher = CipherState::new(PROVIDER.clone(), SUITE, &Secret::new(KEY));
    let (mut reader, mut frames, mut rest) = (reader(limits), Vec::new(), data);
    while let [kind, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (content, behind) = behind.split_at(length);
        rest = behind;
        let mut record = [content, &[*kind]].concat();
        let tag = cipher.seal(&mut record).unwrap();
        let Ok(length) = u16::try_from(record.len() + tag.len()) else { return };
        let record = [&length.to_be_bytes(), record.as_slice(), &tag].concat();
        if !read(&mut reader, &record, &mut frames) {
            break;
        }
        if *kind == REKEY {
            cipher.rekey().unwrap();
        }
    }
    let opened: usize = frames.iter().map(Vec::len).sum();
    assert!(opened <= data.len(), "more opened than was sealed");
    assert!(frames.iter().all(|frame| frame.len() <= MAX_FRAME), "a frame past the bound");
}

/// A responder over TCP: the first byte says in what pieces the others come. What fails is closed
/// and sends nothing.
pub fn session(data: &[u8]) {
    let Some((chunk, stream)) = data.split_first() else { return };
    let genuine = &*SESSION;
    let mut session = responder();
    let mut received = 0;
    for chunk in stream.chunks(16 * (usize::from(*chunk) + 1)) {
        received += chunk.len();
        let failed = session.receive(NOW, chunk).is_err();
        assert!(!failed || (session.is_closed() && session.unsent() == 0));
        while let Some(event) = session.poll() {
            if let SessionEvent::Established(peer) = event {
                assert_eq!(peer.agent, Agent::peer().id());
                let opening = &genuine.stream[..genuine.opening];
                assert!(stream.starts_with(opening), "a session that nobody opened");
            }
        }
        if session.is_closed() {
            break;
        }
    }
    let mut sent = Vec::new();
    session.take_transmit(&mut sent);
    assert!(received >= genuine.opening || sent.len() <= received, "amplified");
}

/// A handshake between the static keys 1 and 2.
pub(crate) static HANDSHAKE: LazyLock<Handshake> = LazyLock::new(|| {
    let (ours, theirs) = (live_key(1), live_key(2));
    let (initiator, message1) = handshake::initiate(terms(&ours), &mut Seeded::new(1)).unwrap();
    let (_, message2) = handshake::respond(terms(&theirs), &message1, &mut Seeded::new(2)).unwrap();
    let (_, message3) = initiator.receive(&message2, ExpectedKeys::Any).unwrap();
    Handshake { message1, message2, message3 }
});

/// The messages of a handshake.
pub(crate) struct Handshake {
    /// The initiator's first.
    pub(crate) message1: Vec<u8>,
    /// The responder's.
    pub(crate) message2: Vec<u8>,
    /// The initiator's second.
    pub(crate) message3: Vec<u8>,
}

/// The peer's Hello to us.
pub(crate) static HELLO: LazyLock<Vec<u8>> = LazyLock::new(|| compose_hello(false));

/// The peer's Hello to us, with its card or with the card's hash.
pub(crate) fn compose_hello(holds_ours: bool) -> Vec<u8> {
    let (own, peer) = (Agent::own(), Agent::peer());
    let channel = channel(Role::Initiator);
    let addressee = Addressee { agent: own.id(), card: own.card().sequence(), holds_ours };
    let directory = peer.directory();
    hello::compose(&channel, &peer.local, &*directory, addressee, &mut Seeded::new(4)).unwrap()
}

/// Frames from empty to several records long.
pub(crate) fn sealed_frames() -> Vec<Vec<u8>> {
    [0, 1, 100, 16_383, 16_384].map(|length| vec![0x10; length]).to_vec()
}

/// The frames, sealed, and the end of the stream.
pub(crate) fn sealed_stream() -> Vec<u8> {
    let mut stream = Vec::new();
    let key = Secret::new(KEY);
    let mut writer = RecordWriter::new(PROVIDER.clone(), SUITE, &key, KeyLimits::default());
    for frame in sealed_frames() {
        writer.seal_frame(&frame, &mut stream).unwrap();
    }
    writer.seal_end(&mut stream).unwrap();
    stream
}

/// A session that the peer opened to us, in which it sent a frame and then closed.
pub(crate) static SESSION: LazyLock<Session> = LazyLock::new(|| {
    let (own, peer) = (Agent::own(), Agent::peer());
    let dial = Dial::Session(own.card().clone());
    let random = Box::new(Seeded::new(5));
    let mut initiator =
        TcpSession::initiate(peer.local.clone(), peer.directory(), dial, NOW, random).unwrap();
    let mut responder = responder();
    let (mut stream, mut opening) = (Vec::new(), 0);
    while opening == 0 {
        let (mut there, mut back) = (Vec::new(), Vec::new());
        initiator.take_transmit(&mut there);
        stream.extend_from_slice(&there);
        responder.receive(NOW, &there).unwrap();
        responder.take_transmit(&mut back);
        initiator.receive(NOW, &back).unwrap();
        if matches!(initiator.poll(), Some(SessionEvent::Established(_))) {
            opening = stream.len();
        }
    }
    initiator.send(&[0x80]).unwrap();
    initiator.close();
    let mut rest = Vec::new();
    initiator.take_transmit(&mut rest);
    stream.extend_from_slice(&rest);
    Session { stream, opening }
});

/// What the initiator of a session sent.
pub(crate) struct Session {
    /// All of it.
    pub(crate) stream: Vec<u8>,
    /// How many bytes of it stand before the first frame that is not the session's own.
    pub(crate) opening: usize,
}

fn responder() -> TcpSession {
    let own = Agent::own();
    TcpSession::accept(own.local.clone(), own.directory(), NOW, Box::new(Seeded::new(6)))
}

fn terms(local: &LiveKey) -> Terms<'_> {
    Terms { provider: &PROVIDER, suite: SUITE, prologue: b"", local }
}

fn channel(role: Role) -> Channel {
    let remote_static: LivePublic = match role {
        Role::Initiator => *Agent::own().card().live_key(),
        Role::Responder => *Agent::peer().card().live_key(),
    };
    let handshake_hash = [4; 32];
    Channel { transport: Transport::Tcp, suite: SUITE, role, handshake_hash, remote_static }
}

fn reader(limits: KeyLimits) -> RecordReader {
    RecordReader::new(PROVIDER.clone(), SUITE, &Secret::new(KEY), limits, MAX_FRAME)
}

/// Whether the stream still stands behind this chunk.
fn read(reader: &mut RecordReader, mut chunk: &[u8], frames: &mut Vec<Vec<u8>>) -> bool {
    loop {
        match reader.read(&mut chunk) {
            Ok(Some(Incoming::Frame(frame))) => frames.push(frame),
            Ok(None) => return true,
            Ok(Some(Incoming::End)) | Err(_) => return false,
        }
    }
}

const SUITE: Suite = Suite::ChaChaPoly;

/// The key of the records.
const KEY: [u8; 32] = [7; 32];

/// The largest frame that the readers of records allow here.
const MAX_FRAME: usize = 40_000;

/// The kind of the record after which a direction has its next key.
const REKEY: u8 = 2;
