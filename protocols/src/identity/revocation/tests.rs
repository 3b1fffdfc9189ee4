use super::{MAX_REVOCATION_LENGTH, Revocation, RevocationError, Scope};
use crate::identity::card::{CardBody, Sequence};
use crate::identity::fixture::{Counting, NOW, VERIFIER, body, card, root, sign};
use crate::identity::{AgentId, StatementError, Unverified};
use crate::time::WallTime;

fn revoke(scope: Scope) -> Revocation {
    root(1).sign_revocation(scope, NOW, &mut Counting(0)).unwrap()
}

fn read(bytes: &[u8]) -> Result<Revocation, RevocationError> {
    Unverified::<Revocation>::parse(bytes)?.verify(VERIFIER)
}

#[test]
fn a_revocation_reads_back_as_it_was_signed() {
    for scope in [Scope::Cards(Sequence::new(7)), Scope::Agent] {
        let revocation = revoke(scope);
        assert_eq!((revocation.scope(), revocation.issued()), (scope, NOW));
        let text = Unverified::<Revocation>::parse_text(&revocation.to_text()).unwrap();
        assert_eq!(text.verify(VERIFIER).as_ref(), Ok(&revocation));
        assert_eq!(read(revocation.as_bytes()), Ok(revocation));
    }
}

#[test]
fn the_longest_revocation_is_read_and_a_longer_one_is_not() {
    let scope = Scope::Cards(Sequence::new(u64::MAX));
    let issued = WallTime::from_millis(u64::MAX);
    let longest = root(1).sign_revocation(scope, issued, &mut Counting(0)).unwrap();
    assert_eq!(longest.as_bytes().len(), MAX_REVOCATION_LENGTH);
    assert!(read(longest.as_bytes()).is_ok());
    let longer = [longest.as_bytes(), &[0]].concat();
    assert_eq!(read(&longer), Err(RevocationError::TooLong));
}

#[test]
fn a_revocation_takes_back_its_agents_cards_up_to_its_number() {
    let number = card(1).sequence().value();
    let numbered = |sequence| sign(1, CardBody { sequence: Sequence::new(sequence), ..body(1) });
    let some = revoke(Scope::Cards(Sequence::new(number)));
    assert!(some.revokes(&numbered(number - 1)));
    assert!(some.revokes(&numbered(number)));
    assert!(!some.revokes(&numbered(number + 1)));
    assert!(revoke(Scope::Agent).revokes(&numbered(u64::MAX)));
    for revocation in [some, revoke(Scope::Agent)] {
        assert!(!revocation.revokes(&card(2)));
    }
}

#[test]
fn each_flipped_bit_of_a_revocation_is_refused() {
    let revocation = revoke(Scope::Cards(Sequence::new(7)));
    let mut bytes = revocation.as_bytes().to_vec();
    for index in 0..bytes.len() {
        let bit = 1 << (index % 8);
        bytes[index] ^= bit;
        assert!(read(&bytes).is_err(), "byte {index}");
        bytes[index] ^= bit;
    }
    assert_eq!(read(&bytes), Ok(revocation));
}

#[test]
fn each_truncation_of_a_revocation_is_refused() {
    let revocation = revoke(Scope::Agent);
    for length in 0..revocation.as_bytes().len() {
        assert!(read(&revocation.as_bytes()[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn a_revocation_by_another_root_is_refused() {
    let mut bytes = revoke(Scope::Agent).as_bytes().to_vec();
    let victim = root(2).agent();
    bytes[1..=AgentId::LENGTH].copy_from_slice(victim.as_bytes());
    assert_eq!(read(&bytes), Err(StatementError::WrongRoot.into()));
}
