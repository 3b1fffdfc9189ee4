//! A chain key, from which each message of a chain takes its seed (section 2.2).

use serde::{Deserialize, Serialize};

use super::MessageSeed;
use crate::deferred::stored;
use crate::provider::Provider;
use crate::secret::Secret;

/// The key of a chain, before the message with its index.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChainKey {
    index: u32,
    #[serde(with = "stored::secret")]
    key: Secret<32>,
}

impl ChainKey {
    /// The key of a new chain.
    pub(super) fn first(key: Secret<32>) -> Self {
        Self { index: 0, key }
    }

    /// A key somewhere in its chain.
    pub fn at(index: u32, key: Secret<32>) -> Self {
        Self { index, key }
    }

    /// The index of the next message.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The seed of the message with this index.
    pub(in crate::deferred) fn seed(&self, provider: &dyn Provider) -> MessageSeed {
        MessageSeed(provider.hmac_sha256(self.key.expose(), &[&[0x01]]))
    }

    /// The key after that message. None where the index has no next.
    pub(in crate::deferred) fn next(&self, provider: &dyn Provider) -> Option<Self> {
        let index = self.index.checked_add(1)?;
        Some(Self { index, key: provider.hmac_sha256(self.key.expose(), &[&[0x02]]) })
    }
}
