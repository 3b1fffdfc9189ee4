//! What the official client sent and stored, and known answers of single steps.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Hex, VectorError};

/// A conversation of two parties, step by step.
#[derive(Debug, Deserialize)]
pub struct Transcript {
    /// Its file's name.
    pub name: String,
    /// The two, by their labels.
    pub parties: BTreeMap<String, TranscriptParty>,
    /// What they did, in order.
    pub steps: Vec<Step>,
    /// The records that the steps refer to.
    pub records: Vec<Hex>,
}

/// One of the two.
#[derive(Debug, Deserialize)]
pub struct TranscriptParty {
    /// Its identity.
    pub identity_private: Hex,
}

/// What one of the two did.
#[derive(Debug, Deserialize)]
pub struct Step {
    /// What it was.
    pub op: Operation,
    /// Who did it.
    pub by: String,
    /// Numbers the message.
    pub msg: Option<u32>,
    /// What was sealed or opened.
    pub plaintext: Option<Hex>,
    /// The packet.
    pub wire: Option<Hex>,
    /// 3 for a first message, else 2.
    #[serde(rename = "type")]
    pub kind: Option<u8>,
    /// How opening ended.
    pub result: Option<Outcome>,
    /// The record before: absent where none was taken, null where there was no session.
    #[serde(default, deserialize_with = "present")]
    pub session_before: Option<Option<usize>>,
    /// The record after.
    #[serde(default, deserialize_with = "present")]
    pub session_after: Option<Option<usize>>,
    /// The bundle of who published one.
    pub public: Option<PublicKeys>,
    /// Its secrets.
    pub private: Option<PrivateKeys>,
}

impl Step {
    /// Whether the records around the step were taken.
    pub fn has_snapshots(&self) -> bool {
        self.session_before.is_some() && self.session_after.is_some()
    }
}

/// The kinds of steps.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A bundle was published.
    PublishPrekeys,
    /// A session was begun to a bundle.
    ProcessBundle,
    /// A message was sealed.
    Encrypt,
    /// A message was opened, or refused.
    Decrypt,
}

/// How opening a message ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It opened.
    Ok,
    /// It was refused: in these transcripts, because it was opened before.
    Error,
}

/// A bundle.
#[derive(Debug, Deserialize)]
pub struct PublicKeys {
    /// The identity, with its type byte.
    pub identity_key: Hex,
    /// The signed prekey.
    pub signed_prekey: SignedKey,
    /// The KEM prekey.
    pub kyber_prekey: SignedKey,
    /// The one-time prekey.
    pub one_time_prekey: Option<OneTimeKey>,
}

/// A key with its number and signature.
#[derive(Debug, Deserialize)]
pub struct SignedKey {
    /// Its number.
    pub id: u32,
    /// The key, with its type byte.
    pub public: Hex,
    /// The identity's signature over it.
    pub signature: Hex,
}

/// A key that nobody signed.
#[derive(Debug, Deserialize)]
pub struct OneTimeKey {
    /// Its number.
    pub id: u32,
}

/// The secrets of a bundle.
#[derive(Debug, Deserialize)]
pub struct PrivateKeys {
    /// The identity.
    pub identity_key: Hex,
    /// The signed prekey.
    pub signed_prekey: Hex,
    /// The KEM prekey, with its type byte.
    pub kyber_prekey: Hex,
    /// The one-time prekey.
    pub one_time_prekey: Option<Hex>,
}

/// Known answers. The file has more of them; the braid's are read by its own tests.
#[derive(Debug, Deserialize)]
pub struct KnownAnswers {
    /// Signatures with their verdicts.
    pub xeddsa: Vec<XeddsaCase>,
    /// Handshakes.
    pub pqxdh: Vec<HandshakeCase>,
    /// Kyber-1024 of the third round.
    pub kyber1024_round3: KyberCase,
}

/// A signature with its verdict.
#[derive(Debug, Deserialize)]
pub struct XeddsaCase {
    /// Who made it.
    pub source: String,
    /// The secret that it was made with, where that is known.
    pub private: Option<Hex>,
    /// The key, with its type byte.
    pub public: Hex,
    /// What was signed.
    pub message: Hex,
    /// The signature.
    pub signature: Hex,
    /// The official client's verdict.
    pub valid: bool,
}

/// What the first message of a transcript leads to.
#[derive(Debug, Deserialize)]
pub struct HandshakeCase {
    /// Which transcript.
    pub transcript: String,
    /// The first root.
    pub root_key: Hex,
    /// The first chain.
    pub chain_key: Hex,
    /// What the braid begins with.
    pub spqr_auth_key: Hex,
    /// The initiator's first ratchet key, with its type byte.
    pub initiator_ratchet_public: Hex,
    /// The first message.
    pub message0: FirstMessageCase,
}

/// The inside of a first message.
#[derive(Debug, Deserialize)]
pub struct FirstMessageCase {
    /// Its ciphertext.
    pub ciphertext: Hex,
}

/// Decapsulations by one key.
#[derive(Debug, Deserialize)]
pub struct KyberCase {
    /// The key, with its type byte.
    pub secret_key: Hex,
    /// An honest ciphertext, with its type byte.
    pub ciphertext: Hex,
    /// What is in it.
    pub shared_secret: Hex,
    /// A changed one.
    pub tampered_ciphertext: Hex,
    /// What the third round makes of it.
    pub tampered_shared_secret_round3: Hex,
    /// What is made of FIPS 203's result.
    pub tampered_shared_secret_via_fips203_composition: Hex,
}

/// The transcripts.
pub fn transcripts() -> Result<Vec<Transcript>, VectorError> {
    FILES.into_iter().map(|(file, text)| read(file, text)).collect()
}

/// The known answers.
pub fn known_answers() -> Result<KnownAnswers, VectorError> {
    read("ratchet/kat.json", include_str!("../data/ratchet/kat.json"))
}

fn read<T: for<'de> Deserialize<'de>>(file: &'static str, text: &str) -> Result<T, VectorError> {
    serde_json::from_str(text).map_err(|source| VectorError::Malformed { file, source })
}

/// Tells null from what is not there.
fn present<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<usize>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$((
            concat!("ratchet/", $name),
            include_str!(concat!("../data/ratchet/", $name)),
        )),*]
    };
}

const FILES: [(&str, &str); 8] = files![
    "01_prekey_with_opk.json",
    "02_prekey_without_opk.json",
    "03_pingpong.json",
    "04_out_of_order.json",
    "05_skipped.json",
    "06_lost_first.json",
    "07_long_pingpong.json",
    "12_sizes.json",
];

#[cfg(test)]
mod tests {
    use super::{known_answers, transcripts};

    #[test]
    fn all_eight_transcripts_and_the_known_answers_load() {
        let names: Vec<_> = transcripts().unwrap().into_iter().map(|read| read.name).collect();
        assert_eq!(names.len(), 8);
        assert_eq!(names[6], "07_long_pingpong");
        assert_eq!(known_answers().unwrap().xeddsa.len(), 24);
    }
}
