mod copied;

use alloc::vec;
use core::time::Duration;

use super::*;
use crate::identity::card::MAX_CARD_LENGTH;
use crate::identity::{CardError, LiveKey, Newest, Sequence, Validity};
use crate::live::card_fetch::{self, CardFetchError};
use crate::live::cipher_state::CipherState;
use crate::live::exchange::ExchangeError;
use crate::live::fixture::{NOW, Node, Seeded, aws, lineage, live_key};
use crate::live::handshake::{ExpectedKeys, HandshakeError, MAX_HANDSHAKE_MESSAGE, Role};
use crate::live::hello::{self, Addressee, HelloError, PeerInfo};
use crate::live::session::Fault;
use crate::live::suite::Suite::{AesGcm, ChaChaPoly};
use crate::posture::Posture;
use crate::secret::Secret;

fn random(seed: u64) -> Box<dyn Random> {
    Box::new(Seeded::new(seed))
}

fn dial(node: &Node, dial: Dial) -> TcpSession {
    TcpSession::initiate(node.local.clone(), node.directory(), dial, NOW, random(1)).unwrap()
}

fn accept(node: &Node) -> TcpSession {
    TcpSession::accept(node.local.clone(), node.directory(), NOW, random(2))
}

/// Two sessions, and what each was told.
struct Line {
    initiator: TcpSession,
    responder: TcpSession,
}

impl Line {
    fn between(initiator: &Node, responder: &Node) -> Self {
        Self {
            initiator: dial(initiator, Dial::Session(responder.card())),
            responder: accept(responder),
        }
    }

    fn open() -> Self {
        let mut line = Self::between(&Node::new(1), &Node::new(5));
        line.run().unwrap();
        established(&mut line.initiator);
        established(&mut line.responder);
        line
    }

    /// Carries bytes both ways until there are none.
    fn run(&mut self) -> Result<(), SessionError> {
        self.run_cut(usize::MAX)
    }

    /// Opens the line with one bit changed in the byte at `at` of what goes one way; whether that
    /// byte came.
    fn run_changing(&mut self, to_responder: bool, at: usize) -> bool {
        let (mut seen, mut changed) = (0, false);
        while self.initiator.unsent() + self.responder.unsent() > 0 {
            for towards in [true, false] {
                let (from, to) = match towards {
                    true => (&mut self.initiator, &mut self.responder),
                    false => (&mut self.responder, &mut self.initiator),
                };
                let mut bytes = transmitted(from);
                if towards == to_responder {
                    if let Some(byte) = bytes.get_mut(at.wrapping_sub(seen)) {
                        *byte ^= 1 << (at % 8);
                        changed = true;
                    }
                    seen += bytes.len();
                }
                let _ = to.receive(NOW, &bytes);
            }
        }
        changed
    }

    fn run_cut(&mut self, cut: usize) -> Result<(), SessionError> {
        while self.initiator.unsent() + self.responder.unsent() > 0 {
            carry(&mut self.initiator, &mut self.responder, cut)?;
            carry(&mut self.responder, &mut self.initiator, cut)?;
        }
        Ok(())
    }
}

fn carry(from: &mut TcpSession, to: &mut TcpSession, cut: usize) -> Result<(), SessionError> {
    let bytes = transmitted(from);
    bytes.chunks(cut.min(bytes.len()).max(1)).try_for_each(|piece| to.receive(NOW, piece))
}

fn transmitted(session: &mut TcpSession) -> Vec<u8> {
    let mut out = Vec::new();
    session.take_transmit(&mut out);
    out
}

fn established(session: &mut TcpSession) -> Box<PeerInfo> {
    match session.poll() {
        Some(SessionEvent::Established(peer)) => peer,
        other => panic!("{other:?}"),
    }
}

/// An initiator that has finished the handshake with a session and says what it likes.
struct Stranger {
    session: TcpSession,
    channel: Channel,
    /// What it seals with; `writer` does so too.
    key: Secret<32>,
    writer: RecordWriter,
    reader: RecordReader,
}

