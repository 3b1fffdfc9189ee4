//! The ring of ML-KEM: polynomials of 256 coefficients modulo 3329 (FIPS 203 sections 2.4.4, 4.2
//! and 4.3).
//!
//! Coefficients are reduced at all times. Nothing here branches on one, indexes by one or divides:
//! they follow from secrets. Knows nothing of keys and ciphertexts.

use alloc::boxed::Box;

use zeroize::Zeroize;

use crate::secret::Secret;

/// The modulus.
pub(super) const Q: u16 = 3329;

/// Coefficients of a polynomial.
const N: usize = 256;

/// A polynomial, as such or transformed. It lives on the heap and is wiped on drop.
pub(super) struct Polynomial(Box<[u16; N]>);

impl Polynomial {
    /// Zero.
    pub(super) fn zero() -> Self {
        Self(Box::new([0; N]))
    }

    /// Reads coefficients of 12 bits (algorithm 6). One that is not reduced is refused.
    pub(super) fn decode(bytes: &[u8; N * 12 / 8]) -> Option<Self> {
        let mut decoded = Self::zero();
        let coefficients = decoded.0.as_chunks_mut::<2>().0.iter_mut();
        for (two, [low, middle, high]) in coefficients.zip(bytes.as_chunks::<3>().0) {
            let packed = u32::from_le_bytes([*low, *middle, *high, 0]);
            *two = [low_bits::<12>(packed), low_bits::<12>(packed >> 12)];
        }
        // The vector of a public key is no secret.
        decoded.0.iter().all(|coefficient| *coefficient < Q).then_some(decoded)
    }

    /// The polynomial that hides a message: each bit is zero, or half of the modulus.
    pub(super) fn of_message(message: &Secret<32>) -> Self {
        let mut polynomial = Self::zero();
        let eights = polynomial.0.as_chunks_mut::<8>().0.iter_mut();
        for (eight, byte) in eights.zip(message.expose()) {
            for (coefficient, number) in eight.iter_mut().zip(0..8) {
                let bit = u16::from(byte >> number & 1);
                *coefficient = 0_u16.wrapping_sub(bit) & Q.div_ceil(2);
            }
        }
        polynomial
    }

    /// Writes the coefficients, compressed to `BITS` bits each, into 32 times as many bytes
    /// (section 4.2.1 and algorithm 5).
    pub(super) fn compress<const BITS: usize>(&self, out: &mut [u8]) {
        let eights = self.0.as_chunks::<8>().0.iter();
        for (eight, bytes) in eights.zip(out.as_chunks_mut::<BITS>().0) {
            let mut packed = 0_u128;
            for coefficient in eight.iter().rev() {
                packed = packed << BITS | u128::from(compress::<BITS>(*coefficient));
            }
            for (to, from) in bytes.iter_mut().zip(packed.to_le_bytes()) {
                *to = from;
            }
        }
    }

    /// The coefficients, for who fills them with reduced ones.
    pub(super) fn coefficients_mut(&mut self) -> &mut [u16; N] {
        &mut self.0
    }

    /// Adds `other`, coefficient by coefficient.
    pub(super) fn add(&mut self, other: &Self) {
        for (to, from) in self.0.iter_mut().zip(other.0.iter()) {
            *to = add(*to, *from);
        }
    }

    /// The number-theoretic transform, in place (algorithm 9).
    pub(super) fn transform(&mut self) {
        let mut zetas = ZETAS.iter().skip(1);
        for length in LAYERS {
            for (block, zeta) in self.0.chunks_exact_mut(2 * length).zip(&mut zetas) {
                let (low, high) = block.split_at_mut(length);
                for (low, high) in low.iter_mut().zip(high) {
                    let turned = multiply(*high, *zeta);
                    *high = subtract(*low, turned);
                    *low = add(*low, turned);
                }
            }
        }
    }

    /// Takes the transform back, in place (algorithm 10).
    pub(super) fn transform_back(&mut self) {
        let mut zetas = ZETAS.iter().rev();
        for length in LAYERS.into_iter().rev() {
            for (block, zeta) in self.0.chunks_exact_mut(2 * length).zip(&mut zetas) {
                let (low, high) = block.split_at_mut(length);
                for (low, high) in low.iter_mut().zip(high) {
                    let difference = subtract(*high, *low);
                    *low = add(*low, *high);
                    *high = multiply(difference, *zeta);
                }
            }
        }
        for coefficient in self.0.iter_mut() {
            *coefficient = multiply(*coefficient, INVERSE_OF_128);
        }
    }

    /// Adds the product of two transformed polynomials, itself transformed (algorithms 11 and 12).
    pub(super) fn add_product(&mut self, left: &Self, right: &Self) {
        // Pairs 2i and 2i + 1 are taken modulo X^2 - root and X^2 + root.
        let roots = ZETAS.iter().skip(64).flat_map(|root| [*root, subtract(0, *root)]);
        let factors = left.0.as_chunks::<2>().0.iter().zip(right.0.as_chunks::<2>().0);
        let sums = self.0.as_chunks_mut::<2>().0.iter_mut();
        for (([low, high], ([a0, a1], [b0, b1])), root) in sums.zip(factors).zip(roots) {
            let turned = multiply(multiply(*a1, *b1), root);
            *low = add(*low, add(multiply(*a0, *b0), turned));
            *high = add(*high, add(multiply(*a0, *b1), multiply(*a1, *b0)));
        }
    }
}

