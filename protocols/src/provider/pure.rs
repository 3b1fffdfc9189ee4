//! The provider in Rust alone: runs where no C compiler is, and takes every randomness it is given,
//! so that it can reproduce a vector.

mod deferred;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use aes_gcm::Aes256Gcm;
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305};
use ed25519_dalek::Signer;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use ml_dsa::MlDsa65;
use ml_kem::{B32, Decapsulate, KeyExport, Seed};
use sha2::Digest;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroize;

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

/// The provider in Rust alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pure;

/// Evaluates an expression with `$set` naming the types of the ML-KEM parameter set `$kem`.
macro_rules! with_parameter_set {
    ($kem:expr, $set:ident => $body:expr) => {
        match $kem {
            Kem::MlKem768 => {
                use ml_kem::ml_kem_768 as $set;
                $body
            }
            Kem::MlKem1024 => {
                use ml_kem::ml_kem_1024 as $set;
                $body
            }
        }
    };
}

impl Provider for Pure {
    fn name(&self) -> &'static str {
        "pure"
    }

    fn honours_randomness(&self, operation: Operation) -> bool {
        match operation {
            Operation::KemGenerate | Operation::KemEncapsulate | Operation::MlDsaSign => true,
        }
    }

    fn random(&self) -> Box<dyn Random> {
        Box::new(SystemRandom::new(|out| getrandom::fill(out).is_ok()))
    }

    fn sha256(&self) -> Box<dyn Sha256> {
        Box::new(PureSha256(sha2::Sha256::new()))
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> Secret<32> {
        let mut mac = hmac_sha256(key);
        for part in parts {
            mac.update(part);
        }
        let mut tag = mac.finalize().into_bytes();
        let secret = Secret::from(&tag.0);
        tag.zeroize();
        secret
    }

    fn hkdf_sha256(
        &self,
        salt: &[u8],
        input: &[u8],
        info: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        // `Hkdf::new` leaves the extracted key unwiped.
        let key = self.hmac_sha256(salt, &[input]);
        Hkdf::<sha2::Sha256>::from_prk(key.expose())
            .map_err(|_| CryptoError::ProviderFailed)?
            .expand(info, out)
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
        let secret = StaticSecret::from(*secret.expose());
        let public = PublicKey::from(&secret).to_bytes();
        Box::new(PureX25519 { secret, public })
    }

    fn x25519(&self, secret: &Secret<32>, public: &[u8; 32]) -> Result<Secret<32>, CryptoError> {
        // Its public half is not asked for.
        agree(&StaticSecret::from(*secret.expose()), public)
    }

    fn kem_generate(&self, kem: Kem, random: &mut dyn Random) -> Result<KemKeyPair, CryptoError> {
        let mut seed = Seed::default();
        random.fill(&mut seed);
        let pair = with_parameter_set!(kem, set => {
            let key = set::DecapsulationKey::from_seed(seed);
            #[allow(deprecated, reason = "the one encoding that aws-lc imports")]
            let mut expanded = ml_kem::ExpandedKeyEncoding::to_expanded_bytes(&key);
            let secret = SecretBytes::new(expanded.to_vec());
            expanded.zeroize();
            KemKeyPair { public: key.encapsulation_key().to_bytes().to_vec(), secret }
        });
        seed.zeroize();
        Ok(pair)
    }

    fn kem_encapsulate(
        &self,
        kem: Kem,
        public: &[u8],
        random: &mut dyn Random,
    ) -> Result<(Vec<u8>, Secret<32>), CryptoError> {
        with_parameter_set!(kem, set => {
            let public = public.try_into().map_err(|_| CryptoError::WrongLength)?;
            let key = set::EncapsulationKey::new(public).map_err(|_| CryptoError::InvalidKey)?;
            let mut message = B32::default();
            random.fill(&mut message);
            let (ciphertext, mut shared) = key.encapsulate_deterministic(&message);
            let secret = Secret::from(&shared.0);
            message.zeroize();
            shared.zeroize();
            Ok((ciphertext.to_vec(), secret))
        })
    }

    fn kem_decapsulate(
        &self,
        kem: Kem,
        secret: &SecretBytes,
        ciphertext: &[u8],
    ) -> Result<Secret<32>, CryptoError> {
        with_parameter_set!(kem, set => {
            let expanded = secret.expose().try_into().map_err(|_| CryptoError::WrongLength)?;
            let ciphertext = ciphertext.try_into().map_err(|_| CryptoError::WrongLength)?;
            #[allow(deprecated, reason = "the one encoding that aws-lc exports")]
            let key = set::DecapsulationKey::from_expanded(expanded)
                .map_err(|_| CryptoError::InvalidKey)?;
            let mut shared = key.decapsulate(ciphertext);
            let secret = Secret::from(&shared.0);
            shared.zeroize();
            Ok(secret)
        })
    }

    fn signing_key(
        &self,
        algorithm: Signature,
        seed: &Secret<32>,
    ) -> Result<Box<dyn SigningKey>, CryptoError> {
        Ok(match algorithm {
            Signature::Ed25519 => Box::new(ed25519_dalek::SigningKey::from_bytes(seed.expose())),
            Signature::MlDsa65 => Box::new(MlDsaKey::new(seed)),
        })
    }

    fn verify(
        &self,
        algorithm: Signature,
        public: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        algorithm.check_lengths(public, signature)?;
        let valid = match algorithm {
            Signature::Ed25519 => {
                let input = StrictInput::parse(public, signature)?;
                let signature = ed25519_dalek::Signature::from_bytes(input.signature);
                ed25519_dalek::VerifyingKey::from_bytes(input.public)
                    .and_then(|key| key.verify_strict(message, &signature))
                    .is_ok()
            }
            Signature::MlDsa65 => ml_dsa_verifies(public, message, signature),
        };
        if valid { Ok(()) } else { Err(CryptoError::InvalidSignature) }
    }

    fn aead(&self, algorithm: Aead, key: &Secret<32>) -> Box<dyn AeadKey> {
        match algorithm {
            Aead::Aes256Gcm => Box::new(RustAead::<Aes256Gcm>::new(key)),
            Aead::ChaCha20Poly1305 => Box::new(RustAead::<ChaCha20Poly1305>::new(key)),
            Aead::Xaes256Gcm => Box::new(XaesKey::new(key, RustAead::<Aes256Gcm>::new)),
            Aead::XChaCha20Poly1305 => Box::new(RustAead::<XChaCha20Poly1305>::new(key)),
        }
    }
}

