//! The keys of one message, and what they do to it.

use alloc::vec::Vec;

use crate::provider::{CryptoError, DeferredProvider, Provider};
use crate::secret::{Secret, SecretBytes};

/// What the chain gives to one message. The braid's key is mixed in only when the message is there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::deferred) struct MessageSeed(pub(super) Secret<32>);

impl MessageSeed {
    /// The keys that this seed and the braid's key make.
    pub(in crate::deferred) fn keys(
        &self,
        provider: &dyn Provider,
        braid_key: &Secret<32>,
    ) -> Result<MessageKeys, CryptoError> {
        let mut keys = Secret::new([0; KEYS_LENGTH]);
        let (salt, seed) = (braid_key.expose(), self.0.expose());
        provider.chain_hkdf(salt, seed, b"WhisperMessageKeys", keys.expose_mut())?;
        Ok(MessageKeys(keys))
    }
}

/// The keys of one message: AES key, MAC key, IV.
#[derive(Debug)]
pub(in crate::deferred) struct MessageKeys(Secret<KEYS_LENGTH>);

impl MessageKeys {
    pub(in crate::deferred) fn encrypt(
        &self,
        provider: &dyn DeferredProvider,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let (key, iv) = self.cipher();
        provider.aes_256_cbc_encrypt(key, iv, plaintext)
    }

    /// Only for a ciphertext whose MAC was right.
    pub(in crate::deferred) fn decrypt(
        &self,
        provider: &dyn DeferredProvider,
        ciphertext: &[u8],
    ) -> Result<SecretBytes, CryptoError> {
        let (key, iv) = self.cipher();
        provider.aes_256_cbc_decrypt(key, iv, ciphertext)
    }

    /// The MAC over the parts, one after the other. Compared in constant time.
    pub(in crate::deferred) fn mac(
        &self,
        provider: &dyn Provider,
        parts: &[&[u8]],
    ) -> Secret<MAC_LENGTH> {
        let (_, rest) = self.0.expose().split_at(32);
        let key = rest.first_chunk().unwrap_or(&[0; 32]);
        let mac = provider.chain_mac(key, parts);
        Secret::from(mac.expose().first_chunk().unwrap_or(&[0; MAC_LENGTH]))
    }

    fn cipher(&self) -> (&[u8; 32], &[u8; 16]) {
        let keys = self.0.expose();
        (keys.first_chunk().unwrap_or(&[0; 32]), keys.last_chunk().unwrap_or(&[0; 16]))
    }
}

/// Bytes of a MAC, short by the format of the official client.
pub(in crate::deferred) const MAC_LENGTH: usize = 8;

const KEYS_LENGTH: usize = 32 + 32 + 16;
