//! The default backend: redb, one file.
//!
//! Owns how logs and values lie in redb's tables. A batch of changes is one transaction. Depositors
//! choose what is stored, so it commits in two phases: redb's checksum alone (XXH3) could be forged
//! by who chooses the bytes and cuts the power. The same switch (quick repair) lets it open again
//! at once after a crash, whatever its size.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use redb::{
    Builder, Database, ReadableDatabase, ReadableTable, StorageBackend, Table, TableDefinition,
    WriteTransaction,
};

use super::{
    Applied, Change, Condition, Key, Most, Record, Storage, StorageError, Subject, Then, Totals,
};

/// Logs and values in a redb file.
pub struct RedbStorage {
    /// Nothing after a change that failed.
    database: Option<Database>,
}

impl RedbStorage {
    /// Opens the file at `path`, or makes one. `cache` is how many bytes of it are kept in memory.
    pub fn open(path: &Path, cache: usize) -> Result<Self, StorageError> {
        if !path.exists() {
            make(path).map_err(|error| StorageError::Disk(error.kind()))?;
        }
        guarded(|| {
            let database = Builder::new().set_cache_size(cache).create(path)?;
            Self::with_tables(database)
        })
    }

    /// Opens what a backend of redb's holds, or makes it there.
    pub fn on(backend: impl StorageBackend) -> Result<Self, StorageError> {
        guarded(|| Self::with_tables(Builder::new().create_with_backend(backend)?))
    }

    fn with_tables(database: Database) -> Result<Self, redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_quick_repair(true);
        drop(Tables::open(&transaction)?);
        transaction.commit()?;
        Ok(Self { database: Some(database) })
    }

    fn reading<T>(
        &self,
        read: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StorageError> {
        let database = self.database.as_ref().ok_or(StorageError::Poisoned)?;
        guarded(|| read(&database.begin_read()?))
    }
}

impl Storage for RedbStorage {
    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Applied>, StorageError> {
        let database = self.database.take().ok_or(StorageError::Poisoned)?;
        let applied = guarded(|| {
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(true);
            let mut tables = Tables::open(&transaction)?;
            let applied = changes.iter().map(|change| tables.take(change)).collect();
            tables.close()?;
            transaction.commit()?;
            applied
        })?;
        self.database = Some(database);
        Ok(applied)
    }

    fn read(&self, subject: &Subject, after: u64, most: Most) -> Result<Vec<Record>, StorageError> {
        let Some(from) = after.checked_add(1) else { return Ok(Vec::new()) };
        self.reading(|transaction| {
            let entries = transaction.open_table(ENTRIES)?;
            let range = (place(subject, from), place(subject, u64::MAX));
            let (mut records, mut left) = (Vec::new(), most.bytes);
            for entry in entries.range(range.0..=range.1)?.take(most.entries) {
                let (place, bytes) = entry?;
                let bytes = bytes.value();
                if bytes.len() > left && !records.is_empty() {
                    break;
                }
                left = left.saturating_sub(bytes.len());
                records.push(Record { sequence: sequence(&place.value()), bytes: bytes.to_vec() });
            }
            Ok(records)
        })
    }

