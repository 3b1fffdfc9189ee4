#[cfg(feature = "aws-lc-rs")]
mod recovery;

use alloc::vec::Vec;
use core::time::Duration;

use super::{Correspondence, CorrespondenceError, Local, MailError, SESSION_TURNS, Surroundings};
use crate::deferred::agent::bundle::BundleError;
use crate::deferred::agent::envelope::{Envelope, EnvelopeError};
use crate::deferred::agent::fixture::{Agent, card_naming};
use crate::deferred::agent::introduction::{Beginning, Introduction, IntroductionError};
use crate::deferred::fixture::{PROVIDER, Seeded};
use crate::deferred::ratchet::{ChainKey, MAX_JUMP};
use crate::deferred::session::{OpenError, SealError};
use crate::deferred::wire::FirstMessage;
use crate::identity::AgentId;
use crate::identity::fixture::signing_pair;
use crate::secret::Secret;
use crate::time::CLOCK_TOLERANCE;

/// Two agents, and a first packet of the first to the second.
fn first_packet(with_one_time: bool) -> (Agent, Agent, Vec<u8>) {
    let (mut alice, mut bob) = (Agent::new(1), Agent::new(2));
    alice.begin(&mut bob, with_one_time);
    let packet = alice.seal(bob.id(), b"first");
    (alice, bob, packet)
}

#[test]
fn an_agent_that_is_away_is_written_to_and_answers() {
    for with_one_time in [true, false] {
        let (mut alice, mut bob, packet) = first_packet(with_one_time);
        let second = alice.seal(bob.id(), b"second");
        assert_eq!(bob.open(alice.id(), &packet), (b"first".to_vec(), true));
        assert_eq!(bob.open(alice.id(), &second), (b"second".to_vec(), false));
        assert!(!alice.mail.is_answered());
        let reply = bob.seal(alice.id(), b"reply");
        assert_eq!(alice.open(bob.id(), &reply), (b"reply".to_vec(), false));
        assert!(alice.mail.is_answered());
        // Once answered, no card travels any more.
        let third = alice.seal(bob.id(), b"third");
        assert!(packet.len() > 9_000 && third.len() < 600, "{} {}", packet.len(), third.len());
        assert_eq!(bob.open(alice.id(), &third), (b"third".to_vec(), false));
        assert_eq!(bob.refuse(alice.id(), &third), MailError::Open(OpenError::Duplicate));
    }
}

#[test]
fn every_flipped_bit_of_a_later_packet_is_refused_and_changes_nothing() {
    let (mut alice, mut bob, packet) = first_packet(true);
    bob.open(alice.id(), &packet);
    let reply = bob.seal(alice.id(), b"reply");
    for bit in 0..reply.len() * 8 {
        let mut flipped = reply.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        alice.refuse(bob.id(), &flipped);
    }
    for end in 0..reply.len() {
        alice.refuse(bob.id(), &reply[..end]);
    }
    alice.refuse(bob.id(), &[&reply[..], &[0]].concat());
    assert_eq!(alice.open(bob.id(), &reply).0, b"reply");
}

/// Each bit of what stands around the message, and a bit of each byte of the message itself, whose
/// MAC and KEM ciphertext leave no byte another way.
#[test]
fn every_flipped_bit_around_a_first_message_is_refused_and_changes_nothing() {
    let (alice, mut bob, packet) = first_packet(true);
    let kem_ciphertext = packet.len() - 1_569;
    let around = (0..200).chain(kem_ciphertext - 20..kem_ciphertext + 3);
    let around = around.flat_map(|byte| (0..8).map(move |bit| (byte, bit)));
    let inside = (200..packet.len()).map(|byte| (byte, byte % 8));
    for (byte, bit) in around.chain(inside) {
        let mut flipped = packet.clone();
        flipped[byte] ^= 1 << bit;
        bob.refuse(alice.id(), &flipped);
    }
    for end in (0..packet.len()).step_by(37) {
        bob.refuse(alice.id(), &packet[..end]);
    }
    let longer = [&packet[..], &[0x78, 1]].concat();
    assert_eq!(bob.refuse(alice.id(), &longer), MailError::ChangedOutside);
    assert_eq!(bob.open(alice.id(), &packet), (b"first".to_vec(), true));
}

