//! How sessions of suite 0x0A begin: what both ends draw, what they agree on, and the bytes of the
//! first message.

use serde::Deserialize;

use crate::{Hex, VectorError, load};

const FILE: &str = "deferred/pqxdh.json";

/// A session that begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beginning {
    /// The initiator's identity, a secret as all keys below that are not called public.
    pub initiator_identity: Hex,
    /// The key that it makes for this session.
    pub initiator_base: Hex,
    /// FIPS 203's `m`.
    pub kem_message: Hex,
    /// Its first ratchet key.
    pub initiator_ratchet: Hex,
    /// FIPS 203's `d` and `z` for its first key of the post-quantum ratchet.
    pub braid_seed: Hex,
    /// The responder's identity.
    pub responder_identity: Hex,
    /// Its signed prekey.
    pub responder_signed: Hex,
    /// Its one-time prekey, in the case that uses one.
    pub responder_one_time: Option<Hex>,
    /// FIPS 203's `d` and `z` for its KEM prekey.
    pub kem_seed: Hex,
    /// The numbers of the one-time, the signed and the KEM prekey.
    pub ids: [u32; 3],
    /// What ends the label: the hash of the bundle and both agent ids.
    pub context: Hex,
    /// What the first message says.
    pub plaintext: Hex,
    /// The KEM prekey, with its type byte.
    pub kem_public: Hex,
    /// The ciphertext to it, with its type byte.
    pub kem_ciphertext: Hex,
    /// What is in that.
    pub kem_secret: Hex,
    /// The first root.
    pub root_key: Hex,
    /// The first chain.
    pub chain_key: Hex,
    /// What the post-quantum ratchet begins with.
    pub braid_key: Hex,
    /// The packet.
    pub first_message: Hex,
}

/// All of them.
pub fn beginnings() -> Result<Vec<Beginning>, VectorError> {
    load(FILE, include_str!("../data/deferred/pqxdh.json"))
}
