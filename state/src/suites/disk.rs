//! An emulated disk that loses power.
//!
//! What was synced stays. Of what was written since, each block of 4 KiB shows, after the power
//! loss, any one of the states that it went through, or two of them torn at any byte; lengths
//! likewise. So writes are lost, and reach the disk in another order than they were made in. A sync
//! that fails leaves the same lottery on the platter while reads still show what was written, and
//! no later sync repairs that: so do the operating systems that mark failed pages as clean.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::SeededRandom;

/// What a backend stores its bytes on, for one that is not redb.
pub trait Medium {
    /// How many bytes there are.
    fn len(&self) -> io::Result<u64>;

    /// Whether there is no byte.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `out` from `offset` on; an error where the bytes end before.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Cuts the bytes off, or adds zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes all that was written durable.
    fn sync(&self) -> io::Result<()>;

    /// Writes `bytes` at `offset`, beyond the end too.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
}

/// A handle to the disk. Clones share it; all of them are dead once the power was lost.
#[derive(Clone, Debug)]
pub struct Disk {
    platter: Arc<Mutex<Platter>>,
    /// The power supply that this handle hangs on.
    supply: u32,
}

impl Disk {
    /// An empty disk whose accidents that seed decides.
    pub fn new(seed: u64) -> Self {
        let platter = Platter { random: SeededRandom::new(seed), ..Platter::default() };
        Self { platter: Arc::new(Mutex::new(platter)), supply: 0 }
    }

    /// Cuts the power during the `steps`-th write, change of length or sync from now.
    pub fn cut_power_after(&self, steps: u32) {
        self.platter().steps_left = Some(steps);
    }

    /// Lets the next syncs fail, that many.
    pub fn fail_syncs(&self, count: u32) {
        self.platter().failing_syncs = count;
    }

    /// Whether both are handles to one disk.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.platter, &other.platter)
    }

    /// Whether the power is gone.
    pub fn is_off(&self) -> bool {
        self.platter().off
    }

    /// Cuts the power, if it is still there, and brings it back: a handle to what is left. All
    /// others stay dead.
    pub fn power_cycle(&self) -> Self {
        let mut platter = self.platter();
        platter.settle();
        platter.shown = platter.durable.clone();
        platter.supply += 1;
        platter.off = false;
        platter.steps_left = None;
        platter.failing_syncs = 0;
        Self { platter: Arc::clone(&self.platter), supply: platter.supply }
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The platter, if this handle still has power.
    fn powered(&self) -> io::Result<MutexGuard<'_, Platter>> {
        let platter = self.platter();
        if platter.off || platter.supply != self.supply { Err(power_is_off()) } else { Ok(platter) }
    }
}

impl Medium for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.powered()?.shown.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.powered()?;
        let start = index(offset);
        let bytes = platter.shown.get(start..start.saturating_add(out.len()));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.powered()?;
        platter.resize(index(len));
        platter.step()
    }

    fn sync(&self) -> io::Result<()> {
        let mut platter = self.powered()?;
        platter.step()?;
        platter.sync()
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut platter = self.powered()?;
        platter.write(index(offset), bytes);
        // The write in which the power goes may reach the platter in part, as any unsynced one.
        platter.step()
    }
}

#[cfg(feature = "redb")]
impl redb::StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Medium::len(self)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        Medium::read(self, offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Medium::set_len(self, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Medium::sync(self)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        Medium::write(self, offset, data)
    }
}

#[derive(Debug)]
struct Platter {
    random: SeededRandom,
    /// What reads see.
    shown: Vec<u8>,
    /// What a power loss leaves, but for what is unsynced.
    durable: Vec<u8>,
    /// The states that each block went through since the last sync.
    states: BTreeMap<usize, Vec<Block>>,
    /// The lengths since the last sync.
    lengths: Vec<usize>,
    steps_left: Option<u32>,
    failing_syncs: u32,
    supply: u32,
    off: bool,
}

