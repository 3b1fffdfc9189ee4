//! What SHA-256 works on: blocks and states, wiped when they are dropped.

use core::slice;

use sha2::block_api::compress256;
use zeroize::optimization_barrier;

/// What is hashed next, wiped when it is dropped.
pub(super) struct Block(pub(super) [u8; BLOCK]);

impl Block {
    /// The last block of a message of so many bytes, but for its bytes.
    pub(super) const fn ending(length: usize) -> Self {
        let mut block = [0; BLOCK];
        let [.., high, low] = (length * 8).to_be_bytes();
        block[BLOCK - 2] = high;
        block[BLOCK - 1] = low;
        Self(block)
    }

    /// The last block of a digest, behind one block, but for the digest.
    pub(super) fn of_digest() -> Self {
        const EMPTY: Block = {
            let mut block = Block::ending(BLOCK + 32);
            block.0[32] = 0x80;
            block
        };
        Self(EMPTY.0)
    }

    /// The last block of a message of one byte, behind one block.
    pub(super) const fn of_one_byte(byte: u8) -> Self {
        let mut block = Self::ending(BLOCK + 1);
        block.0[0] = byte;
        block.0[1] = 0x80;
        block
    }

    pub(super) fn begin_with(&mut self, bytes: &[u8; 32]) {
        for (to, from) in self.0.iter_mut().zip(bytes) {
            *to = *from;
        }
    }

    pub(super) fn end_with(&mut self, bits: u64) {
        if let Some(end) = self.0.last_chunk_mut() {
            *end = bits.to_be_bytes();
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.0 = [0; BLOCK];
        optimization_barrier(&self.0);
    }
}

/// A state of SHA-256, wiped when it is dropped.
pub(super) struct State(pub(super) [u32; 8]);

impl State {
    pub(super) fn again(&self) -> Self {
        Self(self.0)
    }

    pub(super) fn compress(&mut self, block: &Block) {
        compress256(&mut self.0, slice::from_ref(&block.0));
    }

    /// Its words at the start of `out`.
    pub(super) fn write(&self, out: &mut [u8]) {
        for (to, word) in out.as_chunks_mut().0.iter_mut().zip(self.0) {
            *to = word.to_be_bytes();
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.0 = [0; 8];
        optimization_barrier(&self.0);
    }
}

/// Key material, wiped when it is dropped.
pub(super) struct Key(pub(super) [u8; 32]);

impl Drop for Key {
    fn drop(&mut self) {
        self.0 = [0; 32];
        optimization_barrier(&self.0);
    }
}

/// Bytes of a block of SHA-256.
pub(super) const BLOCK: usize = 64;

/// Where SHA-256 starts (FIPS 180-4, section 5.3.3).
pub(super) const START: State = State([
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
]);
