//! The Double Ratchet of one session: the root, one's own chain and the peer's last ones.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::error::{BeginError, OpenError, SealError};
use crate::deferred::curve_key::{CurveKey, CurvePublic};
use crate::deferred::ratchet::{ChainKey, MessageSeed, ReceiverChain, RootKey, SenderChain};
use crate::provider::{DeferredProvider, Provider};
use crate::random::Random;
use crate::secret::Secret;

/// The most chains of the peer that a session keeps, the newest: as many as the official client. A
/// message of an older one no longer opens.
pub const MAX_RECEIVER_CHAINS: usize = 5;

/// The chains.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Chains {
    /// What the next turn starts from.
    pub root: RootKey,
    /// One's own.
    pub sender: SenderChain,
    /// The peer's, the oldest first.
    pub receivers: Vec<ReceiverChain>,
}

impl Chains {
    /// The initiator turns the ratchet against the signed prekey at once.
    pub(super) fn initiator(
        provider: &dyn DeferredProvider,
        root: Secret<32>,
        chain: Secret<32>,
        signed: CurvePublic,
        random: &mut dyn Random,
    ) -> Result<Self, BeginError> {
        let ratchet_key = CurveKey::generate(provider, random);
        let shared = ratchet_key.agree(provider, &signed)?;
        let (root, chain_key) = RootKey::new(root).turn(provider, &shared)?;
        Ok(Self {
            root,
            sender: SenderChain { ratchet_key, chain_key, previous_counter: 0 },
            receivers: [ReceiverChain::new(signed, ChainKey::at(0, chain))].into(),
        })
    }

    /// The responder's first ratchet key is its signed prekey.
    pub(super) fn responder(root: Secret<32>, chain: Secret<32>, signed: CurveKey) -> Self {
        let chain_key = ChainKey::at(0, chain);
        Self {
            root: RootKey::new(root),
            sender: SenderChain { ratchet_key: signed, chain_key, previous_counter: 0 },
            receivers: Vec::new(),
        }
    }

    /// The seed of the next message of one's own, and the chains after it.
    pub(super) fn send(&self, provider: &dyn Provider) -> Result<(Self, MessageSeed), SealError> {
        let (seed, chain_key) = self.sender.chain_key.step(provider).ok_or(SealError::Exhausted)?;
        let mut next = self.clone();
        next.sender.chain_key = chain_key;
        Ok((next, seed))
    }

    /// The seed of a message of the peer, and what the chains become if it verifies.
    pub(super) fn receive(
        &self,
        provider: &dyn DeferredProvider,
        ratchet_key: CurvePublic,
        counter: u32,
    ) -> Result<(Received, MessageSeed), OpenError> {
        let mut chains = self.clone();
        let known = chains.receivers.iter_mut().find(|chain| chain.ratchet_key == ratchet_key);
        if let Some(chain) = known {
            let seed = chain.take(provider, counter)?;
            return Ok((Received { chains, turned_by: None }, seed));
        }
        let shared = chains.sender.ratchet_key.agree(provider, &ratchet_key)?;
        let (root, chain_key) = chains.root.turn(provider, &shared)?;
        let mut chain = ReceiverChain::new(ratchet_key, chain_key);
        let seed = chain.take(provider, counter)?;
        chains.root = root;
        if chains.receivers.len() >= MAX_RECEIVER_CHAINS {
            chains.receivers.remove(0);
        }
        chains.receivers.push(chain);
        Ok((Received { chains, turned_by: Some(ratchet_key) }, seed))
    }

    /// Whether the parts fit together, as they do in each record that was written here.
    pub(in crate::deferred) fn are_sound(&self) -> bool {
        self.receivers.len() <= MAX_RECEIVER_CHAINS
            && self.receivers.iter().all(|chain| chain.skipped.is_sound())
    }
}

/// The chains with a message received that is still to be verified.
#[derive(Debug)]
pub(super) struct Received {
    chains: Chains,
    /// The peer's new ratchet key, if the message brought one.
    turned_by: Option<CurvePublic>,
}

impl Received {
    /// Answers a new key of the peer with one of one's own.
    pub(super) fn turn(
        self,
        provider: &dyn DeferredProvider,
        random: &mut dyn Random,
    ) -> Result<Chains, OpenError> {
        let Self { mut chains, turned_by } = self;
        if let Some(remote) = turned_by {
            let ratchet_key = CurveKey::generate(provider, random);
            let shared = ratchet_key.agree(provider, &remote)?;
            let (root, chain_key) = chains.root.turn(provider, &shared)?;
            chains.root = root;
            chains.sender = chains.sender.successor(ratchet_key, chain_key);
        }
        Ok(chains)
    }
}
