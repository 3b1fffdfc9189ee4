//! A walk along a chain of the post-quantum ratchet.

use core::ops::RangeInclusive;

use super::block::{BLOCK, Block, Key};
use super::pads::Pads;

/// Walks the chain, and gives the key of each counter on the way. A key is hashed beside the step
/// to the next one, since each hash of a step waits for the one before it.
pub(in crate::provider) fn epoch_walk(
    chain: &mut [u8; 32],
    mut counters: RangeInclusive<u32>,
    label: &[u8; EPOCH_LABEL],
    each: &mut dyn FnMut(u32, &[u8; 32]),
) {
    let Some(mut counter) = counters.next() else { return };
    let (mut to_chain, mut to_key) = (ToChain::new(label, counter), ToKey::new(label, counter));
    let mut key = Key([0; 32]);
    let mut pads = Pads::of_digest(&Pads::OF_ZEROS.extract(chain));
    let mut step = pads.inner.again();
    step.compress(&to_chain.0);
    pads.finish(&step, chain);
    to_chain.count(counter.wrapping_add(1));
    for next_counter in counters {
        let extracted = Pads::OF_ZEROS.extract_inner(chain);
        let mut hash = pads.inner.again();
        hash.compress(to_key.first(chain));
        let extracted = Pads::OF_ZEROS.outer_of(&extracted);
        hash.compress(&to_key.last);
        let next_pads = Pads::of_digest(&extracted);
        let mut step = next_pads.inner.again();
        step.compress(&to_chain.0);
        pads.finish(&hash, &mut key.0);
        next_pads.finish(&step, chain);
        each(counter, &key.0);
        (pads, counter) = (next_pads, next_counter);
        to_chain.count(counter.wrapping_add(1));
        to_key.count(counter);
    }
    let mut hash = pads.inner.again();
    hash.compress(to_key.first(chain));
    hash.compress(&to_key.last);
    pads.finish(&hash, &mut key.0);
    each(counter, &key.0);
}

/// The message that the next chain comes from: `counter || label || 1`.
struct ToChain(Block);

impl ToChain {
    fn new(label: &[u8; EPOCH_LABEL], counter: u32) -> Self {
        let mut block = Block::ending(BLOCK + INFO + 1);
        block.0[4..INFO].copy_from_slice(label);
        block.0[INFO] = 1;
        block.0[INFO + 1] = 0x80;
        let mut message = Self(block);
        message.count(counter);
        message
    }

    fn count(&mut self, counter: u32) {
        self.0.0[..4].copy_from_slice(&counter.to_be_bytes());
    }
}

/// The message that the key comes from: `chain || counter || label || 2`.
struct ToKey {
    first: Block,
    last: Block,
}

impl ToKey {
    fn new(label: &[u8; EPOCH_LABEL], counter: u32) -> Self {
        let (mut first, mut last) = (Block([0; BLOCK]), Block::ending(BLOCK + 32 + INFO + 1));
        first.0[36..].copy_from_slice(&label[..28]);
        last.0[..3].copy_from_slice(&label[28..]);
        last.0[3] = 2;
        last.0[4] = 0x80;
        let mut message = Self { first, last };
        message.count(counter);
        message
    }

    fn count(&mut self, counter: u32) {
        self.first.0[32..36].copy_from_slice(&counter.to_be_bytes());
    }

    fn first(&mut self, chain: &[u8; 32]) -> &Block {
        self.first.begin_with(chain);
        &self.first
    }
}

/// Bytes of the label, and with the counter before it.
const EPOCH_LABEL: usize = 31;
const INFO: usize = 4 + EPOCH_LABEL;
