//! The primitives that only deferred messages need, behind a second trait of the same kind.
//!
//! Knows nothing of handshakes and ratchets. What both providers take from one library stands in
//! `deferred/`.

#[cfg(any(feature = "aws-lc-rs", feature = "pure"))]
pub(super) mod keccak;
#[cfg(any(feature = "aws-lc-rs", feature = "pure"))]
pub(super) mod xeddsa;

use alloc::vec::Vec;

use super::{CryptoError, SplitKem};
use crate::random::Random;
use crate::secret::{Secret, SecretBytes};

/// A provider of what deferred messages are made of, beyond what each protocol uses.
pub trait DeferredProvider: SplitKem {
    /// SHA3-256 over the parts, one after the other.
    fn sha3_256(&self, parts: &[&[u8]]) -> Secret<32>;

    /// 32 bytes of SHAKE256 over the parts, one after the other.
    fn shake256(&self, parts: &[&[u8]]) -> Secret<32>;

    /// An XEdDSA signature by an X25519 secret, which is clamped.
    ///
    /// It differs from the published specification as the official client does: the scalar is
    /// never negated, and the sign of the Edwards key stands in bit 7 of the last byte.
    fn xeddsa_sign(
        &self,
        secret: &Secret<32>,
        message: &[u8],
        random: &mut dyn Random,
    ) -> [u8; XEDDSA_LENGTH];

    /// Checks a signature by the X25519 key `public`, in the same variant.
    fn xeddsa_verify(
        &self,
        public: &[u8; 32],
        message: &[u8],
        signature: &[u8; XEDDSA_LENGTH],
    ) -> Result<(), CryptoError>;

    /// Refuses an X25519 key that is not canonical, not on the curve, or not of prime order: two
    /// encodings of one key would let one first message pass for two.
    fn x25519_check_strict(&self, public: &[u8; 32]) -> Result<(), CryptoError>;

    /// AES-256-CBC with PKCS #7 padding.
    fn aes_256_cbc_encrypt(
        &self,
        key: &[u8; 32],
        iv: &[u8; 16],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError>;

    /// The plaintext, if the padding is right. The caller has authenticated the ciphertext: what
    /// the padding is must tell nobody anything.
    fn aes_256_cbc_decrypt(
        &self,
        key: &[u8; 32],
        iv: &[u8; 16],
        ciphertext: &[u8],
    ) -> Result<SecretBytes, CryptoError>;
}

/// Bytes of an XEdDSA signature.
pub const XEDDSA_LENGTH: usize = 64;
