//! The primitives that everything else is made of, behind one trait.
//!
//! A provider is a value that is passed, never whichever feature won. [`aws`] is the default and
//! the fast one; [`pure`] needs no C compiler and takes every randomness it is given, so that it
//! can reproduce a vector. Each checks the other in the tests. Knows nothing of protocols.

#[cfg(feature = "aws-lc-rs")]
pub mod aws;
pub mod deferred;
#[cfg(feature = "fleet")]
pub mod fleet;
#[cfg(feature = "pure")]
pub mod pure;
pub mod split_kem;

// What the two share.
#[cfg(any(feature = "aws-lc-rs", feature = "pure"))]
mod chain_hash;
#[cfg(any(feature = "aws-lc-rs", feature = "pure"))]
mod ed25519_strict;
#[cfg(any(feature = "aws-lc-rs", feature = "pure"))]
mod rust_aead;
#[cfg(any(feature = "aws-lc-rs", feature = "pure"))]
mod system_random;
#[cfg(any(feature = "aws-lc-rs", feature = "pure"))]
mod xaes;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

pub use deferred::{DeferredProvider, XEDDSA_LENGTH};
#[cfg(feature = "fleet")]
pub use fleet::FleetProvider;
pub use split_kem::SplitKem;

use zeroize::Zeroizing;

use crate::random::Random;
use crate::secret::{Secret, SecretBytes};

/// The length of every AEAD tag used.
pub const TAG_LENGTH: usize = 16;

/// The primitives.
pub trait Provider: fmt::Debug + Send + Sync {
    /// What it calls itself, for the trace and for `meshctl`.
    fn name(&self) -> &'static str;

    /// Whether `operation` uses the randomness it is given. One that does not draws its own, and
    /// cannot reproduce a vector.
    fn honours_randomness(&self, operation: Operation) -> bool;

    /// The system's randomness.
    fn random(&self) -> Box<dyn Random>;

    /// Starts a SHA-256.
    fn sha256(&self) -> Box<dyn Sha256>;

    /// HMAC-SHA-256 over the parts, one after the other.
    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> Secret<32>;

