//! A store that does not take up that sending sessions were given up.

use std::sync::{Mutex, PoisonError};

use meshwork_protocols::secret::SecretBytes;
use meshwork_state::{Batch, Change, Namespace, Row, Rows, Store, StoreError};

/// A store under which the first change of stored sessions gets lost. On a state that was put back
/// that is the one that gives every sending session up.
#[derive(Debug)]
pub struct Unarchived {
    store: Box<dyn Store>,
    has_lost: Mutex<bool>,
}

impl Unarchived {
    /// Has `store` lose it.
    pub fn new(store: Box<dyn Store>) -> Self {
        Self { store, has_lost: Mutex::new(false) }
    }

    /// What of a batch is kept.
    fn kept(&self, batch: &Batch) -> Batch {
        let mut has_lost = self.has_lost.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut kept, loses) = (Batch::new(), !*has_lost);
        for (namespace, key, change) in batch.changes() {
            if loses && namespace == Namespace::Session {
                *has_lost = true;
                continue;
            }
            match change {
                Change::Put(value) => kept.put(namespace, key, value.clone()),
                Change::Delete => kept.delete(namespace, key),
            }
        }
        kept
    }
}

impl Rows for Unarchived {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        self.store.get(namespace, key)
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.store.scan(namespace, prefix, after, limit)
    }
}

impl Store for Unarchived {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.store.commit(&self.kept(batch))
    }

    fn reopen(&self) -> Result<(), StoreError> {
        self.store.reopen()
    }

    fn compact(&self) -> Result<(), StoreError> {
        self.store.compact()
    }
}