impl Stranger {
    /// One that shows `key` to `node`.
    fn meets(node: &Node, key: &LiveKey) -> Self {
        let mut session = accept(node);
        let (provider, suite) = (aws(), ChaChaPoly);
        let header = message1_header(suite);
        let prologue = prologue(Transport::Tcp, suite, &header);
        let terms = Terms { provider: &provider, suite, prologue: &prologue, local: key };
        let (noise, message1) = handshake::initiate(terms, &mut Seeded::new(8)).unwrap();
        session.receive(NOW, &[&header, message1.as_slice()].concat()).unwrap();
        let message2 = transmitted(&mut session).split_off(2);
        let (established, message3) = noise.receive(&message2, ExpectedKeys::Any).unwrap();
        session.receive(NOW, &[&64_u16.to_be_bytes(), message3.as_slice()].concat()).unwrap();
        let (keys, limits) = (&established.keys, KeyLimits::default());
        Self {
            session,
            key: keys.send.clone(),
            channel: Channel::new(Transport::Tcp, &established),
            writer: RecordWriter::new(aws(), suite, &keys.send, limits),
            reader: RecordReader::new(aws(), suite, &keys.receive, limits, MAX_FRAME),
        }
    }

    /// One that is `agent`, up to the accepted Hello.
    fn is_accepted_as(agent: &Node, node: &Node) -> Self {
        let mut stranger = Self::meets(node, agent.local.live_key());
        let hello = stranger.hello(agent, node);
        stranger.says(&hello).unwrap();
        established(&mut stranger.session);
        stranger.hears();
        stranger
    }

    fn hello(&self, agent: &Node, node: &Node) -> Vec<u8> {
        let card = node.card();
        let addressee = Addressee { agent: card.agent(), card: card.sequence(), holds_ours: false };
        let random = &mut Seeded::new(4);
        hello::compose(&self.channel, &agent.local, &agent.known, addressee, random).unwrap()
    }

    fn says(&mut self, frame: &[u8]) -> Result<(), SessionError> {
        let mut out = Vec::new();
        self.writer.seal_frame(frame, &mut out).unwrap();
        self.session.receive(NOW, &out)
    }

    /// The frames that the session sent, which may be none.
    fn hears(&mut self) -> Vec<Incoming> {
        let bytes = transmitted(&mut self.session);
        let mut rest = bytes.as_slice();
        core::iter::from_fn(|| self.reader.read(&mut rest).unwrap()).collect()
    }
}

#[test]
fn both_ends_learn_who_the_other_is() {
    let (mut here, mut there) = (Node::new(1), Node::new(5));
    here.known.remembered.insert(there.agent(), lineage(50));
    there.known.remembered.insert(here.agent(), lineage(60));
    let mut line = Line::between(&here, &there);
    line.run().unwrap();

    let peer = established(&mut line.initiator);
    assert_eq!((peer.agent, peer.role, peer.suite), (there.agent(), Role::Initiator, AesGcm));
    assert_eq!((peer.lineage, peer.remembered), (lineage(5), Some(lineage(60))));
    assert_eq!((&peer.card, peer.posture), (&there.card(), Posture::HYBRID));

    let peer = established(&mut line.responder);
    assert_eq!((peer.agent, peer.role, peer.suite), (here.agent(), Role::Responder, AesGcm));
    assert_eq!((peer.lineage, peer.remembered), (lineage(1), Some(lineage(50))));
    assert_eq!((&peer.card, peer.posture), (&here.card(), Posture::HYBRID));
}

#[test]
fn frames_go_both_ways_however_the_stream_is_cut() {
    for cut in [1, 7, 1_000, usize::MAX] {
        let mut line = Line::between(&Node::new(1), &Node::new(5));
        line.run_cut(cut).unwrap();
        established(&mut line.initiator);
        established(&mut line.responder);
        for length in [1, 100, 40_000] {
            let (there, back) = (vec![0x10; length], vec![0x11; length]);
            line.initiator.send(&there).unwrap();
            line.responder.send(&back).unwrap();
            line.run_cut(cut).unwrap();
            assert_eq!(line.responder.poll(), Some(SessionEvent::Frame(there)));
            assert_eq!(line.initiator.poll(), Some(SessionEvent::Frame(back)));
        }
    }
}

