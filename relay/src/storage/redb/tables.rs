//! How logs and values lie in redb's tables: what readers see of them, and one transaction.

use std::collections::HashMap;
use std::ops::ControlFlow;

use redb::{
    Database, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition,
    WriteTransaction,
};

use crate::storage::{Applied, Change, Condition, Key, Most, Record, Subject, Then, Totals};

/// What is durable, as readers see it: held from one change to the next, since to open the tables
/// costs more than most reads.
pub(super) struct View {
    entries: ReadOnlyTable<&'static [u8], &'static [u8]>,
    lasts: ReadOnlyTable<&'static [u8], u64>,
    values: ReadOnlyTable<&'static [u8], &'static [u8]>,
    totals: Totals,
}

impl View {
    pub(super) fn of(database: &Database) -> Result<Self, redb::Error> {
        let transaction = database.begin_read()?;
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            lasts: transaction.open_table(LASTS)?,
            values: transaction.open_table(VALUES)?,
            totals: totals(&transaction.open_table(TOTALS)?)?,
        })
    }

    pub(super) fn read(
        &self,
        subject: &Subject,
        from: u64,
        most: Most,
    ) -> Result<Vec<Record>, redb::Error> {
        let range = place(subject, from)..=place(subject, u64::MAX);
        let range = range.start().as_slice()..=range.end().as_slice();
        let (mut records, mut left) = (Vec::new(), most.bytes);
        for entry in ReadableTable::range(&self.entries, range)?.take(most.entries) {
            let (place, bytes) = entry?;
            let bytes = bytes.value();
            if bytes.len() > left && !records.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes.len());
            records.push(Record { sequence: sequence(place.value()), bytes: bytes.to_vec() });
        }
        Ok(records)
    }

    pub(super) fn last(&self, subject: &Subject) -> Result<u64, redb::Error> {
        last(&self.entries, &self.lasts, subject)
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, redb::Error> {
        let value = ReadableTable::get(&self.values, key.as_bytes().as_slice())?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    pub(super) fn subjects(
        &self,
        after: Option<&Subject>,
        most: usize,
    ) -> Result<Vec<Subject>, redb::Error> {
        let mut subjects = Vec::new();
        let mut behind = after.map_or([0; PLACE], |after| place(after, u64::MAX));
        while subjects.len() < most {
            let Some(next) = ReadableTable::range(&self.entries, behind.as_slice()..)?.next()
            else {
                break;
            };
            let subject = subject(next?.0.value());
            behind = place(&subject, u64::MAX);
            subjects.push(subject);
        }
        Ok(subjects)
    }

    pub(super) fn values(
        &self,
        after: Option<&Key>,
        most: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, redb::Error> {
        let from = after.map_or([0; Key::LENGTH], |after| *after.as_bytes());
        let mut values = Vec::new();
        for entry in ReadableTable::range(&self.values, from.as_slice()..)? {
            if values.len() >= most {
                break;
            }
            let (key, value) = entry?;
            let key = key
                .value()
                .first_chunk()
                .map_or(Key::from_bytes(from), |key| Key::from_bytes(*key));
            if after != Some(&key) {
                values.push((key, value.value().to_vec()));
            }
        }
        Ok(values)
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }
}

/// The last sequences of subjects that were appended to lately: nobody else writes to the file.
pub(super) type Lasts = HashMap<Subject, u64>;

/// The tables of one transaction.
pub(super) struct Tables<'t> {
    entries: Table<'t, &'static [u8], &'static [u8]>,
    lasts: Table<'t, &'static [u8], u64>,
    values: Table<'t, &'static [u8], &'static [u8]>,
    sums: Table<'t, &'static str, u64>,
    totals: Totals,
    /// The last sequences of subjects that were appended to before, or are in this transaction.
    known: Lasts,
}

impl<'t> Tables<'t> {
    pub(super) fn open(
        transaction: &'t WriteTransaction,
        known: Lasts,
    ) -> Result<Self, redb::Error> {
        let sums = transaction.open_table(TOTALS)?;
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            lasts: transaction.open_table(LASTS)?,
            values: transaction.open_table(VALUES)?,
            totals: totals(&sums)?,
            sums,
            known,
        })
    }

    /// Ends what is to be done in the transaction. What it returns holds once it is durable.
    pub(super) fn close(mut self) -> Result<Lasts, redb::Error> {
        self.sums.insert(SUM_OF_ENTRIES, self.totals.entries)?;
        self.sums.insert(SUM_OF_BYTES, self.totals.bytes)?;
        if self.known.len() > MAX_KNOWN {
            self.known.clear();
        }
        Ok(self.known)
    }

    pub(super) fn take(&mut self, change: &Change) -> Result<Applied, redb::Error> {
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
        let last = match self.known.get(subject) {
            Some(last) => *last,
            None => last(&self.entries, &self.lasts, subject)?,
        };
        if last.checked_add(1) != Some(sequence) {
            return Ok(ControlFlow::Break(Applied::NotLast { last }));
        }
        self.entries.insert(place(subject, sequence).as_slice(), record)?;
        self.known.insert(*subject, sequence);
        self.totals.entries += 1;
        self.totals.bytes += record.len() as u64;
        Ok(ControlFlow::Continue(()))
    }

    fn put_new(&mut self, key: &Key, value: &[u8]) -> Result<ControlFlow<Applied>, redb::Error> {
        if self.values.get(key.as_bytes().as_slice())?.is_some() {
            return Ok(ControlFlow::Break(Applied::Exists));
        }
        self.put(key, value)?;
        Ok(ControlFlow::Continue(()))
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<(), redb::Error> {
        let before =
            self.values.insert(key.as_bytes().as_slice(), value)?.map(|old| old.value().len());
        self.totals.bytes += value.len() as u64;
        self.forget(before);
        Ok(())
    }

    fn follow(&mut self, then: &Then) -> Result<(), redb::Error> {
        match then {
            Then::Put { key, value } => self.put(key, value),
            Then::Delete(key) => {
                let before =
                    self.values.remove(key.as_bytes().as_slice())?.map(|old| old.value().len());
                self.forget(before);
                Ok(())
            }
            Then::Remove { subject, sequence } => self.remove(subject, *sequence),
            Then::Truncate { subject, through } => self.truncate(subject, *through),
        }
    }

    fn remove(&mut self, subject: &Subject, sequence: u64) -> Result<(), redb::Error> {
        let before =
            self.entries.remove(place(subject, sequence).as_slice())?.map(|old| old.value().len());
        if before.is_none() {
            return Ok(());
        }
        self.totals.entries = self.totals.entries.saturating_sub(1);
        self.forget(before);
        // The number is not to come again: only the highest is written down.
        let noted = self.lasts.get(subject.as_bytes().as_slice())?.map_or(0, |noted| noted.value());
        if sequence > noted {
            self.lasts.insert(subject.as_bytes().as_slice(), sequence)?;
        }
        Ok(())
    }

    fn truncate(&mut self, subject: &Subject, through: u64) -> Result<(), redb::Error> {
        let range = place(subject, 0)..=place(subject, through);
        let range = range.start().as_slice()..=range.end().as_slice();
        let mut sequences = Vec::new();
        for entry in self.entries.range(range)? {
            sequences.push(sequence(entry?.0.value()));
        }
        sequences.into_iter().try_for_each(|sequence| self.remove(subject, sequence))
    }

    fn forget(&mut self, length: Option<usize>) {
        self.totals.bytes = self.totals.bytes.saturating_sub(length.unwrap_or(0) as u64);
    }
}