impl Drop for Polynomial {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

fn add(left: u16, right: u16) -> u16 {
    subtract_if_reached(left + right)
}

fn subtract(left: u16, right: u16) -> u16 {
    subtract_if_reached(left + Q - right)
}

fn multiply(left: u16, right: u16) -> u16 {
    let product = u32::from(left) * u32::from(right);
    // Barrett: with 2^24 / Q rounded down the quotient is right or one too low.
    let quotient = low_bits::<13>(high_product(product, (1 << 24) / u32::from(Q), 24));
    let remainder = product - u32::from(quotient) * u32::from(Q);
    subtract_if_reached(low_bits::<13>(remainder))
}

/// `value` below 2Q, reduced. It borrows if it was, which fills the mask.
fn subtract_if_reached(value: u16) -> u16 {
    let reduced = value.wrapping_sub(Q);
    let borrowed = 0_u16.wrapping_sub(reduced >> 15);
    reduced.wrapping_add(borrowed & Q)
}

/// `2^BITS / Q * coefficient`, rounded, modulo `2^BITS`: the division is by multiplication.
fn compress<const BITS: usize>(coefficient: u16) -> u16 {
    let scaled = (u32::from(coefficient) << BITS) + u32::from(Q / 2);
    let quotient = high_product(scaled, (1_u32 << 31).div_ceil(u32::from(Q)), 31);
    low_bits::<BITS>(quotient)
}

/// The product without its lowest `shift` bits; the rest fits.
#[allow(clippy::cast_possible_truncation, reason = "callers shift the product below 2^32")]
fn high_product(left: u32, right: u32, shift: u32) -> u32 {
    ((u64::from(left) * u64::from(right)) >> shift) as u32
}

#[allow(clippy::cast_possible_truncation, reason = "the mask leaves at most 16 bits")]
fn low_bits<const BITS: usize>(value: u32) -> u16 {
    const { assert!(BITS <= 16) };
    (value & ((1 << BITS) - 1)) as u16
}

/// The distance between what one layer of the transform combines.
const LAYERS: [usize; 7] = [128, 64, 32, 16, 8, 4, 2];

/// 128 times this is 1 modulo Q.
const INVERSE_OF_128: u16 = 3303;

/// 17 to the power of each number below 128, whose seven bits are reversed (appendix A).
const ZETAS: [u16; 128] = zetas();

#[allow(clippy::cast_possible_truncation, reason = "reduced values fit; it runs in the compiler")]
#[allow(clippy::indexing_slicing, reason = "it runs in the compiler")]
const fn zetas() -> [u16; 128] {
    let mut zetas = [0; 128];
    let mut power = 1_u32;
    let mut exponent = 0_u8;
    while exponent < 128 {
        zetas[(exponent.reverse_bits() >> 1) as usize] = power as u16;
        power = power * 17 % Q as u32;
        exponent += 1;
    }
    zetas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_without_division_agrees_with_arithmetic_with_it() {
        let wide = u32::from(Q);
        for left in 0..Q {
            for right in (0..Q).step_by(7).chain([Q - 1]) {
                let (a, b) = (u32::from(left), u32::from(right));
                assert_eq!(u32::from(multiply(left, right)), a * b % wide);
                assert_eq!(u32::from(add(left, right)), (a + b) % wide);
                assert_eq!(u32::from(subtract(left, right)), (a + wide - b) % wide);
            }
        }
    }

    #[test]
    fn every_coefficient_compresses_as_rational_arithmetic_rounds() {
        for coefficient in 0..Q {
            let rounded = |bits: u32| {
                let scaled = u32::from(coefficient) << bits;
                (scaled + u32::from(Q / 2)) / u32::from(Q) % (1 << bits)
            };
            assert_eq!(u32::from(compress::<10>(coefficient)), rounded(10));
            assert_eq!(u32::from(compress::<4>(coefficient)), rounded(4));
        }
    }

    #[test]
    fn the_transform_taken_back_changes_nothing() {
        let mut polynomial = Polynomial::zero();
        for (to, value) in polynomial.coefficients_mut().iter_mut().zip((0..).step_by(13)) {
            *to = value;
        }
        let before = *polynomial.coefficients_mut();
        polynomial.transform();
        assert_ne!(*polynomial.coefficients_mut(), before);
        polynomial.transform_back();
        assert_eq!(*polynomial.coefficients_mut(), before);
    }

    #[test]
    fn a_coefficient_that_is_not_reduced_is_refused() {
        let mut bytes = [0; 384];
        let mut decodes = |at: usize, value: u16| {
            let [low, high] = value.to_le_bytes();
            bytes[at..at + 2].copy_from_slice(&[low, high]);
            Polynomial::decode(&bytes).is_some()
        };
        assert!(decodes(0, Q - 1));
        assert!(!decodes(0, Q));
        assert!(decodes(0, 0));
        // The last coefficient is the upper half of the last three bytes.
        assert!(decodes(382, (Q - 1) << 4));
        assert!(!decodes(382, Q << 4));
    }
}
