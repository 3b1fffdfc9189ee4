use alloc::vec;
use core::time::Duration;

use super::*;
use crate::identity::fixture::{body, sign};
use crate::identity::{CardBody, Validity};
use crate::live::fixture::{NOW, Node, Seeded, aws, lineage, live_key, signing_pair};

/// Two agents and the channel between them, as the responder sees it.
struct Meeting {
    initiator: Node,
    responder: Node,
}

impl Meeting {
    fn new() -> Self {
        Self { initiator: Node::new(1), responder: Node::new(5) }
    }

    /// The channel as the initiator sees it.
    fn of_initiator(&self) -> Channel {
        Channel {
            transport: Transport::Tcp,
            suite: Suite::ChaChaPoly,
            role: Role::Initiator,
            handshake_hash: [7; 32],
            remote_static: *live_key(5).public(),
        }
    }

    /// The channel as the responder sees it.
    fn of_responder(&self) -> Channel {
        Channel {
            role: Role::Responder,
            remote_static: *live_key(1).public(),
            ..self.of_initiator()
        }
    }

    fn addressee(&self) -> Addressee {
        let card = self.responder.card();
        Addressee { agent: card.agent(), card: card.sequence(), holds_ours: false }
    }

    fn hello(&self) -> Vec<u8> {
        self.hello_to(self.addressee())
    }

    fn hello_to(&self, addressee: Addressee) -> Vec<u8> {
        let channel = self.of_initiator();
        compose(
            &channel,
            &self.initiator.local,
            &self.initiator.known,
            addressee,
            &mut Seeded::new(3),
        )
        .unwrap()
    }

    /// What the responder makes of it.
    fn judge(&self, hello: &[u8]) -> Result<PeerInfo, HelloError> {
        self.judge_over(&self.of_responder(), hello)
    }

    fn judge_over(&self, channel: &Channel, hello: &[u8]) -> Result<PeerInfo, HelloError> {
        judge(channel, &self.responder, None, hello)
    }
}

fn judge(
    channel: &Channel,
    node: &Node,
    dialled: Option<&Arc<Card>>,
    hello: &[u8],
) -> Result<PeerInfo, HelloError> {
    let judge =
        Judge { channel, local: &node.local, directory: &node.known, dialled, now: NOW.wall };
    judge.accept(&UnverifiedHello::decode(hello)?)
}

