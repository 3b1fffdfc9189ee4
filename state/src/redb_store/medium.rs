//! What redb writes through: the caller's backend, with two things added.
//!
//! - *Held*: until a store has shown itself to be the caller's, writes stay in memory, so that a
//!   wrong key leaves every byte of the file as it was.
//! - *Unsynced*: after a failed sync the system may show pages that never reached the disk as if
//!   they had. What was written since the last good sync is remembered, and written again before
//!   the store is opened again: then what is read is what is durable, or the disk is given up.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use redb::StorageBackend;

/// A handle to the backend; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Medium(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    backend: Box<dyn StorageBackend>,
    held: RwLock<Option<Held>>,
    unsynced: Mutex<Vec<Range<u64>>>,
}

impl Medium {
    /// Writes go through.
    pub(super) fn new(backend: impl StorageBackend) -> Self {
        Self::with(Box::new(backend), None, Vec::new())
    }

    /// Writes stay in memory until [`Medium::release`].
    pub(super) fn held(backend: impl StorageBackend) -> Self {
        Self::with(Box::new(backend), Some(Held::default()), Vec::new())
    }

    /// Another handle to the same file, after a failure of this one.
    pub(super) fn succeeded_by(&self, backend: impl StorageBackend) -> Self {
        Self::with(Box::new(backend), None, self.unsynced().clone())
    }

    fn with(
        backend: Box<dyn StorageBackend>,
        held: Option<Held>,
        unsynced: Vec<Range<u64>>,
    ) -> Self {
        let (held, unsynced) = (RwLock::new(held), Mutex::new(unsynced));
        Self(Arc::new(Shared { backend, held, unsynced }))
    }

    /// Does to the file, in order, what was held back; from now on writes go through.
    pub(super) fn release(&self) -> io::Result<()> {
        let mut held = self.0.held.write().map_err(|_| broken())?;
        let Some(actions) = held.take().map(|held| held.actions) else { return Ok(()) };
        for action in actions {
            match action {
                Action::Write(offset, bytes) => self.write_through(offset, &bytes)?,
                Action::SetLen(len) => self.0.backend.set_len(len)?,
                Action::Sync => self.sync_through()?,
            }
        }
        Ok(())
    }

    /// Writes again what no sync has confirmed, and syncs it.
    pub(super) fn rewrite_unsynced(&self) -> io::Result<()> {
        let len = self.0.backend.len()?;
        let ranges = self.unsynced().clone();
        for range in ranges.into_iter().filter(|range| range.end <= len) {
            let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
            self.0.backend.read(range.start, &mut bytes)?;
            self.0.backend.write(range.start, &bytes)?;
        }
        self.sync_through()
    }

    fn write_through(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        // Before the write: one that fails may have been done in part.
        self.unsynced().push(offset..offset + bytes.len() as u64);
        self.0.backend.write(offset, bytes)
    }

    fn sync_through(&self) -> io::Result<()> {
        let confirmed = mem::take(&mut *self.unsynced());
        let synced = self.0.backend.sync_data();
        if synced.is_err() {
            self.unsynced().extend(confirmed);
        }
        synced
    }

