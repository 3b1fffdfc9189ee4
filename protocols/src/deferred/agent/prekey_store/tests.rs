use core::time::Duration;

use super::{
    KEPT_AFTER_REPLACED, MAX_KEPT, MAX_ONE_TIME, ONE_TIME_KEPT, POOL_SIZE, PrekeyStore,
    REFILL_THRESHOLD, ROTATION,
};
use crate::deferred::agent::bundle::{BundleMark, BundleNumber};
use crate::deferred::agent::replay::UsedPrekeys;
use crate::deferred::fixture::{NOW, PROVIDER, Seeded};
use crate::deferred::{CurvePublic, PrekeyId};
use crate::identity::{AgentId, Sequence};
use crate::time::WallTime;

const MOMENT: Duration = Duration::from_millis(1);

fn store() -> PrekeyStore {
    PrekeyStore::generate(PROVIDER, NOW, &mut Seeded(1)).unwrap()
}

fn rotate(store: &PrekeyStore, now: WallTime) -> PrekeyStore {
    store.rotate(PROVIDER, now, &mut Seeded(now.as_millis())).unwrap()
}

fn mark(number: u64) -> BundleMark {
    BundleMark { number: BundleNumber(number), hash: [7; 32] }
}

#[test]
fn signed_prekeys_are_due_after_a_week_and_kept_for_forty_days_more() {
    let store = store();
    assert!(!store.rotation_is_due(NOW + (ROTATION - MOMENT)));
    assert!(store.rotation_is_due(NOW + ROTATION));
    let replaced = NOW + ROTATION;
    let rotated = rotate(&store, replaced).publish(mark(1));
    assert!(!rotated.rotation_is_due(replaced));
    let first = PrekeyId(1);
    assert!(rotated.signed(first).is_some() && rotated.kem(first).is_some());
    let end = replaced + KEPT_AFTER_REPLACED;
    assert!(rotated.expire(end).signed(first).is_some());
    let expired = rotated.expire(end + MOMENT);
    assert!(expired.signed(first).is_none() && expired.kem(first).is_none());
    assert!(expired.signed(PrekeyId(2)).is_some(), "the newest never expires");
}

#[test]
fn a_bundle_is_known_for_as_long_as_its_keys_are_kept() {
    let published = store().publish(mark(1));
    let replaced = NOW + ROTATION;
    let rotated = rotate(&published, replaced).publish(mark(2));
    let end = replaced + KEPT_AFTER_REPLACED;
    assert!(rotated.expire(end).published(&mark(1)));
    let expired = rotated.expire(end + MOMENT);
    assert!(!expired.published(&mark(1)) && expired.published(&mark(2)));
    let other = BundleMark { hash: [8; 32], ..mark(2) };
    assert!(!expired.published(&other));
}

#[test]
fn the_next_bundle_has_a_higher_number_and_the_newest_keys() {
    let owner = (AgentId::from_bytes([1; 32]), Sequence::new(1), CurvePublic::from_u([9; 32]));
    let store = store();
    let first = store.bundle_body(owner, None, NOW).unwrap();
    assert_eq!(first.number, BundleNumber(NOW.as_secs()));
    let mark = BundleMark { number: first.number, hash: [0; 32] };
    let rotated = rotate(&store.publish(mark), NOW);
    let second = rotated.bundle_body(owner, None, NOW).unwrap();
    assert_eq!(second.number, BundleNumber(NOW.as_secs() + 1));
    assert_ne!(second.signed, first.signed);
}

