//! Keys: each handed out at most once, then the last resort; limits; repetitions.

use std::collections::BTreeSet;
use std::time::Duration;

use meshwork_protocols::deferred::agent::Pool;
use meshwork_protocols::identity::Unverified;
use meshwork_protocols::relay::*;
use meshwork_relay::{Asked, Limits, Outcome};

use crate::common::*;

fn rush(limits: Limits) -> (usize, usize, usize) {
    let owner = Agent::new(1, 200);
    let mut relay = serving(&owner, limits);
    let ask = |number| Asked { caller: someone(number), request: take(owner.id(), 1) };
    let batch: Vec<_> = (0..1_000).map(ask).collect();
    let outcomes = relay.serve(NOW, &batch).unwrap();
    let (mut keys, mut given, mut last_resorts) = (BTreeSet::new(), 0, 0);
    for outcome in outcomes {
        let Outcome::Answer(Answer::Taken(taken)) = outcome else { panic!("{outcome:?}") };
        last_resorts += usize::from(taken.is_last_resort());
        if let Taken::Prekeys { one_time: Some(key), .. } = taken {
            keys.insert(key.key.id);
            given += 1;
        }
    }
    assert_eq!(relay.metrics().last_resorts, last_resorts as u64);
    (keys.len(), given, last_resorts)
}

#[test]
fn a_thousand_agents_get_200_distinct_keys_and_800_last_resorts_or_50_and_950_by_default() {
    let unlimited = Limits { target_keys: 1_000, ..Limits::default() };
    assert_eq!(rush(unlimited), (200, 200, 800));
    assert_eq!(rush(Limits::default()), (50, 50, 950));
}

#[test]
fn who_repeats_its_request_gets_the_same_key_and_each_key_verifies_alone() {
    let owner = Agent::new(1, 10);
    let mut relay = serving(&owner, Limits::default());
    let first = ask(&mut relay, someone(1), take(owner.id(), 1));
    assert_eq!(ask(&mut relay, someone(1), take(owner.id(), 1)), first);
    assert_ne!(ask(&mut relay, someone(1), take(owner.id(), 2)), first);
    assert_ne!(ask(&mut relay, someone(2), take(owner.id(), 1)), first);
    let Answer::Taken(Taken::Prekeys { one_time: Some(key), bundle }) = first else { panic!() };
    assert_eq!(bundle.0, owner.bundle.as_bytes());
    let pool = Unverified::<Pool>::parse(&key.pool.0).unwrap();
    let pool = pool.verify(PROVIDER, &owner.card).unwrap();
    let verified = pool.verify_key(PROVIDER, &key.key, NOW.wall).unwrap();
    assert!(owner.store.pool().contains(&verified));
}

#[test]
fn one_requester_has_its_share_of_an_hour_and_the_next_hour_has_its_own() {
    let owner = Agent::new(1, 200);
    let mut relay = serving(&owner, Limits::default());
    let by_one: Vec<_> =
        (0..7).map(|id| taken(&mut relay, someone(1), owner.id(), id).is_some()).collect();
    assert_eq!(by_one, [true, true, true, true, true, false, false]);
    assert!(taken(&mut relay, someone(2), owner.id(), 0).is_some());
    assert_eq!(relay.metrics().drains_refused, 2);
    let later = NOW + Duration::from_secs(3_600);
    let answer = ask_at(&mut relay, later, someone(1), take(owner.id(), 9));
    assert!(matches!(answer, Answer::Taken(taken) if !taken.is_last_resort()));
}

#[test]
fn who_asks_for_too_many_keys_is_told_to_wait() {
    let owner = Agent::new(1, 3);
    let mut relay = serving(&owner, Limits { requester_takes: 2, ..Limits::default() });
    for id in 0..2 {
        taken(&mut relay, someone(1), owner.id(), id);
    }
    let answer = ask(&mut relay, someone(1), take(owner.id(), 3));
    assert_eq!(answer, Answer::Refused(Refusal::NotNow { retry_after: 3_601 }));
}

