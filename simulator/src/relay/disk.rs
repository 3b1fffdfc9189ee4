//! The disk of a relay: its memory backend, of which a crash leaves what was durable. The power goes
//! before a batch is written, within it, and behind it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meshwork_protocols::relay::LogId;
use meshwork_relay::storage::{
    Applied, Change, Key, MemoryStorage, Most, Record, Storage, StorageError, Subject, Totals,
};

/// A disk that outlives the relay's process. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct RelayDisk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    /// What the process sees.
    seen: MemoryStorage,
    /// What it makes of the next batch.
    fate: Fate,
    /// Where it lies about what is durable: what is, and what will be with the next batch.
    lies: Option<(MemoryStorage, Vec<Change>)>,
}

/// What the disk does with one batch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Fate {
    /// It is durable.
    #[default]
    Works,
    /// The power goes before anything is written.
    DiesBefore,
    /// So many changes are durable, of the next one perhaps what it hung on.
    DiesWithin(usize),
}

impl RelayDisk {
    /// A disk that is a batch behind what it says.
    pub(super) fn lying() -> Self {
        let lies = Some((MemoryStorage::new(), Vec::new()));
        Self(Arc::new(Mutex::new(Platter { lies, ..Platter::default() })))
    }

    /// What becomes of the next batch.
    pub(super) fn set_fate(&self, fate: Fate) {
        self.platter().fate = fate;
    }

    /// The process ended: what was not durable is gone.
    pub(super) fn power_cycle(&self) {
        let mut platter = self.platter();
        platter.fate = Fate::Works;
        if let Some((durable, late)) = &mut platter.lies {
            late.clear();
            platter.seen = durable.clone();
        }
    }

    /// A copy of what is durable.
    pub(super) fn copy(&self) -> MemoryStorage {
        let platter = self.platter();
        platter.lies.as_ref().map_or_else(|| platter.seen.clone(), |(durable, _)| durable.clone())
    }

    /// The log goes back to what it was in a copy; its last entry is given.
    pub(super) fn put_log_back(&self, log: &LogId, copy: &MemoryStorage) -> u64 {
        let mut platter = self.platter();
        if let Some((durable, late)) = &mut platter.lies {
            durable.put_log_back(log, copy);
            late.clear();
        }
        platter.seen.put_log_back(log, copy)
    }

    /// An empty one takes its place.
    pub(super) fn replace(&self) {
        let mut platter = self.platter();
        platter.seen = MemoryStorage::new();
        if let Some((durable, late)) = &mut platter.lies {
            (*durable, *late) = (MemoryStorage::new(), Vec::new());
        }
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for RelayDisk {
    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Applied>, StorageError> {
        let mut platter = self.platter();
        let written = match std::mem::take(&mut platter.fate) {
            Fate::Works => return platter.write(changes),
            Fate::DiesBefore => Vec::new(),
            Fate::DiesWithin(count) => torn(changes, count),
        };
        platter.write(&written)?;
        Err(StorageError::Disk(std::io::ErrorKind::Other))
    }

    fn reopen(&mut self) -> Result<(), StorageError> {
        self.power_cycle();
        Ok(())
    }

    fn read(&self, subject: &Subject, after: u64, most: Most) -> Result<Vec<Record>, StorageError> {
        self.platter().seen.read(subject, after, most)
    }

    fn last(&self, subject: &Subject) -> Result<u64, StorageError> {
        self.platter().seen.last(subject)
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StorageError> {
        self.platter().seen.get(key)
    }

    fn subjects(&self, after: Option<&Subject>, most: usize) -> Result<Vec<Subject>, StorageError> {
        self.platter().seen.subjects(after, most)
    }

    fn values(
        &self,
        after: Option<&Key>,
        most: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StorageError> {
        self.platter().seen.values(after, most)
    }

    fn totals(&self) -> Result<Totals, StorageError> {
        self.platter().seen.totals()
    }
}

impl Platter {
    fn write(&mut self, changes: &[Change]) -> Result<Vec<Applied>, StorageError> {
        if let Some((durable, late)) = &mut self.lies {
            durable.apply(&std::mem::replace(late, changes.to_vec()))?;
        }
        self.seen.apply(changes)
    }
}

/// The first changes, and of the one behind them what it hangs on alone: what follows from a
/// condition may be lost where the condition is not.
fn torn(changes: &[Change], count: usize) -> Vec<Change> {
    let mut written: Vec<_> = changes.iter().take(count + 1).cloned().collect();
    if let Some(last) = written.get_mut(count) {
        last.then.clear();
    }
    written
}

#[cfg(test)]
mod tests {
    use meshwork_relay::storage::{Condition, Then};

    use super::*;

    fn key(number: u8) -> Key {
        Key::new(number, &[1; 32])
    }

    /// Puts one value on the condition that it is new, and another behind it.
    fn change(number: u8) -> Change {
        let condition = Condition::PutNew { key: key(number), value: vec![1] };
        let then = Then::Put { key: key(100 + number), value: vec![1] };
        Change { condition: Some(condition), then: vec![then] }
    }

    fn kept(disk: &RelayDisk) -> Vec<u8> {
        (0..200).filter(|number| disk.get(&key(*number)).unwrap().is_some()).collect()
    }

    #[test]
    fn what_a_crash_leaves_is_a_beginning_of_the_batch() {
        let table = [
            (Fate::Works, vec![1, 2, 101, 102]),
            (Fate::DiesBefore, vec![]),
            (Fate::DiesWithin(0), vec![1]),
            (Fate::DiesWithin(1), vec![1, 2, 101]),
            (Fate::DiesWithin(2), vec![1, 2, 101, 102]),
        ];
        for (fate, expected) in table {
            let mut disk = RelayDisk::default();
            disk.set_fate(fate);
            let applied = disk.apply(&[change(1), change(2)]);
            assert_eq!(applied.is_ok(), fate == Fate::Works);
            disk.power_cycle();
            assert_eq!(kept(&disk), expected, "{fate:?}");
        }
    }

    #[test]
    fn a_disk_that_lies_loses_the_last_batch() {
        let mut disk = RelayDisk::lying();
        disk.apply(&[change(1)]).unwrap();
        disk.apply(&[change(2)]).unwrap();
        assert_eq!(kept(&disk), [1, 2, 101, 102]);
        disk.power_cycle();
        assert_eq!(kept(&disk), [1, 101]);
    }
}