#[test]
fn a_hello_tells_who_the_peer_is_and_where_its_state_stands() {
    let mut meeting = Meeting::new();
    let remembered = lineage(50);
    meeting.initiator.known.remembered.insert(meeting.responder.agent(), remembered);
    let peer = meeting.judge(&meeting.hello()).unwrap();
    assert_eq!(peer.agent, meeting.initiator.agent());
    assert_eq!(peer.card, meeting.initiator.card());
    assert_eq!((peer.role, peer.suite), (Role::Responder, Suite::ChaChaPoly));
    assert_eq!(peer.posture, Posture::HYBRID);
    assert_eq!(peer.lineage, lineage(1));
    assert_eq!(peer.remembered, Some(remembered));
    assert_eq!(peer.used, meeting.responder.card().sequence());
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_hello_is_refused() {
    let meeting = Meeting::new();
    let hello = meeting.hello();
    for at in 0..hello.len() {
        let mut changed = hello.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(meeting.judge(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn a_truncated_or_extended_hello_is_refused() {
    let meeting = Meeting::new();
    let hello = meeting.hello();
    for length in (0..hello.len()).step_by(37).chain([hello.len() - 1]) {
        assert!(meeting.judge(&hello[..length]).is_err(), "{length} bytes");
    }
    let longer = [hello.as_slice(), &[0]].concat();
    assert!(meeting.judge(&longer).is_err());
}

#[test]
fn a_body_has_one_encoding() {
    let body = Body {
        to: Node::new(5).agent(),
        card: OwnCard::Hash(Node::new(1).card().hash()),
        used: Sequence::new(3),
        lineage: lineage(1),
        remembered: None,
    };
    let encoded = postcard::to_allocvec(&body).unwrap();
    let hello = |body: &[u8]| [&[HELLO], body, &[0; HybridSignature::LENGTH]].concat();
    assert_eq!(UnverifiedHello::decode(&hello(&encoded)).unwrap().body, body);

    let at = 32 + 1 + 32;
    assert_eq!(encoded[at], 3);
    let overlong = [&encoded[..at], &[0x83, 0x00], &encoded[at + 1..]].concat();
    let trailing = [encoded.as_slice(), &[0]].concat();
    for other in [overlong, trailing] {
        let other = hello(&other);
        assert_eq!(UnverifiedHello::decode(&other).unwrap_err(), HelloError::Malformed);
    }
}

#[test]
fn half_a_signature_is_none() {
    let meeting = Meeting::new();
    let hello = meeting.hello();
    let start = hello.len() - HybridSignature::LENGTH;
    for half in [start..start + 64, start + 64..hello.len()] {
        let mut halved = hello.clone();
        halved[half].fill(0);
        assert_eq!(meeting.judge(&halved), Err(HelloError::BadSignature));
    }
}

#[test]
fn a_half_by_another_signing_pair_is_none() {
    let meeting = Meeting::new();
    let hello = meeting.hello();
    let start = hello.len() - HybridSignature::LENGTH;
    let body = &hello[1..start];
    let channel = meeting.of_initiator();
    let parties = Parties { from: &meeting.initiator.agent(), to: &meeting.responder.agent() };
    let statement = channel.statement(aws().as_ref(), Role::Initiator, parties, body);
    let other = signing_pair(9).sign(Purpose::Hello, &statement, &mut Seeded::new(4)).unwrap();
    for half in [0..64, 64..HybridSignature::LENGTH] {
        let mut mixed = hello.clone();
        mixed[start..][half.clone()].copy_from_slice(&other.as_bytes()[half]);
        assert_eq!(meeting.judge(&mixed), Err(HelloError::BadSignature));
    }
}

#[test]
fn a_hello_counts_in_its_own_session_and_direction_only() {
    let meeting = Meeting::new();
    let hello = meeting.hello();
    let ours = meeting.of_responder();
    assert!(meeting.judge_over(&ours, &hello).is_ok());
    for other in [
        Channel { transport: Transport::Udp, ..ours },
        Channel { transport: Transport::Quic, ..ours },
        Channel { suite: Suite::AesGcm, ..ours },
        Channel { role: Role::Initiator, ..ours },
        Channel { handshake_hash: [8; 32], ..ours },
    ] {
        assert_eq!(meeting.judge_over(&other, &hello), Err(HelloError::BadSignature), "{other:?}");
    }
}

#[test]
fn a_hello_for_another_agent_is_refused() {
    let meeting = Meeting::new();
    let other = Node::new(9);
    let hello = meeting.hello_to(Addressee { agent: other.agent(), ..meeting.addressee() });
    assert_eq!(meeting.judge(&hello), Err(HelloError::ForAnother));

    // The one that was sent, sent back.
    let hello = meeting.hello();
    let result = judge(&meeting.of_initiator(), &meeting.initiator, None, &hello);
    assert_eq!(result, Err(HelloError::ForAnother));
}

#[test]
fn a_card_without_the_key_of_the_session_is_refused() {
    let meeting = Meeting::new();
    let stranger = Channel { remote_static: *live_key(77).public(), ..meeting.of_responder() };
    assert_eq!(meeting.judge_over(&stranger, &meeting.hello()), Err(HelloError::KeyNotInCard));
}

#[test]
fn the_next_live_key_will_do() {
    let mut meeting = Meeting::new();
    meeting.initiator = meeting.initiator.with_live_key(2);
    let channel = Channel { remote_static: *live_key(2).public(), ..meeting.of_responder() };
    assert!(meeting.judge_over(&channel, &meeting.hello()).is_ok());
}

#[test]
fn another_agent_than_the_dialled_one_is_refused() {
    let meeting = Meeting::new();
    let other = Node::new(9);
    let result =
        judge(&meeting.of_responder(), &meeting.responder, Some(&other.card()), &meeting.hello());
    assert_eq!(result, Err(HelloError::AnotherAgent));
}

#[test]
fn a_card_that_a_newer_one_replaced_is_refused() {
    let mut meeting = Meeting::new();
    let hello = meeting.hello();
    let newer = newer_card(1);
    let known = Newest::Card(CardMark::from(&newer));
    meeting.responder.known.newest.insert(meeting.initiator.agent(), known);
    assert_eq!(meeting.judge(&hello), Err(HelloError::Stale));
}

#[test]
fn a_card_newer_than_the_dialled_one_is_accepted_and_an_older_one_is_not() {
    let older = Node::new(1);
    let newer = Node::with_body(1, |body| body.sequence = newer_card(1).sequence());
    for (shown, dialled, accepted) in [(&newer, &older, true), (&older, &newer, false)] {
        let meeting = Meeting { initiator: shown.clone(), responder: Node::new(5) };
        let hello = meeting.hello();
        let dialled = dialled.card();
        let result = judge(&meeting.of_responder(), &meeting.responder, Some(&dialled), &hello);
        assert_eq!(
            result.map(|peer| peer.card),
            match accepted {
                true => Ok(shown.card()),
                false => Err(HelloError::Stale),
            }
        );
    }
}

#[test]
fn a_revoked_card_is_refused() {
    let mut meeting = Meeting::new();
    let card = meeting.initiator.card();
    let revoked = Newest::Refused(card.sequence());
    meeting.responder.known.newest.insert(card.agent(), revoked);
    assert_eq!(meeting.judge(&meeting.hello()), Err(HelloError::Refused));
    // One that was verified before the revocation is no exception.
    meeting.responder.known.add(card);
    assert_eq!(meeting.judge(&meeting.hello()), Err(HelloError::Refused));
}

#[test]
fn two_cards_of_one_number_are_both_refused_and_named() {
    let mut meeting = Meeting::new();
    let other = sign(1, CardBody { region: None, ..body(1) });
    let known = Newest::Card(CardMark::from(&other));
    meeting.responder.known.newest.insert(other.agent(), known);
    let expected = HelloError::Equivocation { agent: other.agent(), sequence: other.sequence() };
    assert_eq!(meeting.judge(&meeting.hello()), Err(expected));
}

#[test]
fn a_card_that_does_not_count_now_is_refused_also_when_it_is_known() {
    let expired = Node::with_body(1, |body| {
        body.validity = Validity { not_before: body.validity.not_before, not_after: NOW.wall };
    });
    let later = NOW + Duration::from_secs(3_600);
    for known in [false, true] {
        let mut meeting = Meeting { initiator: expired.clone(), responder: Node::new(5) };
        if known {
            meeting.responder.known.add(expired.card());
        }
        assert!(meeting.judge(&meeting.hello()).is_ok());
        let hello = meeting.hello();
        let result = Judge {
            channel: &meeting.of_responder(),
            local: &meeting.responder.local,
            directory: &meeting.responder.known,
            dialled: None,
            now: later.wall,
        }
        .accept(&UnverifiedHello::decode(&hello).unwrap());
        assert_eq!(result, Err(HelloError::Card(CardError::Expired(NOW.wall))));
    }
}

#[test]
fn a_card_by_another_root_is_refused() {
    let meeting = Meeting::new();
    // The agent's own card, but for one byte of its root.
    let mut hello = meeting.hello();
    let card_at = 1 + 32 + 1 + 2;
    assert_eq!(hello[card_at + 1..][..32], *meeting.initiator.agent().as_bytes());
    hello[card_at + 40] ^= 1;
    assert!(matches!(meeting.judge(&hello), Err(HelloError::Card(CardError::Statement(_)))));
}

#[test]
fn a_hash_names_a_card_that_is_known() {
    let mut meeting = Meeting::new();
    let hello = meeting.hello_to(Addressee { holds_ours: true, ..meeting.addressee() });
    assert!(hello.len() < HybridSignature::LENGTH + 256);
    assert_eq!(meeting.judge(&hello), Err(HelloError::CardUnknown));
    meeting.responder.known.add(meeting.initiator.card());
    assert_eq!(meeting.judge(&hello).unwrap().card, meeting.initiator.card());
}

#[test]
fn a_hash_does_not_tell_a_stranger_whose_card_is_known() {
    let mut meeting = Meeting::new();
    let hello = meeting.hello_to(Addressee { holds_ours: true, ..meeting.addressee() });
    let stranger = Channel { remote_static: *live_key(77).public(), ..meeting.of_responder() };
    let unknown = meeting.judge_over(&stranger, &hello);
    meeting.responder.known.add(meeting.initiator.card());
    assert_eq!(meeting.judge_over(&stranger, &hello), unknown);
}

#[test]
fn a_dialled_card_needs_no_directory() {
    let meeting = Meeting::new();
    let hello = meeting.hello_to(Addressee { holds_ours: true, ..meeting.addressee() });
    let dialled = meeting.initiator.card();
    let result = judge(&meeting.of_responder(), &meeting.responder, Some(&dialled), &hello);
    assert_eq!(result.unwrap().agent, dialled.agent());
}

#[test]
fn the_largest_card_fits_and_a_hello_is_bounded() {
    let room = MAX_CARD_LENGTH - Node::new(1).card().as_bytes().len();
    // Three bytes of length stand in front of the longer field, where one stood.
    let largest = Node::with_body(1, |body| {
        body.extensions.insert(1, vec![0; room + 3 - 2]);
    });
    assert_eq!(largest.card().as_bytes().len(), MAX_CARD_LENGTH);
    let meeting = Meeting { initiator: largest, responder: Node::new(5) };
    let hello = meeting.hello();
    assert!(meeting.judge(&hello).is_ok());

    let mut padded = hello;
    padded.resize(MAX_HELLO, 0);
    assert_eq!(meeting.judge(&padded), Err(HelloError::Malformed));
    padded.push(0);
    assert_eq!(meeting.judge(&padded), Err(HelloError::TooLong));
}

fn newer_card(number: u8) -> Card {
    let sequence = Sequence::new(body(number).sequence.value() + 1);
    sign(number, CardBody { sequence, ..body(number) })
}
