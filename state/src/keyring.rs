//! The keys of an open state: which row is sealed under which.

use std::sync::Arc;

use meshwork_protocols::provider::Provider;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};
use meshwork_protocols::time::WallTime;
use serde::Serialize;

use crate::meta;
use crate::record::{Purpose, RecordKey};
use crate::{Batch, Change, Cipher, Namespace, Rows, Sealing, StoreError, StoreId};

/// The data key and the session key.
#[derive(Debug)]
pub(crate) struct Keyring {
    pub(crate) data: RecordKey,
    pub(crate) session: SessionKey,
}

impl Keyring {
    /// The key of the rows of `namespace`.
    fn of(&self, namespace: Namespace) -> &RecordKey {
        if Namespace::OF_SESSIONS.contains(&namespace) { &self.session.key } else { &self.data }
    }

    /// The plaintext of the record that stands there.
    pub(crate) fn open(
        &self,
        namespace: Namespace,
        key: &[u8],
        record: &SecretBytes,
    ) -> Result<SecretBytes, StoreError> {
        self.of(namespace).open(namespace, key, record)
    }

    /// Adds a row of [`Namespace::Meta`] to `sealed`.
    pub(crate) fn put_meta(
        &self,
        sealed: &mut Batch,
        key: &[u8],
        row: &impl Serialize,
        random: &mut dyn Random,
    ) -> Result<(), StoreError> {
        let plaintext = meta::encode(row)?;
        let record = self.data.seal(Namespace::Meta, key, plaintext.expose(), random)?;
        sealed.put(Namespace::Meta, key, record);
        Ok(())
    }

    /// The batch as it goes to disk.
    pub(crate) fn seal(&self, batch: &Batch, random: &mut dyn Random) -> Result<Batch, StoreError> {
        let mut sealed = Batch::new();
        for (namespace, key, change) in batch.changes() {
            match change {
                Change::Put(value) => {
                    let record = self.of(namespace).seal(namespace, key, value.expose(), random)?;
                    sealed.put(namespace, key, record);
                }
                Change::Delete => sealed.delete(namespace, key),
            }
        }
        Ok(sealed)
    }

    /// The plaintext of a row of [`Namespace::Meta`].
    pub(crate) fn read_meta(
        &self,
        rows: &dyn Rows,
        key: &[u8],
    ) -> Result<Option<SecretBytes>, StoreError> {
        let record = rows.get(Namespace::Meta, key)?;
        record.map(|record| self.open(Namespace::Meta, key, &record)).transpose()
    }
}

/// The key of the session rows, and when it was drawn.
#[derive(Debug)]
pub(crate) struct SessionKey {
    key: RecordKey,
    pub(crate) since: WallTime,
}

impl SessionKey {
    /// Draws a fresh one; with it comes its record under the data key.
    pub(crate) fn draw(
        data: &RecordKey,
        maker: &KeyMaker,
        since: WallTime,
        random: &mut dyn Random,
    ) -> Result<(Self, SecretBytes), StoreError> {
        let secret = Secret::random(random);
        let mut row = SecretBytes::new([&secret.expose()[..], &[0; 8]].concat());
        if let Some(time) = row.expose_mut().last_chunk_mut() {
            *time = since.as_millis().to_be_bytes();
        }
        let record = data.seal(Namespace::Meta, meta::SESSION_KEY, row.expose(), random)?;
        Ok((Self { key: maker.key(&secret, Purpose::Session)?, since }, record))
    }

    /// Reads the one that is stored.
    pub(crate) fn read(
        rows: &dyn Rows,
        data: &RecordKey,
        maker: &KeyMaker,
    ) -> Result<Self, StoreError> {
        let record = rows.get(Namespace::Meta, meta::SESSION_KEY)?.ok_or(StoreError::Damaged)?;
        let row = data.open(Namespace::Meta, meta::SESSION_KEY, &record)?;
        let (secret, since) = row.expose().split_last_chunk().ok_or(StoreError::Damaged)?;
        let secret = Secret::from_slice(secret).ok_or(StoreError::Damaged)?;
        let since = WallTime::from_millis(u64::from_be_bytes(*since));
        Ok(Self { key: maker.key(&secret, Purpose::Session)?, since })
    }

    /// Seals a row of one of [`Namespace::OF_SESSIONS`].
    pub(crate) fn seal(
        &self,
        namespace: Namespace,
        key: &[u8],
        plaintext: &SecretBytes,
        random: &mut dyn Random,
    ) -> Result<SecretBytes, StoreError> {
        self.key.seal(namespace, key, plaintext.expose(), random)
    }
}

/// What turns a secret of one store into record keys.
#[derive(Clone, Debug)]
pub(crate) struct KeyMaker {
    provider: Arc<dyn Provider>,
    store: StoreId,
    writes: Cipher,
}

impl KeyMaker {
    pub(crate) fn new(sealing: &Sealing, store: StoreId) -> Self {
        Self { provider: Arc::clone(&sealing.provider), store, writes: sealing.cipher }
    }

    pub(crate) fn key(
        &self,
        secret: &Secret<32>,
        purpose: Purpose,
    ) -> Result<RecordKey, StoreError> {
        RecordKey::derive(&*self.provider, self.store, secret, purpose, self.writes)
    }
}
