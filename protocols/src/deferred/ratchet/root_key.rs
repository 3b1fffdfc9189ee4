//! The root key, which each turn of the Diffie-Hellman ratchet renews (section 2.3).

use serde::{Deserialize, Serialize};

use super::ChainKey;
use crate::deferred::stored;
use crate::provider::{CryptoError, Provider};
use crate::secret::Secret;

/// The root of the chains to come.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RootKey(#[serde(with = "stored::secret")] Secret<32>);

impl RootKey {
    /// The root that a handshake agreed on.
    pub fn new(key: Secret<32>) -> Self {
        Self(key)
    }

    /// The next root and a new chain, out of what two ratchet keys agree on.
    pub(in crate::deferred) fn turn(
        &self,
        provider: &dyn Provider,
        shared: &Secret<32>,
    ) -> Result<(Self, ChainKey), CryptoError> {
        let mut both = Secret::<64>::new([0; 64]);
        let (salt, input) = (self.0.expose(), shared.expose());
        provider.chain_hkdf(salt, input, b"WhisperRatchet", both.expose_mut())?;
        let [root, chain] = halves(&both);
        Ok((Self(root), ChainKey::first(chain)))
    }
}

fn halves(both: &Secret<64>) -> [Secret<32>; 2] {
    let zeros = &[0; 32];
    let bytes = both.expose();
    [bytes.first_chunk().unwrap_or(zeros), bytes.last_chunk().unwrap_or(zeros)].map(Secret::from)
}
