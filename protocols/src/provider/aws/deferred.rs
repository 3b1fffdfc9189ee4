//! What deferred messages need, on aws-lc: its AES-256-CBC. It has neither XEdDSA nor SHAKE.

use alloc::vec::Vec;

use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

use super::super::CryptoError;
use super::super::deferred::{DeferredProvider, XEDDSA_LENGTH, keccak, xeddsa};
use super::{AwsLc, failed};
use crate::random::Random;
use crate::secret::{Secret, SecretBytes};

impl DeferredProvider for AwsLc {
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
        let key = UnboundCipherKey::new(&AES_256, key).map_err(failed)?;
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(failed)?;
        // With room for the padding, so that growing leaves no copy of the plaintext.
        let mut in_out = Vec::with_capacity(plaintext.len() + BLOCK);
        in_out.extend_from_slice(plaintext);
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        key.less_safe_encrypt(&mut in_out, context).map_err(failed)?;
        Ok(in_out)
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
        let key = UnboundCipherKey::new(&AES_256, key).map_err(failed)?;
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(failed)?;
        let mut in_out = SecretBytes::new(ciphertext.to_vec());
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        let length =
            key.decrypt(in_out.expose_mut(), context).map_err(|_| CryptoError::OpenFailed)?.len();
        in_out.truncate(length);
        Ok(in_out)
    }
}

/// Bytes of a block of AES.
const BLOCK: usize = 16;
