//! Opening the state that the caller named, or making it.

use std::fs::DirBuilder;
use std::io;
use std::path::Path;
use std::sync::Arc;

use meshwork_protocols::provider::FleetProvider;
use meshwork_protocols::secret::Secret;
use meshwork_protocols::time::WallTime;
use meshwork_state::{
    FileWitness, MemoryStore, OpenError, Sealing, State, Unlock, UnlockError, Witness, key_file,
};

use super::witness::MemoryWitness;
use super::{Builder, Place, StartError};

/// The name of the key file in a state's folder, where the caller brings nothing else.
const KEY_FILE: &str = "key";

/// What is needed to open a state or to make one.
pub(super) struct Opening {
    pub(super) provider: Arc<dyn FleetProvider>,
    pub(super) now: WallTime,
}

impl Opening {
    /// Opens the state, or makes it where there is none.
    pub(super) fn open(&self, builder: &Builder) -> Result<State, StartError> {
        match &builder.place {
            Place::Nowhere => Err(StartError::NoPlace),
            Place::Memory => self.in_memory(),
            Place::Folder(folder) => self.in_folder(folder, builder),
        }
    }

    fn in_memory(&self) -> Result<State, StartError> {
        let unlock = Unlock::Key(Secret::random(&mut *self.provider.random()));
        let (store, witness) = (Box::<MemoryStore>::default(), Box::<MemoryWitness>::default());
        Ok(State::create_on(store, witness, &unlock, self.sealing(), self.now)?)
    }

    fn in_folder(&self, folder: &Path, builder: &Builder) -> Result<State, StartError> {
        let brought = builder.unlock.clone();
        let has_brought = brought.is_some();
        let unlock = brought.unwrap_or_else(|| Unlock::KeyFile(folder.join(KEY_FILE)));
        match State::open(folder, witness(builder)?, &unlock, self.sealing()) {
            Err(OpenError::NotAState) => {
                if !has_brought {
                    self.make_key_file(folder)?;
                }
                Ok(State::create(folder, witness(builder)?, &unlock, self.sealing(), self.now)?)
            }
            Err(OpenError::Unlock(UnlockError::WrongKind(kind))) if !has_brought => {
                Err(StartError::UnlockWanted(kind))
            }
            opened => Ok(opened?),
        }
    }

    /// Makes the key file of a new state; one that an earlier attempt left will do.
    fn make_key_file(&self, folder: &Path) -> Result<(), StartError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let made = builder.create(folder).and_then(|()| {
            let random = &mut *self.provider.random();
            key_file::create(&folder.join(KEY_FILE), &*self.provider, random).map(drop)
        });
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(StartError::KeyFile(error.kind()))
            }
            _ => Ok(()),
        }
    }

    fn sealing(&self) -> Sealing {
        Sealing::new(self.provider.clone())
    }
}

fn witness(builder: &Builder) -> Result<Box<dyn Witness>, StartError> {
    let witness = match &builder.witness {
        Some(folder) => FileWitness::in_folder(folder),
        None => FileWitness::in_user_data().ok_or(StartError::NoWitnessPlace)?,
    };
    Ok(Box::new(witness))
}