#[test]
fn a_one_time_key_is_handed_out_once_and_gone_when_used() {
    let store = store().refill(PROVIDER, 2, NOW, &mut Seeded(2));
    let ((one, _), store) = store.hand_out(NOW).unwrap();
    let ((other, _), store) = store.hand_out(NOW).unwrap();
    assert_ne!(one, other);
    assert!(store.hand_out(NOW).is_none());
    assert!(store.pool().is_empty());
    assert!(store.one_time(one).is_some(), "kept for the one who has it");
    let used = UsedPrekeys {
        signed: PrekeyId(1),
        kem: PrekeyId(1),
        one_time: Some(one),
        base_key: CurvePublic::from_u([9; 32]),
    };
    let store = store.consume(&used);
    assert!(store.one_time(one).is_none() && store.one_time(other).is_some());
    let end = NOW + ONE_TIME_KEPT;
    assert!(store.expire(end).one_time(other).is_some());
    assert!(store.expire(end + MOMENT).one_time(other).is_none());
    let (again, store) = store.hand_out_again(other, end).unwrap();
    assert_eq!(again.0, other);
    assert!(store.expire(end + ONE_TIME_KEPT).one_time(other).is_some());
    assert!(store.hand_out_again(one, end).is_none());
}

#[test]
fn a_store_that_was_put_back_gives_up_its_one_time_keys_alone() {
    let store = store().publish(mark(1)).refill(PROVIDER, 2, NOW, &mut Seeded(2));
    let ((id, _), store) = store.hand_out(NOW).unwrap();
    assert_eq!((store.handed_out(), store.available()), (1, 1));
    let without = store.without_one_time();
    assert_eq!((without.handed_out(), without.available()), (0, 0));
    assert!(without.one_time(id).is_none() && without.published(&mark(1)));
    let filled = without.refill(PROVIDER, 1, NOW, &mut Seeded(3));
    assert!(filled.pool().iter().all(|(fresh, _)| *fresh > id), "no number comes again");
}

#[test]
fn a_pool_is_filled_again_once_more_than_seven_tenths_are_handed_out() {
    let mut store = store().refill(PROVIDER, POOL_SIZE, NOW, &mut Seeded(2));
    assert_eq!(store.available(), POOL_SIZE);
    for _ in 0..POOL_SIZE * REFILL_THRESHOLD / 100 {
        assert!(!store.refill_is_due(POOL_SIZE, REFILL_THRESHOLD));
        store = store.hand_out(NOW).unwrap().1;
    }
    assert!(!store.refill_is_due(POOL_SIZE, REFILL_THRESHOLD));
    store = store.hand_out(NOW).unwrap().1;
    assert!(store.refill_is_due(POOL_SIZE, REFILL_THRESHOLD));
    let filled = store.refill(PROVIDER, POOL_SIZE, NOW, &mut Seeded(3));
    assert_eq!(filled.available(), POOL_SIZE);
    let mut ids: alloc::vec::Vec<_> = filled.pool().into_iter().map(|(id, _)| id).collect();
    ids.dedup();
    assert_eq!(ids.len(), POOL_SIZE);
}

#[test]
fn kept_keys_are_bounded_at_the_limit() {
    let mut store = store();
    for _ in 0..MAX_KEPT {
        store = rotate(&store, NOW);
    }
    assert_eq!(store.generations(), MAX_KEPT);
    assert!(store.signed(PrekeyId(1)).is_none());
    let full = store.refill(PROVIDER, MAX_ONE_TIME + 1, NOW, &mut Seeded(2));
    assert_eq!(full.available(), MAX_ONE_TIME);
    let again = full.hand_out(NOW).unwrap().1.refill(PROVIDER, POOL_SIZE, NOW, &mut Seeded(3));
    assert_eq!(again.available(), MAX_ONE_TIME - 1);
}

#[test]
fn a_store_survives_its_record() {
    let store = store().refill(PROVIDER, 3, NOW, &mut Seeded(2)).publish(mark(1));
    let record = store.encode().unwrap();
    let again = PrekeyStore::decode(record.expose()).unwrap();
    assert_eq!(again.encode().unwrap(), record);
    assert!(PrekeyStore::decode(&record.expose()[..record.len() - 1]).is_err());
    assert!(PrekeyStore::decode(&[record.expose(), &[0]].concat()).is_err());
}
