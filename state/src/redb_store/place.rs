//! Where the file is: its lock, and how a whole file takes its place at once.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use redb::Database;
use redb::backends::FileBackend;

use crate::StoreError;
use crate::folder;

use super::failure::Failure;
use super::medium::Medium;

/// The path of a store, locked for this process.
///
/// The lock is on a file of its own beside the store, which is never renamed or removed: the
/// store's file is replaced when it is written anew.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    _lock: File,
}

impl Place {
    /// Locks the path of a store that is there.
    pub(super) fn occupied(path: &Path) -> Result<Self, StoreError> {
        // Before the lock: where there is no store, nothing is to appear.
        let length = fs::metadata(path).map_err(disk)?.len();
        let place = Self::locked(path)?;
        // redb would make a store of an empty file.
        if length == 0 { Err(StoreError::Damaged) } else { Ok(place) }
    }

    /// Locks the path of a store that is to be made.
    pub(super) fn vacant(path: &Path) -> Result<Self, StoreError> {
        let place = Self::locked(path)?;
        match fs::symlink_metadata(path) {
            Ok(_) => Err(StoreError::Disk(std::io::ErrorKind::AlreadyExists)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(place),
            Err(error) => Err(disk(error)),
        }
    }

    fn locked(path: &Path) -> Result<Self, StoreError> {
        let lock = folder::private()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.with_extension("lock"))
            .map_err(disk)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked),
            Err(TryLockError::Error(error)) => Err(disk(error)),
        }
    }

    /// A new handle to the file.
    pub(super) fn backend(&self) -> Result<FileBackend, StoreError> {
        let file = OpenOptions::new().read(true).write(true).open(&self.path).map_err(disk)?;
        Ok(FileBackend::new(file).map_err(Failure::from)?)
    }

    /// Makes a store beside the path, durable and closed when this returns. One that an earlier
    /// attempt left there never was anybody's, and goes.
    pub(super) fn build(
        &self,
        fill: impl FnOnce(&mut Database) -> Result<(), Failure>,
    ) -> Result<(), StoreError> {
        let file = folder::private()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(self.fresh())
            .map_err(disk)?;
        let syncing = file.try_clone().map_err(disk)?;
        let medium = Medium::new(FileBackend::new(file).map_err(Failure::from)?);
        let mut fresh = super::open_database(&medium)?;
        fill(&mut fresh)?;
        drop(fresh);
        syncing.sync_all().map_err(disk)
    }

    /// Puts what [`Place::build`] made in the store's place.
    pub(super) fn replace(&self) -> Result<(), StoreError> {
        fs::rename(self.fresh(), &self.path).map_err(disk)?;
        folder::sync_parent(&self.path).map_err(disk)
    }

    fn fresh(&self) -> PathBuf {
        self.path.with_extension("new")
    }
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn disk(error: std::io::Error) -> StoreError {
    StoreError::Disk(error.kind())
}
