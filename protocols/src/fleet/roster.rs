//! What somebody who was added needs beside its Welcome: the tree, and the card of each member. It is
//! the same for all whom one commit adds, and lies with a relay, sealed under a key of its own.
//!
//! ```text
//! version (1) || XChaCha20-Poly1305 of the postcard of tree and cards, by the group's id
//! ```
//!
//! The key seals once and goes with each summons, so the nonce is zero. Knows no relay.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::GroupId;
use super::error::GroupError;
use super::invitation::MAX_TREE_LENGTH;
use crate::identity::canonical;
use crate::identity::card::MAX_CARD_LENGTH;
use crate::provider::{Aead, Provider};
use crate::relay::Opaque;
use crate::secret::Secret;

/// The most bytes of a sealed roster: the tree and the cards of a thousand members have some 12 MB.
pub const MAX_ROSTER_LENGTH: usize = 32 * 1024 * 1024;

/// The tree, and who sits in it.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Roster {
    /// The tree.
    pub tree: Opaque,
    /// The cards that its leaves name.
    pub cards: Vec<Opaque>,
}

impl Roster {
    /// Seals it under a key that seals nothing else.
    pub fn seal(
        &self,
        provider: &dyn Provider,
        key: &Secret<32>,
        group: &GroupId,
    ) -> Result<Vec<u8>, GroupError> {
        let body = canonical::encode(self).map_err(|_| GroupError::Internal)?;
        if body.len() >= MAX_ROSTER_LENGTH - OVERHEAD {
            return Err(GroupError::TooLong);
        }
        let aead = provider.aead(Aead::XChaCha20Poly1305, key);
        let sealed = aead.seal(&NONCE, group.as_bytes(), &body)?;
        Ok([&[VERSION], sealed.as_slice()].concat())
    }

    /// Opens one.
    pub fn open(
        provider: &dyn Provider,
        key: &Secret<32>,
        group: &GroupId,
        sealed: &[u8],
    ) -> Result<Self, GroupError> {
        if sealed.len() > MAX_ROSTER_LENGTH {
            return Err(GroupError::TooLong);
        }
        let sealed = match sealed {
            [VERSION, sealed @ ..] => sealed,
            _ => return Err(GroupError::Malformed),
        };
        let aead = provider.aead(Aead::XChaCha20Poly1305, key);
        let body = aead.open(&NONCE, group.as_bytes(), sealed).map_err(|_| GroupError::Invalid)?;
        let roster: Self = canonical::decode(body.expose()).map_err(|_| GroupError::Malformed)?;
        let fits = roster.tree.len() <= MAX_TREE_LENGTH
            && roster.cards.iter().all(|card| card.len() <= MAX_CARD_LENGTH);
        if fits { Ok(roster) } else { Err(GroupError::TooLong) }
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roster({} cards)", self.cards.len())
    }
}

const VERSION: u8 = 1;
const NONCE: [u8; 24] = [0; 24];

/// The version and the tag.
const OVERHEAD: usize = 1 + crate::provider::TAG_LENGTH;

#[cfg(all(test, feature = "pure"))]
mod tests {
    use alloc::vec;

    use super::Roster;
    use crate::fleet::{GroupError, GroupId};
    use crate::identity::card::MAX_CARD_LENGTH;
    use crate::provider::pure::Pure;
    use crate::secret::Secret;

    const GROUP: GroupId = GroupId::from_bytes([3; 32]);

    fn key(byte: u8) -> Secret<32> {
        Secret::new([byte; 32])
    }

    #[test]
    fn a_roster_opens_under_its_key_for_its_group_alone() {
        let roster = Roster { tree: vec![1; 70].into(), cards: vec![vec![2; 9].into()] };
        let sealed = roster.seal(&Pure, &key(1), &GROUP).unwrap();
        assert_eq!(Roster::open(&Pure, &key(1), &GROUP, &sealed), Ok(roster));
        let other = GroupId::from_bytes([4; 32]);
        assert_eq!(Roster::open(&Pure, &key(1), &other, &sealed), Err(GroupError::Invalid));
        assert_eq!(Roster::open(&Pure, &key(2), &GROUP, &sealed), Err(GroupError::Invalid));
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(Roster::open(&Pure, &key(1), &GROUP, &changed), Err(GroupError::Invalid));
        for bad in [&[][..], &[2, 0], &sealed[1..]] {
            assert!(Roster::open(&Pure, &key(1), &GROUP, bad).is_err());
        }
    }

    #[test]
    fn a_card_that_is_too_long_is_refused() {
        let roster =
            Roster { tree: vec![].into(), cards: vec![vec![2; MAX_CARD_LENGTH + 1].into()] };
        let sealed = roster.seal(&Pure, &key(1), &GROUP).unwrap();
        assert_eq!(Roster::open(&Pure, &key(1), &GROUP, &sealed), Err(GroupError::TooLong));
    }
}
