//! HMAC-SHA-256 and HKDF over the compression function itself, for the ratchets of both providers.
//!
//! A chain asks for keys that are used once, by the thousand where messages were lost. A general
//! HMAC makes a context for each, which costs more than the hashing; and what does not depend on
//! each other stands side by side here, so that the processor does it at once. What is secret is
//! wiped by plain stores in front of a barrier: byte by byte it would take as long as the hashing.

use core::ops::RangeInclusive;
use core::slice;

use sha2::block_api::compress256;
use zeroize::optimization_barrier;

use super::CryptoError;
use crate::secret::Secret;

/// HMAC over the byte 01 and over the byte 02, which a chain's message and its next key come from.
pub(super) fn chain_step(key: &[u8; 32], out: &mut [[u8; 32]; 2]) {
    const ONE: Block = Block::of_one_byte(1);
    const TWO: Block = Block::of_one_byte(2);
    let pads = Pads::new(key);
    let (mut first, mut second) = (pads.inner.again(), pads.inner.again());
    first.compress(&ONE);
    second.compress(&TWO);
    let [message, next] = out;
    pads.finish(&first, message);
    pads.finish(&second, next);
}

/// HMAC over the parts, one after the other.
pub(super) fn mac(key: &[u8; 32], parts: &[&[u8]]) -> Secret<32> {
    let mut out = Secret::new([0; 32]);
    let pads = Pads::new(key);
    pads.finish(&pads.hash(parts), out.expose_mut());
    out
}

/// HKDF, extract and expand.
pub(super) fn hkdf(
    salt: &[u8; 32],
    input: &[u8],
    info: &[u8],
    out: &mut [u8],
) -> Result<(), CryptoError> {
    let pads = if *salt == [0; 32] { Pads::OF_ZEROS } else { Pads::new(salt) };
    let mut key = Key([0; 32]);
    pads.finish(&pads.hash(&[input]), &mut key.0);
    let pads = Pads::new(&key.0);
    let mut before: &[u8] = &[];
    for (number, part) in (1..=u8::MAX).zip(out.chunks_mut(32)) {
        pads.finish(&pads.hash(&[before, info, &[number]]), &mut key.0);
        for (to, from) in part.iter_mut().zip(&key.0) {
            *to = *from;
        }
        before = part;
    }
    if out.len() <= 255 * 32 { Ok(()) } else { Err(CryptoError::WrongLength) }
}

/// Walks a chain of the post-quantum ratchet. What the next key needs is hashed beside the rest of
/// this one.
pub(super) fn epoch_walk(
    chain: &mut [u8; 32],
    counters: RangeInclusive<u32>,
    label: &[u8; EPOCH_LABEL],
    each: &mut dyn FnMut(u32, &[u8; 32]),
) {
    let mut pads = Pads::of_digest(&Pads::OF_ZEROS.extract(chain));
    // The message is `counter || label || 1`, then `chain || counter || label || 2`.
    let mut first = Block::ending(BLOCK + INFO + 1);
    first.0[4..INFO].copy_from_slice(label);
    first.0[INFO] = 1;
    first.0[INFO + 1] = 0x80;
    let mut second = [Block([0; BLOCK]), Block::ending(BLOCK + 32 + INFO + 1)];
    second[0].0[36..].copy_from_slice(&label[..28]);
    second[1].0[..3].copy_from_slice(&label[28..]);
    second[1].0[3] = 2;
    second[1].0[4] = 0x80;
    let mut key = Key([0; 32]);
    for counter in counters {
        first.0[..4].copy_from_slice(&counter.to_be_bytes());
        second[0].0[32..36].copy_from_slice(&counter.to_be_bytes());
        let mut inner = pads.inner.again();
        inner.compress(&first);
        pads.finish(&inner, chain);

        second[0].0[..32].copy_from_slice(chain);
        let mut inner = pads.inner.again();
        inner.compress(&second[0]);
        let mut extracted = Pads::OF_ZEROS.extract_inner(chain);
        inner.compress(&second[1]);
        extracted = Pads::OF_ZEROS.outer_of(&extracted);
        pads.finish(&inner, &mut key.0);
        pads = Pads::of_digest(&extracted);
        each(counter, &key.0);
    }
}

/// A key of HMAC, made ready: the states of SHA-256 after its two pads.
struct Pads {
    inner: State,
    outer: State,
}

