//! What fleets seal keys with: the KEM, and HPKE over it.

use serde::Deserialize;

use crate::{Hex, VectorError, load};

const X_WING: &str = "fleet/x-wing-draft.json";
const HPKE: &str = "fleet/hpke-x25519-rfc9180.json";

/// One X-Wing key and one encapsulation to it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XWingCase {
    /// Where it comes from.
    pub id: String,
    /// The private key.
    pub private: Hex,
    /// What the sender draws: ML-KEM's randomness, then X25519's.
    pub random: Hex,
    /// The public key.
    pub public: Hex,
    /// The ciphertext.
    pub ciphertext: Hex,
    /// The shared secret.
    pub shared: Hex,
}

/// One sealing by HPKE in base mode, with HKDF-SHA256 and AES-128-GCM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HpkeCase {
    /// Where it comes from.
    pub id: String,
    /// What both know.
    pub info: Hex,
    /// What the sender's ephemeral key is derived from.
    pub sender_input: Hex,
    /// That key.
    pub sender_private: Hex,
    /// What the receiver's key is derived from.
    pub receiver_input: Hex,
    /// That key.
    pub receiver_private: Hex,
    /// Its public half.
    pub receiver_public: Hex,
    /// The KEM's ciphertext.
    pub encapsulated: Hex,
    /// The associated data.
    pub associated: Hex,
    /// The plaintext.
    pub plaintext: Hex,
    /// The ciphertext with its tag.
    pub ciphertext: Hex,
    /// Secrets for other uses.
    pub exports: Vec<Export>,
}

/// A secret for another use.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// For which.
    pub context: Hex,
    /// The secret.
    pub value: Hex,
}

/// The vectors of X-Wing's draft.
pub fn x_wing() -> Result<Vec<XWingCase>, VectorError> {
    load(X_WING, include_str!("../data/fleet/x-wing-draft.json"))
}

/// The vectors of RFC 9180 for DHKEM(X25519).
pub fn hpke() -> Result<Vec<HpkeCase>, VectorError> {
    load(HPKE, include_str!("../data/fleet/hpke-x25519-rfc9180.json"))
}
