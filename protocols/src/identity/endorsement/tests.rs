use core::time::Duration;

use super::{Chain, Endorsement, EndorsementError, Grant, Link, MAX_ENDORSEMENT_LENGTH, MAX_LINKS};
use crate::identity::fixture::{Counting, NOW, VERIFIER, root};
use crate::identity::{AgentId, EncodingError, Root, Unverified};
use crate::time::{CLOCK_TOLERANCE, WallTime};

const MILLISECOND: Duration = Duration::from_millis(1);

/// The authority that the tests trust, the two that stand between, and the subject.
const AUTHORITY: u8 = 1;
const SUBJECT: u8 = 4;

fn agent(number: u8) -> AgentId {
    root(number).agent()
}

fn grant(to: u8, delegations: u8) -> Grant {
    let role = "worker".parse().unwrap();
    Grant { subject: agent(to), role, not_after: NOW, delegations }
}

fn link(by: &Root, grant: Grant) -> Link {
    by.sign_link(grant, &mut Counting(0)).unwrap()
}

/// A chain of the grants, each by the subject of the one before, signed whatever they say.
fn chain(grants: impl IntoIterator<Item = Grant>) -> Unverified<Endorsement> {
    let links = grants.into_iter().enumerate();
    let by = |index: usize| root(AUTHORITY + u8::try_from(index).unwrap());
    Unverified(Chain(links.map(|(index, grant)| link(&by(index), grant)).collect()))
}

fn longest() -> Unverified<Endorsement> {
    chain([grant(2, 2), grant(3, 1), grant(SUBJECT, 0)])
}

fn verify_at(
    chain: &Unverified<Endorsement>,
    now: WallTime,
) -> Result<Endorsement, EndorsementError> {
    chain.verify(VERIFIER, agent(SUBJECT), &[agent(AUTHORITY)].into(), now)
}

fn verify(chain: &Unverified<Endorsement>) -> Result<Endorsement, EndorsementError> {
    verify_at(chain, NOW)
}

#[test]
fn an_authority_gives_a_role() {
    let chain = root(AUTHORITY).endorse(grant(SUBJECT, 0), &mut Counting(0)).unwrap();
    let expected = Endorsement {
        subject: agent(SUBJECT),
        role: "worker".parse().unwrap(),
        authority: agent(AUTHORITY),
        not_after: NOW,
    };
    assert_eq!(verify(&chain), Ok(expected));
}

#[test]
fn a_role_is_given_on_over_three_links_and_not_over_four() {
    let mut chain = root(1).endorse(grant(2, 3), &mut Counting(0)).unwrap();
    chain = root(2).endorse_under(&chain, grant(3, 2), &mut Counting(0)).unwrap();
    chain = root(3).endorse_under(&chain, grant(SUBJECT, 1), &mut Counting(0)).unwrap();
    assert_eq!(chain.links(), MAX_LINKS);
    assert!(verify(&chain).is_ok());
    let fourth = root(SUBJECT).endorse_under(&chain, grant(5, 0), &mut Counting(0));
    assert_eq!(fourth, Err(EndorsementError::TooManyLinks));
}

#[test]
fn only_a_chain_of_one_to_three_links_is_read() {
    let bytes = longest().to_bytes().unwrap();
    assert!(bytes.len() <= MAX_ENDORSEMENT_LENGTH);
    assert_eq!(Unverified::<Endorsement>::parse(&bytes), Ok(longest()));
    let links = longest().0.0;
    let too_many = Unverified::<Endorsement>(Chain([&links[..], &links[..1]].concat()));
    let bytes = too_many.to_bytes().unwrap();
    assert_eq!(Unverified::<Endorsement>::parse(&bytes), Err(EndorsementError::TooLong));
    assert_eq!(Chain::try_from(too_many.0.0), Err(EndorsementError::TooManyLinks));
    assert_eq!(
        Unverified::<Endorsement>::parse(&[0]),
        Err(EndorsementError::Encoding(EncodingError::Malformed))
    );
}

#[test]
fn a_chain_reads_back_from_its_text() {
    let text = longest().to_text().unwrap();
    assert_eq!(Unverified::<Endorsement>::parse_text(&text), Ok(longest()));
}