#[test]
fn what_the_official_format_leaves_open_is_bound_here() {
    let (alice, bob, packet) = first_packet(true);
    // The registration stands behind the message: two bytes before the ids and the ciphertext.
    let place = packet.len() - 1_569 - 3 - 2 - 2 - 1;
    assert_eq!(packet[place - 1..=place], [0x28, 0]);
    let mut changed = packet.clone();
    changed[place] = 1;
    assert_eq!(bob.refuse(alice.id(), &changed), MailError::ChangedOutside);
    let mut envelope = packet;
    // The low nibble of the version in front of the first message's fields.
    envelope[107] ^= 1;
    assert_eq!(bob.refuse(alice.id(), &envelope), MailError::ChangedOutside);
}

#[test]
fn a_packet_for_another_or_taken_for_anothers_is_refused() {
    let (alice, bob, packet) = first_packet(true);
    let carol = Agent::new(3);
    assert_eq!(carol.refuse(alice.id(), &packet), MailError::WrongRecipient);
    assert_eq!(bob.refuse(carol.id(), &packet), MailError::WrongSender);
    // With both ids changed in the envelope it is what its keys say: nobody's.
    let mut redirected = packet.clone();
    redirected[34..66].copy_from_slice(carol.id().as_bytes());
    assert_eq!(carol.refuse(alice.id(), &redirected), MailError::UnknownBundle);
    let mut renamed = packet;
    renamed[2..34].copy_from_slice(carol.id().as_bytes());
    assert_eq!(bob.refuse(carol.id(), &renamed), MailError::Open(OpenError::DoesNotOpen));
}

#[test]
fn unknown_versions_suites_and_bundles_have_their_errors() {
    let (alice, bob, packet) = first_packet(true);
    let changed = |place: usize, to: u8| {
        let mut changed = packet.clone();
        changed[place] = to;
        bob.refuse(alice.id(), &changed)
    };
    let envelope = MailError::Envelope;
    assert_eq!(changed(0, 9), envelope(EnvelopeError::UnsupportedVersion(9)));
    assert_eq!(changed(1, 0x08), envelope(EnvelopeError::UnsupportedSuite(0x08)));
    assert_eq!(changed(66, 9), envelope(EnvelopeError::UnknownKind(9)));
    assert_eq!(changed(74, 9), MailError::UnknownBundle);
    assert_eq!(changed(75, 9), MailError::UnknownBundle);
    assert!(changed(75, 9).asks_for_repair());
}

/// Seals a first packet as `alice` would, but with this card and pair.
fn introduced_by(alice: &mut Agent, bob: &mut Agent, other: &Agent) -> Vec<u8> {
    let local = Local { identity: &alice.identity, card: &alice.card, pair: &other.pair };
    let mut random = Seeded(9);
    let mut around = Surroundings { provider: PROVIDER, random: &mut random, now: alice.now };
    alice.mail = Correspondence::default().begin(&mut around, &local, &bob.bundle, None).unwrap();
    alice.seal(bob.id(), b"forged")
}

