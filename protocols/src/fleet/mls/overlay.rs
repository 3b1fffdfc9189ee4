//! What one operation has written, in front of the rows.
//!
//! Reads see it first. A value is encoded as MessagePack with names, behind a format byte and its
//! number of chunks.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fleet::rows::{CHUNK_LENGTH, RowChange, Rows, StoreError};
use crate::secret::SecretBytes;

/// The writes of one operation.
pub(in super::super) struct Overlay<'a> {
    rows: &'a dyn Rows,
    place: Place,
    values: RefCell<BTreeMap<Vec<u8>, Option<SecretBytes>>>,
}

/// Which epoch's rows are meant.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in super::super) enum Place {
    /// The current one's.
    Current,
    /// Those of an earlier epoch, kept for late messages.
    Past(u64),
}

/// What a value is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in super::super) enum Label {
    /// Our own record of a group.
    Record = 1,
    KeyPackage = 2,
    EncryptionKeyPair = 3,
    SignatureKeyPair = 4,
    Psk = 5,
    EpochKeyPairs = 6,
    Tree = 7,
    Context = 8,
    TranscriptHash = 9,
    ConfirmationTag = 10,
    JoinConfig = 11,
    OwnLeafNodes = 12,
    GroupState = 13,
    Proposal = 14,
    ProposalRefs = 15,
    OwnLeafIndex = 16,
    EpochSecrets = 17,
    ResumptionPsks = 18,
    MessageSecrets = 19,
}

impl Label {
    /// What a group consists of that is stored under its id alone.
    pub(in super::super) const OF_AN_EPOCH: [Self; 10] = [
        Self::Tree,
        Self::Context,
        Self::TranscriptHash,
        Self::ConfirmationTag,
        Self::JoinConfig,
        Self::GroupState,
        Self::OwnLeafIndex,
        Self::EpochSecrets,
        Self::ResumptionPsks,
        Self::MessageSecrets,
    ];
}

impl<'a> Overlay<'a> {
    pub(super) fn new(rows: &'a dyn Rows) -> Self {
        Self { rows, place: Place::Current, values: RefCell::default() }
    }

    pub(super) fn stand_at(&mut self, place: Place) {
        self.place = place;
    }

    /// The value of a group's rows at `place`, encoded.
    pub(in super::super) fn raw<K: Serialize + ?Sized>(
        &self,
        place: Place,
        label: Label,
        key: &K,
    ) -> Result<Option<SecretBytes>, StoreError> {
        self.value(&row_key(place, label, key)?)
    }

    /// Replaces it.
    pub(in super::super) fn put_raw<K: Serialize + ?Sized>(
        &self,
        place: Place,
        label: Label,
        key: &K,
        value: Option<SecretBytes>,
    ) -> Result<(), StoreError> {
        let key = row_key(place, label, key)?;
        self.values.borrow_mut().insert(key, value);
        Ok(())
    }

    pub(in super::super) fn get<K: Serialize + ?Sized, V: DeserializeOwned>(
        &self,
        label: Label,
        key: &K,
    ) -> Result<Option<V>, StoreError> {
        self.raw(self.place, label, key)?.map(|value| decode(value.expose())).transpose()
    }

    pub(in super::super) fn put<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &self,
        label: Label,
        key: &K,
        value: &V,
    ) -> Result<(), StoreError> {
        self.put_raw(self.place, label, key, Some(encode(value)?))
    }

    pub(in super::super) fn delete<K: Serialize + ?Sized>(
        &self,
        label: Label,
        key: &K,
    ) -> Result<(), StoreError> {
        self.put_raw(self.place, label, key, None)
    }

    /// A list, whose elements stand in it encoded.
    pub(super) fn list<K: Serialize + ?Sized, V: DeserializeOwned>(
        &self,
        label: Label,
        key: &K,
    ) -> Result<Vec<V>, StoreError> {
        let list: Option<Vec<Vec<u8>>> = self.get(label, key)?;
        list.unwrap_or_default().iter().map(|element| decode(element)).collect()
    }

    pub(super) fn append<K: Serialize + ?Sized, V: Serialize>(
        &self,
        label: Label,
        key: &K,
        element: &V,
    ) -> Result<(), StoreError> {
        let mut list: Vec<Vec<u8>> = self.get(label, key)?.unwrap_or_default();
        list.push(encode(element)?.expose().to_vec());
        self.put(label, key, &list)
    }

    pub(super) fn remove<K: Serialize + ?Sized, V: Serialize>(
        &self,
        label: Label,
        key: &K,
        element: &V,
    ) -> Result<(), StoreError> {
        let mut list: Vec<Vec<u8>> = self.get(label, key)?.unwrap_or_default();
        let element = encode(element)?;
        list.retain(|other| other != element.expose());
        self.put(label, key, &list)
    }

    /// Everything written, as rows.
    pub(super) fn into_changes(self) -> Result<Vec<RowChange>, StoreError> {
        let mut changes = Vec::new();
        for (key, value) in self.values.take() {
            let before = stored_chunks(self.rows, &key)?;
            let after = match &value {
                Some(value) => push_chunks(&mut changes, &key, value)?,
                None => 0,
            };
            for chunk in after..before {
                changes.push(RowChange { key: chunk_key(&key, chunk), value: None });
            }
        }
        Ok(changes)
    }

    fn value(&self, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        match self.values.borrow().get(key) {
            Some(value) => Ok(value.clone()),
            None => stored(self.rows, key),
        }
    }
}