#[test]
fn the_orders_of_suites_in_both_cards_decide() {
    let lists: [(&[u8], &[u8], Option<Suite>); 6] = [
        (&[1, 2], &[2, 1], Some(ChaChaPoly)),
        (&[2, 1], &[1, 2], Some(ChaChaPoly)),
        (&[2, 1], &[2, 1], Some(AesGcm)),
        (&[0x77, 2, 1], &[1, 0x77], Some(ChaChaPoly)),
        (&[1], &[2], None),
        (&[0x77], &[0x77], None),
    ];
    for (own, theirs, chosen) in lists {
        let here = Node::with_body(1, |body| body.suites = own.to_vec());
        let there = Node::with_body(5, |body| body.suites = theirs.to_vec());
        let session = TcpSession::initiate(
            here.local.clone(),
            here.directory(),
            Dial::Session(there.card()),
            NOW,
            random(1),
        );
        let Some(suite) = chosen else {
            assert_eq!(session.unwrap_err(), SessionError::NoCommonSuite);
            continue;
        };
        let mut line = Line { initiator: session.unwrap(), responder: accept(&there) };
        line.run().unwrap();
        assert_eq!(established(&mut line.responder).suite, suite);
    }
}

#[test]
fn a_suite_that_the_card_does_not_list_gets_silence() {
    let there = Node::with_body(5, |body| body.suites = vec![1]);
    for kind in [0x00, 0x02, 0x03, 0xff] {
        let mut message = transmitted(&mut dial(&Node::new(1), Dial::Session(Node::new(5).card())));
        message[2] = kind;
        let mut session = accept(&there);
        assert_eq!(session.receive(NOW, &message), Err(SessionError::SuiteNotListed));
        assert_silent(session);
    }
}

#[test]
fn another_peer_than_the_dialled_one_gets_no_message_3() {
    let mut line = Line {
        initiator: dial(&Node::new(1), Dial::Session(Node::new(9).card())),
        responder: accept(&Node::new(5)),
    };
    let error = line.run().unwrap_err();
    assert_eq!(error, SessionError::Handshake(HandshakeError::KeyNotInCard));
    assert_eq!(error.fault(), Fault::NotNow);
    assert_silent(line.initiator);
}

#[test]
fn a_peer_under_its_next_live_key_is_still_itself() {
    let there = Node::new(5).with_live_key(6);
    let mut line = Line::between(&Node::new(1), &there);
    line.run().unwrap();
    assert_eq!(established(&mut line.initiator).agent, there.agent());
}

#[test]
fn a_dialled_card_that_has_expired_gets_no_message_3() {
    let there = Node::with_body(5, |body| {
        body.validity = Validity {
            not_before: NOW.wall.saturating_sub(Duration::from_secs(7_200)),
            not_after: NOW.wall.saturating_sub(Duration::from_secs(3_600)),
        };
    });
    let mut line = Line::between(&Node::new(1), &there);
    assert!(matches!(line.run(), Err(SessionError::DialledCard(CardError::Expired(_)))));
    assert_silent(line.initiator);
}

#[test]
fn a_changed_byte_in_either_direction_establishes_nothing() {
    let (here, there) = (Node::new(1), Node::new(5));
    // All of what frames the messages, and a sample of their bytes, whose every bit the tests of
    // handshake, record and Hello flip.
    for to_responder in [true, false] {
        for at in (0..4).chain(1_200..1_300).chain((300..4_600).step_by(301)) {
            let mut line = Line::between(&here, &there);
            let changed = line.run_changing(to_responder, at);
            let session = if to_responder { &mut line.responder } else { &mut line.initiator };
            assert!(changed, "byte {at} was never sent");
            assert_eq!(session.poll(), None, "byte {at}");
            let late = NOW + Duration::from_secs(5);
            assert!(session.is_closed() || session.handle_timeout(late).is_err(), "byte {at}");
        }
    }
}

