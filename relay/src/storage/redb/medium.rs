//! What redb writes through: the caller's backend, and which of its bytes no sync has confirmed.
//!
//! After a failed sync the system may show pages that never reached the disk as if they had. What
//! was written since the last good sync is written again before the file is opened again: then what
//! is read is what is durable, or the disk is given up. The backend's `close` is never called, since
//! it is used again.

use std::io;
use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// A handle to the backend; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Medium(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    backend: Box<dyn StorageBackend>,
    unsynced: Mutex<Vec<Range<u64>>>,
}

impl Medium {
    pub(super) fn new(backend: impl StorageBackend) -> Self {
        Self(Arc::new(Shared { backend: Box::new(backend), unsynced: Mutex::default() }))
    }

    /// Writes again what no sync has confirmed, and syncs it.
    pub(super) fn rewrite_unsynced(&self) -> io::Result<()> {
        let ranges = self.unsynced().clone();
        if ranges.is_empty() {
            return Ok(());
        }
        let len = self.0.backend.len()?;
        for range in ranges.into_iter().filter(|range| range.end <= len) {
            let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
            self.0.backend.read(range.start, &mut bytes)?;
            self.0.backend.write(range.start, &bytes)?;
        }
        self.sync_data()
    }

    fn unsynced(&self) -> MutexGuard<'_, Vec<Range<u64>>> {
        // Nothing panics between two halves of a change to the list.
        self.0.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Medium {
    fn len(&self) -> io::Result<u64> {
        self.0.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.backend.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let confirmed = mem::take(&mut *self.unsynced());
        let synced = self.0.backend.sync_data();
        if synced.is_err() {
            self.unsynced().extend(confirmed);
        }
        synced
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        // Before the write: one that fails may have been done in part.
        self.unsynced().push(offset..offset + data.len() as u64);
        self.0.backend.write(offset, data)
    }
}
