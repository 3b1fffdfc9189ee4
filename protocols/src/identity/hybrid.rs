//! The hybrid signature: Ed25519 and ML-DSA-65 over the same bytes, valid only together.
//!
//! There is no type for half of one, neither of a key nor of a signature. What is signed is
//! `"meshwork/v1/" || purpose || 0x00 || SHA-256(both public keys) || message`, so that a signature
//! serves one [`Purpose`] under one pair of keys. ML-DSA is used in pure mode with an empty
//! context. Knows nothing of who holds a key.

mod key;
mod public;
mod purpose;
mod signature;

pub use key::{HybridKey, HybridSeeds};
pub use public::HybridPublic;
pub use purpose::Purpose;
pub use signature::HybridSignature;

use alloc::vec::Vec;

/// The bytes that both algorithms sign.
fn signed_bytes(purpose: Purpose, keys_hash: &[u8; 32], message: &[u8]) -> Vec<u8> {
    [PREFIX, purpose.label().as_bytes(), &[0], keys_hash, message].concat()
}

const PREFIX: &[u8] = b"meshwork/v1/";

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests;