#[test]
fn a_handshake_message_is_read_up_to_its_bound_and_refused_one_past_it() {
    let mut session = accept(&Node::new(5));
    assert_eq!(session.receive(NOW, &4096_u16.to_be_bytes()), Ok(()));
    let mut rest = vec![0; 4096];
    rest[0] = ChaChaPoly.byte();
    let wrong = Err(SessionError::Handshake(HandshakeError::WrongLength));
    assert_eq!(session.receive(NOW, &rest), wrong);
    assert_silent(session);

    let mut session = accept(&Node::new(5));
    let refused = session.receive(NOW, &4097_u16.to_be_bytes());
    assert_eq!(refused, Err(SessionError::MessageTooLong));
    assert_silent(session);
}

#[test]
fn an_empty_handshake_message_is_refused() {
    let mut session = accept(&Node::new(5));
    assert_eq!(session.receive(NOW, &[0, 0]), Err(SessionError::SuiteNotListed));
    assert_silent(session);
}

#[test]
fn garbage_gets_silence_and_is_not_kept() {
    let mut noise = Seeded::new(99);
    let node = Node::new(5);
    for length in (0..6_000).step_by(61) {
        let mut garbage = vec![0; length];
        noise.fill(&mut garbage);
        let mut session = accept(&node);
        let _ = session.receive(NOW, &garbage);
        let kept = match &session.state {
            State::AwaitMessage1 { framer } => framer.held.len(),
            State::Closed => 0,
            other => panic!("{other:?}"),
        };
        assert!(kept <= 2 + MAX_HANDSHAKE_MESSAGE);
        assert_silent(session);
    }
}

#[test]
fn an_error_takes_back_what_was_to_be_sent() {
    let mut message = transmitted(&mut dial(&Node::new(1), Dial::Session(Node::new(5).card())));
    // Message 2 is made, and a message 3 that does not hold comes with message 1.
    message.extend_from_slice(&64_u16.to_be_bytes());
    message.extend_from_slice(&[0; 64]);
    let mut session = accept(&Node::new(5));
    let refused = Err(SessionError::Handshake(HandshakeError::NotAuthentic));
    assert_eq!(session.receive(NOW, &message), refused);
    assert_silent(session);
}

#[test]
fn ten_thousand_strangers_with_random_keys_get_nothing() {
    let (victim, node) = (Node::new(1), Node::new(5));
    let mut keys = Seeded::new(1_000);
    // Each has a Hello of somebody else, made for this very session but for the key.
    for number in 0..10_000 {
        let key = LiveKey::generate(aws().as_ref(), &mut keys);
        let mut stranger = Stranger::meets(&node, &key);
        let frame = match number % 4 {
            0 => stranger.hello(&victim, &node),
            1 => [&[0x01], (&mut keys as &mut dyn Random).array::<4_000>().as_slice()].concat(),
            2 => vec![0x10, 1, 2, 3],
            _ => Vec::new(),
        };
        let error = stranger.says(&frame).unwrap_err();
        assert_eq!(error.fault(), Fault::PeerMisbehaved, "{error}");
        assert_silent(stranger.session);
    }
}

#[test]
fn a_hello_of_an_earlier_session_is_refused() {
    let (agent, node) = (Node::new(1), Node::new(5));
    let earlier = Stranger::meets(&node, agent.local.live_key());
    let hello = earlier.hello(&agent, &node);
    let mut stranger = Stranger::meets(&node, agent.local.live_key());
    let refused = SessionError::Exchange(HelloError::BadSignature.into());
    assert_eq!(stranger.says(&hello), Err(refused));
    assert_silent(stranger.session);
}

#[test]
fn nothing_but_hello_request_and_close_is_taken_before_the_peer_is_accepted() {
    let (agent, node) = (Node::new(1), Node::new(5));
    let answer = card_fetch::encode_answer(&agent.card());
    let frames: [&[u8]; 8] =
        [&[], &[0x00], &[0x03], &answer, &[0x04], &[0x04, 0x02], &[0x0f], &[0x10, 1]];
    for frame in frames {
        let mut stranger = Stranger::meets(&node, agent.local.live_key());
        let refused = stranger.says(frame).unwrap_err();
        assert_eq!(refused, SessionError::Exchange(ExchangeError::Unexpected));
        assert_silent(stranger.session);
    }
}

