//! The disk of the relay: it is copied, and put back to a copy.

use std::sync::{Arc, Mutex};

use meshwork_relay::storage::{
    Applied, Change, Key, MemoryStorage, Most, Record, Storage, StorageError, Subject, Totals,
};

#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<MemoryStorage>>);

impl Disk {
    pub(super) fn copy(&self) -> MemoryStorage {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn put_back(&self, copy: MemoryStorage) {
        *self.0.lock().unwrap() = copy;
    }
}

impl Storage for Disk {
    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Applied>, StorageError> {
        self.0.lock().unwrap().apply(changes)
    }

    fn reopen(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn read(&self, subject: &Subject, after: u64, most: Most) -> Result<Vec<Record>, StorageError> {
        self.0.lock().unwrap().read(subject, after, most)
    }

    fn last(&self, subject: &Subject) -> Result<u64, StorageError> {
        self.0.lock().unwrap().last(subject)
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StorageError> {
        self.0.lock().unwrap().get(key)
    }

    fn subjects(&self, after: Option<&Subject>, most: usize) -> Result<Vec<Subject>, StorageError> {
        self.0.lock().unwrap().subjects(after, most)
    }

    fn values(
        &self,
        after: Option<&Key>,
        most: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StorageError> {
        self.0.lock().unwrap().values(after, most)
    }

    fn totals(&self) -> Result<Totals, StorageError> {
        self.0.lock().unwrap().totals()
    }
}