/// An AES-128-GCM key.
#[cfg(feature = "fleet")]
pub(super) fn aes_128_gcm(key: &Secret<16>) -> Box<dyn AeadKey> {
    Box::new(RustAead::<aes_gcm::Aes128Gcm>::of_16(key))
}

/// A SHA-256 under way.
struct PureSha256(sha2::Sha256);

impl Sha256 for PureSha256 {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&mut self) -> [u8; 32] {
        self.0.finalize_reset().into()
    }
}

impl fmt::Debug for PureSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PureSha256(..)")
    }
}

/// An X25519 key, which wipes itself on drop.
struct PureX25519 {
    secret: StaticSecret,
    public: [u8; 32],
}

impl X25519Key for PureX25519 {
    fn public(&self) -> &[u8; 32] {
        &self.public
    }

    fn agree(&self, public: &[u8; 32]) -> Result<Secret<32>, CryptoError> {
        agree(&self.secret, public)
    }
}

impl fmt::Debug for PureX25519 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PureX25519(..)")
    }
}

fn agree(secret: &StaticSecret, public: &[u8; 32]) -> Result<Secret<32>, CryptoError> {
    let shared = secret.diffie_hellman(&PublicKey::from(*public));
    if !shared.was_contributory() {
        return Err(CryptoError::InvalidKey);
    }
    Ok(Secret::from(shared.as_bytes()))
}

impl SigningKey for ed25519_dalek::SigningKey {
    fn public(&self) -> &[u8] {
        self.as_ref().as_bytes()
    }

    fn sign(&self, message: &[u8], _random: &mut dyn Random) -> Result<Vec<u8>, CryptoError> {
        let signature = self.try_sign(message).map_err(|_| CryptoError::ProviderFailed)?;
        Ok(signature.to_bytes().to_vec())
    }
}

/// An ML-DSA-65 signing key, with its public half as FIPS 204 encodes it.
struct MlDsaKey {
    key: ml_dsa::SigningKey<MlDsa65>,
    public: Vec<u8>,
}

impl MlDsaKey {
    fn new(seed: &Secret<32>) -> Self {
        let key = ml_dsa::SigningKey::from_seed(seed.expose().into());
        let public = key.expanded_key().verifying_key().encode().to_vec();
        Self { key, public }
    }
}

impl SigningKey for MlDsaKey {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn sign(&self, message: &[u8], random: &mut dyn Random) -> Result<Vec<u8>, CryptoError> {
        let mut hedge = ml_dsa::B32::default();
        random.fill(&mut hedge);
        // FIPS 204 section 5.2: 0 for pure, then the length of the context.
        let signature = self.key.expanded_key().sign_internal(&[&[0, 0], message], &hedge);
        hedge.zeroize();
        Ok(signature.encode().to_vec())
    }
}

impl fmt::Debug for MlDsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MlDsaKey(..)")
    }
}

fn ml_dsa_verifies(public: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(public), Ok(signature)) = (public.try_into(), signature.try_into()) else {
        return false;
    };
    let key = ml_dsa::VerifyingKey::<MlDsa65>::decode(public);
    ml_dsa::Signature::decode(signature)
        .is_some_and(|signature| key.verify_with_context(message, &[], &signature))
}

#[allow(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn hmac_sha256(key: &[u8]) -> Hmac<sha2::Sha256> {
    Hmac::new_from_slice(key).expect("a key of any length")
}