    fn last(&self, subject: &Subject) -> Result<u64, StorageError> {
        self.reading(|transaction| {
            let entries = transaction.open_table(ENTRIES)?;
            let lasts = transaction.open_table(LASTS)?;
            last(&entries, &lasts, subject)
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StorageError> {
        self.reading(|transaction| {
            let value = transaction.open_table(VALUES)?.get(key.as_bytes())?;
            Ok(value.map(|value| value.value().to_vec()))
        })
    }

    fn subjects(&self, after: Option<&Subject>, most: usize) -> Result<Vec<Subject>, StorageError> {
        self.reading(|transaction| {
            let entries = transaction.open_table(ENTRIES)?;
            let mut subjects = Vec::new();
            let mut behind = after.map_or([0; PLACE], |after| place(after, u64::MAX));
            while subjects.len() < most {
                let Some(next) = entries.range(behind..)?.next() else { break };
                let subject = subject(&next?.0.value());
                behind = place(&subject, u64::MAX);
                subjects.push(subject);
            }
            Ok(subjects)
        })
    }

    fn values(
        &self,
        after: Option<&Key>,
        most: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StorageError> {
        self.reading(|transaction| {
            let table = transaction.open_table(VALUES)?;
            let from = after.map_or([0; Key::LENGTH], |after| *after.as_bytes());
            let mut values = Vec::new();
            for entry in table.range(from..)? {
                let (key, value) = entry?;
                let key = Key::from_bytes(key.value());
                if after != Some(&key) && values.len() < most {
                    values.push((key, value.value().to_vec()));
                }
                if values.len() >= most {
                    break;
                }
            }
            Ok(values)
        })
    }

    fn totals(&self) -> Result<Totals, StorageError> {
        self.reading(|transaction| totals(&transaction.open_table(TOTALS)?))
    }
}

impl fmt::Debug for RedbStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStorage").finish_non_exhaustive()
    }
}

/// The tables of one transaction.
struct Tables<'t> {
    entries: Table<'t, [u8; PLACE], &'static [u8]>,
    lasts: Table<'t, [u8; Subject::LENGTH], u64>,
    values: Table<'t, [u8; Key::LENGTH], &'static [u8]>,
    sums: Table<'t, &'static str, u64>,
    totals: Totals,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        let sums = transaction.open_table(TOTALS)?;
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            lasts: transaction.open_table(LASTS)?,
            values: transaction.open_table(VALUES)?,
            totals: totals(&sums)?,
            sums,
        })
    }

    fn close(mut self) -> Result<(), redb::Error> {
        self.sums.insert(SUM_OF_ENTRIES, self.totals.entries)?;
        self.sums.insert(SUM_OF_BYTES, self.totals.bytes)?;
        Ok(())
    }

    fn take(&mut self, change: &Change) -> Result<Applied, redb::Error> {
        let refused = match &change.condition {
            Some(Condition::Append { subject, sequence, record }) => {
                self.append(subject, *sequence, record)?
            }
            Some(Condition::PutNew { key, value }) => self.put_new(key, value)?,
            None => ControlFlow::Continue(()),
        };
        if let ControlFlow::Break(applied) = refused {
            return Ok(applied);
        }
        for then in &change.then {
            self.follow(then)?;
        }
        Ok(Applied::Done)
    }

    fn append(
        &mut self,
        subject: &Subject,
        sequence: u64,
        record: &[u8],
    ) -> Result<ControlFlow<Applied>, redb::Error> {
        let last = last(&self.entries, &self.lasts, subject)?;
        if last.checked_add(1) != Some(sequence) {
            return Ok(ControlFlow::Break(Applied::NotLast { last }));
        }
        self.entries.insert(place(subject, sequence), record)?;
        self.totals.entries += 1;
        self.totals.bytes += record.len() as u64;
        Ok(ControlFlow::Continue(()))
    }

    fn put_new(&mut self, key: &Key, value: &[u8]) -> Result<ControlFlow<Applied>, redb::Error> {
        if self.values.get(key.as_bytes())?.is_some() {
            return Ok(ControlFlow::Break(Applied::Exists));
        }
        self.put(key, value)?;
        Ok(ControlFlow::Continue(()))
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<(), redb::Error> {
        let before = self.values.insert(key.as_bytes(), value)?.map(|old| old.value().len());
        self.totals.bytes += value.len() as u64;
        self.forget(before);
        Ok(())
    }

    fn follow(&mut self, then: &Then) -> Result<(), redb::Error> {
        match then {
            Then::Put { key, value } => self.put(key, value),
            Then::Delete(key) => {
                let before = self.values.remove(key.as_bytes())?.map(|old| old.value().len());
                self.forget(before);
                Ok(())
            }
            Then::Remove { subject, sequence } => self.remove(subject, *sequence),
            Then::Truncate { subject, through } => self.truncate(subject, *through),
        }
    }

    fn remove(&mut self, subject: &Subject, sequence: u64) -> Result<(), redb::Error> {
        let before = self.entries.remove(place(subject, sequence))?.map(|old| old.value().len());
        if before.is_none() {
            return Ok(());
        }
        self.totals.entries = self.totals.entries.saturating_sub(1);
        self.forget(before);
        // The number is not to come again: only the highest is written down.
        let noted = self.lasts.get(subject.as_bytes())?.map_or(0, |noted| noted.value());
        if sequence > noted {
            self.lasts.insert(subject.as_bytes(), sequence)?;
        }
        Ok(())
    }

    fn truncate(&mut self, subject: &Subject, through: u64) -> Result<(), redb::Error> {
        let range = place(subject, 0)..=place(subject, through);
        let mut sequences = Vec::new();
        for entry in self.entries.range(range)? {
            sequences.push(sequence(&entry?.0.value()));
        }
        sequences.into_iter().try_for_each(|sequence| self.remove(subject, sequence))
    }

    fn forget(&mut self, length: Option<usize>) {
        self.totals.bytes = self.totals.bytes.saturating_sub(length.unwrap_or(0) as u64);
    }
}

