//! A key of HMAC, and the hash over a message behind it.

use super::block::{BLOCK, Block, Key, START, State};

/// A key of HMAC, made ready: the states of SHA-256 after its two pads.
pub(super) struct Pads {
    pub(super) inner: State,
    outer: State,
}

impl Pads {
    /// Of the key of zeros, which stands for no salt.
    pub(super) const OF_ZEROS: Self = Self {
        inner: State([
            0xf454_dead,
            0x9725_214f,
            0x90da_f2a0,
            0xdf12_28ea,
            0x64e5_750f,
            0xa392_4181,
            0x824a_932b,
            0xf8e0_4e32,
        ]),
        outer: State([
            0xd385_480f,
            0x7abb_6477,
            0x37c9_c538,
            0x5dd8_2467,
            0x8e04_3a72,
            0x7534_34b0,
            0xdeb8_2818,
            0x361d_45a6,
        ]),
    };

    pub(super) fn new(key: &[u8; 32]) -> Self {
        let mut pad = Block([INNER_PAD; BLOCK]);
        for (pad, key) in pad.0.iter_mut().zip(key) {
            *pad ^= key;
        }
        let mut pads = Self { inner: START, outer: START };
        pads.inner.compress(&pad);
        for byte in &mut pad.0 {
            *byte ^= INNER_PAD ^ OUTER_PAD;
        }
        pads.outer.compress(&pad);
        pads
    }

    /// Of a key that was just hashed.
    pub(super) fn of_digest(digest: &State) -> Self {
        let mut key = Key([0; 32]);
        digest.write(&mut key.0);
        Self::new(&key.0)
    }

    pub(super) fn extract(&self, input: &[u8; 32]) -> State {
        self.outer_of(&self.extract_inner(input))
    }

    pub(super) fn extract_inner(&self, input: &[u8; 32]) -> State {
        let mut block = Block::of_digest();
        block.begin_with(input);
        let mut state = self.inner.again();
        state.compress(&block);
        state
    }

    /// The inner hash.
    pub(super) fn hash(&self, parts: &[&[u8]]) -> State {
        let mut hash = Hash::after_one_block(self.inner.again());
        for part in parts {
            hash.update(part);
        }
        hash.finish()
    }

    /// The outer hash, over the inner one.
    pub(super) fn outer_of(&self, inner: &State) -> State {
        let mut block = Block::of_digest();
        inner.write(&mut block.0);
        let mut state = self.outer.again();
        state.compress(&block);
        state
    }

    pub(super) fn finish(&self, inner: &State, out: &mut [u8; 32]) {
        self.outer_of(inner).write(out);
    }
}

/// A SHA-256 under way.
struct Hash {
    state: State,
    /// What waits for its block to be full.
    block: Block,
    filled: usize,
    length: u64,
}

impl Hash {
    fn after_one_block(state: State) -> Self {
        Self { state, block: Block([0; BLOCK]), filled: 0, length: BLOCK as u64 }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        while !bytes.is_empty() {
            let room = self.block.0.get_mut(self.filled..).unwrap_or_default();
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            for (to, from) in room.iter_mut().zip(now) {
                *to = *from;
            }
            self.filled += now.len();
            bytes = later;
            if self.filled == BLOCK {
                self.compress();
            }
        }
    }

    fn finish(mut self) -> State {
        if let Some(place) = self.block.0.get_mut(self.filled) {
            *place = 0x80;
        }
        if self.filled >= BLOCK - 8 {
            self.compress();
        }
        self.block.end_with(self.length.wrapping_mul(8));
        self.state.compress(&self.block);
        self.state
    }

    fn compress(&mut self) {
        self.state.compress(&self.block);
        self.block.0 = [0; BLOCK];
        self.filled = 0;
    }
}

const INNER_PAD: u8 = 0x36;
const OUTER_PAD: u8 = 0x5c;
