use std::collections::BTreeSet;

use meshwork_protocols::secret::SecretBytes;
use meshwork_state::suites::{conformance, power_loss};
use meshwork_state::{Batch, Namespace};

use super::*;

fn disk(backend: Backend, seed: u64) -> Disk {
    Disk::new(backend, Seeded::new(seed))
}

fn batch(value: u8) -> Batch {
    let mut batch = Batch::new();
    for key in 0..10_u8 {
        batch.put(Namespace::Own, [key], SecretBytes::new(vec![value; 100]));
    }
    batch
}

fn values(store: &dyn Store) -> BTreeSet<u8> {
    let rows = store.scan(Namespace::Own, &[], None, 100).unwrap();
    rows.iter().map(|(_, value)| value.expose()[0]).collect()
}

#[test]
fn the_journal_passes_the_suites_of_every_store() {
    conformance::run(|| disk(Backend::Journal, 1).open().unwrap()).unwrap();
    let open = |platter: &Platter| -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(Journal::open(platter.clone(), journal::Settled::default())?))
    };
    let survived = power_loss::run(0..10, 20, open).unwrap();
    assert!(survived.in_commits > 50 && survived.failed_syncs > 50, "{survived:?}");
}

#[test]
fn a_power_loss_within_a_commit_leaves_all_of_it_or_nothing_and_both_happen() {
    for backend in [Backend::Journal, Backend::Redb] {
        let mut left = BTreeSet::new();
        for seed in 0..60 {
            let mut disk = disk(backend, seed);
            let store = disk.open().unwrap();
            store.commit(&batch(1)).unwrap();
            disk.cut_power_soon();
            let _ = store.commit(&batch(2));
            disk.power_cycle();
            assert!(store.commit(&batch(3)).is_err(), "what was open is not any more");
            left.insert(values(&*disk.open().unwrap()));
        }
        assert_eq!(left, BTreeSet::from([[1].into(), [2].into()]), "{backend:?}");
    }
}

#[test]
fn a_full_disk_takes_nothing_of_a_commit_and_wants_to_be_opened_again() {
    let mut disk = disk(Backend::Journal, 1);
    let store = disk.open().unwrap();
    store.commit(&batch(1)).unwrap();
    disk.fill_up();
    assert!(store.commit(&batch(2)).is_err());
    assert_eq!(store.get(Namespace::Own, &[0]), Err(StoreError::Poisoned));
    store.reopen().unwrap();
    assert_eq!(values(&*store), [1].into());
    store.commit(&batch(3)).unwrap();
}

#[test]
fn what_is_put_back_is_what_was_copied() {
    for backend in [Backend::Journal, Backend::Redb] {
        let mut disk = disk(backend, 1);
        let store = disk.open().unwrap();
        store.commit(&batch(1)).unwrap();
        let image = disk.image().unwrap();
        store.commit(&batch(2)).unwrap();
        drop(store);
        disk.put_back(&image).unwrap();
        assert_eq!(values(&*disk.open().unwrap()), [1].into(), "{backend:?}");
    }
}

#[test]
fn reads_fail_as_often_as_they_are_to() {
    let mut disk = disk(Backend::Journal, 1);
    let store = disk.open().unwrap();
    disk.set_failing_reads(500);
    let failed = (0..100).filter(|_| store.get(Namespace::Own, &[0]).is_err()).count();
    assert!((30..70).contains(&failed), "{failed}");
    disk.set_failing_reads(0);
    assert!((0..100).all(|_| store.get(Namespace::Own, &[0]).is_ok()));
}
