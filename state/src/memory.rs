//! A store in memory: for tests, for the simulator, and as the plainest statement of what a
//! [`Store`] does.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::RwLock;

use meshwork_protocols::secret::SecretBytes;

use crate::{Batch, Change, Namespace, Row, Rows, Store, StoreError};

/// Rows in memory. Each commit is durable for as long as the value lives; a clone is a copy of the
/// rows at that moment, as a copied file would be.
#[derive(Default)]
pub struct MemoryStore {
    rows: RwLock<BTreeMap<(Namespace, Vec<u8>), SecretBytes>>,
}

impl MemoryStore {
    /// A store without rows.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Rows for MemoryStore {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        let rows = self.rows.read().map_err(|_| StoreError::Poisoned)?;
        Ok(rows.get(&(namespace, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded((namespace, after.to_vec())),
            _ => Bound::Included((namespace, prefix.to_vec())),
        };
        let rows = self.rows.read().map_err(|_| StoreError::Poisoned)?;
        Ok(rows
            .range((start, Bound::Unbounded))
            .take_while(|((place, key), _)| *place == namespace && key.starts_with(prefix))
            .take(limit)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }
}

impl Store for MemoryStore {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut rows = self.rows.write().map_err(|_| StoreError::Poisoned)?;
        for (namespace, key, change) in batch.changes() {
            let place = (namespace, key.to_vec());
            match change {
                Change::Put(value) => rows.insert(place, value.clone()),
                Change::Delete => rows.remove(&place),
            };
        }
        Ok(())
    }

    fn reopen(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn compact(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        // A commit does not panic half way, so rows behind a poisoned lock are whole too.
        let rows = self.rows.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        Self { rows: RwLock::new(rows.clone()) }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}
