//! Which of two cards of one agent counts.

use serde::{Deserialize, Serialize};

use super::card::{Card, CardHash, Sequence};

/// Judges a card that is offered against the newest that is known of the same agent.
pub fn supersede(newest: Newest, offered: CardMark) -> Supersession {
    let known = match newest {
        Newest::Card(mark) => mark.sequence,
        Newest::Refused(sequence) => sequence,
    };
    if offered.sequence > known {
        return Supersession::Replaces;
    }
    match newest {
        Newest::Refused(_) => Supersession::Refused,
        Newest::Card(held) if offered.hash == held.hash => Supersession::Unchanged,
        Newest::Card(_) if offered.sequence == known => Supersession::Equivocation,
        Newest::Card(_) => Supersession::Stale,
    }
}

/// The newest that is known of an agent's cards.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Newest {
    /// A card.
    Card(CardMark),
    /// Cards up to this number are refused: there were two of it, or it was revoked.
    Refused(Sequence),
}

/// What tells two cards of one agent apart.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CardMark {
    /// The number.
    pub sequence: Sequence,
    /// The hash.
    pub hash: CardHash,
}

impl From<&Card> for CardMark {
    fn from(card: &Card) -> Self {
        Self { sequence: card.sequence(), hash: card.hash() }
    }
}

/// What becomes of a card that is offered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Supersession {
    /// It takes the place of what is known.
    Replaces,
    /// It is the card that is known.
    Unchanged,
    /// It is older than the card that is known.
    Stale,
    /// It has the number of the card that is known, and other content. Its agent, or who holds the
    /// agent's root, says two things at once: both cards are refused from now on
    /// ([`Newest::Refused`]), and people want to hear of it.
    Equivocation,
    /// It is not newer than what is refused.
    Refused,
}

#[cfg(test)]
mod tests {
    use super::{CardHash, CardMark, Newest, Sequence, Supersession, supersede};

    #[test]
    fn the_table_of_two_cards() {
        let mark = |sequence, hash| CardMark {
            sequence: Sequence::new(sequence),
            hash: CardHash::from_bytes([hash; 32]),
        };
        let held = Newest::Card(mark(10, 1));
        let refused = Newest::Refused(Sequence::new(10));
        let cases = [
            (held, mark(11, 2), Supersession::Replaces),
            (held, mark(10, 1), Supersession::Unchanged),
            (held, mark(10, 2), Supersession::Equivocation),
            (held, mark(9, 2), Supersession::Stale),
            (refused, mark(11, 2), Supersession::Replaces),
            (refused, mark(10, 1), Supersession::Refused),
            (refused, mark(9, 1), Supersession::Refused),
        ];
        for (newest, offered, expected) in cases {
            assert_eq!(supersede(newest, offered), expected, "{newest:?} {offered:?}");
        }
    }
}