#[test]
fn a_strangers_introduction_with_a_wrong_signature_key_or_card_begins_nothing() {
    let (mut alice, mut bob, mallory) = (Agent::new(1), Agent::new(2), Agent::new(3));
    // 1. Signed by another pair than the card's.
    let packet = introduced_by(&mut alice, &mut bob, &mallory);
    let refused = |error| MailError::Introduction(error);
    assert_eq!(bob.refuse(alice.id(), &packet), refused(IntroductionError::BadSignature));
    // 2. With half of the signature by the right one: the key of a pair of two owners.
    let mut halves = Agent::new(1);
    let mut seeds = signing_pair(1).seeds().clone();
    seeds.ml_dsa = signing_pair(3).seeds().ml_dsa.clone();
    halves.pair = crate::identity::SigningPair::from_seeds(PROVIDER, seeds).unwrap();
    let packet = introduced_by(&mut alice, &mut bob, &halves);
    assert_eq!(bob.refuse(alice.id(), &packet), refused(IntroductionError::BadSignature));
    // 3. With the card of one identity and the session of another.
    alice.card = card_naming(1, &mallory.identity);
    alice.begin(&mut bob, true);
    let packet = alice.seal(bob.id(), b"forged");
    assert_eq!(bob.refuse(alice.id(), &packet), refused(IntroductionError::WrongIdentity));
    // 4. With a card that is over.
    let (alice, mut bob, packet) = first_packet(true);
    bob.now = alice.card.validity().not_after + CLOCK_TOLERANCE + Duration::from_millis(1);
    assert!(matches!(
        bob.refuse(alice.id(), &packet),
        MailError::Introduction(IntroductionError::Card(_))
    ));
    // The one-time key is still there.
    bob.now = alice.now;
    assert_eq!(bob.open(alice.id(), &packet).0, b"first");
}

#[test]
fn an_introduction_to_another_or_of_another_session_begins_nothing() {
    let (mut alice, mut bob, packet) = first_packet(true);
    let carol = Agent::new(3);
    let (_, inside) = Envelope::decode(&packet).unwrap();
    let first = FirstMessage::decode(inside).unwrap();
    let mark = bob.bundle.mark();
    let mut elsewhere = first;
    elsewhere.base_key = *carol.identity.public();
    let beginnings = [
        Beginning::of_first(PROVIDER, [alice.id(), carol.id()], &mark, &first),
        Beginning::of_first(PROVIDER, [alice.id(), bob.id()], &carol.bundle.mark(), &first),
        Beginning::of_first(PROVIDER, [alice.id(), bob.id()], &mark, &elsewhere),
    ];
    for beginning in beginnings {
        let random = &mut Seeded(4);
        let introduction = Introduction::sign(&alice.card, &alice.pair, &beginning, random);
        alice.mail.begun.as_mut().unwrap().introduction = introduction.unwrap();
        let lie = alice.seal(bob.id(), b"lie");
        let refused = MailError::Introduction(IntroductionError::BadSignature);
        assert_eq!(bob.refuse(alice.id(), &lie), refused);
    }
    // Nor does another agent's introduction.
    alice.mail.begun.as_mut().unwrap().introduction = Introduction::sign(
        &carol.card,
        &carol.pair,
        &Beginning::of_first(PROVIDER, [alice.id(), bob.id()], &mark, &first),
        &mut Seeded(4),
    )
    .unwrap();
    let lie = alice.seal(bob.id(), b"lie");
    let refused = MailError::Introduction(IntroductionError::WrongSender);
    assert_eq!(bob.refuse(alice.id(), &lie), refused);
    assert_eq!(bob.open(alice.id(), &packet).0, b"first", "the one-time key is still there");
}

#[test]
fn a_packet_too_far_ahead_is_refused_by_name() {
    let (mut alice, mut bob, packet) = first_packet(true);
    bob.open(alice.id(), &packet);
    let mut session = alice.mail.sessions.current().unwrap().clone();
    let index = session.chains.sender.chain_key.index() + MAX_JUMP + 1;
    session.chains.sender.chain_key = ChainKey::at(index, Secret::new([1; 32]));
    let honest = alice.mail.sessions.clone();
    alice.mail.sessions = alice.mail.sessions.with_current(session);
    let far = alice.seal(bob.id(), b"far");
    assert_eq!(bob.refuse(alice.id(), &far), MailError::Open(OpenError::JumpTooFar));
    alice.mail.sessions = honest;
    let next = alice.seal(bob.id(), b"next");
    assert_eq!(bob.open(alice.id(), &next).0, b"next");
}

#[test]
fn a_first_packet_that_comes_again_after_its_record_is_lost_is_refused() {
    let (alice, mut bob, packet) = first_packet(true);
    bob.open(alice.id(), &packet);
    bob.mail = Correspondence::default();
    let refused = bob.refuse(alice.id(), &packet);
    assert_eq!(refused, MailError::Open(OpenError::UnknownOneTimePrekey));
}

