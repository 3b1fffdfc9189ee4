//! The fast provider: aws-lc, through `aws-lc-rs`.
//!
//! It takes no randomness for ML-KEM and ML-DSA, so it cannot reproduce their vectors.
//! XChaCha20-Poly1305 comes from elsewhere and XAES-256-GCM is built on its AES-256-GCM, since
//! aws-lc has neither.

mod aead;
mod deferred;

use alloc::alloc::handle_alloc_error;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::fmt;
use core::mem;
use core::ops::RangeInclusive;

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey as AgreementKey, X25519};
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey,
};
use aws_lc_rs::{digest, hkdf, hmac, kem, rand};
use chacha20poly1305::XChaCha20Poly1305;

use self::aead::AwsAead;
use super::chain_hash;
use super::ed25519_strict::StrictInput;
use super::rust_aead::RustAead;
use super::system_random::SystemRandom;
use super::xaes::XaesKey;
use super::{
    Aead, AeadKey, CryptoError, Kem, KemKeyPair, Operation, Provider, Sha256, Signature,
    SigningKey, X25519Key,
};
use crate::random::Random;
use crate::secret::{Secret, SecretBytes};

/// The provider on aws-lc.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

impl Provider for AwsLc {
    fn name(&self) -> &'static str {
        "aws-lc"
    }

    fn honours_randomness(&self, operation: Operation) -> bool {
        match operation {
            Operation::KemGenerate | Operation::KemEncapsulate | Operation::MlDsaSign => false,
        }
    }

    fn random(&self) -> Box<dyn Random> {
        Box::new(SystemRandom::new(|out| rand::fill(out).is_ok()))
    }

    fn sha256(&self) -> Box<dyn Sha256> {
        Box::new(AwsSha256(digest::Context::new(&digest::SHA256)))
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> Secret<32> {
        // The streaming interface returns a tag that cannot be wiped; this one writes into ours.
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let mut out = Secret::new([0; 32]);
        let signed = if let [message] = parts {
            hmac::sign_to_buffer(&key, message, out.expose_mut()).is_ok()
        } else {
            let message = SecretBytes::new(parts.concat());
            hmac::sign_to_buffer(&key, message.expose(), out.expose_mut()).is_ok()
        };
        if signed { out } else { out_of_memory::<hmac::Key>() }
    }

    fn hkdf_sha256(
        &self,
        salt: &[u8],
        input: &[u8],
        info: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        // `hkdf::Salt` keeps a copy that it does not wipe, and the salt may be a chaining key.
        let key = self.hmac_sha256(salt, &[input]);
        hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, key.expose())
            .expand(&[info], OutputLength(out.len()))
            .and_then(|output| output.fill(out))
            .map_err(|_| CryptoError::WrongLength)
    }

    fn chain_step(&self, key: &[u8; 32], out: &mut [[u8; 32]; 2]) {
        chain_hash::chain_step(key, out);
    }

    fn epoch_walk(
        &self,
        chain: &mut [u8; 32],
        counters: RangeInclusive<u32>,
        label: &[u8; 31],
        each: &mut dyn FnMut(u32, &[u8; 32]),
    ) -> Result<(), CryptoError> {
        chain_hash::epoch_walk(chain, counters, label, each);
        Ok(())
    }

    fn chain_mac(&self, key: &[u8; 32], parts: &[&[u8]]) -> Secret<32> {
        chain_hash::mac(key, parts)
    }

    fn chain_hkdf(
        &self,
        salt: &[u8; 32],
        input: &[u8],
        info: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        chain_hash::hkdf(salt, input, info, out)
    }

    fn x25519_key(&self, secret: &Secret<32>) -> Box<dyn X25519Key> {
        AwsX25519::new(secret)
            .map_or_else(|| out_of_memory::<PrivateKey>(), |key| Box::new(key) as _)
    }

    fn kem_generate(&self, kem: Kem, _random: &mut dyn Random) -> Result<KemKeyPair, CryptoError> {
        let pair = kem::DecapsulationKey::generate(kem_algorithm(kem)).map_err(failed)?;
        let public = pair.encapsulation_key().and_then(|key| key.key_bytes()).map_err(failed)?;
        let secret = pair.key_bytes().map_err(failed)?;
        Ok(KemKeyPair {
            public: public.as_ref().to_vec(),
            secret: SecretBytes::new(secret.as_ref().to_vec()),
        })
    }

    fn kem_encapsulate(
        &self,
        kem: Kem,
        public: &[u8],
        _random: &mut dyn Random,
    ) -> Result<(Vec<u8>, Secret<32>), CryptoError> {
        let key = kem::EncapsulationKey::new(kem_algorithm(kem), public)
            .map_err(|_| CryptoError::WrongLength)?;
        // The check of FIPS 203 section 7.2 comes only here.
        let (ciphertext, secret) = key.encapsulate().map_err(|_| CryptoError::InvalidKey)?;
        let secret = Secret::from_slice(secret.as_ref()).ok_or(CryptoError::ProviderFailed)?;
        Ok((ciphertext.as_ref().to_vec(), secret))
    }

    fn kem_decapsulate(
        &self,
        kem: Kem,
        secret: &SecretBytes,
        ciphertext: &[u8],
    ) -> Result<Secret<32>, CryptoError> {
        if ciphertext.len() != kem.ciphertext_length() {
            return Err(CryptoError::WrongLength);
        }
        let key = kem::DecapsulationKey::new(kem_algorithm(kem), secret.expose())
            .map_err(|_| CryptoError::WrongLength)?;
        // The check of FIPS 203 section 7.3 comes only here.
        let shared = key.decapsulate(ciphertext.into()).map_err(|_| CryptoError::InvalidKey)?;
        Secret::from_slice(shared.as_ref()).ok_or(CryptoError::ProviderFailed)
    }

    fn signing_key(
        &self,
        algorithm: Signature,
        seed: &Secret<32>,
    ) -> Result<Box<dyn SigningKey>, CryptoError> {
        let seed = seed.expose();
        Ok(match algorithm {
            Signature::Ed25519 => Box::new(
                Ed25519KeyPair::from_seed_unchecked(seed)
                    .map_err(|_| CryptoError::ProviderFailed)?,
            ),
            Signature::MlDsa65 => Box::new(
                PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, seed)
                    .map_err(|_| CryptoError::ProviderFailed)?,
            ),
        })
    }

    fn verify(
        &self,
        algorithm: Signature,
        public: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        // Keys of other lengths would be taken for X.509.
        algorithm.check_lengths(public, signature)?;
        match algorithm {
            Signature::Ed25519 => {
                let input = StrictInput::parse(public, signature)?;
                UnparsedPublicKey::new(&ED25519, input.public).verify(message, input.signature)
            }
            Signature::MlDsa65 => {
                UnparsedPublicKey::new(&ML_DSA_65, public).verify(message, signature)
            }
        }
        .map_err(|_| CryptoError::InvalidSignature)
    }

    fn aead(&self, algorithm: Aead, key: &Secret<32>) -> Box<dyn AeadKey> {
        match algorithm {
            Aead::Aes256Gcm => Box::new(AwsAead::aes_256_gcm(key)),
            Aead::ChaCha20Poly1305 => Box::new(AwsAead::chacha20_poly1305(key)),
            Aead::Xaes256Gcm => Box::new(XaesKey::new(key, AwsAead::aes_256_gcm)),
            Aead::XChaCha20Poly1305 => Box::new(RustAead::<XChaCha20Poly1305>::new(key)),
        }
    }
}

