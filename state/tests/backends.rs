//! The backends pass the suites, and backends broken on purpose do not.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it set it up")]

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use meshwork_protocols::secret::SecretBytes;
use meshwork_state::suites::{Disk, Medium, conformance, power_loss};
use meshwork_state::{
    Batch, Change, MemoryStore, Namespace, RedbStore, Row, Rows, Store, StoreError,
};
use redb::StorageBackend;

#[test]
fn memory_conforms() {
    conformance::run(|| Box::new(MemoryStore::new())).unwrap();
}

#[test]
fn redb_conforms_on_a_backend() {
    conformance::run(|| Box::new(RedbStore::on(Disk::new(0)).unwrap())).unwrap();
}

#[test]
fn redb_conforms_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let count = AtomicU32::new(0);
    conformance::run(|| {
        let name = format!("{}.redb", count.fetch_add(1, Ordering::Relaxed));
        let vacancy = RedbStore::claim(&folder.path().join(name)).unwrap();
        Box::new(vacancy.build(&Batch::new()).unwrap())
    })
    .unwrap();
}

#[test]
fn redb_survives_500_power_losses() {
    let survived = power_loss::run(0..20, 25, |disk| {
        Ok(Box::new(RedbStore::on(disk.clone())?) as Box<dyn Store>)
    })
    .unwrap();
    println!("{survived:?}");
    assert_eq!(survived.losses, 500);
    // Each kind of moment was hit, and often.
    let hits = [survived.in_opening, survived.in_commits, survived.in_compaction];
    assert!(hits.iter().all(|hits| *hits >= 20), "{survived:?}");
    assert!(survived.failed_syncs >= 20 && survived.kept >= 5, "{survived:?}");
}

#[test]
#[ignore = "takes minutes: `.ci/nightly` runs it"]
fn redb_survives_10_000_power_losses() {
    let mut made_on = None;
    let survived = power_loss::run(1_000..1_400, 25, |disk| {
        // A creation that was cut short is done again, as it is for a file.
        if !made_on.as_ref().is_some_and(|known: &Disk| known.is_same(disk)) {
            Medium::set_len(disk, 0).map_err(|error| StoreError::Disk(error.kind()))?;
        }
        let store = RedbStore::on(disk.clone())?;
        made_on = Some(disk.clone());
        Ok(Box::new(store) as Box<dyn Store>)
    })
    .unwrap();
    println!("{survived:?}");
    assert_eq!(survived.losses, 10_000);
}

/// A disk whose syncs do nothing: what stands on it acknowledges before it is durable.
#[derive(Debug)]
struct NeverSynced(Disk);

impl StorageBackend for NeverSynced {
    fn len(&self) -> io::Result<u64> {
        Medium::len(&self.0)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        Medium::read(&self.0, offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        Medium::set_len(&self.0, len)
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        Medium::write(&self.0, offset, data)
    }
}

#[test]
fn a_store_that_acknowledges_before_its_sync_is_caught() {
    let caught = power_loss::run(0..20, 25, |disk| {
        Ok(Box::new(RedbStore::on(NeverSynced(disk.clone()))?) as Box<dyn Store>)
    });
    assert!(caught.is_err());
}

/// A [`MemoryStore`] with at most one fault.
#[derive(Debug)]
struct Faulty {
    rows: MemoryStore,
    fault: Option<Fault>,
    /// The rows before the last commit.
    before: Mutex<MemoryStore>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    ScansBackwards,
    IncludesTheKeyAfterWhich,
    IgnoresTheLimit,
    ScansIntoTheNextNamespace,
    ShowsHalfABatch,
    KeepsDeletedRows,
    ForgetsTheLastCommit,
}

impl Faulty {
    fn new(fault: Option<Fault>) -> Self {
        Self { rows: MemoryStore::new(), fault, before: Mutex::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }
}

impl Rows for Faulty {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        self.rows.get(namespace, key)
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let after = after.filter(|_| !self.has(Fault::IncludesTheKeyAfterWhich));
        let limit = if self.has(Fault::IgnoresTheLimit) { usize::MAX } else { limit };
        let mut rows = self.rows.scan(namespace, prefix, after, limit)?;
        if self.has(Fault::ScansBackwards) {
            rows.reverse();
        }
        if self.has(Fault::ScansIntoTheNextNamespace) && namespace == Namespace::Own {
            let more = limit - rows.len();
            rows.extend(self.rows.scan(Namespace::Peer, prefix, after, more)?);
        }
        Ok(rows)
    }
}

impl Store for Faulty {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        *self.before.lock().unwrap() = self.rows.clone();
        let mut rest = Batch::new();
        for (namespace, key, change) in batch.changes() {
            match change {
                Change::Put(value) => rest.put(namespace, key, value.clone()),
                Change::Delete if self.has(Fault::KeepsDeletedRows) => {}
                Change::Delete => rest.delete(namespace, key),
            }
            if self.has(Fault::ShowsHalfABatch) {
                self.rows.commit(&std::mem::take(&mut rest))?;
                std::thread::yield_now();
            }
        }
        self.rows.commit(&rest)
    }

    fn reopen(&self) -> Result<(), StoreError> {
        if !self.has(Fault::ForgetsTheLastCommit) {
            return Ok(());
        }
        let mut change = Batch::new();
        for namespace in Namespace::ALL {
            for (key, _) in self.rows.scan(namespace, b"", None, usize::MAX)? {
                change.delete(namespace, key);
            }
            let before = self.before.lock().unwrap();
            for (key, value) in before.scan(namespace, b"", None, usize::MAX)? {
                change.put(namespace, key, value);
            }
        }
        self.rows.commit(&change)
    }

    fn compact(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[test]
fn each_fault_of_a_backend_is_caught() {
    for fault in [
        Fault::ScansBackwards,
        Fault::IncludesTheKeyAfterWhich,
        Fault::IgnoresTheLimit,
        Fault::ScansIntoTheNextNamespace,
        Fault::ShowsHalfABatch,
        Fault::KeepsDeletedRows,
        Fault::ForgetsTheLastCommit,
    ] {
        let caught = conformance::run(|| Box::new(Faulty::new(Some(fault))));
        assert!(caught.is_err(), "{fault:?}");
    }
    // The same backend without a fault: what was caught are the faults.
    conformance::run(|| Box::new(Faulty::new(None))).unwrap();
}
