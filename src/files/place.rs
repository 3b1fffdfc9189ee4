//! Where a file is put together, and how it gets its name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::name::PARTIAL;
use super::{FileName, ReceiveError};

/// A file that is not whole, locked, beside the place that it is to have.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    partial: PathBuf,
    whole: PathBuf,
}

impl Place {
    /// The place of a file in a folder, and the file itself, empty. What an earlier attempt left
    /// there is gone.
    pub(super) fn begin(folder: &Path, name: &FileName) -> Result<(Self, File), ReceiveError> {
        let place = Self {
            folder: folder.into(),
            partial: folder.join(format!("{name}{PARTIAL}")),
            whole: folder.join(name.as_str()),
        };
        if fs::symlink_metadata(&place.whole).is_ok() {
            return Err(ReceiveError::Exists);
        }
        let mut options = OpenOptions::new();
        // Emptied only once it is ours alone.
        let file = options.write(true).create(true).truncate(false).open(&place.partial);
        let file = file.map_err(ReceiveError::Disk)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => ReceiveError::Coming,
            TryLockError::Error(error) => ReceiveError::Disk(error),
        })?;
        file.set_len(0).map_err(ReceiveError::Disk)?;
        Ok((place, file))
    }

    /// Gives the file its name, durably, unless another has got it meanwhile.
    pub(super) fn keep(self, file: &File) -> Result<PathBuf, ReceiveError> {
        file.sync_all().map_err(ReceiveError::Disk)?;
        // A link is never made over a file, where a rename would be.
        match fs::hard_link(&self.partial, &self.whole) {
            Ok(()) => fs::remove_file(&self.partial).map_err(ReceiveError::Disk)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(ReceiveError::Exists);
            }
            Err(_) => self.keep_without_links()?,
        }
        let folder = File::open(&self.folder).and_then(|folder| folder.sync_all());
        folder.map_err(ReceiveError::Disk)?;
        Ok(self.whole)
    }

    /// Some file systems have no links: the name is taken by an empty file first.
    fn keep_without_links(&self) -> Result<(), ReceiveError> {
        match File::create_new(&self.whole) {
            Ok(_) => fs::rename(&self.partial, &self.whole).map_err(ReceiveError::Disk),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(ReceiveError::Exists),
            Err(error) => Err(ReceiveError::Disk(error)),
        }
    }
}