/// An AES-128-GCM key.
#[cfg(feature = "fleet")]
pub(super) fn aes_128_gcm(key: &Secret<16>) -> Box<dyn AeadKey> {
    Box::new(AwsAead::aes_128_gcm(key))
}

/// A SHA-256 under way.
struct AwsSha256(digest::Context);

impl Sha256 for AwsSha256 {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&mut self) -> [u8; 32] {
        let context = mem::replace(&mut self.0, digest::Context::new(&digest::SHA256));
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        hash
    }
}

impl fmt::Debug for AwsSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsSha256(..)")
    }
}

impl SigningKey for Ed25519KeyPair {
    fn public(&self) -> &[u8] {
        self.public_key().as_ref()
    }

    fn sign(&self, message: &[u8], _random: &mut dyn Random) -> Result<Vec<u8>, CryptoError> {
        Ok(self.try_sign(message).map_err(failed)?.as_ref().to_vec())
    }
}

impl SigningKey for PqdsaKeyPair {
    fn public(&self) -> &[u8] {
        self.public_key().as_ref()
    }

    fn sign(&self, message: &[u8], _random: &mut dyn Random) -> Result<Vec<u8>, CryptoError> {
        let mut signature = vec![0; Signature::MlDsa65.signature_length()];
        PqdsaKeyPair::sign(self, message, &mut signature).map_err(failed)?;
        Ok(signature)
    }
}

/// An X25519 key. aws-lc computes the public half when it imports a secret, and wipes its copy of
/// the secret when it frees it.
struct AwsX25519 {
    key: PrivateKey,
    public: [u8; 32],
}

impl AwsX25519 {
    fn new(secret: &Secret<32>) -> Option<Self> {
        let key = PrivateKey::from_private_key(&X25519, secret.expose()).ok()?;
        let public = key.compute_public_key().ok()?.as_ref().try_into().ok()?;
        Some(Self { key, public })
    }
}

impl X25519Key for AwsX25519 {
    fn public(&self) -> &[u8; 32] {
        &self.public
    }

    fn agree(&self, public: &[u8; 32]) -> Result<Secret<32>, CryptoError> {
        // aws-lc refuses a result of zeros.
        agreement::agree(
            &self.key,
            AgreementKey::new(&X25519, public),
            CryptoError::InvalidKey,
            |shared| Secret::from_slice(shared).ok_or(CryptoError::ProviderFailed),
        )
    }
}

impl fmt::Debug for AwsX25519 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsX25519(..)")
    }
}

/// How much HKDF is to expand.
struct OutputLength(usize);

impl hkdf::KeyType for OutputLength {
    fn len(&self) -> usize {
        self.0
    }
}

fn kem_algorithm(kem: Kem) -> &'static kem::Algorithm {
    match kem {
        Kem::MlKem768 => &kem::ML_KEM_768,
        Kem::MlKem1024 => &kem::ML_KEM_1024,
    }
}

fn failed(_: aws_lc_rs::error::Unspecified) -> CryptoError {
    CryptoError::ProviderFailed
}

/// What ends any Rust program that gets no memory. With inputs of the right lengths, aws-lc fails
/// where this is called for no other reason.
fn out_of_memory<T>() -> ! {
    handle_alloc_error(Layout::new::<T>())
}
