//! A storage in memory: for tests, for the simulator, and as the plainest statement of what a
//! [`Storage`] does.

use std::collections::BTreeMap;
use std::ops::Bound;

use meshwork_protocols::relay::LogId;

use super::{
    Applied, Change, Condition, Key, Most, Record, Storage, StorageError, Subject, Then, Totals,
};
use crate::entry;

/// Logs and values in memory. A clone is a copy of them at that moment, as a copied file would be.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    entries: BTreeMap<(Subject, u64), Vec<u8>>,
    /// The highest sequence that each subject ever had.
    lasts: BTreeMap<Subject, u64>,
    values: BTreeMap<Key, Vec<u8>>,
}

impl MemoryStorage {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// One fleet's log goes back to what it was in a copy, and all else stays; gives its last entry.
    pub fn put_log_back(&mut self, log: &LogId, copy: &Self) -> u64 {
        let (subject, key) = (entry::log(log), entry::checkpoint(log));
        self.entries.retain(|(of, _), _| *of != subject);
        let entries = copy.entries.iter().filter(|((of, _), _)| *of == subject);
        self.entries.extend(entries.map(|(place, record)| (*place, record.clone())));
        let last = copy.lasts.get(&subject).copied().unwrap_or_default();
        self.lasts.insert(subject, last);
        self.values.remove(&key);
        self.values
            .extend(copy.values.get_key_value(&key).map(|(key, value)| (*key, value.clone())));
        last
    }

    fn take(&mut self, change: &Change) -> Applied {
        match &change.condition {
            Some(Condition::Append { subject, sequence, record }) => {
                let last = self.lasts.entry(*subject).or_default();
                if last.checked_add(1) != Some(*sequence) {
                    return Applied::NotLast { last: *last };
                }
                *last = *sequence;
                self.entries.insert((*subject, *sequence), record.clone());
            }
            Some(Condition::PutNew { key, value }) => {
                if self.values.contains_key(key) {
                    return Applied::Exists;
                }
                self.values.insert(*key, value.clone());
            }
            None => {}
        }
        change.then.iter().for_each(|then| self.follow(then));
        Applied::Done
    }

    fn follow(&mut self, then: &Then) {
        match then {
            Then::Put { key, value } => {
                self.values.insert(*key, value.clone());
            }
            Then::Delete(key) => {
                self.values.remove(key);
            }
            Then::Remove { subject, sequence } => {
                self.entries.remove(&(*subject, *sequence));
            }
            Then::Truncate { subject, through } => {
                self.entries.retain(|(of, sequence), _| of != subject || sequence > through);
            }
        }
    }
}

impl Storage for MemoryStorage {
    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Applied>, StorageError> {
        Ok(changes.iter().map(|change| self.take(change)).collect())
    }

    fn reopen(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn read(&self, subject: &Subject, after: u64, most: Most) -> Result<Vec<Record>, StorageError> {
        let mut left = most.bytes;
        let range = (Bound::Excluded((*subject, after)), Bound::Included((*subject, u64::MAX)));
        if after == u64::MAX {
            return Ok(Vec::new());
        }
        let mut records = Vec::new();
        for ((_, sequence), bytes) in self.entries.range(range).take(most.entries) {
            if bytes.len() > left && !records.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes.len());
            records.push(Record { sequence: *sequence, bytes: bytes.clone() });
        }
        Ok(records)
    }

    fn last(&self, subject: &Subject) -> Result<u64, StorageError> {
        Ok(self.lasts.get(subject).copied().unwrap_or_default())
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.values.get(key).cloned())
    }

    fn subjects(&self, after: Option<&Subject>, most: usize) -> Result<Vec<Subject>, StorageError> {
        let mut subjects = Vec::new();
        let mut start = after.map_or(Bound::Unbounded, |after| Bound::Excluded((*after, u64::MAX)));
        while subjects.len() < most {
            let Some(((subject, _), _)) = self.entries.range((start, Bound::Unbounded)).next()
            else {
                break;
            };
            subjects.push(*subject);
            start = Bound::Excluded((*subject, u64::MAX));
        }
        Ok(subjects)
    }

    fn values(
        &self,
        after: Option<&Key>,
        most: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StorageError> {
        let start = after.map_or(Bound::Unbounded, |after| Bound::Excluded(*after));
        let range = self.values.range((start, Bound::Unbounded)).take(most);
        Ok(range.map(|(key, value)| (*key, value.clone())).collect())
    }

    fn totals(&self) -> Result<Totals, StorageError> {
        let lengths = self.entries.values().chain(self.values.values());
        let bytes = lengths.map(|bytes| bytes.len() as u64).sum();
        Ok(Totals { entries: self.entries.len() as u64, bytes })
    }
}
