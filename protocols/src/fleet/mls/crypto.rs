//! The primitives that openmls asks for, out of our provider.
//!
//! It offers one suite, and refuses every algorithm outside it.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use openmls::prelude::tls_codec::SecretVLBytes;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::{
    AeadType, Ciphersuite, CryptoError, ExporterSecret, HashType, HpkeAeadType, HpkeCiphertext,
    HpkeConfig, HpkeKdfType, HpkeKemType, HpkeKeyPair, KemOutput, SignatureScheme,
};

use super::drawn::Sealing;
use crate::fleet::hpke::{self, HpkeKem, HpkeSealed};
use crate::fleet::suite::Suite;
use crate::provider::{self, AeadKey, FleetProvider, Signature};
use crate::secret::{Secret, SecretBytes};

/// The primitives of one operation.
pub(in super::super) struct Crypto<'a> {
    provider: &'a dyn FleetProvider,
    /// What the randomness of each sealing is made from.
    sealing: Secret<32>,
    suite: Suite,
}

impl<'a> Crypto<'a> {
    pub(super) fn new(provider: &'a dyn FleetProvider, sealing: Secret<32>, suite: Suite) -> Self {
        Self { provider, sealing, suite }
    }

    pub(super) fn provider(&self) -> &'a dyn FleetProvider {
        self.provider
    }

    fn sealing(&self, parts: [&[u8]; 4]) -> Sealing<'a> {
        Sealing::new(self.provider, &self.sealing, parts)
    }

    fn aead(
        &self,
        algorithm: AeadType,
        key: &[u8],
    ) -> Result<alloc::boxed::Box<dyn AeadKey>, CryptoError> {
        if algorithm != AeadType::Aes128Gcm {
            return Err(CryptoError::UnsupportedAeadAlgorithm);
        }
        let key = Secret::from_slice(key).ok_or(CryptoError::InvalidLength)?;
        Ok(self.provider.aes_128_gcm(&key))
    }
}

impl OpenMlsCrypto for Crypto<'_> {
    fn supports(&self, suite: Ciphersuite) -> Result<(), CryptoError> {
        if suite == self.suite.of_openmls() {
            Ok(())
        } else {
            Err(CryptoError::UnsupportedCiphersuite)
        }
    }

    fn supported_ciphersuites(&self) -> Vec<Ciphersuite> {
        vec![self.suite.of_openmls()]
    }

    fn hkdf_extract(
        &self,
        hash: HashType,
        salt: &[u8],
        input: &[u8],
    ) -> Result<SecretVLBytes, CryptoError> {
        self.hmac(hash, salt, input)
    }

    fn hmac(
        &self,
        hash: HashType,
        key: &[u8],
        message: &[u8],
    ) -> Result<SecretVLBytes, CryptoError> {
        check_hash(hash)?;
        Ok(self.provider.hmac_sha256(key, &[message]).expose().as_slice().into())
    }

    fn hkdf_expand(
        &self,
        hash: HashType,
        key: &[u8],
        info: &[u8],
        length: usize,
    ) -> Result<SecretVLBytes, CryptoError> {
        check_hash(hash)?;
        let mut out = SecretBytes::new(vec![0; length]);
        hpke::expand(self.provider, key, info, out.expose_mut())
            .map_err(|_| CryptoError::HkdfOutputLengthInvalid)?;
        Ok(out.expose().into())
    }

    fn hash(&self, hash: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        check_hash(hash)?;
        let mut under_way = self.provider.sha256();
        under_way.update(data);
        Ok(under_way.finish().to_vec())
    }

    fn aead_encrypt(
        &self,
        algorithm: AeadType,
        key: &[u8],
        data: &[u8],
        nonce: &[u8],
        associated: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.aead(algorithm, key)?
            .seal(nonce, associated, data)
            .map_err(|_| CryptoError::CryptoLibraryError)
    }

    fn aead_decrypt(
        &self,
        algorithm: AeadType,
        key: &[u8],
        sealed: &[u8],
        nonce: &[u8],
        associated: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.aead(algorithm, key)?
            .open(nonce, associated, sealed)
            .map(|opened| opened.expose().to_vec())
            .map_err(|_| CryptoError::AeadDecryptionError)
    }

    /// Nobody asks: an agent's fleet key is made outside.
    fn signature_key_gen(&self, _: SignatureScheme) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        Err(CryptoError::UnsupportedSignatureScheme)
    }

    fn verify_signature(
        &self,
        scheme: SignatureScheme,
        data: &[u8],
        public: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        check_scheme(scheme)?;
        self.provider
            .verify(Signature::Ed25519, public, data, signature)
            .map_err(|_| CryptoError::InvalidSignature)
    }

    /// Nobody asks: who signs is passed as a signer.
    fn sign(&self, _: SignatureScheme, _: &[u8], _: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Err(CryptoError::UnsupportedSignatureScheme)
    }

    fn hpke_seal(
        &self,
        config: HpkeConfig,
        public: &[u8],
        info: &[u8],
        associated: &[u8],
        plaintext: &[u8],
    ) -> Result<HpkeCiphertext, CryptoError> {
        let mut random = self.sealing([public, info, associated, plaintext]);
        let sealed = kem(&config)?
            .seal(self.provider, public, [info, associated], plaintext, &mut random)
            .map_err(|error| of_sealing(error, CryptoError::HpkeEncryptionError))?;
        Ok(HpkeCiphertext {
            kem_output: sealed.encapsulated.into(),
            ciphertext: sealed.ciphertext.into(),
        })
    }

    fn hpke_open(
        &self,
        config: HpkeConfig,
        input: &HpkeCiphertext,
        private: &[u8],
        info: &[u8],
        associated: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let sealed = HpkeSealed {
            encapsulated: input.kem_output.as_slice().to_vec(),
            ciphertext: input.ciphertext.as_slice().to_vec(),
        };
        kem(&config)?
            .open(self.provider, &secret(private)?, [info, associated], &sealed)
            .map(|opened| opened.expose().to_vec())
            .map_err(|_| CryptoError::HpkeDecryptionError)
    }

    fn hpke_setup_sender_and_export(
        &self,
        config: HpkeConfig,
        public: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        length: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        let mut random = self.sealing([public, info, exporter_context, b"export"]);
        let (encapsulated, context) = kem(&config)?
            .send(self.provider, public, info, &mut random)
            .map_err(|error| of_sealing(error, CryptoError::SenderSetupError))?;
        Ok((encapsulated, export(self.provider, &context, exporter_context, length)?))
    }

    fn hpke_setup_receiver_and_export(
        &self,
        config: HpkeConfig,
        encapsulated: &[u8],
        private: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        length: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        let context = kem(&config)?
            .receive(self.provider, &secret(private)?, info, encapsulated)
            .map_err(|_| CryptoError::ReceiverSetupError)?;
        export(self.provider, &context, exporter_context, length)
    }

    fn derive_hpke_keypair(
        &self,
        config: HpkeConfig,
        input: &[u8],
    ) -> Result<HpkeKeyPair, CryptoError> {
        let pair = kem(&config)?
            .derive(self.provider, input)
            .map_err(|_| CryptoError::CryptoLibraryError)?;
        Ok(HpkeKeyPair { private: pair.private.expose().as_slice().into(), public: pair.public })
    }
}

