//! A root as a text file, to be kept off line.
//!
//! ```text
//! version (1) || Ed25519 seed (32) || ML-DSA-65 seed (32) || agent id (32) || checksum (32)
//! ```
//!
//! in armour. The checksum is SHA-256 over what stands before it.

use alloc::vec::Vec;

use super::Root;
use crate::identity::armour::{Armour, ArmourError};
use crate::identity::{AgentId, HybridSeeds};
use crate::provider::{CryptoError, Provider};
use crate::secret::{Secret, SecretBytes};

impl Root {
    /// The text of the file. It is the whole secret.
    pub fn to_file(&self, provider: &dyn Provider) -> SecretBytes {
        let seeds = self.seeds();
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(VERSION);
        bytes.extend_from_slice(seeds.ed25519.expose());
        bytes.extend_from_slice(seeds.ml_dsa.expose());
        bytes.extend_from_slice(self.agent().as_bytes());
        let checksum = provider.digest(&[&bytes]);
        bytes.extend_from_slice(&checksum);
        let bytes = SecretBytes::new(bytes);
        SecretBytes::new(Armour::Root.encode(bytes.expose()).into_bytes())
    }

    /// Reads the text of a file.
    pub fn from_file(provider: &dyn Provider, text: &[u8]) -> Result<Self, RootFileError> {
        // 1. The armour.
        let text = core::str::from_utf8(text).map_err(|_| RootFileError::NotText)?;
        let bytes = Armour::Root.decode(text, LENGTH)?;
        // 2. The version, before a length that another one may have.
        let (version, _) = bytes.expose().split_first().ok_or(RootFileError::Damaged)?;
        if *version != VERSION {
            return Err(RootFileError::UnsupportedVersion(*version));
        }
        // 3. The checksum.
        let (content, checksum) =
            bytes.expose().split_last_chunk::<32>().ok_or(RootFileError::Damaged)?;
        if provider.digest(&[content]) != *checksum {
            return Err(RootFileError::Damaged);
        }
        // 4. The seeds, and that they grow into the agent named.
        let (seeds, agent) = split(content).ok_or(RootFileError::Damaged)?;
        let root = Self::from_seeds(provider, seeds)?;
        if root.agent() != agent { Err(RootFileError::OtherAgent) } else { Ok(root) }
    }
}

fn split(content: &[u8]) -> Option<(HybridSeeds, AgentId)> {
    let (_version, rest) = content.split_first()?;
    let (ed25519, rest) = rest.split_at_checked(32)?;
    let (ml_dsa, agent) = rest.split_at_checked(32)?;
    let seeds =
        HybridSeeds { ed25519: Secret::from_slice(ed25519)?, ml_dsa: Secret::from_slice(ml_dsa)? };
    Some((seeds, AgentId::from_bytes(agent.try_into().ok()?)))
}

/// Why a file gives no root.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RootFileError {
    /// It is not text.
    #[error("the root file is not text")]
    NotText,
    /// It is not the armour of a root.
    #[error("the root file is not one: {0}")]
    Armour(#[from] ArmourError),
    /// A format that this version does not read.
    #[error("the root file's format version {0} is not one that this version reads")]
    UnsupportedVersion(u8),
    /// Bytes were changed or lost.
    #[error("the root file is damaged")]
    Damaged,
    /// The seeds are another agent's.
    #[error("the root file names another agent than its keys do")]
    OtherAgent,
    /// The provider made no keys of the seeds.
    #[error("the root's keys could not be made: {0}")]
    Crypto(#[from] CryptoError),
}

const VERSION: u8 = 1;

pub(super) const LENGTH: usize = 1 + 32 + 32 + AgentId::LENGTH + 32;
