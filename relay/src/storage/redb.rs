//! The default backend: redb, one file.
//!
//! Owns how the file is made, locked, opened again after a failure, and committed. A batch of
//! changes is one transaction. Depositors choose what is stored, so it commits in two phases: redb's
//! checksum alone (XXH3) could be forged by who chooses the bytes and cuts the power. The same
//! switch (quick repair) lets it open again at once after a crash, whatever its size.

mod medium;
mod tables;

use std::cell::OnceCell;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Builder, Database, StorageBackend};

use self::medium::Medium;
use self::tables::{Lasts, Tables, View};
use super::{Applied, Change, Key, Most, Record, Storage, StorageError, Subject, Totals};

/// Logs and values in a redb file.
pub struct RedbStorage {
    /// What is durable, from the first read after a change to the next change.
    view: OnceCell<View>,
    /// Nothing after a change that failed.
    database: Option<Database>,
    lasts: Lasts,
    medium: Medium,
    /// How many bytes of it are kept in memory.
    cache: usize,
}

impl RedbStorage {
    /// Opens the file at `path`, or makes one. `cache` is how many bytes of it are kept in memory.
    pub fn open(path: &Path, cache: usize) -> Result<Self, StorageError> {
        if !path.exists() {
            make(path).map_err(|error| StorageError::Disk(error.kind()))?;
        }
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(|error| StorageError::Disk(error.kind()))?;
        lock(&file)?;
        Self::over(backend(file)?, cache)
    }

    /// Opens what a backend of redb's holds, or makes it there. Its `close` is never called.
    pub fn on(backend: impl StorageBackend) -> Result<Self, StorageError> {
        Self::over(backend, SMALL_CACHE)
    }

    fn over(backend: impl StorageBackend, cache: usize) -> Result<Self, StorageError> {
        let medium = Medium::new(backend);
        let database = guarded(|| open(&medium, cache))?;
        Ok(Self {
            view: OnceCell::new(),
            database: Some(database),
            lasts: Lasts::new(),
            medium,
            cache,
        })
    }

    fn reading<T>(
        &self,
        read: impl FnOnce(&View) -> Result<T, redb::Error>,
    ) -> Result<T, StorageError> {
        let database = self.database.as_ref().ok_or(StorageError::Poisoned)?;
        guarded(|| match self.view.get() {
            Some(view) => read(view),
            None => {
                let view = View::of(database)?;
                read(self.view.get_or_init(|| view))
            }
        })
    }
}

impl Storage for RedbStorage {
    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Applied>, StorageError> {
        // Pages that a reader sees are not used again.
        self.view.take();
        let database = self.database.take().ok_or(StorageError::Poisoned)?;
        let known = std::mem::take(&mut self.lasts);
        let (applied, lasts) = guarded(|| {
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(true);
            let mut tables = Tables::open(&transaction, known)?;
            let applied: Vec<_> =
                changes.iter().map(|change| tables.take(change)).collect::<Result<_, _>>()?;
            let lasts = tables.close()?;
            transaction.commit()?;
            Ok((applied, lasts))
        })?;
        (self.database, self.lasts) = (Some(database), lasts);
        Ok(applied)
    }

    fn reopen(&mut self) -> Result<(), StorageError> {
        self.view.take();
        self.database = None;
        // 1. What a failed sync left in the system's cache is made durable, or the disk is given
        //    up. 2. Only then redb chooses the root.
        self.medium.rewrite_unsynced().map_err(|error| StorageError::Disk(error.kind()))?;
        self.database = Some(guarded(|| open(&self.medium, self.cache))?);
        Ok(())
    }

    fn read(&self, subject: &Subject, after: u64, most: Most) -> Result<Vec<Record>, StorageError> {
        let Some(from) = after.checked_add(1) else { return Ok(Vec::new()) };
        self.reading(|view| view.read(subject, from, most))
    }

    fn last(&self, subject: &Subject) -> Result<u64, StorageError> {
        self.reading(|view| view.last(subject))
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StorageError> {
        self.reading(|view| view.get(key))
    }

    fn subjects(&self, after: Option<&Subject>, most: usize) -> Result<Vec<Subject>, StorageError> {
        self.reading(|view| view.subjects(after, most))
    }

    fn values(
        &self,
        after: Option<&Key>,
        most: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StorageError> {
        self.reading(|view| view.values(after, most))
    }

    fn totals(&self) -> Result<Totals, StorageError> {
        self.reading(|view| Ok(view.totals()))
    }
}

impl fmt::Debug for RedbStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStorage").finish_non_exhaustive()
    }
}

/// Opens a database, with its tables.
fn open(medium: &Medium, cache: usize) -> Result<Database, redb::Error> {
    let database = Builder::new().set_cache_size(cache).create_with_backend(medium.clone())?;
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    drop(Tables::open(&transaction, Lasts::new())?);
    transaction.commit()?;
    Ok(database)
}

/// Makes an empty file that appears under its name whole or not at all: a crash in the middle of
/// it leaves something that redb would take for damaged.
fn make(path: &Path) -> io::Result<()> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&fresh)?;
    let made = backend(file).and_then(|backend| RedbStorage::over(backend, SMALL_CACHE));
    drop(made.map_err(io::Error::other)?);
    File::open(&fresh)?.sync_all()?;
    fs::rename(&fresh, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Keeps other processes out for as long as the file is open.
fn lock(file: &File) -> Result<(), StorageError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => StorageError::Locked,
        TryLockError::Error(error) => StorageError::Disk(error.kind()),
    })
}

fn backend(file: File) -> Result<FileBackend, StorageError> {
    FileBackend::new(file).map_err(|error| judged(error.into()))
}

/// Does `work` on a file that may be damaged. redb trusts its pages, and panics over one that makes
/// no sense: that is an error of the file, not of the process.
fn guarded<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, StorageError> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(judged),
        Err(_) => Err(StorageError::Damaged),
    }
}

fn judged(error: redb::Error) -> StorageError {
    match error {
        redb::Error::Io(error) => match error.kind() {
            // redb says that a file is not its own, or ends too early, with an I/O error.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => StorageError::Damaged,
            kind => StorageError::Disk(kind),
        },
        redb::Error::DatabaseAlreadyOpen => StorageError::Locked,
        redb::Error::PreviousIo | redb::Error::LockPoisoned(_) => StorageError::Poisoned,
        _ => StorageError::Damaged,
    }
}

/// Where nothing is read but what was just written.
const SMALL_CACHE: usize = 16 << 20;