    /// HKDF-SHA-256, extract and expand (RFC 5869). Fails only where `out` exceeds 8,160 bytes.
    fn hkdf_sha256(
        &self,
        salt: &[u8],
        input: &[u8],
        info: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError>;

    /// A step of a chain of message keys: HMAC-SHA-256 over the byte 01, and over the byte 02. A
    /// reader walks thousands of them where messages were lost, so a provider may have a faster way
    /// than this one, and for the next three as well.
    fn chain_step(&self, key: &[u8; 32], out: &mut [[u8; 32]; 2]) {
        for (out, byte) in out.iter_mut().zip([1, 2]) {
            *out = *self.hmac_sha256(key, &[&[byte]]).expose();
        }
    }

    /// Keys of a chain of the post-quantum ratchet: for each counter the chain becomes the first
    /// half of HKDF-SHA-256 without a salt over it, with counter and label as info, and the key is
    /// the second half.
    fn epoch_walk(
        &self,
        chain: &mut [u8; 32],
        counters: RangeInclusive<u32>,
        label: &[u8; 31],
        each: &mut dyn FnMut(u32, &[u8; 32]),
    ) -> Result<(), CryptoError> {
        let mut both = Zeroizing::new([[0; 32]; 2]);
        for counter in counters {
            let info = [&counter.to_be_bytes(), label.as_slice()].concat();
            self.hkdf_sha256(&[0; 32], chain, &info, both.as_flattened_mut())?;
            let [next, key] = &*both;
            *chain = *next;
            each(counter, key);
        }
        Ok(())
    }

    /// HMAC-SHA-256 under the key of one message.
    fn chain_mac(&self, key: &[u8; 32], parts: &[&[u8]]) -> Secret<32> {
        self.hmac_sha256(key, parts)
    }

    /// HKDF-SHA-256 for the keys of one message.
    fn chain_hkdf(
        &self,
        salt: &[u8; 32],
        input: &[u8],
        info: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.hkdf_sha256(salt, input, info, out)
    }

    /// The X25519 key of `secret`, which is clamped as RFC 7748 says.
    fn x25519_key(&self, secret: &Secret<32>) -> Box<dyn X25519Key>;

    /// The public half of an X25519 secret.
    fn x25519_public(&self, secret: &Secret<32>) -> [u8; 32] {
        *self.x25519_key(secret).public()
    }

    /// X25519 with a secret that is used once; one that agrees more often is made ready by
    /// [`x25519_key`](Self::x25519_key).
    fn x25519(&self, secret: &Secret<32>, public: &[u8; 32]) -> Result<Secret<32>, CryptoError> {
        self.x25519_key(secret).agree(public)
    }

    /// A key pair of `kem`.
    fn kem_generate(&self, kem: Kem, random: &mut dyn Random) -> Result<KemKeyPair, CryptoError>;

    /// A fresh shared secret and its ciphertext to `public`. A public key that FIPS 203 section
    /// 7.2 refuses is an error.
    fn kem_encapsulate(
        &self,
        kem: Kem,
        public: &[u8],
        random: &mut dyn Random,
    ) -> Result<(Vec<u8>, Secret<32>), CryptoError>;

    /// The shared secret inside `ciphertext`. One that was made for another key, or changed, gives
    /// a secret that nobody shares (implicit rejection), not an error. A secret key that fails the
    /// hash check of FIPS 203 section 7.3 is one.
    fn kem_decapsulate(
        &self,
        kem: Kem,
        secret: &SecretBytes,
        ciphertext: &[u8],
    ) -> Result<Secret<32>, CryptoError>;

    /// The signing key that `seed` expands to.
    fn signing_key(
        &self,
        algorithm: Signature,
        seed: &Secret<32>,
    ) -> Result<Box<dyn SigningKey>, CryptoError>;

    /// Checks a signature. Ed25519 is strict and the same in all providers: no small-order key or
    /// R, canonical encodings only, equation without cofactor. ML-DSA is pure with an empty
    /// context.
    fn verify(
        &self,
        algorithm: Signature,
        public: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError>;

    /// An AEAD key, its schedule made once.
    fn aead(&self, algorithm: Aead, key: &Secret<32>) -> Box<dyn AeadKey>;
}

impl dyn Provider + '_ {
    /// SHA-256 over the parts, one after the other.
    pub fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = self.sha256();
        for part in parts {
            hash.update(part);
        }
        hash.finish()
    }
}

/// A SHA-256 under way.
pub trait Sha256: fmt::Debug + Send + Sync {
    /// Adds bytes.
    fn update(&mut self, bytes: &[u8]);
    /// The hash of what was added; the state starts anew.
    fn finish(&mut self) -> [u8; 32];
}

/// The secret half of an X25519 pair, made ready once: each agreement then costs one
/// multiplication, where a secret of bytes alone would cost that of its public half too.
pub trait X25519Key: fmt::Debug + Send + Sync {
    /// The public half.
    fn public(&self) -> &[u8; 32];
    /// X25519. A result of zeros, from a public key of low order, is an error.
    fn agree(&self, public: &[u8; 32]) -> Result<Secret<32>, CryptoError>;
}

/// A key that signs.
pub trait SigningKey: fmt::Debug + Send + Sync {
    /// The public half.
    fn public(&self) -> &[u8];
    /// Signs. Ed25519 ignores `random`; ML-DSA hedges with 32 bytes of it.
    fn sign(&self, message: &[u8], random: &mut dyn Random) -> Result<Vec<u8>, CryptoError>;
}

/// A key that seals and opens. The caller keeps nonces unique.
pub trait AeadKey: fmt::Debug + Send + Sync {
    /// Encrypts in place and returns the tag. Fails on a nonce of the wrong length.
    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], CryptoError>;

    /// Decrypts in place. On an error `in_out` holds nothing of the plaintext.
    fn open_in_place(
        &self,
        nonce: &[u8],
        associated: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LENGTH],
    ) -> Result<(), CryptoError>;
}

