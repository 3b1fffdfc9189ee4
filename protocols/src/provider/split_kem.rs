//! ML-KEM-768 (FIPS 203) whose ciphertext is made in two steps.
//!
//! The first 960 bytes of a ciphertext follow from 64 bytes about the public key, and only the last
//! 128 need the rest of it. A protocol that sends a key in small pieces can so send ciphertext
//! before the key is whole. The two halves, joined, are a ciphertext like any other: the key pair
//! comes from [`Provider::kem_generate`], and [`Provider::kem_decapsulate`] opens it.
//!
//! No library that the providers stand on makes a ciphertext so; the one implementation below this
//! module serves both. Knows nothing of how the pieces travel.

#[cfg(any(feature = "aws-lc-rs", feature = "pure"))]
mod encapsulation;
#[cfg(any(feature = "aws-lc-rs", feature = "pure"))]
mod polynomial;
#[cfg(any(feature = "aws-lc-rs", feature = "pure"))]
mod sampling;

use super::{CryptoError, Provider};
use crate::secret::Secret;

/// Bytes of a public key's header.
pub const HEADER_LENGTH: usize = 64;
/// Bytes of a public key's vector.
pub const VECTOR_LENGTH: usize = 1152;
/// Bytes of a ciphertext's first half.
pub const CT1_LENGTH: usize = 960;
/// Bytes of a ciphertext's second half.
pub const CT2_LENGTH: usize = 128;

/// What encapsulates in two steps.
pub trait SplitKem: Provider {
    /// The header of `public`, an ML-KEM-768 key as FIPS 203 encodes it.
    fn split_header(&self, public: &[u8]) -> Result<SplitHeader, CryptoError>;

    /// The first half of the ciphertext, and the shared secret. Both follow from `message`, 32
    /// random bytes that serve one header alone.
    fn split_begin(
        &self,
        header: &SplitHeader,
        message: &Secret<32>,
    ) -> ([u8; CT1_LENGTH], Secret<32>);

    /// The second half. A vector that is not the header's, or that FIPS 203 section 7.2 refuses, is
    /// an error.
    fn split_finish(
        &self,
        header: &SplitHeader,
        vector: &[u8; VECTOR_LENGTH],
        message: &Secret<32>,
    ) -> Result<[u8; CT2_LENGTH], CryptoError>;
}

/// What the first step needs of a public key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SplitHeader {
    /// The seed of the matrix, which with the vector in front of it is the public key.
    pub seed: [u8; 32],
    /// SHA3-256 of the public key.
    pub hash: [u8; 32],
}

impl SplitHeader {
    /// Both, one after the other.
    pub fn to_bytes(&self) -> [u8; HEADER_LENGTH] {
        let mut bytes = [0; HEADER_LENGTH];
        for (to, from) in bytes.iter_mut().zip(self.seed.iter().chain(&self.hash)) {
            *to = *from;
        }
        bytes
    }

    /// Takes the two apart.
    pub fn from_bytes(bytes: &[u8; HEADER_LENGTH]) -> Self {
        let mut header = Self { seed: [0; 32], hash: [0; 32] };
        for (to, from) in header.seed.iter_mut().chain(&mut header.hash).zip(bytes) {
            *to = *from;
        }
        header
    }
}

#[cfg(any(feature = "aws-lc-rs", feature = "pure"))]
macro_rules! in_rust {
    ($provider:ty) => {
        impl SplitKem for $provider {
            fn split_header(&self, public: &[u8]) -> Result<SplitHeader, CryptoError> {
                encapsulation::header(public)
            }

            fn split_begin(
                &self,
                header: &SplitHeader,
                message: &Secret<32>,
            ) -> ([u8; CT1_LENGTH], Secret<32>) {
                encapsulation::begin(header, message)
            }

            fn split_finish(
                &self,
                header: &SplitHeader,
                vector: &[u8; VECTOR_LENGTH],
                message: &Secret<32>,
            ) -> Result<[u8; CT2_LENGTH], CryptoError> {
                encapsulation::finish(header, vector, message)
            }
        }
    };
}

#[cfg(feature = "aws-lc-rs")]
in_rust!(super::aws::AwsLc);
#[cfg(feature = "pure")]
in_rust!(super::pure::Pure);