#[test]
fn a_first_frame_longer_than_a_hello_is_refused_one_past_the_bound() {
    let (agent, node) = (Node::new(1), Node::new(5));
    for (length, error) in [
        (MAX_HELLO, SessionError::Exchange(HelloError::Malformed.into())),
        (MAX_HELLO + 1, SessionError::Record(RecordError::FrameTooLong)),
    ] {
        let mut stranger = Stranger::meets(&node, agent.local.live_key());
        let mut frame = vec![0xff; length];
        frame[0] = 0x01;
        assert_eq!(stranger.says(&frame), Err(error));
        assert_silent(stranger.session);
    }
}

#[test]
fn a_frame_is_taken_at_the_bound_and_refused_one_past_it() {
    let mut line = Line::open();
    let mut frame = vec![0x10; MAX_FRAME];
    line.initiator.send(&frame).unwrap();
    line.run().unwrap();
    assert_eq!(line.responder.poll(), Some(SessionEvent::Frame(frame.clone())));
    frame.push(0);
    assert_eq!(line.initiator.send(&frame), Err(SendError::TooLong));

    let mut stranger = Stranger::is_accepted_as(&Node::new(1), &Node::new(5));
    let refused = SessionError::Record(RecordError::FrameTooLong);
    assert_eq!(stranger.says(&frame), Err(refused));
    assert_silent(stranger.session);
}

#[test]
fn frames_of_reserved_types_are_neither_sent_nor_taken() {
    for frame in [&[][..], &[0x00], &[0x01, 1, 2], &[0x0f]] {
        let mut line = Line::open();
        assert_eq!(line.initiator.send(frame), Err(SendError::ReservedFrame));
        let mut stranger = Stranger::is_accepted_as(&Node::new(1), &Node::new(5));
        assert_eq!(stranger.says(frame), Err(SessionError::ReservedFrame));
        assert_silent(stranger.session);
    }
}

#[test]
fn nothing_is_sent_before_the_peer_is_accepted_or_after_the_close() {
    let mut line = Line::between(&Node::new(1), &Node::new(5));
    assert_eq!(line.initiator.send(&[0x10]), Err(SendError::NotOpen));
    assert_eq!(line.responder.send(&[0x10]), Err(SendError::NotOpen));
    line.run().unwrap();
    line.initiator.close();
    assert_eq!(line.initiator.send(&[0x10]), Err(SendError::NotOpen));
}

#[test]
fn what_waits_to_be_transmitted_is_bounded() {
    let mut line = Line::open();
    let frame = vec![0x10; MAX_FRAME];
    while line.initiator.unsent() + MAX_FRAME <= MAX_UNSENT {
        line.initiator.send(&frame).unwrap();
    }
    let room = MAX_UNSENT - line.initiator.unsent();
    assert_eq!(line.initiator.send(&frame[..=room]), Err(SendError::Busy));
    assert_eq!(line.initiator.send(&frame[..room]), Ok(()));
    line.run().unwrap();
    assert_eq!(line.initiator.send(&frame), Ok(()));
}

#[test]
fn a_session_goes_on_under_its_next_keys() {
    let limits = KeyLimits { records: 3, bytes: 1 << 20 };
    let mut line = Line::between(&Node::new(1), &Node::new(5));
    line.initiator = line.initiator.with_key_limits(limits);
    line.responder = line.responder.with_key_limits(limits);
    line.run().unwrap();
    established(&mut line.initiator);
    established(&mut line.responder);
    for number in 0..20 {
        line.initiator.send(&[0x10, number]).unwrap();
        line.run().unwrap();
        assert_eq!(line.responder.poll(), Some(SessionEvent::Frame(vec![0x10, number])));
    }
    line.responder.send(&[0x11; 100_000]).unwrap();
    line.run().unwrap();
    assert_eq!(line.initiator.poll(), Some(SessionEvent::Frame(vec![0x11; 100_000])));
}