#[test]
fn the_owner_sees_the_depth_is_told_when_it_is_low_and_repeats_a_publication_without_harm() {
    let owner = Agent::new(1, 62);
    let limits = Limits { target_keys: 100, ..Limits::default() };
    let mut relay = serving(&owner, limits);
    let depth = |prekeys, last_resorts| Answer::Depth(Depth { prekeys, packages: 0, last_resorts });
    assert_eq!(ask(&mut relay, owner.id(), owner.publish()), depth(62, 0));
    for number in 0..2 {
        assert_eq!(relay.take_nudges(), []);
        taken(&mut relay, someone(number), owner.id(), 0);
    }
    assert_eq!(relay.take_nudges(), [(owner.id(), Nudge::LowPool)]);
    assert_eq!(ask(&mut relay, owner.id(), owner.publish()), depth(60, 0));
    for number in 10..80 {
        taken(&mut relay, someone(number), owner.id(), 0);
    }
    assert_eq!(ask(&mut relay, owner.id(), Request::Depth(owner.id())), depth(0, 10));
    // The used pool again gives nothing a second time.
    assert_eq!(ask(&mut relay, owner.id(), owner.publish()), depth(0, 0));
    assert_eq!(taken(&mut relay, someone(99), owner.id(), 0), None);
}

#[test]
fn a_replacement_that_is_repeated_gives_no_key_a_second_time() {
    let owner = Agent::new(1, 8);
    let mut relay = serving(&owner, Limits::default());
    let Request::Publish(publish) = owner.publish() else { panic!() };
    let replace = Request::Publish(Publish { mode: PublishMode::Replace, ..publish });
    let depth = |prekeys| Answer::Depth(Depth { prekeys, packages: 0, last_resorts: 0 });
    assert_eq!(ask(&mut relay, owner.id(), replace.clone()), depth(8));
    assert!(taken(&mut relay, someone(1), owner.id(), 0).is_some());
    assert_eq!(ask(&mut relay, owner.id(), replace), depth(7));
}

#[test]
fn keys_that_were_handed_out_or_taken_back_do_not_come_again_however_late_they_are_published() {
    let owner = Agent::new(1, 2);
    let other = owner.with_other_keys(5, 77);
    let limits = Limits { target_keys: 100, ..Limits::default() };
    let mut relay = serving(&owner, limits);
    let left = |relay: &mut _, now, request| match ask_at(relay, now, owner.id(), request) {
        Answer::Depth(depth) => depth.prekeys,
        other => panic!("{other:?}"),
    };
    for number in 0..3 {
        taken(&mut relay, someone(number), owner.id(), 0);
    }
    // Days later the lot is gone, and what was in it is known.
    let later = |days| NOW + days * DAY;
    assert_eq!(left(&mut relay, later(2), other.publish_in(PublishMode::Add)), 5);
    assert_eq!(left(&mut relay, later(2), owner.publish()), 5);
    // All but one's own is taken back; half of it was handed out when that is repeated.
    let third = owner.with_other_keys(4, 78);
    let replace = || third.publish_in(PublishMode::Replace);
    assert_eq!(left(&mut relay, later(3), replace()), 4);
    for number in 10..12 {
        let answer = ask_at(&mut relay, later(3), someone(number), take(owner.id(), 0));
        assert!(matches!(answer, Answer::Taken(taken) if !taken.is_last_resort()));
    }
    assert_eq!(left(&mut relay, later(3), replace()), 2);
    assert_eq!(left(&mut relay, later(3), other.publish_in(PublishMode::Add)), 2);
    // An old request to replace takes nothing back.
    assert_eq!(left(&mut relay, later(3), other.publish_in(PublishMode::Replace)), 2);
}

#[test]
fn key_packages_are_handed_out_once_each_and_then_the_last_resort() {
    let owner = Agent::new(1, 3);
    let mut relay = serving(&owner, Limits::default());
    let package = |number: u8| -> Opaque { vec![number; 50].into() };
    let publication = Publication::KeyPackages {
        packages: vec![package(1), package(2)],
        last_resort: Some(package(9)),
    };
    let publish = Request::Publish(Publish { mode: PublishMode::Add, publication });
    let depth = Answer::Depth(Depth { prekeys: 3, packages: 2, last_resorts: 0 });
    assert_eq!(ask(&mut relay, owner.id(), publish), depth);
    let got: Vec<_> = (0..4)
        .map(|number| {
            let kind = KeyKind::KeyPackages;
            let request = Request::Take { target: owner.id(), kind, id: TakeId([1; 16]) };
            ask(&mut relay, someone(number), request)
        })
        .collect();
    let expected = |number, last_resort| {
        Answer::Taken(Taken::KeyPackage { package: package(number), last_resort })
    };
    let last = expected(9, true);
    assert_eq!(got, [expected(1, false), expected(2, false), last.clone(), last]);
}