impl dyn AeadKey + '_ {
    /// The ciphertext of `plaintext` with its tag behind it.
    pub fn seal(
        &self,
        nonce: &[u8],
        associated: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let mut out = Vec::with_capacity(plaintext.len() + TAG_LENGTH);
        out.extend_from_slice(plaintext);
        let tag = self.seal_in_place(nonce, associated, &mut out)?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    /// The plaintext of a ciphertext with its tag behind it.
    pub fn open(
        &self,
        nonce: &[u8],
        associated: &[u8],
        ciphertext: &[u8],
    ) -> Result<SecretBytes, CryptoError> {
        let (body, tag) =
            ciphertext.split_last_chunk::<TAG_LENGTH>().ok_or(CryptoError::WrongLength)?;
        let mut out = SecretBytes::new(body.to_vec());
        self.open_in_place(nonce, associated, out.expose_mut(), tag)?;
        Ok(out)
    }
}

/// A fresh KEM key pair.
#[derive(Debug)]
pub struct KemKeyPair {
    /// The encapsulation key, as FIPS 203 encodes it.
    pub public: Vec<u8>,
    /// The decapsulation key in FIPS 203's expanded encoding, which contains the public one.
    pub secret: SecretBytes,
}

/// A key encapsulation mechanism.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kem {
    /// ML-KEM-768 (FIPS 203).
    MlKem768,
    /// ML-KEM-1024 (FIPS 203).
    MlKem1024,
}

impl Kem {
    /// Bytes of an encapsulation key.
    pub const fn public_length(self) -> usize {
        match self {
            Self::MlKem768 => 1184,
            Self::MlKem1024 => 1568,
        }
    }

    /// Bytes of an expanded decapsulation key.
    pub const fn secret_length(self) -> usize {
        match self {
            Self::MlKem768 => 2400,
            Self::MlKem1024 => 3168,
        }
    }

    /// Bytes of a ciphertext.
    pub const fn ciphertext_length(self) -> usize {
        match self {
            Self::MlKem768 => 1088,
            Self::MlKem1024 => 1568,
        }
    }
}

/// A signature algorithm.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Signature {
    /// Ed25519 (RFC 8032), verified strictly.
    Ed25519,
    /// ML-DSA-65 (FIPS 204), pure, with an empty context.
    MlDsa65,
}

impl Signature {
    /// Bytes of a public key.
    pub const fn public_length(self) -> usize {
        match self {
            Self::Ed25519 => 32,
            Self::MlDsa65 => 1952,
        }
    }

    /// Bytes of a signature.
    pub const fn signature_length(self) -> usize {
        match self {
            Self::Ed25519 => 64,
            Self::MlDsa65 => 3309,
        }
    }

    /// Refuses a public key or a signature of another length than this algorithm's.
    pub fn check_lengths(self, public: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        if public.len() != self.public_length() || signature.len() != self.signature_length() {
            return Err(CryptoError::WrongLength);
        }
        Ok(())
    }
}

/// An authenticated cipher, each with a key of 32 bytes and a tag of 16.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Aead {
    /// AES-256-GCM, nonce of 12 bytes.
    Aes256Gcm,
    /// ChaCha20-Poly1305 (RFC 8439), nonce of 12 bytes.
    ChaCha20Poly1305,
    /// XAES-256-GCM (C2SP), nonce of 24 bytes.
    Xaes256Gcm,
    /// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), nonce of 24 bytes.
    XChaCha20Poly1305,
}

impl Aead {
    /// Bytes of a nonce.
    pub const fn nonce_length(self) -> usize {
        match self {
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 12,
            Self::Xaes256Gcm | Self::XChaCha20Poly1305 => 24,
        }
    }
}

/// An operation that is given randomness.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    /// [`Provider::kem_generate`].
    KemGenerate,
    /// [`Provider::kem_encapsulate`].
    KemEncapsulate,
    /// [`SigningKey::sign`] of ML-DSA.
    MlDsaSign,
}

/// Why a primitive gave no result. It says nothing of the secrets involved.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// A public key that the standard refuses.
    #[error("the public key is not a valid one")]
    InvalidKey,
    /// A signature that does not verify.
    #[error("the signature does not verify")]
    InvalidSignature,
    /// A ciphertext that was changed, or sealed under another key, nonce or context.
    #[error("the ciphertext does not open under this key")]
    OpenFailed,
    /// An input or output of a length that the primitive does not have.
    #[error("the length does not fit the primitive")]
    WrongLength,
    /// The library behind the provider failed where it should not.
    #[error("the provider failed")]
    ProviderFailed,
}
