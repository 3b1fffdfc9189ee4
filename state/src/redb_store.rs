//! The default backend: redb, one file.
//!
//! Owns how rows lie in redb's one table, how a failed sync is survived, and how the file is made,
//! locked and rewritten. Knows nothing of what stands in a value.

mod failure;
mod medium;
mod place;

use std::fmt;
use std::ops::Bound;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, RwLock};

use meshwork_protocols::secret::SecretBytes;
use redb::{
    Builder, Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableError,
};

use crate::{Batch, Change, Namespace, Row, Rows, Store, StoreError};

use self::failure::Failure;
use self::medium::Medium;
use self::place::Place;

/// Rows in a redb file: each commit is one transaction with one sync.
///
/// It commits in one phase. redb's two-phase commit keeps one who chooses what is stored, and who
/// can crash the process, from forging its checksum (XXH3); here every value was sealed under a
/// random nonce before redb sees it, so that nobody chooses or knows the bytes of a page in
/// advance. Two phases would cost a third of the durable commits a second where each has one row
/// (2,520 against 3,937), and 8 % where each has a hundred (468 against 507).
pub struct RedbStore {
    /// Shared to read and to commit, alone to open again and to compact.
    opened: RwLock<Opened>,
    /// One commit at a time, so that none begins after one that failed.
    committing: Mutex<()>,
    /// Whether a commit failed since the store was opened.
    poisoned: AtomicBool,
    /// Where the file is, and the lock; nothing for a backend that the caller gave.
    place: Option<Place>,
}

/// The database and what it writes through. There is no database where opening it again failed.
struct Opened {
    database: Option<Database>,
    medium: Medium,
}

impl RedbStore {
    /// Opens the store in the file at `path`, which must exist.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::inspect(path)?.admit()
    }

    /// Opens the store in the file at `path` to look at it: until [`Inspected::admit`] nothing is
    /// written to the file, not even the repair that redb makes after a crash.
    pub fn inspect(path: &Path) -> Result<Inspected, StoreError> {
        let place = Place::occupied(path)?;
        let medium = Medium::held(place.backend()?);
        let store = Self::over(medium, Some(place))?;
        Ok(Inspected(store))
    }

    /// Claims `path` for a new store: locks it, and makes sure that no store is there.
    pub fn claim(path: &Path) -> Result<Vacancy, StoreError> {
        Ok(Vacancy(Place::vacant(path)?))
    }

    /// Opens the store on a backend of redb's, or makes one where it is empty. The backend's
    /// `close` is never called: the store opens it again after a failure. Compaction is redb's
    /// own here, which can leave old bytes in pages that stay free; a file is written anew.
    pub fn on(backend: impl StorageBackend) -> Result<Self, StoreError> {
        Self::over(Medium::new(backend), None)
    }

    fn over(medium: Medium, place: Option<Place>) -> Result<Self, StoreError> {
        let database = open_database(&medium)?;
        Ok(Self {
            opened: RwLock::new(Opened { database: Some(database), medium }),
            committing: Mutex::new(()),
            poisoned: AtomicBool::new(false),
            place,
        })
    }

    fn with_database<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let opened = self.opened.read().map_err(|_| StoreError::Poisoned)?;
        if self.poisoned.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned);
        }
        let database = opened.database.as_ref().ok_or(StoreError::Poisoned)?;
        guarded(|| work(database), || self.poisoned.store(true, Ordering::Release))
    }

    fn read<T>(
        &self,
        reader: impl FnOnce(&redb::ReadOnlyTable<&[u8], &[u8]>) -> Result<T, Failure>,
        without_table: T,
    ) -> Result<T, StoreError> {
        self.with_database(|database| {
            let transaction = database.begin_read().map_err(Failure::from)?;
            match transaction.open_table(ROWS) {
                Ok(table) => Ok(reader(&table)?),
                // The first commit makes the table.
                Err(TableError::TableDoesNotExist(_)) => Ok(without_table),
                Err(error) => Err(Failure::from(error).into()),
            }
        })
    }
}

impl Rows for RedbStore {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        let key = table_key(namespace, key);
        self.read(
            |table| {
                let value = table.get(key.as_slice())?;
                Ok(value.map(|value| SecretBytes::new(value.value().to_vec())))
            },
            None,
        )
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let prefix = table_key(namespace, prefix);
        let after = after.map(|after| table_key(namespace, after));
        let start = match &after {
            Some(after) if *after >= prefix => Bound::Excluded(after.as_slice()),
            _ => Bound::Included(prefix.as_slice()),
        };
        self.read(
            |table| {
                let mut rows = Vec::new();
                for entry in table.range::<&[u8]>((start, Bound::Unbounded))?.take(limit) {
                    let (key, value) = entry?;
                    if !key.value().starts_with(&prefix) {
                        break;
                    }
                    let key = key.value().get(NAMESPACE_BYTES..).unwrap_or_default().to_vec();
                    rows.push((key, SecretBytes::new(value.value().to_vec())));
                }
                Ok(rows)
            },
            Vec::new(),
        )
    }
}

