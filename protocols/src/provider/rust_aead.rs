//! AEAD keys of the RustCrypto crates: all of the pure provider's, and XChaCha20-Poly1305 for both.

use core::fmt;

use chacha20poly1305::aead::consts::{U16, U32};
use chacha20poly1305::aead::{AeadInOut, KeyInit, Nonce, Tag};

use super::{AeadKey, CryptoError, TAG_LENGTH};
use crate::secret::Secret;

/// A key of the cipher `C`, which wipes itself on drop.
pub(super) struct RustAead<C>(C);

impl<C: KeyInit<KeySize = U32>> RustAead<C> {
    pub(super) fn new(key: &Secret<32>) -> Self {
        Self(C::new(key.expose().into()))
    }
}

#[cfg(feature = "fleet")]
#[cfg(feature = "pure")]
impl<C: KeyInit<KeySize = U16>> RustAead<C> {
    pub(super) fn of_16(key: &Secret<16>) -> Self {
        Self(C::new(key.expose().into()))
    }
}

impl<C: AeadInOut<TagSize = U16> + Send + Sync> AeadKey for RustAead<C> {
    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], CryptoError> {
        let nonce = <&Nonce<C>>::try_from(nonce).map_err(|_| CryptoError::WrongLength)?;
        let tag = self
            .0
            .encrypt_inout_detached(nonce, associated, in_out.into())
            .map_err(|_| CryptoError::WrongLength)?;
        Ok(tag.into())
    }

    fn open_in_place(
        &self,
        nonce: &[u8],
        associated: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LENGTH],
    ) -> Result<(), CryptoError> {
        let nonce = <&Nonce<C>>::try_from(nonce).map_err(|_| CryptoError::WrongLength)?;
        let tag = <&Tag<C>>::from(tag);
        self.0
            .decrypt_inout_detached(nonce, associated, in_out.into(), tag)
            .map_err(|_| CryptoError::OpenFailed)
    }
}

impl<C> fmt::Debug for RustAead<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RustAead(..)")
    }
}
