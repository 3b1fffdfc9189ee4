//! HMAC-SHA-256 and HKDF over the compression function itself, for the ratchets of both providers.
//!
//! A chain asks for keys that are used once, by the thousand where messages were lost. A general
//! HMAC makes a context for each, which costs more than the hashing; and what does not depend on
//! each other stands side by side here, so that the processor does it at once. It can only while no
//! block is put together from narrow stores just before it is read, since a wide load waits until
//! those have left the processor: the ends of blocks come from constants, and a counter is written a
//! step ahead. What is secret is wiped by plain stores in front of a barrier: byte by byte it would
//! take as long as the hashing.

mod block;
mod epoch_walk;
mod pads;

use block::{Block, Key};
use pads::Pads;

use super::CryptoError;
use crate::secret::Secret;

pub(super) use epoch_walk::epoch_walk;

/// HMAC over the byte 01 and over the byte 02, which a chain's message and its next key come from.
pub(super) fn chain_step(key: &[u8; 32], out: &mut [[u8; 32]; 2]) {
    const ONE: Block = Block::of_one_byte(1);
    const TWO: Block = Block::of_one_byte(2);
    let pads = Pads::new(key);
    let (mut first, mut second) = (pads.inner.again(), pads.inner.again());
    // The step after this one waits for the second.
    second.compress(&TWO);
    first.compress(&ONE);
    let [message, next] = out;
    pads.finish(&second, next);
    pads.finish(&first, message);
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
