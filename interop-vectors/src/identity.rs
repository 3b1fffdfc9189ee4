//! An agent's id, its cards and its revocations, byte for byte, and cards that must be refused.

use serde::Deserialize;

use crate::{Hex, VectorError};

const FILE: &str = "identity/identity.json";

/// What one root signed, and what it did not sign well enough.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityVectors {
    /// The moment at which each verdict holds, in milliseconds since the Unix epoch.
    pub now: u64,
    /// The root's Ed25519 private key.
    pub root_ed25519_seed: Hex,
    /// The root's ML-DSA-65 seed.
    pub root_ml_dsa_seed: Hex,
    /// Both public keys.
    pub root_public: Hex,
    /// The id's bytes.
    pub agent: Hex,
    /// The id's text.
    pub agent_text: String,
    /// Cards to be read.
    pub accepted: Vec<AcceptedCard>,
    /// Cards to be refused.
    pub refused: Vec<RefusedCard>,
    /// Revocations to be read.
    pub revocations: Vec<AcceptedRevocation>,
}

/// A card and what it says. ML-DSA is deterministic in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedCard {
    /// What the case is called.
    pub name: String,
    /// The number of the card.
    pub sequence: u64,
    /// Milliseconds since the Unix epoch.
    pub not_before: u64,
    /// Milliseconds since the Unix epoch.
    pub not_after: u64,
    /// Both public keys of the signing pair.
    pub signing_pair: Hex,
    /// The live key.
    pub live_key: Hex,
    /// The next live key; empty for none.
    pub next_live_key: Hex,
    /// The deferred identity; empty for none.
    pub deferred_identity: Hex,
    /// The fleet key; empty for none.
    pub fleet_key: Hex,
    /// The addresses as text, in order.
    pub addresses: Vec<String>,
    /// The suite codes, in order.
    pub suites: Vec<u8>,
    /// Protocols, sorted.
    pub protocols: Vec<String>,
    /// Transports, sorted.
    pub transports: Vec<String>,
    /// Services by name and version, sorted.
    pub services: Vec<(String, u32)>,
    /// Relays by id and addresses, in order.
    pub relays: Vec<(String, Vec<String>)>,
    /// The region; empty for none.
    pub region: String,
    /// The extension fields, sorted.
    pub extensions: Vec<(u16, Hex)>,
    /// The roles, where their authority is trusted.
    pub endorsed: Vec<Endorsed>,
    /// Every byte of the card.
    pub card: Hex,
    /// Its SHA-256.
    pub hash: Hex,
}

/// What a chain of endorsements comes to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endorsed {
    /// Who starts the chain.
    pub authority: String,
    /// The role.
    pub role: String,
    /// Milliseconds since the Unix epoch.
    pub not_after: u64,
}

/// A card with one fault, and well signed but for that.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedCard {
    /// The fault.
    pub name: String,
    /// Every byte of the card.
    pub card: Hex,
}

/// A revocation and what it says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedRevocation {
    /// The number up to which cards are taken back; none for all of the agent's.
    pub scope: Option<u64>,
    /// Milliseconds since the Unix epoch.
    pub issued: u64,
    /// Every byte of the revocation.
    pub revocation: Hex,
}

/// The vectors of one agent.
pub fn identity() -> Result<IdentityVectors, VectorError> {
    let text = include_str!("../data/identity/identity.json");
    let vectors: IdentityVectors = serde_json::from_str(text)
        .map_err(|source| VectorError::Malformed { file: FILE, source })?;
    let lists = [vectors.accepted.len(), vectors.refused.len(), vectors.revocations.len()];
    if lists.contains(&0) {
        return Err(VectorError::Empty { file: FILE });
    }
    Ok(vectors)
}
