//! The suites judge a backend that they do not know: a log of batches in a file, right, and with
//! each of three mistakes that such a log can have.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it set it up"
)]

use std::sync::{Mutex, MutexGuard};

use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::secret::SecretBytes;
use meshwork_state::suites::{Disk, Medium, Violation, conformance, power_loss};
use meshwork_state::{Batch, Change, MemoryStore, Namespace, Row, Rows, Store, StoreError};

/// Each batch is appended with its length and hash; opening replays what is whole.
#[derive(Debug)]
struct Log {
    disk: Disk,
    mistake: Option<Mistake>,
    written: Mutex<Option<Written>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    /// Acknowledges what it has not synced.
    SyncForgotten,
    /// Believes whatever stands in the file.
    HashUnchecked,
    /// Goes on after a sync that failed.
    FailureIgnored,
}

#[derive(Debug, Default)]
struct Written {
    rows: MemoryStore,
    end: u64,
}

impl Log {
    fn open(disk: &Disk, mistake: Option<Mistake>) -> Result<Self, StoreError> {
        let log = Self { disk: disk.clone(), mistake, written: Mutex::default() };
        log.reopen()?;
        Ok(log)
    }

    fn written(&self) -> MutexGuard<'_, Option<Written>> {
        self.written.lock().unwrap()
    }

    fn replay(&self) -> std::io::Result<Written> {
        let mut bytes = vec![0; usize::try_from(self.disk.len()?).unwrap()];
        self.disk.read(0, &mut bytes)?;
        let mut written = Written::default();
        while let Some(batch) = self.next(&bytes[usize::try_from(written.end).unwrap()..]) {
            written.rows.commit(&decoded(batch)).unwrap();
            written.end += (HEAD + batch.len()) as u64;
        }
        // What a failed sync left in the cache is written and synced again, what is torn is cut
        // off, before anything is read.
        self.disk.write(0, &bytes[..usize::try_from(written.end).unwrap()])?;
        self.disk.set_len(written.end)?;
        self.disk.sync()?;
        Ok(written)
    }

    fn next<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let batch = rest.get(..usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
        let trusted = self.mistake == Some(Mistake::HashUnchecked) && !batch.is_empty();
        (trusted || *hash == digest(batch)).then_some(batch)
    }

    fn append(&self, end: u64, batch: &[u8]) -> std::io::Result<()> {
        let length = (batch.len() as u64).to_be_bytes();
        self.disk.write(end, &[&length[..], &digest(batch), batch].concat())?;
        if self.mistake != Some(Mistake::SyncForgotten) {
            self.disk.sync()?;
        }
        Ok(())
    }
}

impl Rows for Log {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        self.written().as_ref().ok_or(StoreError::Poisoned)?.rows.get(namespace, key)
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let written = self.written();
        written.as_ref().ok_or(StoreError::Poisoned)?.rows.scan(namespace, prefix, after, limit)
    }
}

impl Store for Log {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut slot = self.written();
        let written = slot.as_mut().ok_or(StoreError::Poisoned)?;
        let bytes = encoded(batch);
        if let Err(error) = self.append(written.end, &bytes) {
            if self.mistake != Some(Mistake::FailureIgnored) {
                *slot = None;
            }
            return Err(StoreError::Disk(error.kind()));
        }
        written.end += (HEAD + bytes.len()) as u64;
        written.rows.commit(batch)
    }

    fn reopen(&self) -> Result<(), StoreError> {
        *self.written() = None;
        let written = self.replay().map_err(|error| StoreError::Disk(error.kind()))?;
        *self.written() = Some(written);
        Ok(())
    }

    fn compact(&self) -> Result<(), StoreError> {
        // A log this simple only grows.
        self.written().as_ref().map(|_| ()).ok_or(StoreError::Poisoned)
    }
}

fn encoded(batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (namespace, key, change) in batch.changes() {
        let value = match change {
            Change::Put(value) => value.expose(),
            Change::Delete => &[],
        };
        bytes.push(namespace.number());
        bytes.push(u8::from(matches!(change, Change::Put(_))));
        bytes.extend_from_slice(&(key.len() as u64).to_be_bytes());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        bytes.extend_from_slice(value);
    }
    bytes
}

/// As much of a batch as makes sense: only a log without hashes meets one that does not.
fn decoded(bytes: &[u8]) -> Batch {
    let (mut batch, mut rest) = (Batch::new(), bytes);
    while let Some(behind) = take_change(rest, &mut batch) {
        rest = behind;
    }
    batch
}

fn take_change<'a>(bytes: &'a [u8], batch: &mut Batch) -> Option<&'a [u8]> {
    let ([namespace, put], rest) = bytes.split_first_chunk()?;
    let namespace = *Namespace::ALL.get(usize::from(*namespace))?;
    let (key, rest) = counted(rest)?;
    let (value, rest) = counted(rest)?;
    match put {
        1 => batch.put(namespace, key, SecretBytes::new(value.to_vec())),
        _ => batch.delete(namespace, key),
    }
    Some(rest)
}

fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    (&Pure as &dyn Provider).digest(&[bytes])
}

/// Length and hash.
const HEAD: usize = 8 + 32;

fn power_losses(mistake: Option<Mistake>) -> Result<power_loss::Survived, Violation> {
    power_loss::run(0..20, 10, |disk| Ok(Box::new(Log::open(disk, mistake)?)))
}

#[test]
fn a_log_that_is_right_passes_both_suites() {
    conformance::run(|| Box::new(Log::open(&Disk::new(0), None).unwrap())).unwrap();
    assert_eq!(power_losses(None).unwrap().losses, 200);
}

#[test]
fn each_mistake_of_a_log_is_caught() {
    for mistake in [Mistake::SyncForgotten, Mistake::HashUnchecked, Mistake::FailureIgnored] {
        assert!(power_losses(Some(mistake)).is_err(), "{mistake:?}");
    }
}
