//! What ML-KEM-768 draws from hashes: the matrix, from a public seed, and small polynomials, from a
//! secret one (FIPS 203 sections 4.1 and 4.2.2).

use sha3::{Digest, Sha3_256, Sha3_512};
use shake::{ExtendableOutput, Shake128, Shake256, Update, XofReader};
use zeroize::{Zeroize, Zeroizing};

use super::polynomial::{Polynomial, Q};
use crate::secret::Secret;

/// H: SHA3-256.
pub(super) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha3_256::new();
    for part in parts {
        Digest::update(&mut hash, part);
    }
    hash.finalize().into()
}

/// G: SHA3-512 in two halves.
pub(super) fn hash_in_two(secret: &Secret<32>, public: &[u8]) -> (Secret<32>, Secret<32>) {
    let mut hash = Sha3_512::new();
    Digest::update(&mut hash, secret.expose());
    Digest::update(&mut hash, public);
    let mut both: [u8; 64] = hash.finalize().into();
    let mut halves = (Secret::new([0; 32]), Secret::new([0; 32]));
    for (half, bytes) in [&mut halves.0, &mut halves.1].into_iter().zip(both.as_chunks().0) {
        *half.expose_mut() = *bytes;
    }
    both.zeroize();
    halves
}

/// The matrix's entry at `row` and `column`, transformed, by rejection (algorithm 7). How long it
/// takes depends on the seed, which is public.
pub(super) fn matrix_entry(seed: &[u8], row: u8, column: u8) -> Polynomial {
    let mut hash = Shake128::default();
    hash.update(seed);
    hash.update(&[column, row]);
    let mut stream = hash.finalize_xof();
    let mut entry = Polynomial::zero();
    let mut unfilled = entry.coefficients_mut().iter_mut();
    let mut block = [0; 168];
    while unfilled.len() > 0 {
        stream.read(&mut block);
        let candidates = block.as_chunks::<3>().0.iter().flat_map(|[low, middle, high]| {
            let first = u16::from_le_bytes([*low, middle & 0x0f]);
            [first, u16::from(*high) << 4 | u16::from(middle >> 4)]
        });
        let reduced = candidates.filter(|candidate| *candidate < Q);
        // The candidates first: zip must not take a place that nothing fills.
        for (candidate, place) in reduced.zip(&mut unfilled) {
            *place = candidate;
        }
    }
    entry
}

/// The small polynomial of number `number` (algorithm 8 with eta = 2): the difference of two sums
/// of two bits.
pub(super) fn small(seed: &Secret<32>, number: u8) -> Polynomial {
    let mut hash = Shake256::default();
    hash.update(seed.expose());
    hash.update(&[number]);
    let mut bits = Zeroizing::new([0; 128]);
    hash.finalize_xof().read(bits.as_mut_slice());
    let mut polynomial = Polynomial::zero();
    let pairs = polynomial.coefficients_mut().as_chunks_mut::<2>().0;
    for (pair, byte) in pairs.iter_mut().zip(bits.iter()) {
        *pair = [difference(*byte), difference(byte >> 4)];
    }
    polynomial
}

/// Of the lowest four bits: the sum of two less the sum of the others, modulo Q.
fn difference(bits: u8) -> u16 {
    let bit = |number: u8| u16::from(bits >> number & 1);
    let difference = (bit(0) + bit(1)).wrapping_sub(bit(2) + bit(3));
    difference.wrapping_add(0_u16.wrapping_sub(difference >> 15) & Q)
}