impl fmt::Debug for Crypto<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crypto({})", self.provider.name())
    }
}

/// The KEM of a configuration of our suites.
fn kem(config: &HpkeConfig) -> Result<HpkeKem, CryptoError> {
    match config {
        HpkeConfig(kem, HpkeKdfType::HkdfSha256, HpkeAeadType::AesGcm128) => match kem {
            HpkeKemType::XWingKemDraft6 => Ok(HpkeKem::XWing),
            HpkeKemType::DhKem25519 => Ok(HpkeKem::X25519),
            _ => Err(CryptoError::UnsupportedCiphersuite),
        },
        _ => Err(CryptoError::UnsupportedCiphersuite),
    }
}

fn check_hash(hash: HashType) -> Result<(), CryptoError> {
    if hash == HashType::Sha2_256 { Ok(()) } else { Err(CryptoError::UnsupportedHashAlgorithm) }
}

fn check_scheme(scheme: SignatureScheme) -> Result<(), CryptoError> {
    if scheme == SignatureScheme::ED25519 {
        Ok(())
    } else {
        Err(CryptoError::UnsupportedSignatureScheme)
    }
}

fn secret(private: &[u8]) -> Result<Secret<32>, CryptoError> {
    Secret::from_slice(private).ok_or(CryptoError::InvalidLength)
}

fn export(
    provider: &dyn FleetProvider,
    context: &hpke::HpkeContext,
    exporter_context: &[u8],
    length: usize,
) -> Result<ExporterSecret, CryptoError> {
    let mut out = SecretBytes::new(vec![0; length]);
    context
        .export(provider, exporter_context, out.expose_mut())
        .map_err(|_| CryptoError::ExporterError)?;
    Ok(out.expose().to_vec().into())
}

/// A public key that nothing can be sealed to is told from a failure of ours.
fn of_sealing(error: provider::CryptoError, otherwise: CryptoError) -> CryptoError {
    match error {
        provider::CryptoError::InvalidKey | provider::CryptoError::WrongLength => {
            CryptoError::InvalidPublicKey
        }
        _ => otherwise,
    }
}
