//! Whether what a store acknowledged survives a power loss at any point.
//!
//! Each round opens the store, compares its rows with what must be there, and changes them until
//! the power goes: in a commit, while it compacts, or already while it opens. Now and then a sync
//! fails with the power on. What must hold: it opens again; every acknowledged batch is there; the
//! one that was under way is wholly there or wholly not.

use std::collections::BTreeMap;
use std::ops::Range;

use meshwork_protocols::random::Random;
use meshwork_protocols::secret::SecretBytes;

use super::{Disk, SeededRandom, Violation, claim};
use crate::{Batch, Change, Namespace, Rows, Store, StoreError};

/// Loses power `losses` times on each seed's disk. `open` opens the store on the disk, or makes it
/// where there is none yet.
pub fn run(
    seeds: Range<u64>,
    losses: u32,
    mut open: impl FnMut(&Disk) -> Result<Box<dyn Store>, StoreError>,
) -> Result<Survived, Violation> {
    let mut survived = Survived::default();
    for seed in seeds {
        let mut ordeal = Ordeal::new(seed);
        for _ in 0..losses {
            ordeal
                .lose_power_once(&mut open, &mut survived)
                .map_err(|violation| violation.with_seed(seed))?;
        }
        ordeal.check_in_calm(&mut open).map_err(|violation| violation.with_seed(seed))?;
    }
    Ok(survived)
}

/// Where the power was lost. A suite that never hit one of these showed nothing of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Survived {
    /// Power losses in all.
    pub losses: u32,
    /// Of these, while the store opened or repaired itself.
    pub in_opening: u32,
    /// While it committed.
    pub in_commits: u32,
    /// While it compacted.
    pub in_compaction: u32,
    /// Syncs that failed with the power on.
    pub failed_syncs: u32,
    /// Batches under way that were there afterwards.
    pub kept: u32,
    /// Batches that were acknowledged.
    pub acknowledged: u32,
}

type Contents = BTreeMap<(Namespace, Vec<u8>), SecretBytes>;

/// One disk and what must be on it.
struct Ordeal {
    disk: Disk,
    random: SeededRandom,
    /// What all acknowledged batches make.
    acknowledged: Contents,
    /// What the one under way would make of it.
    under_way: Option<Contents>,
}

/// Whether the power is still there.
enum Power {
    On,
    Off,
}

impl Ordeal {
    fn new(seed: u64) -> Self {
        Self {
            disk: Disk::new(seed),
            random: SeededRandom::new(!seed),
            acknowledged: Contents::new(),
            under_way: None,
        }
    }

    fn lose_power_once(
        &mut self,
        open: &mut impl FnMut(&Disk) -> Result<Box<dyn Store>, StoreError>,
        survived: &mut Survived,
    ) -> Result<(), Violation> {
        // Short enough to hit the opening one time in three.
        let reach = if self.random.one_in(3) { 15 } else { 300 };
        self.disk.cut_power_after(self.random.below(reach));
        match open(&self.disk) {
            Ok(store) => self.change_until_power_goes(&*store, survived)?,
            Err(_) if self.disk.is_off() => survived.in_opening += 1,
            Err(error) => return Err(Violation::failed("a store opens again")(error)),
        }
        survived.losses += 1;
        self.disk = self.disk.power_cycle();
        Ok(())
    }

    fn change_until_power_goes(
        &mut self,
        store: &dyn Store,
        survived: &mut Survived,
    ) -> Result<(), Violation> {
        if let Power::Off = self.check(store, survived)? {
            survived.in_opening += 1;
            return Ok(());
        }
        loop {
            if self.random.one_in(20) {
                self.disk.fail_syncs(1);
                survived.failed_syncs += 1;
            }
            let power = if self.random.one_in(12) {
                self.compact(store, survived)?
            } else {
                self.commit(store, survived)?
            };
            if let Power::Off = power {
                return Ok(());
            }
        }
    }

