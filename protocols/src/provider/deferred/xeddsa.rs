//! XEdDSA of both providers, in the official client's variant: signatures by X25519 keys.
//!
//! Secrets pass only through operations of constant time. Verification is not one of them: what it
//! sees is public.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

use super::XEDDSA_LENGTH;
use crate::provider::CryptoError;
use crate::random::Random;
use crate::secret::Secret;

pub(in super::super) fn sign(
    secret: &Secret<32>,
    message: &[u8],
    random: &mut dyn Random,
) -> [u8; XEDDSA_LENGTH] {
    let clamped = Zeroizing::new(clamp_integer(*secret.expose()));
    let a = Zeroizing::new(Scalar::from_bytes_mod_order(*clamped));
    let public = EdwardsPoint::mul_base(&a).compress();
    let hedge = Secret::<64>::random(random);
    let nonce_parts = [&NONCE_PREFIX, clamped.as_slice(), message, hedge.expose()];
    let r = Zeroizing::new(hash_to_scalar(&nonce_parts));
    let commitment = EdwardsPoint::mul_base(&r).compress();
    let h = hash_to_scalar(&[commitment.as_bytes(), public.as_bytes(), message]);
    let response = (*r + h * *a).to_bytes();

    let mut signature = [0; XEDDSA_LENGTH];
    let (first, last) = signature.split_at_mut(32);
    first.copy_from_slice(commitment.as_bytes());
    last.copy_from_slice(&response);
    signature[63] |= public.as_bytes()[31] & SIGN_BIT;
    signature
}

pub(in super::super) fn verify(
    public: &[u8; 32],
    message: &[u8],
    signature: &[u8; XEDDSA_LENGTH],
) -> Result<(), CryptoError> {
    // 1. The sign of the Edwards key stands in the signature, 2. and makes a point of it.
    let sign = signature[63] >> 7;
    let point = MontgomeryPoint(*public).to_edwards(sign).ok_or(CryptoError::InvalidKey)?;
    // 3. The rest of the last byte leaves the response below 2^253.
    let (commitment, response) = signature.split_first_chunk().ok_or(CryptoError::WrongLength)?;
    let mut response: [u8; 32] = response.try_into().map_err(|_| CryptoError::WrongLength)?;
    response[31] &= !SIGN_BIT;
    if response[31] & UNUSED_BITS != 0 {
        return Err(CryptoError::InvalidSignature);
    }
    // 4. R == sB - hA, over the bytes of R.
    let h = hash_to_scalar(&[commitment, point.compress().as_bytes(), message]);
    let s = Scalar::from_bytes_mod_order(response);
    let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&h, &-point, &s).compress();
    if expected == CompressedEdwardsY(*commitment) {
        Ok(())
    } else {
        Err(CryptoError::InvalidSignature)
    }
}

/// Refuses a key that is not canonical, not on the curve or not of prime order.
pub(in super::super) fn check_strict(public: &[u8; 32]) -> Result<(), CryptoError> {
    let point = MontgomeryPoint(*public).to_edwards(0).ok_or(CryptoError::InvalidKey)?;
    let canonical = point.to_montgomery().as_bytes() == public;
    if canonical && point.is_torsion_free() && !point.is_small_order() {
        Ok(())
    } else {
        Err(CryptoError::InvalidKey)
    }
}

fn hash_to_scalar(parts: &[&[u8]]) -> Scalar {
    let mut hash = Sha512::new();
    for part in parts {
        hash.update(part);
    }
    let mut digest = hash.finalize();
    let scalar = Scalar::from_bytes_mod_order_wide(&digest.0);
    digest.zeroize();
    scalar
}

/// hash_1 of the specification: 2^256 - 2, which begins no encoded point.
const NONCE_PREFIX: [u8; 32] = {
    let mut prefix = [0xff; 32];
    prefix[0] = 0xfe;
    prefix
};

const SIGN_BIT: u8 = 0x80;

/// What the response of an honest signer leaves zero beside the sign.
const UNUSED_BITS: u8 = 0x60;

#[cfg(test)]
mod tests;
