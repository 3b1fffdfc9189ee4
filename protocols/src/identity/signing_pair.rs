//! The key pair with which an agent signs while it is on line.

use super::{HybridKey, HybridPublic, HybridSeeds, HybridSignature, Purpose};
use crate::provider::{CryptoError, Provider};
use crate::random::Random;

/// An agent's on-line hybrid pair. A card names its public keys; a new card can replace it without
/// a new identity.
#[derive(Debug)]
pub struct SigningPair(HybridKey);

impl SigningPair {
    /// Draws a pair.
    pub fn generate(provider: &dyn Provider, random: &mut dyn Random) -> Result<Self, CryptoError> {
        Self::from_seeds(provider, HybridSeeds::random(random))
    }

    /// The pair that `seeds` expand to.
    pub fn from_seeds(provider: &dyn Provider, seeds: HybridSeeds) -> Result<Self, CryptoError> {
        Ok(Self(HybridKey::from_seeds(provider, seeds)?))
    }

    /// The public keys, as a card names them.
    pub fn public(&self) -> &HybridPublic {
        self.0.public()
    }

    /// What the pair was made from, for a store to keep.
    pub fn seeds(&self) -> &HybridSeeds {
        self.0.seeds()
    }

    /// Signs `message` for `purpose`.
    pub fn sign(
        &self,
        purpose: Purpose,
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<HybridSignature, CryptoError> {
        self.0.sign(purpose, message, random)
    }
}

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests {
    use alloc::format;

    use crate::identity::fixture::signing_pair;

    #[test]
    fn debug_shows_no_byte_of_a_secret() {
        let pair = signing_pair(1);
        assert_eq!(format!("{pair:?}"), format!("SigningPair(HybridKey({:?}))", pair.public()));
    }
}