#[test]
fn a_close_is_told_from_a_truncation() {
    let mut line = Line::open();
    line.initiator.send(&[0x10, 1]).unwrap();
    line.initiator.close();
    line.run().unwrap();
    assert_eq!(line.responder.poll(), Some(SessionEvent::Frame(vec![0x10, 1])));
    assert_eq!(line.responder.poll(), Some(SessionEvent::Closed));
    assert!(line.initiator.is_closed() && line.responder.is_closed());
    assert_eq!(line.initiator.receive_end(), Ok(()));
    assert_eq!(line.responder.receive_end(), Ok(()));

    // Two records of 21 and 19 bytes; all but the last byte of them is not enough.
    for cut in [0, 1, 20, 21, 22, 39] {
        let mut line = Line::open();
        line.initiator.send(&[0x10, 1]).unwrap();
        line.initiator.close();
        let bytes = transmitted(&mut line.initiator);
        assert_eq!(bytes.len(), 40);
        line.responder.receive(NOW, &bytes[..cut]).unwrap();
        assert_eq!(line.responder.receive_end(), Err(SessionError::Truncated), "cut at {cut}");
    }
}

#[test]
fn both_may_close_at_once() {
    let mut line = Line::open();
    line.initiator.close();
    line.responder.close();
    line.run().unwrap();
    assert!(line.initiator.is_closed() && line.responder.is_closed());
    assert_eq!((line.initiator.poll(), line.responder.poll()), (None, None));
}

#[test]
fn a_silent_peer_is_given_five_seconds() {
    let mut session = accept(&Node::new(5));
    let end = NOW + Duration::from_secs(5);
    assert_eq!(session.next_timeout(), Some(end));
    let before = NOW + Duration::from_millis(4_999);
    assert_eq!(session.handle_timeout(before), Ok(()));
    assert_eq!(session.handle_timeout(end), Err(SessionError::TimedOut));
    assert_silent(session);
}

#[test]
fn bytes_that_prove_nothing_do_not_buy_time() {
    let mut line = Line::between(&Node::new(1), &Node::new(5));
    let message1 = transmitted(&mut line.initiator);
    let mut now = NOW;
    for byte in &message1[..4] {
        now = now + Duration::from_secs(1);
        line.responder.receive(now, &[*byte]).unwrap();
    }
    now = now + Duration::from_secs(1);
    assert_eq!(line.responder.receive(now, &message1[4..]), Err(SessionError::TimedOut));
    assert_silent(line.responder);
}

#[test]
fn a_part_of_a_record_does_not_buy_time() {
    let mut stranger = Stranger::meets(&Node::new(5), &live_key(77));
    let mut record = Vec::new();
    stranger.writer.seal_frame(&[0x01; 100], &mut record).unwrap();
    let later = NOW + Duration::from_secs(4);
    stranger.session.receive(later, &record[..record.len() - 1]).unwrap();
    assert_eq!(stranger.session.next_timeout(), Some(NOW + Duration::from_secs(5)));
}

#[test]
fn even_a_lively_stranger_is_given_a_minute_and_no_more() {
    let mut stranger = Stranger::meets(&Node::new(5), &live_key(77));
    // It moves on to its next key, again and again, and never says a word.
    let mut cipher = CipherState::new(aws(), ChaChaPoly, &stranger.key);
    let mut now = NOW;
    for _ in 0..14 {
        now = now + Duration::from_secs(4);
        let mut mark = [0x02];
        let tag = cipher.seal(&mut mark).unwrap();
        cipher.rekey().unwrap();
        stranger.session.receive(now, &[&[0, 17], &mark[..], &tag].concat()).unwrap();
    }
    let end = NOW + Duration::from_secs(60);
    assert_eq!(stranger.session.next_timeout(), Some(end));
    assert_eq!(stranger.session.handle_timeout(end), Err(SessionError::TimedOut));
    assert_silent(stranger.session);
}

#[test]
fn an_accepted_peer_may_be_silent() {
    let mut line = Line::open();
    assert_eq!((line.initiator.next_timeout(), line.responder.next_timeout()), (None, None));
    let later = NOW + Duration::from_secs(86_400);
    assert_eq!(line.responder.handle_timeout(later), Ok(()));
    line.initiator.send(&[0x10]).unwrap();
    carry(&mut line.initiator, &mut line.responder, usize::MAX).unwrap();
    assert_eq!(line.responder.poll(), Some(SessionEvent::Frame(vec![0x10])));
}