impl fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Overlay({:?}, {} values)", self.place, self.values.borrow().len())
    }
}

/// Where a value's chunks stand.
fn row_key<K: Serialize + ?Sized>(
    place: Place,
    label: Label,
    key: &K,
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = match place {
        Place::Current => Vec::from([0]),
        Place::Past(epoch) => [&[1], epoch.to_be_bytes().as_slice()].concat(),
    };
    bytes.push(label as u8);
    rmp_serde::encode::write(&mut bytes, key).map_err(|_| StoreError::Damaged)?;
    Ok(bytes)
}

fn chunk_key(key: &[u8], chunk: u32) -> Vec<u8> {
    [key, &chunk.to_be_bytes()].concat()
}

fn encode<V: Serialize + ?Sized>(value: &V) -> Result<SecretBytes, StoreError> {
    let mut bytes = Vec::with_capacity(USUAL_LENGTH);
    rmp_serde::encode::write_named(&mut bytes, value).map_err(|_| StoreError::Damaged)?;
    Ok(SecretBytes::new(bytes))
}

fn decode<V: DeserializeOwned>(bytes: &[u8]) -> Result<V, StoreError> {
    rmp_serde::from_slice(bytes).map_err(|_| StoreError::Damaged)
}

/// Splits a value into rows and says into how many.
fn push_chunks(
    changes: &mut Vec<RowChange>,
    key: &[u8],
    value: &SecretBytes,
) -> Result<u32, StoreError> {
    let count = value.len().div_ceil(CHUNK_LENGTH).max(1);
    let count = u32::try_from(count).map_err(|_| StoreError::Damaged)?;
    let mut chunks = value.expose().chunks(CHUNK_LENGTH);
    for chunk in 0..count {
        let bytes = chunks.next().unwrap_or_default();
        let mut row = SecretBytes::new(Vec::with_capacity(HEADER_LENGTH + bytes.len()));
        if chunk == 0 {
            row.extend(&[FORMAT]);
            row.extend(&count.to_be_bytes());
        }
        row.extend(bytes);
        changes.push(RowChange { key: chunk_key(key, chunk), value: Some(row) });
    }
    Ok(count)
}

/// Into how many rows the store has split a value.
fn stored_chunks(rows: &dyn Rows, key: &[u8]) -> Result<u32, StoreError> {
    let Some(first) = rows.get(&chunk_key(key, 0))? else { return Ok(0) };
    Ok(split_header(first.expose())?.0)
}

/// A value, put together.
fn stored(rows: &dyn Rows, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
    let Some(first) = rows.get(&chunk_key(key, 0))? else { return Ok(None) };
    let (count, bytes) = split_header(first.expose())?;
    let mut value = SecretBytes::new(bytes.to_vec());
    for chunk in 1..count {
        let next = rows.get(&chunk_key(key, chunk))?.ok_or(StoreError::Damaged)?;
        value.extend(next.expose());
    }
    Ok(Some(value))
}

fn split_header(row: &[u8]) -> Result<(u32, &[u8]), StoreError> {
    let (format, rest) = row.split_first().ok_or(StoreError::Damaged)?;
    if *format != FORMAT {
        return Err(StoreError::UnsupportedFormat(*format));
    }
    let (count, bytes) = rest.split_first_chunk().ok_or(StoreError::Damaged)?;
    Ok((u32::from_be_bytes(*count), bytes))
}

/// MessagePack with names.
const FORMAT: u8 = 1;

/// Format and number of chunks.
const HEADER_LENGTH: usize = 5;

/// Room for what most values need, so that growing leaves no copies of keys behind.
const USUAL_LENGTH: usize = 8 * 1024;

#[cfg(test)]
mod tests;