type Block = [u8; BLOCK];

impl Default for Platter {
    fn default() -> Self {
        Self {
            random: SeededRandom::new(0),
            shown: Vec::new(),
            durable: Vec::new(),
            states: BTreeMap::new(),
            lengths: Vec::new(),
            steps_left: None,
            failing_syncs: 0,
            supply: 0,
            off: false,
        }
    }
}

impl Platter {
    fn step(&mut self) -> io::Result<()> {
        match &mut self.steps_left {
            Some(0) => {
                self.off = true;
                Err(power_is_off())
            }
            Some(steps) => {
                *steps -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn write(&mut self, start: usize, bytes: &[u8]) {
        let end = start + bytes.len();
        if end > self.shown.len() {
            self.shown.resize(end, 0);
            self.lengths.push(end);
        }
        if let Some(place) = self.shown.get_mut(start..end) {
            place.copy_from_slice(bytes);
        }
        self.remember(start, end);
    }

    fn resize(&mut self, len: usize) {
        let old = self.shown.len();
        self.shown.resize(len, 0);
        self.lengths.push(len);
        self.remember(len.min(old), len.max(old));
    }

    /// Adds to the states of the blocks from `start` to `end` the one that is shown now.
    fn remember(&mut self, start: usize, end: usize) {
        for block in start / BLOCK..end.div_ceil(BLOCK) {
            let state = block_of(&self.shown, block);
            self.states.entry(block).or_default().push(state);
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Some(left) = self.failing_syncs.checked_sub(1) {
            self.failing_syncs = left;
            self.settle();
            return Err(io::Error::other("the sync failed"));
        }
        self.durable.resize(self.shown.len(), 0);
        for block in std::mem::take(&mut self.states).into_keys() {
            let state = block_of(&self.shown, block);
            put_block(&mut self.durable, block, &state);
        }
        self.lengths.clear();
        Ok(())
    }

    /// Decides what the platter keeps of all that is unsynced.
    fn settle(&mut self) {
        // Now and then all of it is kept or lost: plain chance would hardly ever show that.
        let luck = match self.random.below(6) {
            0 => Luck::Kept,
            1 => Luck::Lost,
            _ => Luck::Each,
        };
        let lengths = std::mem::take(&mut self.lengths);
        let len = *self.draw(luck, &self.durable.len(), &lengths);
        let states = std::mem::take(&mut self.states);
        // A file that grows back shows zeros.
        let mut kept = self.durable.clone();
        kept.resize(len, 0);
        for (block, states) in states {
            let old = block_of(&self.durable, block);
            let first = *self.draw(luck, &old, &states);
            let second = *self.draw(luck, &old, &states);
            put_block(&mut kept, block, &self.torn(first, &second));
        }
        self.durable = kept;
    }

    fn draw<'a, T>(&mut self, luck: Luck, old: &'a T, newer: &'a [T]) -> &'a T {
        let choice = match luck {
            Luck::Kept => newer.last(),
            Luck::Lost => None,
            Luck::Each => {
                let count = u32::try_from(newer.len()).unwrap_or(u32::MAX);
                newer.get(self.random.below(count.saturating_add(1)) as usize)
            }
        };
        choice.unwrap_or(old)
    }

    /// One block in four is torn: its second part is of another state.
    fn torn(&mut self, mut first: Block, second: &Block) -> Block {
        if self.random.one_in(4) {
            let cut = self.random.below(BLOCK_U32) as usize;
            if let (Some(behind), Some(other)) = (first.get_mut(cut..), second.get(cut..)) {
                behind.copy_from_slice(other);
            }
        }
        first
    }
}

/// What becomes of the unsynced blocks of one accident.
#[derive(Clone, Copy, Debug)]
enum Luck {
    Kept,
    Lost,
    Each,
}

/// A block of `bytes`, zeros behind their end.
fn block_of(bytes: &[u8], block: usize) -> Block {
    let mut state = [0; BLOCK];
    let there = bytes.get(block * BLOCK..).unwrap_or_default();
    let length = there.len().min(BLOCK);
    if let (Some(state), Some(there)) = (state.get_mut(..length), there.get(..length)) {
        state.copy_from_slice(there);
    }
    state
}

/// Replaces a block as far as `bytes` reach.
fn put_block(bytes: &mut [u8], block: usize, state: &Block) {
    let place = bytes.get_mut(block * BLOCK..).unwrap_or_default();
    let length = place.len().min(BLOCK);
    if let (Some(place), Some(state)) = (place.get_mut(..length), state.get(..length)) {
        place.copy_from_slice(state);
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

/// What a file system writes at once, at best.
const BLOCK: usize = 4096;
const BLOCK_U32: u32 = 4096;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{BLOCK, Disk, Medium};

    fn bytes(disk: &Disk) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(disk.len().unwrap()).unwrap()];
        disk.read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_was_synced_survives_and_old_handles_do_not() {
        for seed in 0..50 {
            let disk = Disk::new(seed);
            disk.write(10, b"synced").unwrap();
            disk.sync().unwrap();
            let before = bytes(&disk);
            let after = disk.power_cycle();
            assert_eq!(bytes(&after), before);
            assert!(disk.len().is_err());
            assert!(disk.write(0, b"late").is_err());
            assert!(after.len().is_ok());
        }
    }

    #[test]
    fn unsynced_blocks_are_kept_lost_torn_and_out_of_order() {
        let (mut outcomes, mut torn) = (BTreeSet::new(), false);
        for seed in 0..300 {
            let disk = Disk::new(seed);
            disk.write(0, &[0; 2 * BLOCK]).unwrap();
            disk.sync().unwrap();
            disk.write(0, &[1; BLOCK]).unwrap();
            disk.write(BLOCK as u64, &[1; BLOCK]).unwrap();
            let left = bytes(&disk.power_cycle());
            outcomes.insert((left[0], left[BLOCK]));
            torn |= left[0] != left[BLOCK - 1];
        }
        assert_eq!(outcomes, BTreeSet::from([(0, 0), (0, 1), (1, 0), (1, 1)]));
        assert!(torn);
    }

    #[test]
    fn an_unsynced_length_is_kept_or_lost() {
        let lengths: BTreeSet<_> = (0..100)
            .map(|seed| {
                let disk = Disk::new(seed);
                disk.set_len(10).unwrap();
                disk.sync().unwrap();
                disk.set_len(9_000).unwrap();
                disk.set_len(5_000).unwrap();
                disk.power_cycle().len().unwrap()
            })
            .collect();
        assert_eq!(lengths, BTreeSet::from([10, 5_000, 9_000]));
    }

    #[test]
    fn the_power_goes_at_the_step_that_was_set() {
        let disk = Disk::new(1);
        disk.cut_power_after(2);
        assert!(disk.write(0, b"a").is_ok());
        assert!(disk.sync().is_ok());
        assert!(!disk.is_off());
        assert!(disk.write(1, b"b").is_err());
        assert!(disk.is_off());
        assert!(disk.read(0, &mut [0]).is_err());
    }

    #[test]
    fn after_a_failed_sync_reads_show_what_no_later_sync_makes_durable() {
        let lost = (0..50).filter(|seed| {
            let disk = Disk::new(*seed);
            disk.write(0, &[0; BLOCK]).unwrap();
            disk.sync().unwrap();
            disk.write(0, &[1; BLOCK]).unwrap();
            disk.fail_syncs(1);
            assert!(disk.sync().is_err());
            disk.sync().unwrap();
            assert_eq!(bytes(&disk), [1; BLOCK]);
            bytes(&disk.power_cycle()) != [1; BLOCK]
        });
        assert!((10..45).contains(&lost.count()));
    }
}
