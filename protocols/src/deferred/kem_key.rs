//! KEM keys and ciphertexts in the format of deferred messages: the suite's type byte, then the
//! bytes of ML-KEM-1024, which are those of Kyber-1024 too.
//!
//! The two differ in what becomes of the shared secret. Kyber's third round hashes the message
//! before it is used, and the result with the hash of the ciphertext once more; with a message that
//! is random either way, the second step alone makes one of the other. They differ for a ciphertext
//! that is not an honest one, where both give a secret that nobody shares.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::stored;
use super::suite::Suite;
use super::wire::WireError;
use crate::provider::{CryptoError, DeferredProvider, Kem};
use crate::random::Random;
use crate::secret::{Secret, SecretBytes};

/// A KEM key pair.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KemKey {
    suite: Suite,
    /// FIPS 203's expanded decapsulation key, which contains the public one.
    #[serde(with = "stored::secret_bytes")]
    secret: SecretBytes,
}

impl KemKey {
    /// Draws a pair.
    pub fn generate(
        provider: &dyn DeferredProvider,
        suite: Suite,
        random: &mut dyn Random,
    ) -> Result<Self, CryptoError> {
        let pair = provider.kem_generate(KEM, random)?;
        Ok(Self { suite, secret: pair.secret })
    }

    /// Reads a secret key with its type byte.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (suite, secret) = split(bytes, KEM.secret_length())?;
        Ok(Self { suite, secret: SecretBytes::new(secret.to_vec()) })
    }

    /// The secret key with its type byte.
    pub fn encode(&self) -> SecretBytes {
        let mut bytes = Vec::with_capacity(1 + self.secret.len());
        bytes.push(self.suite.code());
        bytes.extend_from_slice(self.secret.expose());
        SecretBytes::new(bytes)
    }

    /// The suite that it is of.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The public half.
    pub fn public(&self) -> KemPublic {
        let key = self.secret.expose().get(PUBLIC_INSIDE_SECRET..).unwrap_or_default();
        let key = key.get(..KEM.public_length()).unwrap_or_default();
        KemPublic { suite: self.suite, key: key.to_vec() }
    }

    /// The secret inside a ciphertext with its type byte, which must be this key's.
    pub(super) fn decapsulate(
        &self,
        provider: &dyn DeferredProvider,
        ciphertext: &[u8],
    ) -> Result<Secret<32>, CryptoError> {
        match ciphertext.split_first() {
            Some((code, ciphertext)) if *code == self.suite.code() => {
                let shared = provider.kem_decapsulate(KEM, &self.secret, ciphertext)?;
                Ok(finish(provider, self.suite, shared, ciphertext))
            }
            _ => Err(CryptoError::WrongLength),
        }
    }
}

/// A KEM public key.
#[derive(Clone, Eq, PartialEq)]
pub struct KemPublic {
    suite: Suite,
    key: Vec<u8>,
}

impl KemPublic {
    /// Bytes of the encoding.
    pub const LENGTH: usize = 1 + KEM.public_length();

    /// Reads a key with its type byte. Whether it is one shows when it is used.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (suite, key) = split(bytes, KEM.public_length())?;
        Ok(Self { suite, key: key.to_vec() })
    }

    /// The key with its type byte.
    pub fn encode(&self) -> Vec<u8> {
        [&[self.suite.code()], self.key.as_slice()].concat()
    }

    /// The suite that it is of.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// A ciphertext with its type byte, and the secret inside.
    pub(super) fn encapsulate(
        &self,
        provider: &dyn DeferredProvider,
        random: &mut dyn Random,
    ) -> Result<(Vec<u8>, Secret<32>), CryptoError> {
        let (ciphertext, shared) = provider.kem_encapsulate(KEM, &self.key, random)?;
        let shared = finish(provider, self.suite, shared, &ciphertext);
        Ok(([&[self.suite.code()], ciphertext.as_slice()].concat(), shared))
    }
}

impl fmt::Debug for KemPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KemPublic({:?})", self.suite)
    }
}

impl Serialize for KemPublic {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        stored::bytes::serialize(&self.encode(), serializer)
    }
}

impl<'de> Deserialize<'de> for KemPublic {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = stored::bytes::deserialize(deserializer)?;
        Self::decode(&bytes).map_err(serde::de::Error::custom)
    }
}

/// What the suite makes of ML-KEM's shared secret.
fn finish(
    provider: &dyn DeferredProvider,
    suite: Suite,
    shared: Secret<32>,
    ciphertext: &[u8],
) -> Secret<32> {
    match suite {
        Suite::MlKem1024 => shared,
        Suite::Kyber1024 => {
            let hash = provider.sha3_256(&[ciphertext]);
            provider.shake256(&[shared.expose(), hash.expose()])
        }
    }
}

fn split(bytes: &[u8], length: usize) -> Result<(Suite, &[u8]), WireError> {
    let (code, key) = bytes.split_first().ok_or(WireError::MalformedKey)?;
    let suite = Suite::from_code(*code).ok_or(WireError::UnknownSuite(*code))?;
    if key.len() == length { Ok((suite, key)) } else { Err(WireError::MalformedKey) }
}

/// The KEM of both suites.
const KEM: Kem = Kem::MlKem1024;

/// FIPS 203's expanded key: 1,536 bytes of the inner secret, then the public key.
const PUBLIC_INSIDE_SECRET: usize = 1_536;