#[test]
fn a_session_without_an_answer_seals_until_its_bundle_is_over_and_no_longer() {
    let (mut alice, bob, _) = first_packet(true);
    alice.now = bob.bundle.body().not_after;
    assert!(alice.mail.can_seal(alice.now));
    alice.seal(bob.id(), b"last");
    let later = alice.now + Duration::from_millis(1);
    assert!(!alice.mail.can_seal(later));
    let mut around = Surroundings { provider: PROVIDER, random: &mut Seeded(1), now: later };
    let refused = alice.mail.seal(&mut around, [alice.id(), bob.id()], b"late").map(drop);
    assert_eq!(refused, Err(CorrespondenceError::Seal(SealError::Unanswered)));
}

#[test]
fn nothing_begins_to_a_bundle_that_is_over() {
    let (alice, bob) = (Agent::new(1), Agent::new(2));
    let local = Local { identity: &alice.identity, card: &alice.card, pair: &alice.pair };
    let not_after = bob.bundle.body().not_after;
    let now = not_after + CLOCK_TOLERANCE + Duration::from_millis(1);
    let mut around = Surroundings { provider: PROVIDER, random: &mut Seeded(1), now };
    let refused = alice.mail.begin(&mut around, &local, &bob.bundle, None).map(drop);
    assert_eq!(refused, Err(CorrespondenceError::Bundle(BundleError::Expired(not_after))));
}

#[test]
fn each_answer_turns_what_seals_once_and_another_session_as_often_as_chains_are_kept() {
    let (mut alice, mut bob, packet) = first_packet(true);
    assert_eq!(alice.mail.turns(), SESSION_TURNS);
    bob.open(alice.id(), &packet);
    for turns in 1..4 {
        let reply = bob.seal(alice.id(), b"reply");
        let again = bob.seal(alice.id(), b"again");
        alice.open(bob.id(), &reply);
        alice.open(bob.id(), &again);
        assert_eq!(alice.mail.turns(), SESSION_TURNS + turns);
        let answer = alice.seal(bob.id(), b"answer");
        assert_eq!(alice.mail.turns(), SESSION_TURNS + turns);
        bob.open(alice.id(), &answer);
    }
    let before = alice.mail.turns();
    assert_eq!(alice.mail.archive().turns(), before + SESSION_TURNS);
    alice.begin(&mut bob, true);
    assert_eq!(alice.mail.turns(), before + SESSION_TURNS);
    // The peer's own session replaces it as well.
    bob.begin(&mut alice, true);
    let packet = bob.seal(alice.id(), b"first");
    alice.open(bob.id(), &packet);
    assert_eq!(alice.mail.turns(), before + 2 * SESSION_TURNS);
}

#[test]
fn an_archived_correspondence_opens_and_does_not_seal() {
    let (mut alice, mut bob, packet) = first_packet(true);
    bob.open(alice.id(), &packet);
    let reply = bob.seal(alice.id(), b"reply");
    alice.mail = alice.mail.archive();
    assert!(!alice.mail.can_seal(alice.now));
    assert_eq!(alice.open(bob.id(), &reply).0, b"reply");
}

#[test]
fn a_correspondence_survives_its_record() {
    let (alice, _, _) = first_packet(true);
    let record = alice.mail.encode().unwrap();
    let again = Correspondence::decode(record.expose()).unwrap();
    assert_eq!(again.encode().unwrap(), record);
    for end in (0..record.len()).step_by(101) {
        assert!(Correspondence::decode(&record.expose()[..end]).is_err(), "cut at {end}");
    }
    assert!(Correspondence::decode(&[record.expose(), &[0]].concat()).is_err());
}

#[test]
fn a_packet_from_nobody_is_refused() {
    let (_, bob, _) = first_packet(true);
    let nobody = AgentId::from_bytes([0; 32]);
    let refused = MailError::Envelope(EnvelopeError::TooShort);
    assert_eq!(bob.refuse(nobody, &[]), refused);
}
