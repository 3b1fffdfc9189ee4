use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::{
    Address, Card, CardBody, CardError, CardPart, MAX_ADDRESSES, MAX_CARD_LENGTH, MAX_ENDORSEMENTS,
    MAX_EXTENSIONS, MAX_KEY_LENGTH, MAX_RELAYS, MAX_SERVICES, MAX_SUITES, Relay, Service, Validity,
};
use crate::identity::fixture::{
    Counting, NOW, PROVIDER, VERIFIER, body, card, live_key, root, sign,
};
use crate::identity::statement::Statement;
use crate::identity::{
    AgentId, CardMark, EncodingError, Grant, HybridPublic, HybridSignature, MAX_LINKS, Purpose,
    StatementError, Unverified, canonical,
};
use crate::time::{CLOCK_TOLERANCE, WallTime};

const MILLISECOND: Duration = Duration::from_millis(1);

fn read_at(bytes: &[u8], now: WallTime) -> Result<Card, CardError> {
    Unverified::<Card>::parse(bytes)?.verify(VERIFIER, now)
}

fn read(bytes: &[u8]) -> Result<Card, CardError> {
    read_at(bytes, NOW)
}

/// The well-signed card of a writer that keeps none of the rules.
fn sign_unchecked(body: &CardBody) -> Vec<u8> {
    sign_bytes(&canonical::encode(body).unwrap(), Purpose::Card)
}

fn sign_bytes(body: &[u8], purpose: Purpose) -> Vec<u8> {
    Statement::sign(&root(1), purpose, body, &mut Counting(0)).unwrap().as_bytes().to_vec()
}

/// Writer and reader must come to the same verdict over a body that `change` made.
#[track_caller]
fn assert_judged(change: impl FnOnce(&mut CardBody), expected: Result<(), CardError>) {
    let mut body = body(1);
    change(&mut body);
    let bytes = sign_unchecked(&body);
    let signed = root(1).sign_card(PROVIDER, body, &mut Counting(0));
    assert_eq!(signed.map(|_| ()), expected, "the writer's verdict");
    assert_eq!(Unverified::<Card>::parse(&bytes).map(|_| ()), expected, "the reader's verdict");
}

#[test]
fn a_card_reads_back_as_it_was_signed() {
    let card = card(1);
    assert_eq!(card.body(), &body(1));
    assert_eq!(card.agent(), root(1).agent());
    assert_eq!(card.root(), root(1).public());
    assert_eq!(card.hash().as_bytes(), &PROVIDER.digest(&[card.as_bytes()]));
    assert_eq!(read(card.as_bytes()), Ok(card));
}

#[test]
fn a_card_says_before_it_is_verified_whose_it_is_and_what_it_hashes_to() {
    let card = card(1);
    let unverified = Unverified::<Card>::parse(card.as_bytes()).unwrap();
    assert_eq!(unverified.claimed_agent(), card.agent());
    assert_eq!(unverified.hash(VERIFIER), card.hash());
}

#[test]
fn a_card_with_an_unknown_extension_is_read_and_handed_on_unchanged() {
    let mut body = body(1);
    body.extensions = [(0x7f01, b"of a later version".to_vec())].into();
    let original = sign(1, body);
    let read = read(original.as_bytes()).unwrap();
    assert_eq!(read.extensions().get(&0x7f01).unwrap(), b"of a later version");
    assert_eq!(read.as_bytes(), original.as_bytes());
    assert_eq!(read.hash(), original.hash());
}

#[test]
fn each_flipped_bit_is_refused() {
    let card = card(1);
    let mut bytes = card.as_bytes().to_vec();
    for index in 0..bytes.len() {
        let bit = 1 << (index % 8);
        bytes[index] ^= bit;
        assert!(read(&bytes).is_err(), "byte {index}");
        bytes[index] ^= bit;
    }
    assert_eq!(read(&bytes), Ok(card));
}

