//! The disk of one machine: it outlives the process, fails, loses power in the middle of a commit,
//! and can be put back to what it was.
//!
//! Two stores stand on the same emulated platter, where unsynced writes are lost, torn and
//! reordered: redb, as the product uses it, and a small journal that costs next to nothing, for
//! the many runs whose subject is not redb. Knows nothing of what the rows mean.

mod flaky;
mod journal;
mod witness;

use std::fmt;
use std::sync::atomic::Ordering;

use meshwork_state::suites::{Disk as Platter, Medium};
use meshwork_state::{RedbStore, Store, StoreError};

pub use self::witness::MachineWitness;

use self::flaky::{Flaky, Trouble};
use self::journal::Journal;
use crate::seeded::Seeded;

/// What stores rows on the platter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Backend {
    /// A log of batches, each with its checksum.
    Journal,
    /// redb.
    Redb,
}

/// The disk of one machine.
pub struct Disk {
    backend: Backend,
    platter: Platter,
    /// What the journal need not read again.
    settled: journal::Settled,
    random: Seeded,
    trouble: Trouble,
}

/// Everything on a disk at one moment.
#[derive(Clone)]
pub struct Image {
    bytes: Vec<u8>,
}

impl Disk {
    /// An empty disk.
    pub fn new(backend: Backend, mut random: Seeded) -> Self {
        let platter = Platter::new(random.draw());
        let settled = journal::Settled::default();
        Self { backend, platter, settled, random, trouble: Trouble::default() }
    }

    /// Sets how many reads in a thousand fail.
    pub fn set_failing_reads(&self, per_mille: u64) {
        self.trouble.failing_reads.store(per_mille, Ordering::Relaxed);
    }

    /// There is no room for the next commit: nothing of it is written.
    pub fn fill_up(&self) {
        self.trouble.is_full.store(true, Ordering::Relaxed);
    }

    /// Opens the store.
    pub fn open(&mut self) -> Result<Box<dyn Store>, StoreError> {
        let platter = self.platter.clone();
        let number = self.random.draw();
        let random = self.random.fork("reads", number);
        let trouble = self.trouble.clone();
        Ok(match self.backend {
            Backend::Journal => {
                let store = Journal::open(platter, self.settled.clone())?;
                Box::new(Flaky::new(store, random, trouble))
            }
            Backend::Redb => Box::new(Flaky::new(RedbStore::on(platter)?, random, trouble)),
        })
    }

    /// The next sync fails, with the power on.
    pub fn fail_next_sync(&self) {
        self.platter.fail_syncs(1);
    }

    /// The power goes during one of the next writes or syncs, or at the latest when
    /// [`Disk::power_cycle`] is called.
    pub fn cut_power_soon(&mut self) {
        let most = match self.backend {
            // A write and a sync.
            Backend::Journal => 3,
            // What a commit of redb takes, and some more.
            Backend::Redb => 12,
        };
        self.platter.cut_power_after(u32::try_from(self.random.below(most)).unwrap_or(0));
    }

    /// The power was lost, and is back. What was open is not any more.
    pub fn power_cycle(&mut self) {
        self.platter = self.platter.power_cycle();
        self.trouble.is_full.store(false, Ordering::Relaxed);
    }

    /// Everything on it; nothing if it cannot be read.
    pub fn image(&self) -> Option<Image> {
        let mut bytes = vec![0; usize::try_from(Medium::len(&self.platter).ok()?).ok()?];
        Medium::read(&self.platter, 0, &mut bytes).ok()?;
        Some(Image { bytes })
    }

    /// An empty one takes its place.
    pub fn replace(&mut self) {
        self.platter = Platter::new(self.random.draw());
        self.settled = journal::Settled::default();
    }

    /// Puts back what was on it then.
    pub fn put_back(&mut self, image: &Image) -> Result<(), StoreError> {
        let platter = Platter::new(self.random.draw());
        let written = Medium::write(&platter, 0, &image.bytes).and_then(|()| platter.sync());
        written.map_err(|error| StoreError::Disk(error.kind()))?;
        self.platter = platter;
        self.settled = journal::Settled::default();
        Ok(())
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("backend", &self.backend).finish_non_exhaustive()
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests;
