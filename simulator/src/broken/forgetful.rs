//! A store that does not keep all that it says it keeps.

use std::sync::{Mutex, MutexGuard, PoisonError};

use meshwork_protocols::secret::SecretBytes;
use meshwork_state::{Batch, Change, Namespace, Row, Rows, Store, StoreError};

use super::Forgets;

/// A store under which rows of one namespace get lost. While it is open it shows them; who opens
/// it again does not find them.
#[derive(Debug)]
pub struct Forgetful {
    store: Box<dyn Store>,
    namespace: Namespace,
    forgets: Forgets,
    /// What was not written.
    held: Mutex<Batch>,
}

impl Forgetful {
    /// Has `store` forget.
    pub fn new(store: Box<dyn Store>, (namespace, forgets): (Namespace, Forgets)) -> Self {
        Self { store, namespace, forgets, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Batch> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows for Forgetful {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        match self.held().change(namespace, key) {
            Some(Change::Put(value)) => Ok(Some(value.clone())),
            Some(Change::Delete) => Ok(None),
            None => self.store.get(namespace, key),
        }
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

impl Store for Forgetful {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let (mut kept, mut held) = (Batch::new(), Batch::new());
        if self.forgets == Forgets::ForOneCommit {
            kept.merge(self.held().clone());
        } else {
            held.merge(self.held().clone());
        }
        for (namespace, key, change) in batch.changes() {
            let place = if namespace == self.namespace { &mut held } else { &mut kept };
            match change {
                Change::Put(value) => place.put(namespace, key, value.clone()),
                Change::Delete => place.delete(namespace, key),
            }
        }
        *self.held() = held;
        self.store.commit(&kept)
    }

    fn reopen(&self) -> Result<(), StoreError> {
        *self.held() = Batch::new();
        self.store.reopen()
    }

    fn compact(&self) -> Result<(), StoreError> {
        self.store.compact()
    }
}
