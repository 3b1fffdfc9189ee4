//! A state in a folder of the file system: one redb file.

use std::path::Path;

use meshwork_protocols::time::WallTime;

use crate::creation::{CreateError, Draft};
use crate::meta::Format;
use crate::migration::VERSIONS;
use crate::opening::{OpenError, Unlocked};
use crate::redb_store::RedbStore;
use crate::unlock::{Lock, Unlock, UnlockKind};
use crate::witness::Witness;
use crate::{Sealing, State, StoreError, folder};

/// The name of the store in a state's folder.
pub const STORE_FILE: &str = "state.redb";

impl State {
    /// Makes a state in `directory`, which is made too where it does not exist. A crash on the way
    /// leaves no state, and nothing that a second attempt would stumble over.
    pub fn create(
        directory: &Path,
        witness: Box<dyn Witness>,
        unlock: &Unlock,
        mut sealing: Sealing,
        now: WallTime,
    ) -> Result<Self, CreateError> {
        folder::create(directory)
            .map_err(|error| CreateError::Store(StoreError::Disk(error.kind())))?;
        let vacancy = RedbStore::claim(&directory.join(STORE_FILE))?;
        let draft = Draft::new(unlock, &mut sealing, now)?;
        Self::testify_birth(&*witness, &draft)?;
        let store = vacancy.build(&draft.batch)?;
        Ok(Self::born(Box::new(store), witness, draft, sealing))
    }

    /// Opens the state in `directory`. Where it does not open, no byte there was changed.
    pub fn open(
        directory: &Path,
        witness: Box<dyn Witness>,
        unlock: &Unlock,
        sealing: Sealing,
    ) -> Result<Self, OpenError> {
        let inspected = RedbStore::inspect(&directory.join(STORE_FILE))?;
        let unlocked = Unlocked::read(inspected.rows(), &VERSIONS, unlock, &sealing)?;
        let evidence = unlocked.judge(&*witness)?;
        let store = Box::new(inspected.admit()?);
        Self::start(store, witness, unlocked, evidence, (&VERSIONS, sealing))
    }

    /// What the state in `directory` asks its owner for. Changes no byte there.
    pub fn unlock_kind(directory: &Path) -> Result<UnlockKind, OpenError> {
        let inspected = RedbStore::inspect(&directory.join(STORE_FILE))?;
        Format::read(inspected.rows())?.ok_or(OpenError::NotAState)?;
        Ok(Lock::read(inspected.rows())?.kind())
    }
}