#[test]
fn a_card_is_fetched_by_the_id_of_its_agent() {
    for suite in Suite::ALL {
        let (here, there) = (Node::new(1), Node::new(5));
        let mut line = Line {
            initiator: dial(&here, Dial::CardFetch { agent: there.agent(), suite }),
            responder: accept(&there),
        };
        line.run().unwrap();
        assert_eq!(line.initiator.poll(), Some(SessionEvent::CardFetched(there.card())));
        assert_eq!(line.responder.poll(), Some(SessionEvent::CardServed));
        assert!(line.initiator.is_closed() && line.responder.is_closed());
        assert_eq!((line.initiator.poll(), line.responder.poll()), (None, None));
    }
}

#[test]
fn a_request_for_another_agents_card_gets_silence() {
    let mut line = Line {
        initiator: dial(
            &Node::new(1),
            Dial::CardFetch { agent: Node::new(9).agent(), suite: ChaChaPoly },
        ),
        responder: accept(&Node::new(5)),
    };
    let refused = SessionError::Exchange(CardFetchError::AnotherWanted.into());
    assert_eq!(line.run(), Err(refused));
    assert_silent(line.responder);
    assert_eq!(line.initiator.receive_end(), Err(SessionError::Truncated));
}

#[test]
fn malformed_requests_get_silence() {
    let (agent, node) = (Node::new(1), Node::new(5));
    let request = card_fetch::encode_request(&node.agent());
    let longer = [request.as_slice(), &[0]].concat();
    for frame in [&request[..1], &request[..32], &longer] {
        let mut stranger = Stranger::meets(&node, agent.local.live_key());
        let refused = SessionError::Exchange(CardFetchError::Malformed.into());
        assert_eq!(stranger.says(frame), Err(refused));
        assert_silent(stranger.session);
    }
}

#[test]
fn a_fetch_tells_nothing_of_who_asked() {
    let (here, there) = (Node::new(1), Node::new(5));
    let mut shown = Vec::new();
    for seed in [1, 2] {
        let dial = Dial::CardFetch { agent: there.agent(), suite: ChaChaPoly };
        let mut initiator =
            TcpSession::initiate(here.local.clone(), here.directory(), dial, NOW, random(seed))
                .unwrap();
        let bytes = transmitted(&mut initiator);
        let (provider, suite) = (aws(), ChaChaPoly);
        let prologue = prologue(Transport::Tcp, suite, &message1_header(suite));
        let key = live_key(5);
        let terms = Terms { provider: &provider, suite, prologue: &prologue, local: &key };
        let (noise, message2) =
            handshake::respond(terms, &bytes[3..], &mut Seeded::new(3)).unwrap();
        let message2 = [&1200_u16.to_be_bytes(), message2.as_slice()].concat();
        initiator.receive(NOW, &message2).unwrap();
        shown.push(noise.receive(&transmitted(&mut initiator)[2..66]).unwrap().remote_static);
    }
    assert_ne!(shown[0], shown[1]);
    assert!(shown.iter().all(|key| !here.card().names_live_key(key)));
}

#[test]
fn only_the_wanted_card_is_fetched_and_only_if_it_holds() {
    let (wanted, other) = (Node::new(5), Node::new(9));
    let provider = aws();
    let fetched = |answer: &[u8], now| {
        card_fetch::accept_answer(answer, &wanted.agent(), provider.as_ref(), now)
    };
    let answer = card_fetch::encode_answer(&wanted.card());
    assert_eq!(fetched(&answer, NOW.wall), Ok((*wanted.card()).clone()));

    let another = card_fetch::encode_answer(&other.card());
    assert_eq!(fetched(&another, NOW.wall), Err(CardFetchError::AnotherCard));
    let late = NOW.wall + Duration::from_secs(40 * 86_400);
    assert!(matches!(fetched(&answer, late), Err(CardFetchError::Card(CardError::Expired(_)))));
    for at in (0..answer.len()).step_by(29) {
        let mut changed = answer.clone();
        changed[at] ^= 0x10;
        assert!(fetched(&changed, NOW.wall).is_err(), "byte {at}");
    }
    let long = [&answer[..1], &[1; MAX_CARD_LENGTH + 1]].concat();
    assert!(matches!(
        fetched(&long, NOW.wall),
        Err(CardFetchError::Card(CardError::TooLong { .. }))
    ));
}

