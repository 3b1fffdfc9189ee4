//! The secret keys of a hybrid pair.

use alloc::boxed::Box;
use core::fmt;

use super::{HybridPublic, HybridSignature, Purpose, signed_bytes};
use crate::provider::{CryptoError, Provider, Signature, SigningKey};
use crate::random::Random;
use crate::secret::Secret;

/// The two seeds that a hybrid pair grows from, and all that has to be kept of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HybridSeeds {
    /// The private key of RFC 8032.
    pub ed25519: Secret<32>,
    /// The seed of FIPS 204 key generation.
    pub ml_dsa: Secret<32>,
}

impl HybridSeeds {
    /// Draws both.
    pub fn random(random: &mut dyn Random) -> Self {
        Self { ed25519: Secret::random(random), ml_dsa: Secret::random(random) }
    }
}

/// Two keys that sign together.
pub struct HybridKey {
    seeds: HybridSeeds,
    ed25519: Box<dyn SigningKey>,
    ml_dsa: Box<dyn SigningKey>,
    public: HybridPublic,
    /// What binds a signature to both public keys; hashed once.
    public_hash: [u8; 32],
}

impl HybridKey {
    /// The pair that `seeds` expand to.
    pub fn from_seeds(provider: &dyn Provider, seeds: HybridSeeds) -> Result<Self, CryptoError> {
        let ed25519 = provider.signing_key(Signature::Ed25519, &seeds.ed25519)?;
        let ml_dsa = provider.signing_key(Signature::MlDsa65, &seeds.ml_dsa)?;
        let public = HybridPublic::join(ed25519.public(), ml_dsa.public())
            .ok_or(CryptoError::ProviderFailed)?;
        let public_hash = public.hash(provider);
        Ok(Self { seeds, ed25519, ml_dsa, public, public_hash })
    }

    /// The public keys.
    pub fn public(&self) -> &HybridPublic {
        &self.public
    }

    /// What the pair was made from, for a store to keep.
    pub fn seeds(&self) -> &HybridSeeds {
        &self.seeds
    }

    /// Signs `message` for `purpose` with both keys.
    pub fn sign(
        &self,
        purpose: Purpose,
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<HybridSignature, CryptoError> {
        let bytes = signed_bytes(purpose, &self.public_hash, message);
        let ed25519 = self.ed25519.sign(&bytes, random)?;
        let ml_dsa = self.ml_dsa.sign(&bytes, random)?;
        HybridSignature::join(&ed25519, &ml_dsa).ok_or(CryptoError::ProviderFailed)
    }
}

impl fmt::Debug for HybridKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HybridKey({:?})", self.public)
    }
}
