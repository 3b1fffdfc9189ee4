//! The symmetric half of the braid: for each epoch a chain of message keys in either direction, and
//! the root from which the next epoch's chains come.
//!
//! Knows nothing of how an epoch's secret is agreed on.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::derivation::{NO_SALT, derive};
use super::skipped_keys::SkippedKeys;
use super::{BraidError, Role};
use crate::provider::Provider;
use crate::secret::Secret;

/// How far a message may lie ahead of its chain. Each step costs the reader a derivation, before he
/// knows that the message is authentic.
pub const MAX_JUMP: u32 = 25_000;

/// How far back the keys of messages that have not come are kept.
pub const KEYS_KEPT: u32 = 2_000;

/// The chains of a session.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) role: Role,
    pub(super) root: Arc<Secret<32>>,
    /// The newest epoch that has chains.
    pub(super) newest: u64,
    /// The epoch of the last message that was sent: the newest, or the one before.
    pub(super) sending: u64,
    /// One for each epoch from the one before `sending` to the newest: at most three.
    pub(super) links: Vec<Link>,
}

/// The chains of an epoch.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// None once a later epoch was sent in.
    pub(super) send: Option<Arc<ChainKey>>,
    pub(super) receive: Arc<ChainKey>,
    pub(super) skipped: SkippedKeys,
}

/// Where a chain stands.
#[derive(Clone, Debug)]
pub(super) struct ChainKey {
    /// How many keys it has given.
    pub(super) counter: u32,
    pub(super) key: Secret<32>,
}

impl Chain {
    /// The chains of epoch 0, which follow from the session's secret.
    pub(super) fn new(
        provider: &dyn Provider,
        role: Role,
        key: &Secret<32>,
    ) -> Result<Self, BraidError> {
        let [root, a_to_b, b_to_a] = derive(provider, &NO_SALT, key.expose(), START)?;
        let links = alloc::vec![Link::new(role, a_to_b, b_to_a)];
        Ok(Self { role, root: Arc::new(root), newest: 0, sending: 0, links })
    }

    /// Adds the chains of the epoch that was agreed on.
    pub(super) fn add_epoch(
        &mut self,
        provider: &dyn Provider,
        secret: &Secret<32>,
    ) -> Result<(), BraidError> {
        let [root, a_to_b, b_to_a] =
            derive(provider, self.root.expose(), secret.expose(), ADD_EPOCH)?;
        self.newest = self.newest.checked_add(1).ok_or(BraidError::Exhausted)?;
        self.root = Arc::new(root);
        self.links.push(Link::new(self.role, a_to_b, b_to_a));
        Ok(())
    }

    /// The next key to send under in `epoch`, and its index. Once an epoch is sent in, what came
    /// before it is let go.
    pub(super) fn send(
        &mut self,
        provider: &dyn Provider,
        epoch: u64,
    ) -> Result<(u32, Secret<32>), BraidError> {
        if epoch > self.sending {
            self.let_go_before(epoch);
        }
        let chain = self.link_mut(epoch)?.send.as_mut().ok_or(BraidError::EpochGone)?;
        let (next, key) = chain.next(provider)?;
        let index = next.counter;
        *chain = Arc::new(next);
        Ok((index, key))
    }

    fn let_go_before(&mut self, epoch: u64) {
        let oldest = self.oldest();
        let gone = epoch.saturating_sub(1).saturating_sub(oldest);
        let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(self.links.len());
        drop(self.links.drain(..gone));
        let before = epoch.saturating_sub(self.oldest());
        for (link, _) in self.links.iter_mut().zip(0..before) {
            link.send = None;
        }
        self.sending = epoch;
    }

    /// The key of the peer's message with this index. No later call gives it again.
    pub(super) fn receive(
        &mut self,
        provider: &dyn Provider,
        epoch: u64,
        index: u32,
    ) -> Result<Secret<32>, BraidError> {
        self.link_mut(epoch)?.receive(provider, index)
    }

    fn link_mut(&mut self, epoch: u64) -> Result<&mut Link, BraidError> {
        let place = epoch.checked_sub(self.oldest()).ok_or(BraidError::EpochGone)?;
        let place = usize::try_from(place).map_err(|_| BraidError::EpochAhead)?;
        self.links.get_mut(place).ok_or(BraidError::EpochAhead)
    }

    /// The oldest epoch that has chains.
    fn oldest(&self) -> u64 {
        let others = self.links.len().saturating_sub(1);
        self.newest.saturating_sub(others as u64)
    }
}

impl Link {
    fn new(role: Role, a_to_b: Secret<32>, b_to_a: Secret<32>) -> Self {
        let (send, receive) = match role {
            Role::Initiator => (a_to_b, b_to_a),
            Role::Responder => (b_to_a, a_to_b),
        };
        let start = |key| Arc::new(ChainKey { counter: 0, key });
        let (send, receive) = (Some(start(send)), start(receive));
        Self { send, receive, skipped: SkippedKeys::default() }
    }

    fn receive(&mut self, provider: &dyn Provider, index: u32) -> Result<Secret<32>, BraidError> {
        let counter = self.receive.counter;
        if index <= counter {
            let gone = if index < counter.saturating_sub(KEYS_KEPT) {
                BraidError::KeyGone
            } else {
                BraidError::AlreadyOpened
            };
            return self.skipped.take(index).ok_or(gone);
        }
        if index - counter > MAX_JUMP {
            return Err(BraidError::JumpTooFar);
        }
        self.advance(provider, index)
    }

    /// Walks the chain to a message ahead, and keeps the keys of those between.
    fn advance(&mut self, provider: &dyn Provider, index: u32) -> Result<Secret<32>, BraidError> {
        let floor = index.saturating_sub(KEYS_KEPT);
        self.skipped.drop_below(floor);
        let mut chain = ChainKey::clone(&self.receive);
        let mut last = Secret::new([0; 32]);
        let mut skipped = self.skipped.adding();
        chain.walk(provider, index, &mut |counter, key| {
            if counter == index {
                *last.expose_mut() = *key;
            } else if counter >= floor {
                skipped.push(counter, key);
            }
        })?;
        drop(skipped);
        self.receive = Arc::new(chain);
        Ok(last)
    }
}

impl ChainKey {
    /// Where the chain stands after its next key, and that key.
    fn next(&self, provider: &dyn Provider) -> Result<(Self, Secret<32>), BraidError> {
        let counter = self.counter.checked_add(1).ok_or(BraidError::Exhausted)?;
        let (mut next, mut last) = (self.clone(), Secret::new([0; 32]));
        next.walk(provider, counter, &mut |_, key| *last.expose_mut() = *key)?;
        Ok((next, last))
    }

    /// Moves on to the key with this index, which lies ahead, and gives each on the way.
    fn walk(
        &mut self,
        provider: &dyn Provider,
        index: u32,
        each: &mut dyn FnMut(u32, &[u8; 32]),
    ) -> Result<(), BraidError> {
        let counters = self.counter.saturating_add(1)..=index;
        provider.epoch_walk(self.key.expose_mut(), counters, NEXT, each)?;
        self.counter = index;
        Ok(())
    }
}

/// The labels, with the two spaces of the format.
const START: &[u8] = b"Signal PQ Ratchet V1 Chain  Start";
const ADD_EPOCH: &[u8] = b"Signal PQ Ratchet V1 Chain Add Epoch";
const NEXT: &[u8; 31] = b"Signal PQ Ratchet V1 Chain Next";
