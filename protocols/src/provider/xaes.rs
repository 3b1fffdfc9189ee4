//! XAES-256-GCM (C2SP): AES-256-GCM with a nonce of 24 bytes, long enough to be drawn at random.
//!
//! Each nonce's first half derives, by two AES blocks, the key under which the second half is an
//! AES-256-GCM nonce. Knows no provider: the one that uses it brings its AES-256-GCM.

use core::fmt;

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use zeroize::Zeroize;

use super::{AeadKey, CryptoError, TAG_LENGTH};
use crate::secret::Secret;

/// An XAES-256-GCM key over the AES-256-GCM keys `K`.
pub(super) struct XaesKey<K> {
    cipher: Aes256,
    /// K1 of the specification, which is that of CMAC.
    subkey: Secret<16>,
    gcm: fn(&Secret<32>) -> K,
}

impl<K: AeadKey> XaesKey<K> {
    pub(super) fn new(key: &Secret<32>, gcm: fn(&Secret<32>) -> K) -> Self {
        let cipher = Aes256::new(key.expose().into());
        let mut subkey = Secret::new([0; 16]);
        cipher.encrypt_block(subkey.expose_mut().into());
        double(subkey.expose_mut());
        Self { cipher, subkey, gcm }
    }

    /// The AES-256-GCM key for `nonce`, and the nonce to use with it.
    fn derive<'n>(&self, nonce: &'n [u8]) -> Result<(K, &'n [u8; 12]), CryptoError> {
        let ([prefix, suffix], []) = nonce.as_chunks::<12>() else {
            return Err(CryptoError::WrongLength);
        };
        let mut key = Secret::new([0; 32]);
        let (blocks, _) = key.expose_mut().as_chunks_mut::<16>();
        for (counter, block) in (1..).zip(blocks) {
            let header = [0, counter, b'X', 0];
            let input = header.iter().chain(prefix).zip(self.subkey.expose());
            for (byte, (plain, mask)) in block.iter_mut().zip(input) {
                *byte = plain ^ mask;
            }
            self.cipher.encrypt_block(block.into());
        }
        Ok(((self.gcm)(&key), suffix))
    }
}

impl<K: AeadKey> AeadKey for XaesKey<K> {
    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], CryptoError> {
        let (key, nonce) = self.derive(nonce)?;
        key.seal_in_place(nonce, associated, in_out)
    }

    fn open_in_place(
        &self,
        nonce: &[u8],
        associated: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LENGTH],
    ) -> Result<(), CryptoError> {
        let (key, nonce) = self.derive(nonce)?;
        key.open_in_place(nonce, associated, in_out, tag)
    }
}

impl<K> fmt::Debug for XaesKey<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("XaesKey(..)")
    }
}

/// Multiplies by x in GF(2^128), big-endian, without a branch on the secret.
fn double(block: &mut [u8; 16]) {
    let mut value = u128::from_be_bytes(*block);
    *block = ((value << 1) ^ ((value >> 127) * 0x87)).to_be_bytes();
    value.zeroize();
}
