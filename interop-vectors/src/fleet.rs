//! What fleets seal keys with: the KEM, and HPKE over it; and groups shared with another
//! implementation.

use serde::Deserialize;
use serde_json::Value;

use crate::{Hex, VectorError, load};

const X_WING: &str = "fleet/x-wing-draft.json";
const HPKE: &str = "fleet/hpke-x25519-rfc9180.json";
const TS_MLS: &str = "fleet/ts-mls.json";

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

/// One run of our `fleet_peer` program beside another implementation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// The suite, as it is written.
    pub id: String,
    /// The suite.
    pub suite: u16,
    /// What our program was told, with what the other side had made, and said.
    pub steps: Vec<Exchange>,
}

/// One command and its answer, as the program writes them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The command.
    pub command: Value,
    /// The answer.
    pub answer: Value,
}

/// Groups that our program and ts-mls shared.
pub fn ts_mls() -> Result<Vec<Transcript>, VectorError> {
    load(TS_MLS, include_str!("../data/fleet/ts-mls.json"))
}
