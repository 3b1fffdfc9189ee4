//! The public keys of a hybrid pair.

use alloc::boxed::Box;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::super::byte_array;
use super::{HybridSignature, Purpose, signed_bytes};
use crate::provider::{CryptoError, Provider, Signature};

/// An Ed25519 public key followed by an ML-DSA-65 one.
#[derive(Clone, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct HybridPublic(#[serde(with = "byte_array")] Box<[u8; HybridPublic::LENGTH]>);

impl HybridPublic {
    /// Bytes of both keys.
    pub const LENGTH: usize =
        Signature::Ed25519.public_length() + Signature::MlDsa65.public_length();

    /// The pair with these bytes. Whether they are keys shows when a signature is checked.
    pub fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Self {
        Self(Box::new(*bytes))
    }

    /// Both keys, one behind the other.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Checks that both halves of `signature` are over `message`, for `purpose`, by these keys.
    pub fn verify(
        &self,
        provider: &dyn Provider,
        purpose: Purpose,
        message: &[u8],
        signature: &HybridSignature,
    ) -> Result<(), CryptoError> {
        let bytes = signed_bytes(purpose, &self.hash(provider), message);
        let (ed25519, ml_dsa) = self.halves();
        let (ed25519_signature, ml_dsa_signature) = signature.halves();
        provider.verify(Signature::Ed25519, ed25519, &bytes, ed25519_signature)?;
        provider.verify(Signature::MlDsa65, ml_dsa, &bytes, ml_dsa_signature)
    }

    /// Whether either key also stands in `other`.
    pub(in super::super) fn shares_a_key_with(&self, other: &Self) -> bool {
        let (ed25519, ml_dsa) = self.halves();
        let (other_ed25519, other_ml_dsa) = other.halves();
        ed25519 == other_ed25519 || ml_dsa == other_ml_dsa
    }

    /// The pair of two keys in their standards' encodings.
    pub(super) fn join(ed25519: &[u8], ml_dsa: &[u8]) -> Option<Self> {
        if ed25519.len() != Signature::Ed25519.public_length() {
            return None;
        }
        Some(Self([ed25519, ml_dsa].concat().into_boxed_slice().try_into().ok()?))
    }

    pub(super) fn hash(&self, provider: &dyn Provider) -> [u8; 32] {
        provider.digest(&[self.0.as_slice()])
    }

    pub(super) fn halves(&self) -> (&[u8], &[u8]) {
        self.0.split_at(Signature::Ed25519.public_length())
    }
}

impl fmt::Debug for HybridPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HybridPublic(")?;
        for byte in self.0.iter().take(SHOWN) {
            write!(f, "{byte:02x}")?;
        }
        write!(f, "..)")
    }
}

/// Bytes that `Debug` shows: enough to tell two keys apart in a trace.
const SHOWN: usize = 4;
