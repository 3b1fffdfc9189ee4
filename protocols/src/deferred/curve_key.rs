//! X25519 keys in the format of deferred messages: 0x05, then the u coordinate.

use alloc::sync::Arc;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::stored;
use super::wire::WireError;
use crate::provider::{CryptoError, DeferredProvider, Provider, X25519Key, XEDDSA_LENGTH};
use crate::random::Random;
use crate::secret::Secret;

/// An X25519 key pair. One that was made in this process is ready; one that comes from a record is
/// made ready for each use.
#[derive(Clone, Deserialize, Serialize)]
pub struct CurveKey {
    #[serde(with = "stored::secret")]
    secret: Secret<32>,
    public: CurvePublic,
    #[serde(skip)]
    ready: Option<Arc<dyn X25519Key>>,
}

impl CurveKey {
    /// Draws a pair.
    pub fn generate(provider: &dyn Provider, random: &mut dyn Random) -> Self {
        Self::from_secret(provider, Secret::random(random))
    }

    /// The pair of a secret, which is kept clamped.
    pub fn from_secret(provider: &dyn Provider, mut secret: Secret<32>) -> Self {
        let bytes = secret.expose_mut();
        bytes[0] &= 0xf8;
        bytes[31] = bytes[31] & 0x7f | 0x40;
        let ready = provider.x25519_key(&secret);
        Self { secret, public: CurvePublic(*ready.public()), ready: Some(ready.into()) }
    }

    /// The secret half.
    pub fn secret(&self) -> &Secret<32> {
        &self.secret
    }

    /// The public half.
    pub fn public(&self) -> &CurvePublic {
        &self.public
    }

    /// What both ends compute of this secret and a peer's public key.
    pub(super) fn agree(
        &self,
        provider: &dyn Provider,
        peer: &CurvePublic,
    ) -> Result<Secret<32>, CryptoError> {
        match &self.ready {
            Some(ready) => ready.agree(&peer.0),
            None => provider.x25519(&self.secret, &peer.0),
        }
    }

    /// An XEdDSA signature over `message`.
    pub fn sign(
        &self,
        provider: &dyn DeferredProvider,
        message: &[u8],
        random: &mut dyn Random,
    ) -> [u8; XEDDSA_LENGTH] {
        provider.xeddsa_sign(&self.secret, message, random)
    }
}

impl Eq for CurveKey {}

impl PartialEq for CurveKey {
    fn eq(&self, other: &Self) -> bool {
        self.secret == other.secret
    }
}

impl fmt::Debug for CurveKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CurveKey({:?})", self.public)
    }
}

/// An X25519 public key. The encoding is one byte longer than what is kept.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct CurvePublic([u8; 32]);

impl CurvePublic {
    /// Bytes of the encoding.
    pub const LENGTH: usize = 33;

    /// The key with this u coordinate.
    pub const fn from_u(u: [u8; 32]) -> Self {
        Self(u)
    }

    /// The u coordinate.
    pub const fn u(&self) -> &[u8; 32] {
        &self.0
    }

    /// The type byte and the u coordinate.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [TYPE; Self::LENGTH];
        if let Some(u) = bytes.last_chunk_mut() {
            *u = self.0;
        }
        bytes
    }

    /// Reads an encoding. Bytes behind it are ignored, as the official client does.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        match bytes.split_first() {
            Some((&TYPE, rest)) => rest.first_chunk().copied().map(Self),
            _ => None,
        }
        .ok_or(WireError::MalformedKey)
    }

    /// Checks an XEdDSA signature by this key over `message`.
    pub fn verify(
        &self,
        provider: &dyn DeferredProvider,
        message: &[u8],
        signature: &[u8; XEDDSA_LENGTH],
    ) -> Result<(), CryptoError> {
        provider.xeddsa_verify(&self.0, message, signature)
    }
}

impl fmt::Debug for CurvePublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CurvePublic(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// In front of each key on the curve.
const TYPE: u8 = 0x05;

#[cfg(test)]
mod tests {
    use super::{CurvePublic, WireError};

    #[test]
    fn a_key_has_its_type_byte_and_its_length() {
        let key = CurvePublic::from_u([7; 32]);
        let encoded = key.encode();
        assert_eq!(CurvePublic::decode(&encoded), Ok(key));
        assert_eq!(CurvePublic::decode(&[&encoded[..], &[0]].concat()), Ok(key));
        for end in 0..encoded.len() {
            assert_eq!(CurvePublic::decode(&encoded[..end]), Err(WireError::MalformedKey));
        }
        for code in (0..=u8::MAX).filter(|code| *code != 0x05) {
            let mut wrong = encoded;
            wrong[0] = code;
            assert_eq!(CurvePublic::decode(&wrong), Err(WireError::MalformedKey));
        }
    }
}
