//! The backends pass the suite, and one broken on purpose does not.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it set it up")]

use meshwork_relay::storage::{
    Applied, Change, Condition, Key, MemoryStorage, Most, Record, RedbStorage, Storage,
    StorageError, Subject, Totals, conformance,
};
use meshwork_state::suites::Disk;

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
    ] {
        let caught = conformance::run(|| Box::new(Faulty(MemoryStorage::new(), fault)));
        assert!(caught.is_err(), "{fault:?}");
    }
}