#[test]
fn each_truncation_is_refused() {
    let card = card(1);
    for length in 0..card.as_bytes().len() {
        assert!(read(&card.as_bytes()[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn a_frame_is_whole_before_its_body_is_read() {
    let frame = sign_bytes(&[], Purpose::Card);
    assert_eq!(frame.len(), Statement::OVERHEAD);
    assert_eq!(read(&frame), Err(EncodingError::Malformed.into()));
    assert_eq!(read(&frame[..frame.len() - 1]), Err(StatementError::TooShort.into()));
}

#[test]
fn bytes_behind_a_card_are_refused() {
    let mut bytes = card(1).as_bytes().to_vec();
    bytes.push(0);
    assert!(read(&bytes).is_err());
}

#[test]
fn signed_bytes_behind_a_body_are_refused() {
    let mut encoded = canonical::encode(&body(1)).unwrap();
    encoded.push(0);
    let bytes = sign_bytes(&encoded, Purpose::Card);
    assert_eq!(read(&bytes), Err(EncodingError::TrailingBytes.into()));
}

#[test]
fn a_second_encoding_of_a_body_is_refused() {
    let mut encoded = canonical::encode(&body(1)).unwrap();
    // The extension fields stand last: two, numbered 1 and 65535, here with the first one twice.
    assert!(encoded.ends_with(&[2, 1, 3, 1, 2, 3, 0xff, 0xff, 0x03, 0]));
    encoded.truncate(encoded.len() - 4);
    encoded.extend_from_slice(&[1, 3, 1, 2, 3]);
    let bytes = sign_bytes(&encoded, Purpose::Card);
    assert_eq!(read(&bytes), Err(EncodingError::NotCanonical.into()));
}

#[test]
fn a_later_format_version_is_named_and_not_judged() {
    let error = StatementError::UnsupportedVersion(2);
    assert_eq!(read(&[2]), Err(error.into()));
    assert_eq!(read(&[]), Err(StatementError::TooShort.into()));
}

/// Where a card's parts stand.
const ID: core::ops::Range<usize> = 1..33;
const ROOT: core::ops::Range<usize> = 33..2017;

#[test]
fn a_card_under_another_root_is_refused() {
    let other = root(2);
    let mut bytes = card(1).as_bytes().to_vec();
    bytes[ROOT].copy_from_slice(other.public().keys().as_bytes());
    assert_eq!(read(&bytes), Err(StatementError::WrongRoot.into()));
    bytes[ID].copy_from_slice(other.agent().as_bytes());
    assert_eq!(read(&bytes), Err(StatementError::BadSignature.into()));
}

#[test]
fn a_card_with_half_a_signature_is_refused() {
    let card = card(1);
    let signed = card.as_bytes().len() - HybridSignature::LENGTH;
    let other = root(2).sign(Purpose::Card, &card.as_bytes()[..signed], &mut Counting(0)).unwrap();
    for half in [0..64, 64..HybridSignature::LENGTH] {
        let mut bytes = card.as_bytes().to_vec();
        bytes[signed..][half.clone()].copy_from_slice(&other.as_bytes()[half]);
        assert_eq!(read(&bytes), Err(StatementError::BadSignature.into()));
    }
}

#[test]
fn what_was_signed_for_another_purpose_is_no_card() {
    let encoded = canonical::encode(&body(1)).unwrap();
    let bytes = sign_bytes(&encoded, Purpose::Revocation);
    assert_eq!(read(&bytes), Err(StatementError::BadSignature.into()));
}

#[test]
fn a_card_counts_within_its_validity_and_the_tolerance_of_clocks() {
    let card = card(1);
    let Validity { not_before, not_after } = card.validity();
    let early = Err(CardError::NotYetValid(not_before));
    let over = Err(CardError::Expired(not_after));
    let first = not_before.saturating_sub(CLOCK_TOLERANCE);
    let last = not_after + CLOCK_TOLERANCE;
    let cases = [
        (first.saturating_sub(MILLISECOND), early),
        (first, Ok(())),
        (not_before, Ok(())),
        (not_after, Ok(())),
        (last, Ok(())),
        (last + MILLISECOND, over),
    ];
    for (now, expected) in cases {
        assert_eq!(card.check_validity(now), expected, "at {now}");
        assert_eq!(read_at(card.as_bytes(), now).map(|_| ()), expected, "at {now}");
    }
}

#[test]
fn a_validity_lasts_at_most_30_days_and_ends_after_it_starts() {
    let set = |not_before: WallTime, not_after: WallTime| {
        move |body: &mut CardBody| body.validity = Validity { not_before, not_after }
    };
    assert_judged(set(NOW, NOW + Validity::MAX), Ok(()));
    let too_long = NOW + Validity::MAX + MILLISECOND;
    assert_judged(set(NOW, too_long), Err(CardError::ValidityTooLong));
    assert_judged(set(NOW, NOW), Ok(()));
    let before = NOW.saturating_sub(MILLISECOND);
    assert_judged(set(NOW, before), Err(CardError::ValidityEndsBeforeItStarts));
}

#[test]
fn neither_key_of_a_root_is_a_signing_key() {
    let (signing, root) = (*body(1).signing_pair.as_bytes(), root(1));
    for half in [0..32, 32..HybridPublic::LENGTH] {
        let mut keys = signing;
        keys[half.clone()].copy_from_slice(&root.public().keys().as_bytes()[half]);
        let keys = HybridPublic::from_bytes(&keys);
        assert_judged(|body| body.signing_pair = keys, Err(CardError::RootAsSigningPair));
    }
}

fn addresses(count: usize) -> Vec<Address> {
    (1..=count).map(|port| format!("tcp:[::1]:{port}").parse().unwrap()).collect()
}

fn relays(count: usize) -> Vec<Relay> {
    (0..count)
        .map(|index| Relay {
            agent: AgentId::from_bytes([u8::try_from(index).unwrap(); 32]),
            addresses: vec![],
        })
        .collect()
}

fn services(count: usize) -> BTreeSet<Service> {
    let name = "service".parse().unwrap();
    (0..count)
        .map(|index| Service { name: Clone::clone(&name), version: u32::try_from(index).unwrap() })
        .collect()
}

fn suites(count: usize) -> Vec<u8> {
    (0..count).map(|code| u8::try_from(code).unwrap()).collect()
}

fn extensions(count: usize) -> BTreeMap<u16, Vec<u8>> {
    (0..count).map(|kind| (u16::try_from(kind).unwrap(), vec![])).collect()
}

#[test]
fn each_part_is_taken_at_its_limit_and_refused_one_past_it() {
    fn check(part: CardPart, limit: usize, set: impl Fn(&mut CardBody, usize)) {
        assert_judged(|body| set(body, limit), Ok(()));
        let error = CardError::OverLimit { part, limit };
        assert_judged(|body| set(body, limit + 1), Err(error));
    }
    check(CardPart::DeferredIdentity, MAX_KEY_LENGTH, |body, length| {
        body.deferred_identity = Some(vec![1; length]);
    });
    check(CardPart::FleetKey, MAX_KEY_LENGTH, |body, length| {
        body.fleet_key = Some(vec![1; length]);
    });
    check(CardPart::Addresses, MAX_ADDRESSES, |body, count| body.addresses = addresses(count));
    check(CardPart::Relays, MAX_RELAYS, |body, count| body.relays = relays(count));
    check(CardPart::RelayAddresses, MAX_ADDRESSES, |body, count| {
        body.relays[0].addresses = addresses(count);
    });
    check(CardPart::Suites, MAX_SUITES, |body, count| body.suites = suites(count));
    check(CardPart::Services, MAX_SERVICES, |body, count| {
        body.capabilities.services = services(count);
    });
    check(CardPart::Extensions, MAX_EXTENSIONS, |body, count| body.extensions = extensions(count));
}

fn grant(delegations: u8, subject: AgentId) -> Grant {
    Grant { subject, role: "worker".parse().unwrap(), not_after: NOW, delegations }
}

#[test]
fn a_card_holds_three_endorsements_and_refuses_a_fourth() {
    let endorsement = root(2).endorse(grant(0, root(1).agent()), &mut Counting(0)).unwrap();
    let set = |count: usize| {
        let endorsements = vec![endorsement.clone(); count];
        move |body: &mut CardBody| body.endorsements = endorsements
    };
    assert_judged(set(MAX_ENDORSEMENTS), Ok(()));
    // The fourth does not fit into a card's length either; the reader looks at that first.
    let mut body = body(1);
    set(MAX_ENDORSEMENTS + 1)(&mut body);
    let error = CardError::OverLimit { part: CardPart::Endorsements, limit: MAX_ENDORSEMENTS };
    assert_eq!(root(1).sign_card(PROVIDER, body, &mut Counting(0)), Err(error));
}

#[test]
fn a_card_holds_an_endorsement_of_three_links() {
    let mut chain = root(2).endorse(grant(2, root(3).agent()), &mut Counting(0)).unwrap();
    chain = root(3).endorse_under(&chain, grant(1, root(4).agent()), &mut Counting(0)).unwrap();
    chain = root(4).endorse_under(&chain, grant(0, root(1).agent()), &mut Counting(0)).unwrap();
    assert_eq!(chain.links(), MAX_LINKS);
    assert_judged(|body| body.endorsements = vec![chain], Ok(()));
}

#[test]
fn what_is_named_twice_is_refused() {
    let repeated = |part| Err(CardError::Repeated(part));
    assert_judged(|body| body.suites = vec![1, 2, 1], repeated(CardPart::Suites));
    let twice = [addresses(1), addresses(1)].concat();
    let relay_twice = twice.clone();
    assert_judged(|body| body.addresses = twice, repeated(CardPart::Addresses));
    assert_judged(
        |body| body.relays[0].addresses = relay_twice,
        repeated(CardPart::RelayAddresses),
    );
    let twice = [relays(1), relays(1)].concat();
    assert_judged(|body| body.relays = twice, repeated(CardPart::Relays));
}

#[test]
fn a_card_is_taken_at_the_greatest_length_and_refused_one_past_it() {
    let mut body = body(1);
    body.extensions = [(1, vec![0; 20_000])].into();
    let length = sign_unchecked(&body).len();
    let fill = 20_000 + MAX_CARD_LENGTH - length;
    body.extensions = [(1, vec![0; fill])].into();
    let longest = sign(1, body.clone());
    assert_eq!(longest.as_bytes().len(), MAX_CARD_LENGTH);
    assert_eq!(read(longest.as_bytes()), Ok(longest));

    body.extensions = [(1, vec![0; fill + 1])].into();
    let error = CardError::TooLong { length: MAX_CARD_LENGTH + 1 };
    assert_eq!(read(&sign_unchecked(&body)), Err(error));
    assert_eq!(root(1).sign_card(PROVIDER, body, &mut Counting(0)), Err(error));
}

#[test]
fn the_current_and_the_next_live_key_are_named_and_no_other() {
    let card = card(1);
    assert!(card.names_live_key(live_key(1).public()));
    assert!(card.names_live_key(live_key(2).public()));
    assert!(!card.names_live_key(live_key(3).public()));
}

#[test]
fn a_card_reads_back_from_its_text() {
    let card = card(1);
    let read = Unverified::<Card>::parse_text(&card.to_text()).unwrap();
    assert_eq!(read.verify(VERIFIER, NOW), Ok(card));
}

#[test]
fn addresses_read_back_as_they_were_written() {
    for text in ["tcp:127.0.0.1:7400", "quic:[::1]:1", "udp:agent.example.org:65535"] {
        assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
    }
}

#[test]
fn a_card_signed_twice_is_two_cards_of_one_number() {
    let signed = |first| root(1).sign_card(PROVIDER, body(1), &mut Counting(first)).unwrap();
    let (one, other) = (CardMark::from(&signed(0)), CardMark::from(&signed(1)));
    assert_eq!(one.sequence, other.sequence);
    assert_ne!(one.hash, other.hash);
}
