//! The key under which an agent signs in its fleets: Ed25519, named by its card.
//!
//! It signs leaves, commits and messages, as the suite says. What joins it to the agent's hybrid
//! keys is the card's signature, and the signing pair's over each key package and rejoining commit.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::identity::Card;
use crate::provider::{CryptoError, Provider, Signature, SigningKey};
use crate::random::Random;
use crate::secret::Secret;

/// An agent's key in fleets.
pub struct FleetKey {
    seed: Secret<32>,
    key: Box<dyn SigningKey>,
}

impl FleetKey {
    /// Draws a key.
    pub fn generate(provider: &dyn Provider, random: &mut dyn Random) -> Result<Self, CryptoError> {
        Self::from_seed(provider, Secret::random(random))
    }

    /// The key that `seed` expands to.
    pub fn from_seed(provider: &dyn Provider, seed: Secret<32>) -> Result<Self, CryptoError> {
        let key = provider.signing_key(Signature::Ed25519, &seed)?;
        Ok(Self { seed, key })
    }

    /// The public half, as a card names it.
    pub fn public(&self) -> &[u8] {
        self.key.public()
    }

    /// What the key was made from, for a store to keep.
    pub fn seed(&self) -> &Secret<32> {
        &self.seed
    }

    /// Whether `card` names this key.
    pub(super) fn is_of(&self, card: &Card) -> bool {
        card.fleet_key() == Some(self.public())
    }

    pub(super) fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.key.sign(message, &mut Undrawn)
    }
}

impl fmt::Debug for FleetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FleetKey(..)")
    }
}

/// What Ed25519 draws: nothing.
#[derive(Debug)]
struct Undrawn;

impl Random for Undrawn {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(0);
    }
}
