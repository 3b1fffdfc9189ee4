//! AEAD keys of aws-lc: AES-256-GCM and ChaCha20-Poly1305, in place and with the tag apart, so that
//! nothing is copied.

use core::fmt;

#[cfg(feature = "fleet")]
use aws_lc_rs::aead::AES_128_GCM;
use aws_lc_rs::aead::{
    AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};

use super::out_of_memory;
use crate::provider::{AeadKey, CryptoError, TAG_LENGTH};
use crate::secret::Secret;

/// A key of one of aws-lc's own AEADs.
pub(super) struct AwsAead(LessSafeKey);

impl AwsAead {
    pub(super) fn aes_256_gcm(key: &Secret<32>) -> Self {
        Self::new(&AES_256_GCM, key)
    }

    pub(super) fn chacha20_poly1305(key: &Secret<32>) -> Self {
        Self::new(&CHACHA20_POLY1305, key)
    }

    #[cfg(feature = "fleet")]
    pub(super) fn aes_128_gcm(key: &Secret<16>) -> Self {
        Self::new(&AES_128_GCM, key)
    }

    fn new<const N: usize>(algorithm: &'static Algorithm, key: &Secret<N>) -> Self {
        UnboundKey::new(algorithm, key.expose())
            .map(|key| Self(LessSafeKey::new(key)))
            .unwrap_or_else(|_| out_of_memory::<UnboundKey>())
    }
}

impl AeadKey for AwsAead {
    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], CryptoError> {
        let nonce =
            Nonce::try_assume_unique_for_key(nonce).map_err(|_| CryptoError::WrongLength)?;
        let mut tag = [0; TAG_LENGTH];
        self.0
            .seal_in_place_scatter(nonce, Aad::from(associated), in_out, &[], &mut tag)
            .map_err(|_| CryptoError::WrongLength)?;
        Ok(tag)
    }

    fn open_in_place(
        &self,
        nonce: &[u8],
        associated: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LENGTH],
    ) -> Result<(), CryptoError> {
        let nonce =
            Nonce::try_assume_unique_for_key(nonce).map_err(|_| CryptoError::WrongLength)?;
        self.0
            .open_in_place_separate_tag(nonce, Aad::from(associated), tag, in_out)
            .map(drop)
            .map_err(|_| CryptoError::OpenFailed)
    }
}

impl fmt::Debug for AwsAead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsAead(..)")
    }
}
