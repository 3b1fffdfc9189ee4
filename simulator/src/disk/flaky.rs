//! A store whose reads fail now and then, and on whose disk there may be no room.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use meshwork_protocols::secret::SecretBytes;
use meshwork_state::{Batch, Namespace, Row, Rows, Store, StoreError};

use crate::seeded::Seeded;

/// How a disk fails without losing power. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// How many reads in a thousand fail.
    pub(super) failing_reads: Arc<AtomicU64>,
    /// Whether there is no room for the next commit.
    pub(super) is_full: Arc<AtomicBool>,
}

/// A store in trouble.
#[derive(Debug)]
pub(super) struct Flaky<S> {
    store: S,
    random: Mutex<Seeded>,
    trouble: Trouble,
    /// Whether a commit found no room since the store was opened.
    poisoned: AtomicBool,
}

impl<S> Flaky<S> {
    pub(super) const fn new(store: S, random: Seeded, trouble: Trouble) -> Self {
        Self { store, random: Mutex::new(random), trouble, poisoned: AtomicBool::new(false) }
    }

    fn read(&self) -> Result<&S, StoreError> {
        if self.poisoned.load(Ordering::Relaxed) {
            return Err(StoreError::Poisoned);
        }
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        if random.chance(self.trouble.failing_reads.load(Ordering::Relaxed)) {
            return Err(StoreError::Disk(ErrorKind::Other));
        }
        Ok(&self.store)
    }
}

impl<S: Store> Rows for Flaky<S> {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        self.read()?.get(namespace, key)
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.read()?.scan(namespace, prefix, after, limit)
    }
}

impl<S: Store> Store for Flaky<S> {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        if self.trouble.is_full.swap(false, Ordering::Relaxed) {
            self.poisoned.store(true, Ordering::Relaxed);
            return Err(StoreError::Disk(ErrorKind::StorageFull));
        }
        self.store.commit(batch)
    }

    fn reopen(&self) -> Result<(), StoreError> {
        self.poisoned.store(false, Ordering::Relaxed);
        self.store.reopen()
    }

    fn compact(&self) -> Result<(), StoreError> {
        self.store.compact()
    }
}
