//! Encapsulation to an ML-KEM-768 key (FIPS 203 algorithms 14 and 17), cut where the vector of the
//! public key is first needed.
//!
//! Both steps draw what they need from the message, so that 32 bytes are all that is kept between
//! them. Whatever follows from the message is secret; the matrix and the vector are not.

use super::polynomial::Polynomial;
use super::sampling::{hash, hash_in_two, matrix_entry, small};
use super::{CT1_LENGTH, CT2_LENGTH, SplitHeader, VECTOR_LENGTH};
use crate::provider::CryptoError;
use crate::secret::Secret;

/// The header of a public key.
pub(super) fn header(public: &[u8]) -> Result<SplitHeader, CryptoError> {
    let (vector, seed) = public.split_at_checked(VECTOR_LENGTH).ok_or(CryptoError::WrongLength)?;
    let seed = seed.try_into().map_err(|_| CryptoError::WrongLength)?;
    Ok(SplitHeader { seed, hash: hash(&[vector, &seed]) })
}

/// The first half of the ciphertext, and the shared secret.
pub(super) fn begin(header: &SplitHeader, message: &Secret<32>) -> ([u8; CT1_LENGTH], Secret<32>) {
    let (shared, coins) = hash_in_two(message, &header.hash);
    let vector = Blinding::draw(&coins);
    let mut ct1 = [0; CT1_LENGTH];
    let outs = ct1.chunks_exact_mut(CT1_LENGTH / RANK);
    for ((out, column), error) in outs.zip(0..).zip(FIRST_ERROR..) {
        let mut sum = Polynomial::zero();
        for (row, blinding) in (0..).zip(&vector.0) {
            sum.add_product(&matrix_entry(&header.seed, row, column), blinding);
        }
        sum.transform_back();
        sum.add(&small(&coins, error));
        sum.compress::<10>(out);
    }
    (ct1, shared)
}

/// The second half.
pub(super) fn finish(
    header: &SplitHeader,
    vector: &[u8; VECTOR_LENGTH],
    message: &Secret<32>,
) -> Result<[u8; CT2_LENGTH], CryptoError> {
    // 1. The vector is the one that the header speaks of, and FIPS 203 section 7.2 takes it.
    if hash(&[vector, &header.seed]) != header.hash {
        return Err(CryptoError::InvalidKey);
    }
    let (_, coins) = hash_in_two(message, &header.hash);
    let mut sum = Polynomial::zero();
    for (bytes, blinding) in vector.as_chunks().0.iter().zip(&Blinding::draw(&coins).0) {
        let key = Polynomial::decode(bytes).ok_or(CryptoError::InvalidKey)?;
        sum.add_product(&key, blinding);
    }
    // 2. The message, hidden under the product.
    sum.transform_back();
    sum.add(&small(&coins, LAST_ERROR));
    sum.add(&Polynomial::of_message(message));
    let mut ct2 = [0; CT2_LENGTH];
    sum.compress::<4>(&mut ct2);
    Ok(ct2)
}

/// The vector y, transformed.
struct Blinding([Polynomial; RANK]);

impl Blinding {
    fn draw(coins: &Secret<32>) -> Self {
        Self([0, 1, 2].map(|number| {
            let mut polynomial = small(coins, number);
            polynomial.transform();
            polynomial
        }))
    }
}

/// k of ML-KEM-768.
const RANK: usize = 3;

/// Small polynomials are numbered through: y, then e1, then e2.
const FIRST_ERROR: u8 = 3;
const LAST_ERROR: u8 = 6;
