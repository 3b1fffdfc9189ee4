//! What deferred messages need, in Rust alone.

use alloc::vec::Vec;

use aes::Aes256;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};

use super::super::CryptoError;
use super::super::deferred::{DeferredProvider, XEDDSA_LENGTH, keccak, xeddsa};
use super::Pure;
use crate::random::Random;
use crate::secret::{Secret, SecretBytes};

impl DeferredProvider for Pure {
    fn sha3_256(&self, parts: &[&[u8]]) -> Secret<32> {
        keccak::sha3_256(parts)
    }

    fn shake256(&self, parts: &[&[u8]]) -> Secret<32> {
        keccak::shake256(parts)
    }

    fn xeddsa_sign(
        &self,
        secret: &Secret<32>,
        message: &[u8],
        random: &mut dyn Random,
    ) -> [u8; XEDDSA_LENGTH] {
        xeddsa::sign(secret, message, random)
    }

    fn xeddsa_verify(
        &self,
        public: &[u8; 32],
        message: &[u8],
        signature: &[u8; XEDDSA_LENGTH],
    ) -> Result<(), CryptoError> {
        xeddsa::verify(public, message, signature)
    }

    fn x25519_check_strict(&self, public: &[u8; 32]) -> Result<(), CryptoError> {
        xeddsa::check_strict(public)
    }

    fn aes_256_cbc_encrypt(
        &self,
        key: &[u8; 32],
        iv: &[u8; 16],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let cipher = cbc::Encryptor::<Aes256>::new(key.into(), iv.into());
        Ok(cipher.encrypt_padded_vec::<Pkcs7>(plaintext))
    }

    fn aes_256_cbc_decrypt(
        &self,
        key: &[u8; 32],
        iv: &[u8; 16],
        ciphertext: &[u8],
    ) -> Result<SecretBytes, CryptoError> {
        if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK) {
            return Err(CryptoError::WrongLength);
        }
        let mut in_out = SecretBytes::new(ciphertext.to_vec());
        let length = cbc::Decryptor::<Aes256>::new(key.into(), iv.into())
            .decrypt_padded::<Pkcs7>(in_out.expose_mut())
            .map_err(|_| CryptoError::OpenFailed)?
            .len();
        in_out.truncate(length);
        Ok(in_out)
    }
}

/// Bytes of a block of AES.
const BLOCK: usize = 16;
