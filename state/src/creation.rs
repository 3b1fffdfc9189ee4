//! Making a state: its id, its keys and its first commit.

use std::io;

use meshwork_protocols::lineage::Incarnation;
use meshwork_protocols::secret::Secret;
use meshwork_protocols::time::WallTime;

use crate::keyring::{KeyMaker, Keyring, SessionKey};
use crate::meta::{self, Format, Progress, Start};
use crate::migration::VERSIONS;
use crate::record::Purpose;
use crate::unlock::{Unlock, UnlockError};
use crate::witness::WitnessError;
use crate::{Batch, CommitNumber, Namespace, Sealing, StoreError, StoreId};

/// Why no state was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// There is a state already.
    #[error("there is a state here already")]
    Occupied,
    /// Another process makes one at this moment.
    #[error("another process has the state open")]
    Locked,
    /// No key came of what the owner brought.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The witness could not be written. Without it the state would look restored.
    #[error(transparent)]
    Witness(#[from] WitnessError),
}

impl From<StoreError> for CreateError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Locked => Self::Locked,
            StoreError::Disk(io::ErrorKind::AlreadyExists) => Self::Occupied,
            error => Self::Store(error),
        }
    }
}

/// A state that is wholly decided, and not yet anywhere.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) format: Format,
    pub(crate) keys: Keyring,
    pub(crate) start: Start,
    /// The first commit.
    pub(crate) batch: Batch,
}

impl Draft {
    /// The number of the first commit.
    pub(crate) fn number() -> CommitNumber {
        CommitNumber::ZERO.next()
    }

    /// Draws a state that `unlock` opens.
    pub(crate) fn new(
        unlock: &Unlock,
        sealing: &mut Sealing,
        now: WallTime,
    ) -> Result<Self, CreateError> {
        let mut batch = Batch::new();
        // 1. What it is, in clear.
        let store = StoreId::random(&mut *sealing.random);
        let format = Format { version: VERSIONS.current(), store };
        batch.put(Namespace::Meta, meta::FORMAT, format.record());
        // 2. The data key, wrapped.
        let lock = unlock.new_lock(&mut *sealing.random);
        batch.put(Namespace::Meta, meta::LOCK, lock.record()?);
        let wrapping = unlock.key_encryption_key(lock, store, sealing)?;
        let maker = KeyMaker::new(sealing, store);
        let random = &mut *sealing.random;
        let secret = Secret::<32>::random(random);
        let wrapped = wrapping.seal(Namespace::Meta, meta::DATA_KEY, secret.expose(), random)?;
        batch.put(Namespace::Meta, meta::DATA_KEY, wrapped);
        // 3. What the data key seals.
        let data = maker.key(&secret, Purpose::Data)?;
        let (session, row) = SessionKey::draw(&data, &maker, now, random)?;
        batch.put(Namespace::Meta, meta::SESSION_KEY, row);
        let keys = Keyring { data, session };
        let start = Start { incarnation: Incarnation::random(random), parent: Incarnation::NONE };
        keys.put_meta(&mut batch, meta::START, &start, random)?;
        let progress = Progress { number: Self::number(), version: format.version };
        keys.put_meta(&mut batch, meta::PROGRESS, &progress, random)?;
        Ok(Self { format, keys, start, batch })
    }
}
