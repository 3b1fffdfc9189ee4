//! A log of batches, each behind its length and checksum; the rows are in memory.
//!
//! A commit is one write and one sync. What an accident left behind the last sync is read again,
//! and counts as far as checksums hold.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meshwork_protocols::secret::SecretBytes;
use meshwork_state::suites::{Disk as Platter, Medium};
use meshwork_state::{Batch, Change, MemoryStore, Namespace, Row, Rows, Store, StoreError};
use serde::{Deserialize, Serialize};

/// What is known to be durable, kept over restarts so that only the rest is read again.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    /// Bytes of the log that a sync made durable.
    length: u64,
    /// The rows that they make.
    rows: MemoryStore,
    poisoned: bool,
}

/// The journal, open.
#[derive(Debug)]
pub(super) struct Journal {
    platter: Platter,
    settled: Settled,
}

impl Journal {
    pub(super) fn open(platter: Platter, settled: Settled) -> Result<Self, StoreError> {
        let journal = Self { platter, settled };
        journal.reopen()?;
        Ok(journal)
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.settled.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn readable(&self) -> Result<MutexGuard<'_, Contents>, StoreError> {
        let contents = self.contents();
        if contents.poisoned { Err(StoreError::Poisoned) } else { Ok(contents) }
    }

    /// Writes `record` at the end and syncs it.
    fn append(&self, length: u64, record: &[u8]) -> std::io::Result<()> {
        Medium::write(&self.platter, length, record)?;
        self.platter.sync()
    }

    /// What stands behind `length`.
    fn tail(&self, length: u64) -> std::io::Result<Vec<u8>> {
        let missing = Medium::len(&self.platter)?.saturating_sub(length);
        let mut tail = vec![0; usize::try_from(missing).unwrap_or(0)];
        Medium::read(&self.platter, length, &mut tail)?;
        Ok(tail)
    }
}

impl Rows for Journal {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        self.readable()?.rows.get(namespace, key)
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.readable()?.rows.scan(namespace, prefix, after, limit)
    }
}

impl Store for Journal {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut contents = self.readable()?;
        if batch.is_empty() {
            return Ok(());
        }
        let record = encode(batch);
        if let Err(error) = self.append(contents.length, &record) {
            contents.poisoned = true;
            return Err(disk(error));
        }
        contents.length += record.len() as u64;
        contents.rows.commit(batch)
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut contents = self.contents();
        let mut tail = self.tail(contents.length).map_err(disk)?;
        let (mut batches, mut rest) = (Vec::new(), tail.as_slice());
        while let Some((batch, behind)) = decode(rest) {
            batches.push(batch);
            rest = behind;
        }
        // What counts is made durable before anything is read, what does not is cut off.
        let cut = rest.len();
        tail.truncate(tail.len() - cut);
        let end = contents.length + tail.len() as u64;
        if cut > 0 || !tail.is_empty() {
            self.platter.set_len(end).map_err(disk)?;
            self.append(contents.length, &tail).map_err(disk)?;
        }
        for batch in &batches {
            contents.rows.commit(batch)?;
        }
        contents.length = end;
        contents.poisoned = false;
        Ok(())
    }

    fn compact(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// One change, as the log holds it.
#[derive(Deserialize, Serialize)]
struct Entry<'a> {
    namespace: u8,
    key: &'a [u8],
    value: Option<&'a [u8]>,
}

/// Length, checksum, changes.
fn encode(batch: &Batch) -> Vec<u8> {
    let mut body = Vec::new();
    for (namespace, key, change) in batch.changes() {
        let value = match change {
            Change::Put(value) => Some(value.expose()),
            Change::Delete => None,
        };
        let entry = Entry { namespace: namespace.number(), key, value };
        body = postcard::to_extend(&entry, body).unwrap_or_default();
    }
    let mut record = (body.len() as u64).to_le_bytes().to_vec();
    record.extend_from_slice(&checksum(&body).to_le_bytes());
    record.extend_from_slice(&body);
    record
}

/// The first batch of a log, and what stands behind it.
fn decode(log: &[u8]) -> Option<(Batch, &[u8])> {
    let (length, log) = log.split_first_chunk()?;
    let (expected, log) = log.split_first_chunk()?;
    let (mut body, behind) =
        log.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    if body.is_empty() || checksum(body) != u64::from_le_bytes(*expected) {
        return None;
    }
    let mut batch = Batch::new();
    while !body.is_empty() {
        let (entry, rest) = postcard::take_from_bytes::<Entry<'_>>(body).ok()?;
        let namespace = Namespace::ALL.into_iter().find(|n| n.number() == entry.namespace)?;
        match entry.value {
            Some(value) => batch.put(namespace, entry.key, SecretBytes::new(value.to_vec())),
            None => batch.delete(namespace, entry.key),
        }
        body = rest;
    }
    Some((batch, behind))
}

/// FNV-1a over words.
fn checksum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let rest = rest.iter().map(|byte| u64::from(*byte));
    words.chain(rest).fold(0xcbf2_9ce4_8422_2325, |sum: u64, word| {
        let mixed = (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        mixed ^ (mixed >> 31)
    })
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn disk(error: std::io::Error) -> StoreError {
    StoreError::Disk(error.kind())
}
