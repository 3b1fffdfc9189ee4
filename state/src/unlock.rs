//! What the owner brings to open a state: a key file, a key, or a passphrase.

use std::path::PathBuf;

use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};
use serde::{Deserialize, Serialize};

use crate::StoreId;
use crate::key_file::{self, KeyFileError};
use crate::passphrase::Stretching;
use crate::record::{Purpose, RecordKey};
use crate::sealing::Sealing;

/// What opens a state.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Unlock {
    /// The key in this file, which [`key_file::create`] made.
    KeyFile(PathBuf),
    /// A key that the caller holds.
    Key(Secret<32>),
    /// A passphrase. It is stretched with Argon2id, which takes a fraction of a second.
    Passphrase(SecretBytes),
}

impl Unlock {
    /// Which kind it is.
    pub fn kind(&self) -> UnlockKind {
        match self {
            Self::KeyFile(_) | Self::Key(_) => UnlockKind::Key,
            Self::Passphrase(_) => UnlockKind::Passphrase,
        }
    }

    /// A lock that it opens.
    pub(crate) fn new_lock(&self, random: &mut dyn Random) -> Lock {
        match self.kind() {
            UnlockKind::Key => Lock::Key,
            UnlockKind::Passphrase => Lock::Passphrase(Stretching::recommended(random)),
        }
    }

    /// The key that wraps the store's data key.
    pub(crate) fn key_encryption_key(
        &self,
        lock: Lock,
        store: StoreId,
        sealing: &Sealing,
    ) -> Result<RecordKey, UnlockError> {
        let provider = &*sealing.provider;
        let secret = match (self, lock) {
            (Self::KeyFile(path), Lock::Key) => key_file::read(path, provider)?,
            (Self::Key(key), Lock::Key) => key.clone(),
            (Self::Passphrase(passphrase), Lock::Passphrase(stretching)) => {
                stretching.stretch(passphrase)?
            }
            (_, lock) => return Err(UnlockError::WrongKind(lock.kind())),
        };
        RecordKey::derive(provider, store, &secret, Purpose::KeyEncryption, sealing.cipher)
            .map_err(|_| UnlockError::ProviderFailed)
    }
}

/// What a state asks its owner for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum UnlockKind {
    /// A key or a key file.
    Key,
    /// A passphrase.
    Passphrase,
}

/// How the data key is wrapped, as it is stored. To change it is to have another key.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Lock {
    Key,
    Passphrase(Stretching),
}

impl Lock {
    pub(crate) fn kind(self) -> UnlockKind {
        match self {
            Self::Key => UnlockKind::Key,
            Self::Passphrase(_) => UnlockKind::Passphrase,
        }
    }
}

/// Why no key came of what the owner brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UnlockError {
    /// The state asks for the other kind.
    #[error("the state opens with {}", match .0 {
        UnlockKind::Key => "a key file, not with a passphrase",
        UnlockKind::Passphrase => "a passphrase, not with a key file",
    })]
    WrongKind(UnlockKind),
    /// The key file gave no key.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The stored Argon2id parameters are weaker than any that were ever written, or so strong
    /// that they would exhaust the machine: the header was changed.
    #[error("the stored passphrase parameters are outside what is safe")]
    UnsafeParameters,
    /// The memory that Argon2id needs is not to be had.
    #[error("not enough memory to stretch the passphrase")]
    OutOfMemory,
    /// The crypto provider failed.
    #[error("the crypto provider failed")]
    ProviderFailed,
}
