//! A hybrid signature's bytes.

use alloc::boxed::Box;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::super::byte_array;
use crate::provider::Signature;

/// An Ed25519 signature followed by an ML-DSA-65 one, over the same bytes.
#[derive(Clone, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct HybridSignature(#[serde(with = "byte_array")] Box<[u8; HybridSignature::LENGTH]>);

impl HybridSignature {
    /// Bytes of both halves.
    pub const LENGTH: usize =
        Signature::Ed25519.signature_length() + Signature::MlDsa65.signature_length();

    /// The signature with these bytes.
    pub fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Self {
        Self(Box::new(*bytes))
    }

    /// Both halves, one behind the other.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The signature of two halves in their standards' encodings.
    pub(super) fn join(ed25519: &[u8], ml_dsa: &[u8]) -> Option<Self> {
        if ed25519.len() != Signature::Ed25519.signature_length() {
            return None;
        }
        Some(Self([ed25519, ml_dsa].concat().into_boxed_slice().try_into().ok()?))
    }

    pub(super) fn halves(&self) -> (&[u8], &[u8]) {
        self.0.split_at(Signature::Ed25519.signature_length())
    }
}

impl fmt::Debug for HybridSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HybridSignature(..)")
    }
}
