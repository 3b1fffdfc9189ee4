//! What a commit is in the log: the entry, and the cards that it names and that members may not have.
//!
//! ```text
//! version (1) || postcard of the entry and the cards
//! ```
//!
//! Whether a commit is accepted hangs on what it names by hash, so all of it travels with the commit:
//! no member has to ask around, and none can be told another thing. Knows no relay.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::entry::LogEntry;
use super::error::GroupError;
use crate::identity::canonical;
use crate::identity::card::MAX_CARD_LENGTH;
use crate::relay::{MAX_COMMIT, Opaque};

/// The most members that one commit in the log adds: their offers, their proofs and their cards fit
/// the longest entry that a relay keeps. More are added by several commits, one behind the other.
pub const MAX_ADDED_AT_ONCE: usize = 16;

/// The cards of those who come, and the author's.
const MAX_CARDS: usize = MAX_ADDED_AT_ONCE + 1;

/// A commit as the log holds it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Posting {
    /// The entry.
    pub entry: LogEntry,
    /// The bytes of the cards that its leaves name, as far as they are new to the group.
    pub cards: Vec<Opaque>,
}

#[derive(Deserialize, Serialize)]
struct Body {
    entry: Opaque,
    cards: Vec<Opaque>,
}

impl Posting {
    /// The bytes.
    pub fn encode(&self) -> Result<Vec<u8>, GroupError> {
        let body = Body { entry: self.entry.encode().into(), cards: self.cards.clone() };
        if !is_bounded(&body.cards) {
            return Err(GroupError::TooMany);
        }
        let body = canonical::encode(&body).map_err(|_| GroupError::Internal)?;
        if body.len() >= MAX_COMMIT {
            return Err(GroupError::TooLong);
        }
        Ok([&[VERSION], body.as_slice()].concat())
    }

    /// Reads the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, GroupError> {
        if bytes.len() > MAX_COMMIT {
            return Err(GroupError::TooLong);
        }
        let body = match bytes {
            [VERSION, body @ ..] => body,
            _ => return Err(GroupError::Malformed),
        };
        let body: Body = canonical::decode(body).map_err(|_| GroupError::Malformed)?;
        if !is_bounded(&body.cards) {
            return Err(GroupError::TooMany);
        }
        let entry = LogEntry::decode(&body.entry.0)?;
        Ok(Self { entry, cards: body.cards })
    }
}

fn is_bounded(cards: &[Opaque]) -> bool {
    cards.len() <= MAX_CARDS && cards.iter().all(|card| card.len() <= MAX_CARD_LENGTH)
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::{MAX_CARDS, Posting};
    use crate::fleet::{GroupError, LogEntry};
    use crate::identity::card::MAX_CARD_LENGTH;

    fn posting(cards: usize, length: usize) -> Posting {
        let cards = vec![vec![7; length].into(); cards];
        Posting { entry: LogEntry::Commit(vec![1, 2, 3]), cards }
    }

    #[test]
    fn a_posting_has_one_encoding_and_no_other_bytes_are_one() {
        let posting = posting(2, 5);
        let bytes = posting.encode().unwrap();
        assert_eq!(Posting::decode(&bytes), Ok(posting));
        let longer = [bytes.as_slice(), &[0]].concat();
        let mut newer = bytes.clone();
        newer[0] = 2;
        for bad in [&bytes[1..], &longer, &newer, &[], &[1]] {
            assert_eq!(Posting::decode(bad), Err(GroupError::Malformed));
        }
    }

    #[test]
    fn a_posting_has_as_many_cards_as_it_may_and_not_one_more() {
        let most = posting(MAX_CARDS, MAX_CARD_LENGTH);
        assert_eq!(Posting::decode(&most.encode().unwrap()), Ok(most));
        assert_eq!(posting(MAX_CARDS + 1, 1).encode(), Err(GroupError::TooMany));
        assert_eq!(posting(1, MAX_CARD_LENGTH + 1).encode(), Err(GroupError::TooMany));
    }
}