impl Store for RedbStore {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let _alone = self.committing.lock().map_err(|_| StoreError::Poisoned)?;
        self.with_database(|database| {
            let committed = write(database, batch);
            if committed.is_err() {
                self.poisoned.store(true, Ordering::Release);
            }
            Ok(committed?)
        })
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut opened = self.opened.write().map_err(|_| StoreError::Poisoned)?;
        opened.close();
        if let Some(place) = &self.place {
            opened.medium = opened.medium.succeeded_by(place.backend()?);
        }
        // 1. What a failed sync left in the system's cache is made durable, or the disk is given
        //    up. 2. Only then redb chooses the root.
        opened.medium.rewrite_unsynced().map_err(|error| StoreError::Disk(error.kind()))?;
        opened.database = Some(open_database(&opened.medium)?);
        self.poisoned.store(false, Ordering::Release);
        Ok(())
    }

    fn compact(&self) -> Result<(), StoreError> {
        let mut opened = self.opened.write().map_err(|_| StoreError::Poisoned)?;
        if self.poisoned.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned);
        }
        let compact = || match &self.place {
            Some(place) => opened.write_anew(place),
            None => opened.compact_in_place(),
        };
        guarded(compact, || self.poisoned.store(true, Ordering::Release))
    }
}

impl Opened {
    /// Writes the rows to a new file and puts it in the old one's place. redb's own compaction
    /// can leave old bytes in pages that stay free; a new file has none.
    fn write_anew(&mut self, place: &Place) -> Result<(), StoreError> {
        // Until the rename the old file stands as it was, and a failure changes nothing.
        let database = self.database.as_ref().ok_or(StoreError::Poisoned)?;
        place.build(|fresh| {
            copy(database, fresh)?;
            // redb makes a file larger than its rows need; what it gives back here is empty.
            fresh.compact()?;
            Ok(())
        })?;
        self.close();
        place.replace()?;
        self.medium = Medium::new(place.backend()?);
        self.database = Some(open_database(&self.medium)?);
        Ok(())
    }

    /// Lets redb move its pages together, where there is no file to replace.
    fn compact_in_place(&mut self) -> Result<(), StoreError> {
        let database = self.database.as_mut().ok_or(StoreError::Poisoned)?;
        if let Err(error) = database.compact() {
            self.close();
            return Err(Failure::from(error).into());
        }
        Ok(())
    }

    /// Closes the database, if there is one.
    fn close(&mut self) {
        let database = self.database.take();
        // A file that does not close well is repaired when it is opened: nothing is to be done.
        let close = || {
            drop(database);
            Ok(())
        };
        let _closed = guarded(close, || ());
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A store that can be read, and whose file has not been written to.
#[derive(Debug)]
pub struct Inspected(RedbStore);

impl Inspected {
    /// Its rows.
    pub fn rows(&self) -> &dyn Rows {
        &self.0
    }

    /// Lets it write: what redb has to repair, and commits from then on.
    pub fn admit(self) -> Result<RedbStore, StoreError> {
        {
            let opened = self.0.opened.read().map_err(|_| StoreError::Poisoned)?;
            opened.medium.release().map_err(|error| StoreError::Disk(error.kind()))?;
        }
        Ok(self.0)
    }
}

/// A path that is locked for a new store, where none is.
#[derive(Debug)]
pub struct Vacancy(Place);

impl Vacancy {
    /// Makes the store with its first batch. The file appears under its name with that batch in
    /// it, or not at all.
    pub fn build(self, first: &Batch) -> Result<RedbStore, StoreError> {
        self.0.build(|fresh| write(fresh, first))?;
        self.0.replace()?;
        let medium = Medium::new(self.0.backend()?);
        RedbStore::over(medium, Some(self.0))
    }
}

/// Opens redb over `medium`.
fn open_database(medium: &Medium) -> Result<Database, StoreError> {
    let open = || {
        let mut builder = Builder::new();
        let opened = builder.set_cache_size(CACHE_BYTES).create_with_backend(medium.clone());
        Ok(opened.map_err(Failure::from)?)
    };
    guarded(open, || ())
}

/// Does `work` on a file that may be damaged. redb trusts its pages, and panics over one that makes
/// no sense: that is an error of the file, not of the process. What panicked is not to be used
/// again, for which `give_up` is called.
fn guarded<T>(
    work: impl FnOnce() -> Result<T, StoreError>,
    give_up: impl FnOnce(),
) -> Result<T, StoreError> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        give_up();
        Err(StoreError::Damaged)
    })
}

/// Commits `batch` as one transaction.
fn write(database: &Database, batch: &Batch) -> Result<(), Failure> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(ROWS)?;
        for (namespace, key, change) in batch.changes() {
            let key = table_key(namespace, key);
            match change {
                Change::Put(value) => table.insert(key.as_slice(), value.expose())?,
                Change::Delete => table.remove(key.as_slice())?,
            };
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Copies all rows into `fresh`, as one transaction.
fn copy(database: &Database, fresh: &Database) -> Result<(), Failure> {
    let reading = database.begin_read()?;
    let writing = fresh.begin_write()?;
    {
        let from = reading.open_table(ROWS)?;
        let mut to = writing.open_table(ROWS)?;
        for entry in from.iter()? {
            let (key, value) = entry?;
            to.insert(key.value(), value.value())?;
        }
    }
    writing.commit()?;
    Ok(())
}

/// The key in redb's table: the namespace's number, then the row's key.
fn table_key(namespace: Namespace, key: &[u8]) -> Vec<u8> {
    let mut table_key = Vec::with_capacity(NAMESPACE_BYTES + key.len());
    table_key.push(namespace.number());
    table_key.extend_from_slice(key);
    table_key
}

/// The one table.
const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("rows");

/// How much of a key in redb's table is the namespace.
const NAMESPACE_BYTES: usize = 1;

/// How much redb may cache. Its own default of 1 GiB is more than an agent should take; what an
/// agent reads again and again (sessions, the head of its queues) is far below this.
const CACHE_BYTES: usize = 64 * 1024 * 1024;