    fn unsynced(&self) -> MutexGuard<'_, Vec<Range<u64>>> {
        // Nothing panics between two halves of a change to the list.
        self.0.unsynced.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl StorageBackend for Medium {
    fn len(&self) -> io::Result<u64> {
        match &*self.0.held.read().map_err(|_| broken())? {
            Some(Held { len: Some(len), .. }) => Ok(*len),
            _ => self.0.backend.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match &*self.0.held.read().map_err(|_| broken())? {
            Some(held) => held.read(&*self.0.backend, offset, out),
            None => self.0.backend.read(offset, out),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        match &mut *self.0.held.write().map_err(|_| broken())? {
            Some(held) => held.set_len(&*self.0.backend, len),
            None => self.0.backend.set_len(len),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        match &mut *self.0.held.write().map_err(|_| broken())? {
            Some(held) => held.actions.push(Action::Sync),
            None => return self.sync_through(),
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match &mut *self.0.held.write().map_err(|_| broken())? {
            Some(held) => held.write(&*self.0.backend, offset, data),
            None => self.write_through(offset, data),
        }
    }
}

/// What was to be done to the file, and how the file would look.
#[derive(Debug, Default)]
struct Held {
    actions: Vec<Action>,
    /// The changed blocks.
    blocks: BTreeMap<u64, Box<[u8; BLOCK]>>,
    /// The length, once it was set.
    len: Option<u64>,
}

#[derive(Debug)]
enum Action {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
}

impl Held {
    fn read(&self, backend: &dyn StorageBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let len = self.len.map_or_else(|| backend.len(), Ok)?;
        if offset + out.len() as u64 > len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (block, range, out) in pieces(offset, out) {
            let bytes = match self.blocks.get(&block) {
                Some(bytes) => **bytes,
                None => stored_block(backend, block)?,
            };
            out.copy_from_slice(bytes.get(range).ok_or_else(broken)?);
        }
        Ok(())
    }

    fn write(&mut self, backend: &dyn StorageBackend, offset: u64, data: &[u8]) -> io::Result<()> {
        let len = self.len.map_or_else(|| backend.len(), Ok)?;
        self.len = Some(len.max(offset + data.len() as u64));
        let mut copy = data.to_vec();
        for (block, range, data) in pieces(offset, &mut copy) {
            let bytes = match self.blocks.entry(block) {
                std::collections::btree_map::Entry::Occupied(bytes) => bytes.into_mut(),
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(Box::new(stored_block(backend, block)?))
                }
            };
            bytes.get_mut(range).ok_or_else(broken)?.copy_from_slice(data);
        }
        self.actions.push(Action::Write(offset, copy));
        Ok(())
    }

    fn set_len(&mut self, backend: &dyn StorageBackend, len: u64) -> io::Result<()> {
        // Zeros stand where the file is cut off, in case it grows again.
        let old = self.len.map_or_else(|| backend.len(), Ok)?;
        for block in len / BLOCK as u64..old.div_ceil(BLOCK as u64) {
            let mut bytes = match self.blocks.remove(&block) {
                Some(bytes) => bytes,
                None => Box::new(stored_block(backend, block)?),
            };
            let kept = usize::try_from(len.saturating_sub(block * BLOCK as u64)).unwrap_or(BLOCK);
            bytes.iter_mut().skip(kept).for_each(|byte| *byte = 0);
            self.blocks.insert(block, bytes);
        }
        self.len = Some(len);
        self.actions.push(Action::SetLen(len));
        Ok(())
    }
}

/// Cuts `bytes`, which lie at `offset`, along the blocks: each block's number, the range within
/// it, and the bytes.
fn pieces(offset: u64, bytes: &mut [u8]) -> impl Iterator<Item = (u64, Range<usize>, &mut [u8])> {
    let mut rest = bytes;
    let mut at = offset;
    std::iter::from_fn(move || {
        let start = usize::try_from(at % BLOCK as u64).unwrap_or(0);
        let length = rest.len().min(BLOCK - start);
        if length == 0 {
            return None;
        }
        let block = at / BLOCK as u64;
        at += length as u64;
        let (piece, behind) = mem::take(&mut rest).split_at_mut(length);
        rest = behind;
        Some((block, start..start + length, piece))
    })
}

/// A block as it stands in the file, zeros behind its end.
fn stored_block(backend: &dyn StorageBackend, block: u64) -> io::Result<[u8; BLOCK]> {
    let mut bytes = [0; BLOCK];
    let start = block * BLOCK as u64;
    let there = backend.len()?.saturating_sub(start).min(BLOCK as u64);
    let there = usize::try_from(there).unwrap_or(BLOCK);
    if let Some(out) = bytes.get_mut(..there).filter(|out| !out.is_empty()) {
        backend.read(start, out)?;
    }
    Ok(bytes)
}

/// A lock that a panic left behind: nothing here can be trusted.
fn broken() -> io::Error {
    io::ErrorKind::Other.into()
}

/// The grain of what is held: redb's page.
const BLOCK: usize = 4096;

#[cfg(test)]
mod tests {
    use meshwork_protocols::random::Random;
    use redb::StorageBackend;

    use super::Medium;
    use crate::suites::{Disk, SeededRandom};

    /// Writes, changes of length and syncs, as that seed has them.
    fn scribble(backend: &dyn StorageBackend, seed: u64) {
        let mut random = SeededRandom::new(seed);
        for _ in 0..40 {
            match random.below(8) {
                0 => backend.set_len(u64::from(random.below(20_000))).unwrap(),
                1 => backend.sync_data().unwrap(),
                _ => {
                    let mut bytes = vec![0; random.below(9_000) as usize];
                    random.fill(&mut bytes);
                    backend.write(u64::from(random.below(20_000)), &bytes).unwrap();
                }
            }
        }
    }

    fn bytes(backend: &dyn StorageBackend) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(backend.len().unwrap()).unwrap()];
        backend.read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_held_shows_as_if_it_were_written_and_is_written_on_release() {
        for seed in 0..100 {
            let (plain, disk) = (Disk::new(0), Disk::new(0));
            scribble(&plain, !seed);
            scribble(&disk, !seed);
            let before = bytes(&disk);
            let held = Medium::held(disk.clone());
            assert_eq!(bytes(&held), before);
            scribble(&held, seed);
            scribble(&plain, seed);
            assert_eq!(bytes(&held), bytes(&plain), "seed {seed}");
            assert_eq!(bytes(&disk), before, "seed {seed}");
            held.release().unwrap();
            assert_eq!(bytes(&disk), bytes(&plain), "seed {seed}");
            assert_eq!(bytes(&held), bytes(&plain), "seed {seed}");
        }
    }

    #[test]
    fn nothing_is_read_beyond_the_end_that_is_held() {
        let held = Medium::held(Disk::new(0));
        held.write(0, &[1; 5_000]).unwrap();
        assert!(held.read(0, &mut [0; 5_000]).is_ok());
        assert!(held.read(1, &mut [0; 5_000]).is_err());
        held.set_len(100).unwrap();
        assert!(held.read(0, &mut [0; 101]).is_err());
        held.set_len(200).unwrap();
        let mut grown = [9; 200];
        held.read(0, &mut grown).unwrap();
        assert_eq!((grown[99], grown[100], grown[199]), (1, 0, 0));
    }

    #[test]
    fn what_a_failed_sync_left_undone_is_written_again_to_the_disk() {
        for seed in 0..50 {
            let disk = Disk::new(seed);
            let medium = Medium::new(disk.clone());
            medium.write(0, &[1; 20_000]).unwrap();
            disk.fail_syncs(1);
            assert!(medium.sync_data().is_err());
            let medium = medium.succeeded_by(disk.clone());
            medium.rewrite_unsynced().unwrap();
            assert_eq!(bytes(&disk.power_cycle()), [1; 20_000]);
        }
    }
}