    fn commit(&mut self, store: &dyn Store, survived: &mut Survived) -> Result<Power, Violation> {
        let batch = self.batch();
        let mut after = self.acknowledged.clone();
        apply(&mut after, &batch);
        match store.commit(&batch) {
            Ok(()) => {
                self.acknowledged = after;
                survived.acknowledged += 1;
                Ok(Power::On)
            }
            Err(_) => {
                claim(
                    store.get(Namespace::Own, &[]) == Err(StoreError::Poisoned)
                        && store.commit(&Batch::new()) == Err(StoreError::Poisoned),
                    "after a failed commit the store refuses everything until it opens again",
                )?;
                self.under_way = Some(after);
                let power = self.recover(store, survived)?;
                if let Power::Off = power {
                    survived.in_commits += 1;
                }
                Ok(power)
            }
        }
    }

    fn compact(&mut self, store: &dyn Store, survived: &mut Survived) -> Result<Power, Violation> {
        if store.compact().is_ok() {
            return self.check(store, survived);
        }
        let power = self.recover(store, survived)?;
        if let Power::Off = power {
            survived.in_compaction += 1;
        }
        Ok(power)
    }

    /// After an error: with the power on, a failed sync, which the store gets over.
    fn recover(&mut self, store: &dyn Store, survived: &mut Survived) -> Result<Power, Violation> {
        self.disk.fail_syncs(0);
        if self.disk.is_off() {
            return Ok(Power::Off);
        }
        match store.reopen() {
            Ok(()) => self.check(store, survived),
            Err(_) if self.disk.is_off() => Ok(Power::Off),
            Err(error) => Err(Violation::failed("a store opens again after a failed sync")(error)),
        }
    }

    /// Compares the rows with what must be there, and learns what became of the batch under way.
    fn check(&mut self, rows: &dyn Rows, survived: &mut Survived) -> Result<Power, Violation> {
        let contents = match contents(rows) {
            Ok(contents) => contents,
            Err(_) if self.disk.is_off() => return Ok(Power::Off),
            Err(error) => return Err(Violation::failed("every row can be read")(error)),
        };
        match self.under_way.take() {
            Some(after) if contents == after => {
                survived.kept += 1;
                self.acknowledged = after;
            }
            _ => claim(
                contents == self.acknowledged,
                "what was acknowledged is there, and of the batch under way all or nothing",
            )?,
        }
        Ok(Power::On)
    }

    fn check_in_calm(
        &mut self,
        open: &mut impl FnMut(&Disk) -> Result<Box<dyn Store>, StoreError>,
    ) -> Result<(), Violation> {
        let store = open(&self.disk).map_err(Violation::failed("a store opens again"))?;
        self.check(&*store, &mut Survived::default())?;
        Ok(())
    }

    /// Several rows over few keys, so that much is replaced and removed.
    fn batch(&mut self) -> Batch {
        let mut batch = Batch::new();
        for _ in 0..1 + self.random.below(8) {
            let (namespace, key) = self.place();
            if self.random.one_in(4) {
                batch.delete(namespace, key);
            } else {
                batch.put(namespace, key, self.value());
            }
        }
        batch
    }

    fn place(&mut self) -> (Namespace, Vec<u8>) {
        // All but the first, Meta: it may belong to the store under test.
        let count = u32::try_from(Namespace::ALL.len()).unwrap_or(1) - 1;
        let namespace = Namespace::ALL.get(1 + self.random.below(count) as usize);
        let key = self.random.below(16).to_be_bytes().to_vec();
        (namespace.copied().unwrap_or(Namespace::Own), key)
    }

    fn value(&mut self) -> SecretBytes {
        let longest = if self.random.one_in(10) { 10_000 } else { 300 };
        let mut value = vec![0; self.random.below(longest) as usize];
        self.random.fill(&mut value);
        SecretBytes::new(value)
    }
}

fn apply(contents: &mut Contents, batch: &Batch) {
    for (namespace, key, change) in batch.changes() {
        let place = (namespace, key.to_vec());
        match change {
            Change::Put(value) => contents.insert(place, value.clone()),
            Change::Delete => contents.remove(&place),
        };
    }
}

fn contents(rows: &dyn Rows) -> Result<Contents, StoreError> {
    let mut contents = Contents::new();
    for namespace in Namespace::ALL.into_iter().filter(|namespace| *namespace != Namespace::Meta) {
        for (key, value) in rows.scan(namespace, &[], None, usize::MAX)? {
            contents.insert((namespace, key), value);
        }
    }
    Ok(contents)
}