#[test]
fn the_chain_starts_at_a_trusted_authority_and_ends_at_the_subject() {
    let (chain, trusted) = (longest(), [agent(AUTHORITY)].into());
    let untrusted = chain.verify(VERIFIER, agent(SUBJECT), &[agent(2)].into(), NOW);
    assert_eq!(untrusted, Err(EndorsementError::UntrustedAuthority(agent(AUTHORITY))));
    let other = chain.verify(VERIFIER, agent(3), &trusted, NOW);
    assert_eq!(other, Err(EndorsementError::OtherSubject));
}

#[test]
fn a_link_by_somebody_else_breaks_the_chain() {
    let mut links = longest().0.0;
    links[1] = link(&root(9), grant(3, 1));
    assert_eq!(verify(&Unverified(Chain(links))), Err(EndorsementError::BrokenChain));
    let chain = chain([grant(2, 1)]);
    let other = root(9).endorse_under(&chain, grant(SUBJECT, 0), &mut Counting(0));
    assert_eq!(other, Err(EndorsementError::BrokenChain));
}

#[test]
fn a_subject_gives_on_no_more_than_it_was_let() {
    let other_role = Grant { role: "admin".parse().unwrap(), ..grant(SUBJECT, 0) };
    let cases = [
        (grant(2, 0), grant(SUBJECT, 0), EndorsementError::NotDelegated),
        (grant(2, 1), grant(SUBJECT, 1), EndorsementError::NotDelegated),
        (grant(2, 1), other_role, EndorsementError::OtherRole),
    ];
    for (first, second, expected) in cases {
        let start = chain([first.clone()]);
        let made = root(2).endorse_under(&start, second.clone(), &mut Counting(0));
        assert_eq!(made, Err(expected));
        assert_eq!(verify(&chain([first, second])), Err(expected));
    }
}

#[test]
fn the_earliest_end_of_a_link_ends_the_role() {
    let later = |grant| Grant { not_after: NOW + Duration::from_secs(1), ..grant };
    let chain = chain([later(grant(2, 2)), grant(3, 1), later(grant(SUBJECT, 0))]);
    let last = NOW + CLOCK_TOLERANCE;
    assert_eq!(verify_at(&chain, last).map(|endorsement| endorsement.not_after), Ok(NOW));
    assert_eq!(verify_at(&chain, last + MILLISECOND), Err(EndorsementError::Expired(NOW)));
}

#[test]
fn a_changed_grant_is_refused_in_each_link() {
    for index in 0..MAX_LINKS {
        let mut links = longest().0.0;
        links[index].grant.not_after = NOW + MILLISECOND;
        assert_eq!(verify(&Unverified(Chain(links))), Err(EndorsementError::BadSignature));
    }
}

#[test]
fn each_flipped_bit_of_a_chain_is_refused() {
    let chain = chain([grant(SUBJECT, 0)]);
    let (subject, trusted) = (agent(SUBJECT), [agent(AUTHORITY)].into());
    let mut bytes = chain.to_bytes().unwrap();
    for index in 0..bytes.len() {
        let bit = 1 << (index % 8);
        bytes[index] ^= bit;
        let read = Unverified::<Endorsement>::parse(&bytes);
        let verified = read.and_then(|chain| chain.verify(VERIFIER, subject, &trusted, NOW));
        assert!(verified.is_err(), "byte {index}");
        bytes[index] ^= bit;
    }
    assert_eq!(Unverified::<Endorsement>::parse(&bytes), Ok(chain));
}

#[test]
fn each_truncation_of_a_chain_is_refused() {
    let bytes = chain([grant(SUBJECT, 0)]).to_bytes().unwrap();
    for length in 0..bytes.len() {
        let read = Unverified::<Endorsement>::parse(&bytes[..length]);
        assert_eq!(read, Err(EncodingError::Malformed.into()), "{length} bytes");
    }
    let longer = [&bytes[..], &[0]].concat();
    let read = Unverified::<Endorsement>::parse(&longer);
    assert_eq!(read, Err(EncodingError::TrailingBytes.into()));
}