#[test]
fn cards_go_by_hash_once_both_hold_them() {
    let (mut here, mut there) = (Node::new(1), Node::new(5));
    here.known.holders.insert((there.agent(), here.card().hash()));
    there.known.add(here.card());
    let mut line = Line::between(&here, &there);
    transmitted_len(&mut line, 1219, 1202);
    let hello = transmitted(&mut line.initiator);
    line.responder.receive(NOW, &hello).unwrap();
    assert!(hello.len() < 4_000, "{} bytes", hello.len());
    assert_eq!(established(&mut line.responder).card, here.card());
    // The initiator used the responder's current card, and has so shown that it holds it.
    let hello = transmitted(&mut line.responder);
    line.initiator.receive(NOW, &hello).unwrap();
    assert!(hello.len() < 4_000, "{} bytes", hello.len());
    assert_eq!(established(&mut line.initiator).card, there.card());
}

/// Carries messages 1 and 2, and checks how long they are.
fn transmitted_len(line: &mut Line, there: usize, back: usize) {
    let message1 = transmitted(&mut line.initiator);
    line.responder.receive(NOW, &message1).unwrap();
    let message2 = transmitted(&mut line.responder);
    line.initiator.receive(NOW, &message2).unwrap();
    assert_eq!((message1.len(), message2.len()), (there, back));
}

#[test]
fn a_card_that_the_peer_no_longer_holds_is_asked_for_and_comes_with_the_next_hello() {
    let (mut here, there) = (Node::new(1), Node::new(5));
    let holder = (there.agent(), here.card().hash());
    here.known.holders.insert(holder);
    let mut line = Line::between(&here, &there);
    line.run().unwrap();
    assert_eq!(line.responder.poll(), Some(SessionEvent::CardUnknown));
    assert_eq!(line.initiator.poll(), Some(SessionEvent::CardWanted));
    assert!(line.initiator.is_closed() && line.responder.is_closed());

    here.known.holders.remove(&holder);
    let mut line = Line::between(&here, &there);
    line.run().unwrap();
    assert_eq!(established(&mut line.responder).card, here.card());
}

#[test]
fn a_responder_with_a_newer_card_sends_it_whole() {
    let dialled = Node::new(5);
    let there = Node::with_body(5, |body| {
        body.sequence = Sequence::new(body.sequence.value() + 1);
    });
    let mut line = Line {
        initiator: dial(&Node::new(1), Dial::Session(dialled.card())),
        responder: accept(&there),
    };
    line.run().unwrap();
    assert_eq!(established(&mut line.initiator).card, there.card());
    assert_eq!(established(&mut line.responder).used, dialled.card().sequence());
}

#[test]
fn a_revoked_peer_gets_silence() {
    let (here, mut there) = (Node::new(1), Node::new(5));
    let card = here.card();
    there.known.newest.insert(card.agent(), Newest::Refused(card.sequence()));
    let mut line = Line::between(&here, &there);
    let refused = SessionError::Exchange(HelloError::Refused.into());
    assert_eq!(line.run(), Err(refused));
    assert_silent(line.responder);
}

/// After an error there is nothing to send, no event, and no way on.
fn assert_silent(mut session: TcpSession) {
    assert!(transmitted(&mut session).is_empty());
    assert_eq!(session.poll(), None);
    if session.is_closed() {
        assert_eq!(session.next_timeout(), None);
        assert_eq!(session.receive(NOW, &[0; 100]), Ok(()));
        assert!(transmitted(&mut session).is_empty());
    }
}

#[test]
fn a_session_can_move_between_threads() {
    const fn moves<T: Send>() {}
    const { moves::<TcpSession>() };
}
