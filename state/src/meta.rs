//! The rows of [`Namespace::Meta`]: what a sealed state keeps about itself.

use meshwork_protocols::lineage::Incarnation;
use meshwork_protocols::secret::SecretBytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::record::{in_clear, read_clear};
use crate::unlock::Lock;
use crate::{CommitNumber, Namespace, Rows, StoreError, StoreId};

/// In clear: what the file is, its format, its id.
pub(crate) const FORMAT: &[u8] = b"format";
/// In clear: how the data key is wrapped.
pub(crate) const LOCK: &[u8] = b"lock";
/// Under the key-encryption key: the data key.
pub(crate) const DATA_KEY: &[u8] = b"data-key";
/// Under the data key, as all that follow: the session key and its day.
pub(crate) const SESSION_KEY: &[u8] = b"session-key";
/// How many commits there were.
pub(crate) const PROGRESS: &[u8] = b"progress";
/// The last start.
pub(crate) const START: &[u8] = b"start";
/// That the state was restored, until the owner accepts it.
pub(crate) const RESTORED: &[u8] = b"restored";

/// What stands in [`FORMAT`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Format {
    pub(crate) version: u16,
    pub(crate) store: StoreId,
}

impl Format {
    /// Reads it; there is none in a store that no sealed state was made on.
    pub(crate) fn read(rows: &dyn Rows) -> Result<Option<Self>, StoreError> {
        let Some(record) = rows.get(Namespace::Meta, FORMAT)? else { return Ok(None) };
        let bytes = read_clear(&record)?.strip_prefix(MAGIC).ok_or(StoreError::Damaged)?;
        let (version, store) = bytes.split_first_chunk().ok_or(StoreError::Damaged)?;
        let store = StoreId::from_bytes(store.try_into().map_err(|_| StoreError::Damaged)?);
        Ok(Some(Self { version: u16::from_be_bytes(*version), store }))
    }

    /// Its record.
    pub(crate) fn record(self) -> SecretBytes {
        in_clear(&[MAGIC, &self.version.to_be_bytes()[..], self.store.as_bytes()].concat())
    }
}

impl Lock {
    /// Reads what stands in [`LOCK`].
    pub(crate) fn read(rows: &dyn Rows) -> Result<Self, StoreError> {
        let record = rows.get(Namespace::Meta, LOCK)?.ok_or(StoreError::Damaged)?;
        decode(read_clear(&record)?)
    }

    /// Its record.
    pub(crate) fn record(self) -> Result<SecretBytes, StoreError> {
        Ok(in_clear(encode(&self)?.expose()))
    }
}

/// What stands in [`PROGRESS`]. The version stands here again, sealed, so that a changed
/// [`FORMAT`] is seen.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Progress {
    pub(crate) number: CommitNumber,
    pub(crate) version: u16,
}

/// What stands in [`START`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Start {
    pub(crate) incarnation: Incarnation,
    pub(crate) parent: Incarnation,
}

/// The postcard encoding of a row.
pub(crate) fn encode(row: &impl Serialize) -> Result<SecretBytes, StoreError> {
    // Fails only where memory does.
    postcard::to_allocvec(row).map(SecretBytes::new).map_err(|_| StoreError::Damaged)
}

/// A row from its whole postcard encoding.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    match postcard::take_from_bytes(bytes) {
        Ok((row, [])) => Ok(row),
        _ => Err(StoreError::Damaged),
    }
}

/// How [`FORMAT`] begins.
const MAGIC: &[u8] = b"MESHWORK";