fn last(
    entries: &impl ReadableTable<&'static [u8], &'static [u8]>,
    lasts: &impl ReadableTable<&'static [u8], u64>,
    subject: &Subject,
) -> Result<u64, redb::Error> {
    let range = place(subject, 0)..=place(subject, u64::MAX);
    let mut range = entries.range(range.start().as_slice()..=range.end().as_slice())?;
    let stored = match range.next_back() {
        Some(entry) => sequence(entry?.0.value()),
        None => 0,
    };
    let noted = lasts.get(subject.as_bytes().as_slice())?.map_or(0, |noted| noted.value());
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

fn subject(place: &[u8]) -> Subject {
    place
        .first_chunk()
        .map_or(Subject::from_bytes([0; Subject::LENGTH]), |name| Subject::from_bytes(*name))
}

fn sequence(place: &[u8]) -> u64 {
    place.last_chunk().map_or(0, |number| u64::from_be_bytes(*number))
}

const PLACE: usize = Subject::LENGTH + 8;

/// How many last sequences are known without a look into the tables: 8 MiB.
const MAX_KNOWN: usize = 65_536;

// Keys are compared as bytes: redb compares arrays one element after the other.
const ENTRIES: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("log");
const LASTS: TableDefinition<'static, &[u8], u64> = TableDefinition::new("last");
const VALUES: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("value");
const TOTALS: TableDefinition<'static, &'static str, u64> = TableDefinition::new("totals");

const SUM_OF_ENTRIES: &str = "entries";
const SUM_OF_BYTES: &str = "bytes";
