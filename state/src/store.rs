//! What a backend offers, and how it fails.

use std::fmt;

use meshwork_protocols::secret::SecretBytes;

use crate::{Batch, Namespace};

/// A row: its key within the namespace, and its value.
pub type Row = (Vec<u8>, SecretBytes);

/// Rows, to read. What a `commit` made durable is seen by every later call.
pub trait Rows: fmt::Debug + Send + Sync {
    /// One row.
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError>;

    /// The rows whose keys begin with `prefix` and come after `after`, in the order of their
    /// keys' bytes, at most `limit` of them.
    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;
}

impl<R: Rows + ?Sized> Rows for std::sync::Arc<R> {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        (**self).get(namespace, key)
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        (**self).scan(namespace, prefix, after, limit)
    }
}

/// Rows that can change, durably.
pub trait Store: Rows {
    /// Makes all changes durable, whole, before it returns. After an error the store refuses
    /// everything until [`Store::reopen`]: what a failed sync left behind is not known before.
    fn commit(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Closes and opens again from the last valid root. A batch whose commit failed is then
    /// either wholly there or wholly not.
    fn reopen(&self) -> Result<(), StoreError>;

    /// Gives back the space of removed and replaced rows, so that their bytes are gone from the
    /// file too.
    fn compact(&self) -> Result<(), StoreError>;
}

impl<S: Store + ?Sized> Store for std::sync::Arc<S> {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        (**self).commit(batch)
    }

    fn reopen(&self) -> Result<(), StoreError> {
        (**self).reopen()
    }

    fn compact(&self) -> Result<(), StoreError> {
        (**self).compact()
    }
}

/// Why the store did not answer. None of these names a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has it open.
    #[error("another process has the store open")]
    Locked,
    /// The file is truncated, or not a store.
    #[error("the store is damaged or not a store")]
    Damaged,
    /// The operating system refused a read, write or sync.
    #[error("the disk failed: {0}")]
    Disk(std::io::ErrorKind),
    /// An earlier commit failed, and the store was not opened again since.
    #[error("an earlier commit failed; the store must be opened again")]
    Poisoned,
    /// A row does not open: a wrong key, or a row that was moved or changed on disk.
    #[error("a row does not open under the store's key")]
    Unsealed,
    /// A row is of a version that this build does not know.
    #[error("a row was written by a newer version")]
    TooNew,
    /// The caller reached for a row of [`Namespace::Meta`], which is the sealed state's own.
    #[error("the namespace is the store's own")]
    Reserved,
    /// The crypto provider failed where it should not.
    #[error("the crypto provider failed")]
    ProviderFailed,
}