/// Makes an empty file that appears under its name whole or not at all: a crash in the middle of
/// it leaves something that redb would take for damaged.
fn make(path: &Path) -> io::Result<()> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let made = guarded(|| RedbStorage::with_tables(Builder::new().create(&fresh)?));
    drop(made.map_err(io::Error::other)?);
    File::open(&fresh)?.sync_all()?;
    fs::rename(&fresh, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn last(
    entries: &impl ReadableTable<[u8; PLACE], &'static [u8]>,
    lasts: &impl ReadableTable<[u8; Subject::LENGTH], u64>,
    subject: &Subject,
) -> Result<u64, redb::Error> {
    let mut range = entries.range(place(subject, 0)..=place(subject, u64::MAX))?;
    let stored = match range.next_back() {
        Some(entry) => sequence(&entry?.0.value()),
        None => 0,
    };
    let noted = lasts.get(subject.as_bytes())?.map_or(0, |noted| noted.value());
    Ok(stored.max(noted))
}

fn totals(sums: &impl ReadableTable<&'static str, u64>) -> Result<Totals, redb::Error> {
    let sum = |name| Ok::<_, redb::Error>(sums.get(name)?.map_or(0, |sum| sum.value()));
    Ok(Totals { entries: sum(SUM_OF_ENTRIES)?, bytes: sum(SUM_OF_BYTES)? })
}

/// The key of an entry: its subject, then its sequence, so that a log lies in one piece.
fn place(subject: &Subject, sequence: u64) -> [u8; PLACE] {
    let mut place = [0; PLACE];
    let (of, number) = place.split_at_mut(Subject::LENGTH);
    of.copy_from_slice(subject.as_bytes());
    number.copy_from_slice(&sequence.to_be_bytes());
    place
}

fn subject(place: &[u8; PLACE]) -> Subject {
    place
        .first_chunk()
        .map_or(Subject::from_bytes([0; Subject::LENGTH]), |name| Subject::from_bytes(*name))
}

fn sequence(place: &[u8; PLACE]) -> u64 {
    place.last_chunk().map_or(0, |number| u64::from_be_bytes(*number))
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

const PLACE: usize = Subject::LENGTH + 8;

const ENTRIES: TableDefinition<'static, [u8; PLACE], &'static [u8]> =
    TableDefinition::new("entries");
const LASTS: TableDefinition<'static, [u8; Subject::LENGTH], u64> = TableDefinition::new("lasts");
const VALUES: TableDefinition<'static, [u8; Key::LENGTH], &'static [u8]> =
    TableDefinition::new("values");
const TOTALS: TableDefinition<'static, &'static str, u64> = TableDefinition::new("totals");

const SUM_OF_ENTRIES: &str = "entries";
const SUM_OF_BYTES: &str = "bytes";
