//! The chain of one's own messages.

use serde::{Deserialize, Serialize};

use super::ChainKey;
use crate::deferred::curve_key::CurveKey;

/// One's own ratchet key with the chain that it began.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SenderChain {
    /// The key that each message of the chain shows.
    pub ratchet_key: CurveKey,
    /// Before the next message.
    pub chain_key: ChainKey,
    /// What each message says of the chain before; nobody reads it.
    pub previous_counter: u32,
}

impl SenderChain {
    /// The chain that follows this one. What follows a spent one is spent.
    pub(in crate::deferred) fn successor(
        &self,
        ratchet_key: CurveKey,
        chain_key: ChainKey,
    ) -> Self {
        let chain_key = if self.is_spent() { ChainKey::end() } else { chain_key };
        let previous_counter = self.chain_key.index().saturating_sub(1);
        Self { ratchet_key, chain_key, previous_counter }
    }

    /// The chain without the key of any further message. The ratchet key stays, so that what the
    /// peer answers to it opens.
    pub(in crate::deferred) fn spent(self) -> Self {
        Self { chain_key: ChainKey::end(), ..self }
    }

    /// Whether no message is ever sealed again.
    pub(in crate::deferred) fn is_spent(&self) -> bool {
        self.chain_key.is_at_end()
    }
}
