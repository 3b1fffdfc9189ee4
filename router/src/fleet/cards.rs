//! The cards that a group's leaves name, as its members hold them.
//!
//! Every member has the same ones, since they come with the log's entries and with the roster: what
//! somebody has from elsewhere decides nothing. A card that has expired since it was named counts.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use meshwork_protocols::fleet::{Evidence, GroupId};
use meshwork_protocols::identity::{AgentId, Card, CardError, CardHash, Unverified};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::relay::Opaque;
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::WallTime;
use meshwork_state::{Namespace, StoreError};

use super::record::key;
use crate::transition::Transition;

/// Cards by their hashes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cards {
    by_hash: BTreeMap<CardHash, Card>,
}

impl Cards {
    /// Reads the card of a durable row.
    pub(crate) fn load(
        &mut self,
        provider: &dyn Provider,
        value: &SecretBytes,
        now: WallTime,
    ) -> Result<(), StoreError> {
        let card =
            verified_as_of(provider, value.expose(), now).map_err(|_| StoreError::Damaged)?;
        self.by_hash.insert(card.hash(), card);
        Ok(())
    }

    /// Adds those of a posting or a roster; one that its root did not sign fails them all.
    pub(crate) fn with(
        &self,
        provider: &dyn Provider,
        cards: &[Opaque],
        now: WallTime,
    ) -> Result<Self, CardError> {
        let mut all = self.clone();
        for card in cards {
            let card = verified_as_of(provider, &card.0, now)?;
            all.by_hash.insert(card.hash(), card);
        }
        Ok(all)
    }

    pub(crate) fn insert(&mut self, card: Card) {
        self.by_hash.insert(card.hash(), card);
    }

    pub(crate) fn contains(&self, hash: &CardHash) -> bool {
        self.by_hash.contains_key(hash)
    }

    /// Whose they are.
    pub(crate) fn agents(&self) -> impl Iterator<Item = AgentId> {
        self.by_hash.values().map(Card::agent)
    }

    /// Their bytes, for a roster.
    pub(crate) fn bytes(&self) -> Vec<Opaque> {
        self.by_hash.values().map(|card| card.as_bytes().to_vec().into()).collect()
    }

    /// Keeps those that are named in `after`, durably with this step, and no others.
    pub(crate) fn keep(
        &mut self,
        step: &mut Transition<'_>,
        group: &GroupId,
        before: &Self,
        named: &BTreeSet<CardHash>,
    ) {
        self.by_hash.retain(|hash, _| named.contains(hash));
        for hash in before.by_hash.keys().filter(|hash| !self.contains(hash)) {
            step.delete(Namespace::Group, key::card(group, hash));
        }
        for (hash, card) in self.by_hash.iter().filter(|(hash, _)| !before.contains(hash)) {
            let value = SecretBytes::new(card.as_bytes().to_vec());
            step.put(Namespace::Group, key::card(group, hash), value);
        }
    }
}

impl Evidence for Cards {
    fn card(&self, hash: &CardHash) -> Option<&Card> {
        self.by_hash.get(hash)
    }

    /// Commits in the log are small enough to carry their proofs.
    fn blob(&self, _: &[u8; 32]) -> Option<&[u8]> {
        None
    }
}

/// A card that its root signed, whether it counts now or not.
fn verified_as_of(provider: &dyn Provider, bytes: &[u8], now: WallTime) -> Result<Card, CardError> {
    let parse = || Unverified::<Card>::parse(bytes);
    match parse()?.verify(provider, now) {
        Err(CardError::Expired(at) | CardError::NotYetValid(at)) => parse()?.verify(provider, at),
        card => card,
    }
}
