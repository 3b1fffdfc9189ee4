//! Changes that happen together or not at all.

use std::collections::BTreeMap;

use meshwork_protocols::secret::SecretBytes;

use crate::Namespace;

/// One change to one row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// Insert the row or replace it.
    Put(SecretBytes),
    /// Remove the row; nothing happens where there is none.
    Delete,
}

/// Changes that become durable together. A row changed twice keeps the last change only.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Batch {
    changes: BTreeMap<(Namespace, Vec<u8>), Change>,
}

impl Batch {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Inserts or replaces a row.
    pub fn put(&mut self, namespace: Namespace, key: impl Into<Vec<u8>>, value: SecretBytes) {
        self.changes.insert((namespace, key.into()), Change::Put(value));
    }

    /// Removes a row.
    pub fn delete(&mut self, namespace: Namespace, key: impl Into<Vec<u8>>) {
        self.changes.insert((namespace, key.into()), Change::Delete);
    }

    /// What this batch does to a row, if anything.
    pub fn change(&self, namespace: Namespace, key: &[u8]) -> Option<&Change> {
        self.changes.get(&(namespace, key.to_vec()))
    }

    /// Adds all changes of `later`, which win.
    pub fn merge(&mut self, later: Self) {
        self.changes.extend(later.changes);
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many rows change.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Each change, in the order of namespaces and keys.
    pub fn changes(&self) -> impl Iterator<Item = (Namespace, &[u8], &Change)> {
        self.changes.iter().map(|((namespace, key), change)| (*namespace, key.as_slice(), change))
    }
}