impl Pads {
    /// Of the key of zeros, which stands for no salt.
    const OF_ZEROS: Self = Self {
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

    fn new(key: &[u8; 32]) -> Self {
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
    fn of_digest(digest: &State) -> Self {
        let mut key = Key([0; 32]);
        digest.write(&mut key.0);
        Self::new(&key.0)
    }

    fn extract(&self, input: &[u8; 32]) -> State {
        self.outer_of(&self.extract_inner(input))
    }

    fn extract_inner(&self, input: &[u8; 32]) -> State {
        let mut block = Block::ending(BLOCK + 32);
        for (to, from) in block.0.iter_mut().zip(input) {
            *to = *from;
        }
        block.0[32] = 0x80;
        let mut state = self.inner.again();
        state.compress(&block);
        state
    }

    /// The inner hash.
    fn hash(&self, parts: &[&[u8]]) -> State {
        let mut hash = Hash::after_one_block(self.inner.again());
        for part in parts {
            hash.update(part);
        }
        hash.finish()
    }

    /// The outer hash, over the inner one.
    fn outer_of(&self, inner: &State) -> State {
        let mut block = Block::ending(BLOCK + 32);
        inner.write(&mut block.0);
        block.0[32] = 0x80;
        let mut state = self.outer.again();
        state.compress(&block);
        state
    }

    fn finish(&self, inner: &State, out: &mut [u8; 32]) {
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

/// What is hashed next, wiped when it is dropped.
struct Block([u8; BLOCK]);

impl Block {
    /// The last block of a message of so many bytes, but for its bytes.
    const fn ending(length: usize) -> Self {
        let mut block = [0; BLOCK];
        let [.., high, low] = (length * 8).to_be_bytes();
        block[BLOCK - 2] = high;
        block[BLOCK - 1] = low;
        Self(block)
    }

    /// The last block of a message of one byte, behind one block.
    const fn of_one_byte(byte: u8) -> Self {
        let mut block = Self::ending(BLOCK + 1);
        block.0[0] = byte;
        block.0[1] = 0x80;
        block
    }

    fn end_with(&mut self, bits: u64) {
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
struct State([u32; 8]);

impl State {
    fn again(&self) -> Self {
        Self(self.0)
    }

    fn compress(&mut self, block: &Block) {
        compress256(&mut self.0, slice::from_ref(&block.0));
    }

    /// Its words at the start of `out`.
    fn write(&self, out: &mut [u8]) {
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
struct Key([u8; 32]);

impl Drop for Key {
    fn drop(&mut self) {
        self.0 = [0; 32];
        optimization_barrier(&self.0);
    }
}

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// Bytes of the label of a chain of the post-quantum ratchet, and with the counter before it.
pub(super) const EPOCH_LABEL: usize = 31;
const INFO: usize = 4 + EPOCH_LABEL;

const INNER_PAD: u8 = 0x36;
const OUTER_PAD: u8 = 0x5c;

/// Where SHA-256 starts (FIPS 180-4, section 5.3.3).
const START: State = State([
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
]);

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{chain_step, epoch_walk, hkdf, mac};
    #[cfg(feature = "aws-lc-rs")]
    use crate::provider::aws::AwsLc as Other;
    #[cfg(not(feature = "aws-lc-rs"))]
    use crate::provider::pure::Pure as Other;
    use crate::provider::{CryptoError, Provider};

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|place| u8::try_from(place * 7 % 251).unwrap()).collect()
    }

    #[test]
    fn it_hashes_as_the_general_functions_do_at_every_length_around_a_block() {
        for length in 0..300 {
            let (message, key) = (bytes(length), [u8::try_from(length % 251).unwrap(); 32]);
            let (one, other) = message.split_at(length / 3);
            let expected = Other.hmac_sha256(&key, &[&message]);
            assert_eq!(mac(&key, &[one, other]), expected, "{length}");
            let mut out = [vec![0; length], vec![0; length]];
            let [ours, theirs] = &mut out;
            hkdf(&key, &message, one, ours).unwrap();
            Other.hkdf_sha256(&key, &message, one, theirs).unwrap();
            assert_eq!(ours, theirs, "{length}");
        }
    }

    #[test]
    fn a_step_is_the_hmac_of_one_and_of_two() {
        for number in 0..50 {
            let mut out = [[0; 32]; 2];
            chain_step(&[number; 32], &mut out);
            for (got, byte) in out.iter().zip([1, 2]) {
                assert_eq!(got, Other.hmac_sha256(&[number; 32], &[&[byte]]).expose());
            }
        }
    }

    #[test]
    fn a_walk_is_one_hkdf_after_the_other() {
        let label = b"Signal PQ Ratchet V1 Chain Next";
        let (mut chain, mut expected) = ([7; 32], [7; 32]);
        let mut keys = Vec::new();
        epoch_walk(&mut chain, 250..=260, label, &mut |counter, key| keys.push((counter, *key)));
        for (counter, key) in keys.iter().zip(250_u32..).map(|((counter, key), expected)| {
            assert_eq!(*counter, expected);
            (counter, key)
        }) {
            let mut both = [0; 64];
            let info = [counter.to_be_bytes().as_slice(), label].concat();
            Other.hkdf_sha256(&[0; 32], &expected, &info, &mut both).unwrap();
            expected.copy_from_slice(&both[..32]);
            assert_eq!(key, &both[32..]);
        }
        assert_eq!((keys.len(), chain), (11, expected));
    }

    #[test]
    fn hkdf_gives_as_much_as_it_may_and_no_more() {
        let mut out = vec![0; 255 * 32 + 1];
        assert_eq!(hkdf(&[0; 32], &[], &[], &mut out), Err(CryptoError::WrongLength));
        assert_eq!(hkdf(&[0; 32], &[], &[], &mut out[1..]), Ok(()));
    }
}
