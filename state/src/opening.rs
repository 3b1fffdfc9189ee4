//! Opening a state: everything that is checked before anything is written.

use std::io;

use meshwork_protocols::lineage::Incarnation;
use meshwork_protocols::secret::Secret;

use crate::keyring::{KeyMaker, Keyring, SessionKey};
use crate::lineage::{self, RestoreEvidence};
use crate::meta::{self, Format, Progress, Start};
use crate::migration::Versions;
use crate::record::Purpose;
use crate::unlock::{Lock, Unlock, UnlockError};
use crate::witness::{Witness, WitnessError};
use crate::{CommitNumber, Namespace, Rows, Sealing, StoreError};

/// Why a state did not open. Nothing was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no state here.
    #[error("there is no state here")]
    NotAState,
    /// The file is truncated, or was changed by somebody else.
    #[error("the state is damaged: its file is truncated or was changed")]
    Damaged,
    /// Another process has it open.
    #[error("another process has the state open")]
    Locked,
    /// The key file or passphrase is another state's.
    #[error("the key or passphrase is not this state's")]
    WrongKey,
    /// No key came of what the owner brought.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// A newer build wrote it.
    #[error("the state has format {found}, and this build knows no newer than {known}")]
    TooNew {
        /// Its version.
        found: u16,
        /// The newest that this build knows.
        known: u16,
    },
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The witness can be neither read nor said to be missing.
    #[error(transparent)]
    Witness(#[from] WitnessError),
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            // The key was the right one by then.
            StoreError::Damaged | StoreError::Unsealed => Self::Damaged,
            StoreError::Locked => Self::Locked,
            StoreError::Disk(io::ErrorKind::NotFound) => Self::NotAState,
            error => Self::Store(error),
        }
    }
}

/// A state whose keys are known and whose own rows make sense.
#[derive(Debug)]
pub(crate) struct Unlocked {
    pub(crate) format: Format,
    pub(crate) keys: Keyring,
    pub(crate) number: CommitNumber,
    /// The start before this one.
    pub(crate) last_start: Incarnation,
    /// A restore that the owner has not accepted yet.
    pub(crate) restored: Option<RestoreEvidence>,
}

impl Unlocked {
    /// Reads the state's own rows and opens them, in the order in which they lead to each other.
    pub(crate) fn read(
        rows: &dyn Rows,
        versions: &Versions,
        unlock: &Unlock,
        sealing: &Sealing,
    ) -> Result<Self, OpenError> {
        // 1. A state at all, and one that this build knows.
        let format = Format::read(rows)?.ok_or(OpenError::NotAState)?;
        if format.version > versions.current() {
            return Err(OpenError::TooNew { found: format.version, known: versions.current() });
        }
        if !versions.know(format.version) {
            return Err(OpenError::Damaged);
        }
        // 2. The owner's key opens the data key, and that the session key.
        let keys = Keyring::read(rows, format, unlock, sealing)?;
        // 3. What is sealed says the same version.
        let progress: Progress = required(rows, &keys, meta::PROGRESS)?;
        if progress.version != format.version {
            return Err(OpenError::Damaged);
        }
        let start: Start = required(rows, &keys, meta::START)?;
        let restored = keys.read_meta(rows, meta::RESTORED)?;
        let restored = restored.map(|row| meta::decode(row.expose())).transpose()?;
        let (number, last_start) = (progress.number, start.incarnation);
        Ok(Self { format, keys, number, last_start, restored })
    }

    /// What the witness says of it.
    pub(crate) fn judge(
        &self,
        witness: &dyn Witness,
    ) -> Result<Option<RestoreEvidence>, WitnessError> {
        let answer = witness.read(self.format.store);
        lineage::judge(self.format.store, self.number, answer)
    }
}

impl Keyring {
    fn read(
        rows: &dyn Rows,
        format: Format,
        unlock: &Unlock,
        sealing: &Sealing,
    ) -> Result<Self, OpenError> {
        let wrapping = unlock.key_encryption_key(Lock::read(rows)?, format.store, sealing)?;
        let wrapped = rows.get(Namespace::Meta, meta::DATA_KEY)?.ok_or(StoreError::Damaged)?;
        let secret = match wrapping.open(Namespace::Meta, meta::DATA_KEY, &wrapped) {
            Err(StoreError::Unsealed) => return Err(OpenError::WrongKey),
            secret => secret?,
        };
        let secret = Secret::from_slice(secret.expose()).ok_or(StoreError::Damaged)?;
        let maker = KeyMaker::new(sealing, format.store);
        let data = maker.key(&secret, Purpose::Data)?;
        let session = SessionKey::read(rows, &data, &maker)?;
        Ok(Self { data, session })
    }
}

/// A row without which there is no state.
pub(crate) fn required<T: serde::de::DeserializeOwned>(
    rows: &dyn Rows,
    keys: &Keyring,
    key: &[u8],
) -> Result<T, StoreError> {
    let row = keys.read_meta(rows, key)?.ok_or(StoreError::Damaged)?;
    meta::decode(row.expose())
}
