//! What both providers demand of an Ed25519 key and signature before any arithmetic, so that they
//! accept and reject the same ones.
//!
//! RFC 8032 leaves verifiers room to differ: non-canonical encodings, points of small order, the
//! cofactor. A signature that one verifier accepts and another refuses would let an attacker split
//! a network into those who saw it and those who did not. What passes here leaves the library only
//! the equation `encode([S]B - [k]A) == R`, without cofactor and over the bytes of R, on which both
//! agree. That A and R are points needs no check here: the library decodes A, and an R that is none
//! equals no encoding.

use super::CryptoError;

/// A key and a signature whose encodings are canonical and whose points are not of small order.
pub(super) struct StrictInput<'a> {
    pub(super) public: &'a [u8; 32],
    pub(super) signature: &'a [u8; 64],
}

impl<'a> StrictInput<'a> {
    /// Refuses every encoding on which verifiers differ.
    pub(super) fn parse(public: &'a [u8], signature: &'a [u8]) -> Result<Self, CryptoError> {
        let (Ok(public), ([r, s], [])) = (public.try_into(), signature.as_chunks()) else {
            return Err(CryptoError::WrongLength);
        };
        if !is_strict_point(public) || !is_strict_point(r) || !is_below(s, &GROUP_ORDER) {
            return Err(CryptoError::InvalidSignature);
        }
        let signature = signature.try_into().map_err(|_| CryptoError::WrongLength)?;
        Ok(Self { public, signature })
    }
}

/// Whether y is canonical (RFC 8032 section 5.1.3, step 1) and not that of a point of small order.
///
/// The third non-canonical form, x = 0 with a sign bit, has y = 1 or y = -1: small order as well.
fn is_strict_point(encoded: &[u8; 32]) -> bool {
    let mut y = *encoded;
    y[31] &= 0x7f;
    is_below(&y, &FIELD_PRIME) && !SMALL_ORDER_Y.contains(&y)
}

/// Whether `value` < `bound`, both little-endian. Not in constant time: signatures are public.
fn is_below(value: &[u8; 32], bound: &[u8; 32]) -> bool {
    value.iter().rev().lt(bound.iter().rev())
}

/// p = 2^255 - 19, little-endian.
const FIELD_PRIME: [u8; 32] = {
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    p
};

/// L = 2^252 + 27742317777372353535851937790883648493, the order of the base point, little-endian
/// (RFC 8032 section 5.1).
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The y coordinates of the eight points whose order divides the cofactor 8.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    // Order 4: y = 0.
    [0; 32],
    // Order 1: y = 1.
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    // Order 2: y = -1.
    {
        let mut minus_one = FIELD_PRIME;
        minus_one[0] -= 1;
        minus_one
    },
    // Order 8: the two roots y of -d y^4 - 2 y^2 + 1 = 0 and their negatives share two encodings.
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{FIELD_PRIME, GROUP_ORDER, SMALL_ORDER_Y, StrictInput};
    use crate::provider::CryptoError;

    /// The y coordinate of the base point: 4/5.
    const ORDINARY: [u8; 32] = {
        let mut y = [0x66; 32];
        y[0] = 0x58;
        y
    };

    #[test]
    fn a_scalar_passes_up_to_the_group_order_and_not_at_it() {
        assert_eq!(verdict(ORDINARY, ORDINARY, one_less(GROUP_ORDER)), Ok(()));
        for s in [GROUP_ORDER, one_more(GROUP_ORDER), [0xff; 32]] {
            assert_eq!(verdict(ORDINARY, ORDINARY, s), Err(CryptoError::InvalidSignature));
        }
    }

    #[test]
    fn a_point_passes_below_the_field_prime_and_not_at_it() {
        // p - 1 has a small order.
        let largest = one_less(one_less(FIELD_PRIME));
        let beyond = [FIELD_PRIME, one_more(FIELD_PRIME), [0xff; 32]];
        for sign in [0, 0x80] {
            assert_eq!(both_points(with_sign(largest, sign)), [Ok(()); 2]);
            for y in beyond {
                let refused = Err(CryptoError::InvalidSignature);
                assert_eq!(both_points(with_sign(y, sign)), [refused; 2]);
            }
        }
    }

    #[test]
    fn a_point_of_small_order_passes_with_neither_sign() {
        for y in SMALL_ORDER_Y {
            for sign in [0, 0x80] {
                let refused = Err(CryptoError::InvalidSignature);
                assert_eq!(both_points(with_sign(y, sign)), [refused; 2]);
            }
        }
    }

    #[test]
    fn other_lengths_do_not_pass() {
        for (public, signature) in [(31, 64), (33, 64), (32, 63), (32, 65), (32, 96), (0, 0)] {
            let bytes = [0x66; 100];
            let parsed = StrictInput::parse(&bytes[..public], &bytes[..signature]);
            assert_eq!(parsed.err(), Some(CryptoError::WrongLength));
        }
    }

    /// The verdicts on a point as the public key and as R.
    fn both_points(point: [u8; 32]) -> [Result<(), CryptoError>; 2] {
        [verdict(point, ORDINARY, [1; 32]), verdict(ORDINARY, point, [1; 32])]
    }

    fn verdict(public: [u8; 32], r: [u8; 32], s: [u8; 32]) -> Result<(), CryptoError> {
        let signature: Vec<u8> = [r, s].concat();
        StrictInput::parse(&public, &signature).map(drop)
    }

    fn with_sign(mut y: [u8; 32], sign: u8) -> [u8; 32] {
        y[31] |= sign;
        y
    }

    fn one_less(mut number: [u8; 32]) -> [u8; 32] {
        number[0] -= 1;
        number
    }

    fn one_more(mut number: [u8; 32]) -> [u8; 32] {
        number[0] += 1;
        number
    }
}
