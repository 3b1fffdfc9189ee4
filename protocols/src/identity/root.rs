//! The key pair that an agent is known by.
//!
//! A root signs cards and revocations, and where its agent is an authority the endorsements that
//! it gives; nothing on line. So it can be kept off line, in a file of its own
//! ([`Root::to_file`]).

mod file;

pub use file::RootFileError;

use core::fmt;

use serde::{Deserialize, Serialize};

use super::card::{Card, CardBody, CardError};
use super::{AgentId, HybridKey, HybridPublic, HybridSeeds, HybridSignature, Purpose};
use crate::provider::{CryptoError, Provider};
use crate::random::Random;

/// An agent's root keys.
pub struct Root {
    key: HybridKey,
    public: RootPublic,
    agent: AgentId,
}

impl Root {
    /// Draws a root, and with it a new agent.
    pub fn generate(provider: &dyn Provider, random: &mut dyn Random) -> Result<Self, CryptoError> {
        Self::from_seeds(provider, HybridSeeds::random(random))
    }

    /// The root that `seeds` expand to.
    pub fn from_seeds(provider: &dyn Provider, seeds: HybridSeeds) -> Result<Self, CryptoError> {
        let key = HybridKey::from_seeds(provider, seeds)?;
        let public = RootPublic(key.public().clone());
        let agent = AgentId::of(provider, &public);
        Ok(Self { key, public, agent })
    }

    /// The public keys.
    pub fn public(&self) -> &RootPublic {
        &self.public
    }

    /// The agent that the root is the root of.
    pub fn agent(&self) -> AgentId {
        self.agent
    }

    /// What the root was made from, for a store to keep.
    pub fn seeds(&self) -> &HybridSeeds {
        self.key.seeds()
    }

    /// Signs a card. What a reader would refuse is refused here.
    pub fn sign_card(
        &self,
        provider: &dyn Provider,
        body: CardBody,
        random: &mut dyn Random,
    ) -> Result<Card, CardError> {
        Card::sign(provider, self, body, random)
    }

    pub(super) fn sign(
        &self,
        purpose: Purpose,
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<HybridSignature, CryptoError> {
        self.key.sign(purpose, message, random)
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root({})", self.agent)
    }
}

/// The public half of a [`Root`].
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct RootPublic(HybridPublic);

impl RootPublic {
    /// A root with these keys.
    pub fn new(keys: HybridPublic) -> Self {
        Self(keys)
    }

    /// The keys.
    pub fn keys(&self) -> &HybridPublic {
        &self.0
    }
}

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests;
