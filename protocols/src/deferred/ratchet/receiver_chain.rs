//! A chain of the peer's messages.

use serde::{Deserialize, Serialize};

use super::{ChainKey, MAX_SKIPPED, MessageSeed, SkippedSeeds};
use crate::deferred::curve_key::CurvePublic;
use crate::provider::Provider;

/// How far a message may lie before its chain: as far as the official client lets it. More would be
/// work for whoever asks.
pub const MAX_JUMP: u32 = 25_000;

/// The chain that a ratchet key of the peer began.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ReceiverChain {
    /// The peer's key.
    pub ratchet_key: CurvePublic,
    /// Before the next message that has not come and was not skipped.
    pub chain_key: ChainKey,
    /// Of those that were.
    pub skipped: SkippedSeeds,
}

impl ReceiverChain {
    /// A chain of which nothing has come.
    pub(in crate::deferred) fn new(ratchet_key: CurvePublic, chain_key: ChainKey) -> Self {
        Self { ratchet_key, chain_key, skipped: SkippedSeeds::default() }
    }

    /// The seed of the message with this index, which no other call gives out again. To be called
    /// on a candidate: a message that then does not verify must leave no trace.
    pub(in crate::deferred) fn take(
        &mut self,
        provider: &dyn Provider,
        index: u32,
    ) -> Result<MessageSeed, ChainError> {
        let Some(ahead) = index.checked_sub(self.chain_key.index()) else {
            return self.skipped.take(index).ok_or(ChainError::Duplicate);
        };
        if ahead > MAX_JUMP {
            return Err(ChainError::JumpTooFar);
        }
        let from = self.chain_key.index();
        let seeds = self.chain_key.walk(provider, index, MAX_SKIPPED);
        let (seed, next) = self.chain_key.step(provider).ok_or(ChainError::JumpTooFar)?;
        self.chain_key = next;
        if !seeds.is_empty() {
            let passed = usize::try_from(ahead).unwrap_or(usize::MAX);
            let first_kept = (from..index).nth(passed.saturating_sub(MAX_SKIPPED));
            self.skipped.append(first_kept.unwrap_or(index), seeds);
        }
        Ok(seed)
    }
}

/// Why a chain gives no seed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The message was opened before, or passed so long ago that its seed is gone.
    #[error("the message was opened before, or its key is gone")]
    Duplicate,
    /// The message lies more than [`MAX_JUMP`] ahead.
    #[error("the message lies more than {MAX_JUMP} ahead of its chain")]
    JumpTooFar,
}

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests {
    use super::{ChainError, ChainKey, MAX_JUMP, ReceiverChain};
    use crate::deferred::curve_key::CurvePublic;
    use crate::deferred::ratchet::MAX_SKIPPED;
    use crate::provider::pure::Pure;
    use crate::secret::Secret;

    fn chain() -> ReceiverChain {
        ReceiverChain::new(CurvePublic::from_u([9; 32]), ChainKey::at(0, Secret::new([1; 32])))
    }

    #[test]
    fn messages_in_any_order_get_the_seeds_that_they_would_get_in_order() {
        let mut ordered = chain();
        let seeds: [_; 5] = core::array::from_fn(|index| {
            ordered.take(&Pure, u32::try_from(index).unwrap()).unwrap()
        });
        let mut shuffled = chain();
        for index in [3, 1, 4, 0, 2] {
            let seed = shuffled.take(&Pure, index).unwrap();
            assert_eq!(seed, seeds[usize::try_from(index).unwrap()]);
            assert_eq!(shuffled.take(&Pure, index), Err(ChainError::Duplicate));
        }
    }

    #[test]
    fn a_jump_is_taken_at_the_limit_and_refused_one_past() {
        let mut far = chain();
        assert_eq!(far.take(&Pure, MAX_JUMP + 1), Err(ChainError::JumpTooFar));
        assert_eq!(far, chain());
        assert!(far.take(&Pure, MAX_JUMP).is_ok());
        assert_eq!(far.skipped.len(), MAX_SKIPPED);
        assert!(far.skipped.is_sound());
        // The oldest of those kept, and the one before it.
        let oldest = MAX_JUMP - u32::try_from(MAX_SKIPPED).unwrap();
        assert_eq!(far.take(&Pure, oldest - 1), Err(ChainError::Duplicate));
        assert!(far.take(&Pure, oldest).is_ok());
    }

    #[test]
    fn the_last_index_of_a_chain_has_no_next() {
        let mut last = chain();
        last.chain_key = ChainKey::at(u32::MAX, Secret::new([1; 32]));
        assert_eq!(last.take(&Pure, u32::MAX), Err(ChainError::JumpTooFar));
    }
}
