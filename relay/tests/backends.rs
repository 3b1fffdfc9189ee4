//! The backends pass the suite, and one broken on purpose does not.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it set it up")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use meshwork_relay::storage::{
    Applied, Change, Condition, Key, MemoryStorage, Most, Record, RedbStorage, Storage,
    StorageError, Subject, Totals, conformance,
};
use meshwork_state::suites::Disk;
use redb::StorageBackend;

#[test]
fn memory_conforms() {
    conformance::run(|| Box::new(MemoryStorage::new())).unwrap();
}

#[test]
fn redb_conforms_on_a_disk_and_in_a_file() {
    conformance::run(|| Box::new(RedbStorage::on(Disk::new(0)).unwrap())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    conformance::run(|| {
        count += 1;
        let path = folder.path().join(format!("{count}.redb"));
        Box::new(RedbStorage::open(&path, 1 << 20).unwrap())
    })
    .unwrap();
}

#[test]
fn a_second_process_is_refused_and_another_file_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.redb");
    let _first = RedbStorage::open(&path, 1 << 20).unwrap();
    assert_eq!(RedbStorage::open(&path, 1 << 20).map(drop), Err(StorageError::Locked));
    let other = folder.path().join("other");
    std::fs::write(&other, [7; 10_000]).unwrap();
    assert_eq!(RedbStorage::open(&other, 1 << 20).map(drop), Err(StorageError::Damaged));
}

#[test]
fn after_a_failed_sync_all_of_a_batch_is_there_or_nothing_and_what_follows_survives_a_power_loss() {
    let (log, all) = (Subject::new(1, &[1; 32]), Most { entries: usize::MAX, bytes: usize::MAX });
    let append = |sequence| {
        let record = vec![7; 3_000];
        let condition = Some(Condition::Append { subject: log, sequence, record });
        Change { condition, then: vec![] }
    };
    for seed in 0..20 {
        let disk = Disk::new(seed);
        let flaky = Flaky { disk: disk.clone(), good: Arc::new(AtomicU64::new(u64::MAX)) };
        let good = Arc::clone(&flaky.good);
        let mut storage = RedbStorage::on(flaky).unwrap();
        storage.apply(&[append(1), append(2)]).unwrap();
        // The first or the second sync of a transaction.
        good.store(seed % 2, Ordering::Relaxed);
        assert!(storage.apply(&[append(3), append(4)]).is_err());
        assert_eq!(storage.last(&log), Err(StorageError::Poisoned));
        assert_eq!(storage.apply(&[append(3)]), Err(StorageError::Poisoned));
        storage.reopen().unwrap();
        let last = storage.last(&log).unwrap();
        assert!(last == 2 || last == 4, "half of a batch: {last}");
        assert_eq!(storage.apply(&[append(last + 1)]), Ok(vec![Applied::Done]));
        drop(storage);
        let storage = RedbStorage::on(disk.power_cycle()).unwrap();
        assert_eq!(storage.read(&log, 0, all).unwrap().len() as u64, last + 1);
    }
}

/// A disk of which one sync fails, after some that do not.
#[derive(Debug)]
struct Flaky {
    disk: Disk,
    good: Arc<AtomicU64>,
}

impl StorageBackend for Flaky {
    fn len(&self) -> io::Result<u64> {
        StorageBackend::len(&self.disk)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        StorageBackend::read(&self.disk, offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        StorageBackend::set_len(&self.disk, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.good.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.disk.fail_syncs(1);
        }
        StorageBackend::sync_data(&self.disk)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        StorageBackend::write(&self.disk, offset, data)
    }
}

/// A [`MemoryStorage`] with one fault.
#[derive(Debug)]
struct Faulty(MemoryStorage, Fault);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    AppendsWithoutCondition,
    UsesRemovedNumbers,
    PutsTwice,
    ReadsTooMuch,
    ListsTwice,
    ForgetsWhenOpenedAgain,
}

impl Storage for Faulty {
    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Applied>, StorageError> {
        let mut applied = Vec::new();
        for change in changes {
            let mut change = change.clone();
            match &mut change.condition {
                Some(Condition::Append { subject, sequence, .. })
                    if self.1 == Fault::AppendsWithoutCondition =>
                {
                    *sequence = self.0.last(subject)? + 1;
                }
                Some(Condition::PutNew { key, value }) if self.1 == Fault::PutsTwice => {
                    let put =
                        meshwork_relay::storage::Then::Put { key: *key, value: value.clone() };
                    change.condition = None;
                    change.then.insert(0, put);
                }
                _ => {}
            }
            applied.extend(self.0.apply(&[change])?);
        }
        Ok(applied)
    }

    fn reopen(&mut self) -> Result<(), StorageError> {
        if self.1 == Fault::ForgetsWhenOpenedAgain {
            self.0 = MemoryStorage::new();
        }
        self.0.reopen()
    }

    fn read(&self, subject: &Subject, after: u64, most: Most) -> Result<Vec<Record>, StorageError> {
        let most = if self.1 == Fault::ReadsTooMuch {
            Most { bytes: most.bytes.saturating_add(8), ..most }
        } else {
            most
        };
        self.0.read(subject, after, most)
    }

    fn last(&self, subject: &Subject) -> Result<u64, StorageError> {
        if self.1 == Fault::UsesRemovedNumbers {
            let all = self.0.read(subject, 0, Most { entries: usize::MAX, bytes: usize::MAX })?;
            return Ok(all.last().map_or(0, |record| record.sequence));
        }
        self.0.last(subject)
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StorageError> {
        self.0.get(key)
    }

    fn subjects(&self, after: Option<&Subject>, most: usize) -> Result<Vec<Subject>, StorageError> {
        let mut subjects = self.0.subjects(after, most)?;
        if self.1 == Fault::ListsTwice {
            subjects.extend(subjects.last().copied());
        }
        Ok(subjects)
    }

    fn values(
        &self,
        after: Option<&Key>,
        most: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StorageError> {
        self.0.values(after, most)
    }

    fn totals(&self) -> Result<Totals, StorageError> {
        self.0.totals()
    }
}

#[test]
fn each_fault_of_a_backend_is_caught() {
    for fault in [
        Fault::AppendsWithoutCondition,
        Fault::UsesRemovedNumbers,
        Fault::PutsTwice,
        Fault::ReadsTooMuch,
        Fault::ListsTwice,
        Fault::ForgetsWhenOpenedAgain,
    ] {
        let caught = conformance::run(|| Box::new(Faulty(MemoryStorage::new(), fault)));
        assert!(caught.is_err(), "{fault:?}");
    }
}
