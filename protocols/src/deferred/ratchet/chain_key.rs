//! A chain key, from which each message of a chain takes its seed (section 2.2).

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::MessageSeed;
use crate::deferred::stored;
use crate::provider::Provider;
use crate::secret::{Secret, SecretBytes};

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

    /// The end of a chain: it has no next message, and no key.
    pub(super) fn end() -> Self {
        Self { index: u32::MAX, key: Secret::new([0; 32]) }
    }

    /// Whether no message follows.
    pub(super) fn is_at_end(&self) -> bool {
        self.index == u32::MAX
    }

    /// The index of the next message.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The seed of the message with this index, and the key after that message. None where the
    /// index has no next.
    pub(in crate::deferred) fn step(&self, provider: &dyn Provider) -> Option<(MessageSeed, Self)> {
        let mut next = self.clone();
        next.index = self.index.checked_add(1)?;
        let mut both = Zeroizing::new([[0; 32]; 2]);
        provider.chain_step(self.key.expose(), &mut both);
        let [seed, key] = &*both;
        *next.key.expose_mut() = *key;
        Some((MessageSeed(Secret::from(seed)), next))
    }

    /// Walks on to `index`. The seeds of the last `most` messages that it passes, one behind the
    /// other.
    pub(super) fn walk(&mut self, provider: &dyn Provider, index: u32, most: usize) -> SecretBytes {
        let passed = usize::try_from(index.saturating_sub(self.index)).unwrap_or(usize::MAX);
        let kept = passed.min(most);
        let mut seeds = SecretBytes::new(alloc::vec![0; kept * 32]);
        let mut both = Zeroizing::new([[0; 32]; 2]);
        for _ in kept..passed {
            self.pass(provider, &mut both);
        }
        for slot in seeds.expose_mut().as_chunks_mut().0 {
            self.pass(provider, &mut both);
            let [seed, _] = &*both;
            *slot = *seed;
        }
        self.index = self.index.max(index);
        seeds
    }

    /// Becomes the key after the next message, whose seed stands beside it then.
    fn pass(&mut self, provider: &dyn Provider, both: &mut [[u8; 32]; 2]) {
        provider.chain_step(self.key.expose(), both);
        let [_, key] = both;
        *self.key.expose_mut() = *key;
    }
}
