//! Handshakes of `Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256`, byte for byte.

use serde::Deserialize;

use crate::{Hex, VectorError};

const FILE: &str = "noise/noise-xxhfs-mlkem768.json";

/// Handshakes under one protocol name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseVectors {
    /// The Noise protocol name, which is hashed.
    pub protocol: String,
    /// The handshakes.
    pub vectors: Vec<NoiseVector>,
}

/// What both sides draw, and what must come of it. Payloads are empty.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseVector {
    /// Counts from 1.
    #[serde(rename = "vector_index")]
    pub index: u32,
    /// The initiator's static X25519 secret.
    #[serde(rename = "static_i_private")]
    pub initiator_static: Hex,
    /// The responder's static X25519 secret.
    #[serde(rename = "static_r_private")]
    pub responder_static: Hex,
    /// The initiator's ephemeral X25519 secret.
    #[serde(rename = "ephemeral_dh_i_private")]
    pub initiator_ephemeral: Hex,
    /// The responder's ephemeral X25519 secret.
    #[serde(rename = "ephemeral_dh_r_private")]
    pub responder_ephemeral: Hex,
    /// FIPS 203's `d` for the initiator's KEM key.
    pub kem_seed_d: Hex,
    /// FIPS 203's `z` for the initiator's KEM key.
    pub kem_seed_z: Hex,
    /// FIPS 203's `m` for the responder's encapsulation.
    #[serde(rename = "encap_seed")]
    pub encapsulation_seed: Hex,
    /// The prologue.
    pub prologue: Hex,
    /// `-> e, e1`
    #[serde(rename = "msg_a")]
    pub message_1: Hex,
    /// `<- e, ee, ekem1, s, es`
    #[serde(rename = "msg_b")]
    pub message_2: Hex,
    /// `-> s, se`
    #[serde(rename = "msg_c")]
    pub message_3: Hex,
    /// The handshake hash after message 3.
    pub handshake_hash: Hex,
    /// The transport key from the initiator to the responder.
    #[serde(rename = "cs1_k")]
    pub initiator_key: Hex,
    /// The transport key from the responder to the initiator.
    #[serde(rename = "cs2_k")]
    pub responder_key: Hex,
}

/// The handshakes with ML-KEM-768 and ChaCha20-Poly1305.
pub fn xxhfs_mlkem768() -> Result<NoiseVectors, VectorError> {
    let text = include_str!("../data/noise/noise-xxhfs-mlkem768.json");
    let vectors: NoiseVectors = serde_json::from_str(text)
        .map_err(|source| VectorError::Malformed { file: FILE, source })?;
    if vectors.vectors.is_empty() {
        return Err(VectorError::Empty { file: FILE });
    }
    Ok(vectors)
}

#[cfg(test)]
mod tests {
    use super::xxhfs_mlkem768;

    #[test]
    fn all_five_handshakes_load_with_the_lengths_of_the_suite() {
        let file = xxhfs_mlkem768().unwrap();
        assert_eq!(file.protocol, "Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256");
        assert_eq!(file.vectors.len(), 5);
        for vector in file.vectors {
            let lengths =
                [&vector.message_1, &vector.message_2, &vector.message_3].map(|m| m.len());
            assert_eq!(lengths, [1216, 1200, 64]);
            assert_eq!(vector.handshake_hash.len(), 32);
        }
    }
}
