//! What an entry names by hash: cards, and the key packages' signatures of a large addition.
//!
//! It is fetched before the entry is processed. Something missing is waited for, and never a ground
//! to refuse.

use alloc::collections::BTreeMap;
use core::fmt;

use crate::identity::{Card, CardHash};

/// Where what is named by hash comes from.
pub trait Evidence: fmt::Debug {
    /// The card with this hash, which its root signed. It may have expired since.
    fn card(&self, hash: &CardHash) -> Option<&Card>;

    /// The bytes with this SHA-256.
    fn blob(&self, hash: &[u8; 32]) -> Option<&[u8]>;
}

/// Cards in memory.
#[derive(Clone, Debug, Default)]
pub struct KnownCards(BTreeMap<CardHash, Card>);

impl KnownCards {
    /// One more.
    pub fn insert(&mut self, card: Card) {
        self.0.insert(card.hash(), card);
    }
}

impl FromIterator<Card> for KnownCards {
    fn from_iter<I: IntoIterator<Item = Card>>(cards: I) -> Self {
        Self(cards.into_iter().map(|card| (card.hash(), card)).collect())
    }
}

impl Evidence for KnownCards {
    fn card(&self, hash: &CardHash) -> Option<&Card> {
        self.0.get(hash)
    }

    fn blob(&self, _: &[u8; 32]) -> Option<&[u8]> {
        None
    }
}
