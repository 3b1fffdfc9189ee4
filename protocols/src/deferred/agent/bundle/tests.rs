use core::time::Duration;

use super::{Bundle, BundleBody, BundleError, BundleMark, BundleNumber, MAX_VALIDITY};
use crate::deferred::agent::fixture::{Agent, card_naming};
use crate::deferred::fixture::{NOW, PROVIDER, Seeded};
use crate::identity::{Sequence, Unverified};
use crate::time::CLOCK_TOLERANCE;

const MOMENT: Duration = Duration::from_millis(1);

fn sign(agent: &Agent, change: impl FnOnce(&mut BundleBody)) -> Result<Bundle, BundleError> {
    let mut body = agent.bundle.body().clone();
    change(&mut body);
    Bundle::sign(PROVIDER, &agent.pair, body, &mut Seeded(8))
}

fn verify(agent: &Agent, bundle: &Bundle) -> Result<Bundle, BundleError> {
    let unverified = Unverified::<Bundle>::parse(bundle.as_bytes())?;
    unverified.verify(PROVIDER, &agent.card, None, NOW)
}

#[test]
fn a_bundle_verifies_under_its_agents_card_and_under_no_other() {
    let (agent, other) = (Agent::new(1), Agent::new(2));
    assert_eq!(verify(&agent, &agent.bundle), Ok(agent.bundle.clone()));
    assert_eq!(verify(&other, &agent.bundle), Err(BundleError::WrongAgent));
    let mut renamed = Agent::new(1);
    renamed.card = card_naming(1, &other.identity);
    assert_eq!(verify(&renamed, &agent.bundle), Err(BundleError::WrongIdentity));
    let newer = sign(&agent, |body| body.card = Sequence::new(u64::MAX)).unwrap();
    let refused = BundleError::CardTooOld(Sequence::new(u64::MAX));
    assert_eq!(verify(&agent, &newer), Err(refused));
}

#[test]
fn a_bundle_reads_back_from_its_text_and_no_other_text_is_one() {
    let agent = Agent::new(1);
    let text = Unverified::<Bundle>::parse(agent.bundle.as_bytes()).unwrap().to_text();
    let read = Unverified::<Bundle>::parse_text(&text).unwrap();
    assert_eq!(read.verify(PROVIDER, &agent.card, None, NOW), Ok(agent.bundle.clone()));
    for other in [agent.card.to_text(), text.replace("BUNDLE", "CARD"), text.repeat(2)] {
        let refused = Unverified::<Bundle>::parse_text(&other);
        assert!(matches!(refused, Err(BundleError::Text(_))), "{refused:?}");
    }
}

#[test]
fn each_changed_byte_of_a_bundle_is_refused() {
    let agent = Agent::new(1);
    let bytes = agent.bundle.as_bytes();
    for place in (0..bytes.len()).step_by(61).chain(0..80) {
        let mut changed = bytes.to_vec();
        changed[place] ^= 1;
        let result = Unverified::<Bundle>::parse(&changed)
            .and_then(|bundle| bundle.verify(PROVIDER, &agent.card, None, NOW));
        assert!(result.is_err(), "byte {place}");
    }
    for end in (0..bytes.len()).step_by(53) {
        let cut = Unverified::<Bundle>::parse(&bytes[..end])
            .and_then(|bundle| bundle.verify(PROVIDER, &agent.card, None, NOW));
        assert!(cut.is_err(), "cut at {end}");
    }
    let longer = [bytes, &[0]].concat();
    assert!(Unverified::<Bundle>::parse(&longer).is_err());
}

#[test]
fn a_bundle_by_another_pair_is_refused() {
    let (agent, other) = (Agent::new(1), Agent::new(2));
    let body = agent.bundle.body().clone();
    let forged = Bundle::sign(PROVIDER, &other.pair, body, &mut Seeded(8)).unwrap();
    assert_eq!(verify(&agent, &forged), Err(BundleError::BadSignature));
}

#[test]
fn a_validity_is_taken_at_its_bounds_and_refused_one_past() {
    let agent = Agent::new(1);
    let longest = |extra| sign(&agent, |body| body.not_after = NOW + MAX_VALIDITY + extra);
    assert!(longest(Duration::ZERO).is_ok());
    assert_eq!(longest(MOMENT), Err(BundleError::BadValidity));
    assert_eq!(
        sign(&agent, |body| body.not_before = NOW + MAX_VALIDITY + MOMENT),
        Err(BundleError::BadValidity)
    );

    let bundle = &agent.bundle;
    let (start, end) = (bundle.body().not_before, bundle.body().not_after);
    let early = start.saturating_sub(CLOCK_TOLERANCE);
    assert_eq!(bundle.check_validity(early), Ok(()));
    let refused = bundle.check_validity(early.saturating_sub(MOMENT));
    assert_eq!(refused, Err(BundleError::NotYetValid(start)));
    assert_eq!(bundle.check_validity(end + CLOCK_TOLERANCE), Ok(()));
    let refused = bundle.check_validity(end + CLOCK_TOLERANCE + MOMENT);
    assert_eq!(refused, Err(BundleError::Expired(end)));
}

#[test]
fn an_older_bundle_and_a_second_one_of_a_number_are_refused() {
    let agent = Agent::new(1);
    let mark = agent.bundle.mark();
    let against = |seen: BundleMark| {
        let bundle = Unverified::<Bundle>::parse(agent.bundle.as_bytes()).unwrap();
        bundle.verify(PROVIDER, &agent.card, Some(&seen), NOW).map(drop)
    };
    assert_eq!(against(mark), Ok(()));
    let number = |number| BundleMark { number: BundleNumber(number), ..mark };
    assert_eq!(against(number(mark.number.0 - 1)), Ok(()));
    assert_eq!(against(number(mark.number.0 + 1)), Err(BundleError::Older));
    assert_eq!(against(BundleMark { hash: [0; 32], ..mark }), Err(BundleError::Conflict));
}
