//! The primitives that only fleets need, behind a third trait of the same kind.
//!
//! Knows nothing of MLS and HPKE. What both providers take from one library stands in `fleet/`.

#[cfg(any(feature = "aws-lc-rs", feature = "pure"))]
mod ml_kem_seed;

use alloc::boxed::Box;

use super::{AeadKey, CryptoError, DeferredProvider, KemKeyPair};
use crate::secret::Secret;

/// A provider of what fleets are made of, beyond what each protocol uses.
pub trait FleetProvider: DeferredProvider {
    /// An AES-128-GCM key, nonce of 12 bytes: the cipher of the one suite of fleets.
    fn aes_128_gcm(&self, key: &Secret<16>) -> Box<dyn AeadKey>;

    /// SHAKE256 over `input`, as long as `out`.
    fn shake256_into(&self, input: &[u8], out: &mut [u8]);

    /// The ML-KEM-768 key pair that the seed `d || z` of FIPS 203 expands to. Members of a fleet
    /// compute the same pair from the same seed, so no provider may draw its own.
    fn ml_kem_768_from_seed(&self, seed: &Secret<64>) -> Result<KemKeyPair, CryptoError>;
}

#[cfg(any(feature = "aws-lc-rs", feature = "pure"))]
macro_rules! in_rust {
    ($provider:ty, $aes_128_gcm:expr) => {
        impl FleetProvider for $provider {
            fn aes_128_gcm(&self, key: &Secret<16>) -> Box<dyn AeadKey> {
                $aes_128_gcm(key)
            }

            fn shake256_into(&self, input: &[u8], out: &mut [u8]) {
                super::deferred::keccak::shake256_into(input, out);
            }

            fn ml_kem_768_from_seed(&self, seed: &Secret<64>) -> Result<KemKeyPair, CryptoError> {
                Ok(ml_kem_seed::expand(seed))
            }
        }
    };
}

#[cfg(feature = "aws-lc-rs")]
in_rust!(super::aws::AwsLc, super::aws::aes_128_gcm);
#[cfg(feature = "pure")]
in_rust!(super::pure::Pure, super::pure::aes_128_gcm);
