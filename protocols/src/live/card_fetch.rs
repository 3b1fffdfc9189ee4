//! The card fetch: how an agent of which only the id and an address are known shows its card.
//!
//! The asker's first and only frame is `0x02 || AgentId`, the answer `0x03 || card`. The asker used a
//! static key made for this one session and no check of the peer's: the card verifies by itself.
//! Knows nothing of how a contact was found, nor of where a card is kept.

use alloc::vec::Vec;

use crate::identity::{AgentId, Card, CardError, Unverified};
use crate::provider::Provider;
use crate::time::WallTime;

/// The type byte of a request.
pub(super) const REQUEST: u8 = 0x02;

/// The type byte of an answer.
pub(super) const ANSWER: u8 = 0x03;

/// The frame that asks for the card of `agent`.
pub fn encode_request(agent: &AgentId) -> Vec<u8> {
    [&[REQUEST], agent.as_bytes().as_slice()].concat()
}

/// Whose card a request asks for.
pub fn decode_request(frame: &[u8]) -> Result<AgentId, CardFetchError> {
    match frame.split_first() {
        Some((&REQUEST, agent)) => {
            agent.try_into().map(AgentId::from_bytes).map_err(|_| CardFetchError::Malformed)
        }
        _ => Err(CardFetchError::Malformed),
    }
}

/// The frame that answers with `card`.
pub fn encode_answer(card: &Card) -> Vec<u8> {
    [&[ANSWER], card.as_bytes()].concat()
}

/// The card in an answer to a request for the card of `wanted`.
pub fn accept_answer(
    frame: &[u8],
    wanted: &AgentId,
    provider: &dyn Provider,
    now: WallTime,
) -> Result<Card, CardFetchError> {
    let Some((&ANSWER, card)) = frame.split_first() else {
        return Err(CardFetchError::Malformed);
    };
    let card = Unverified::<Card>::parse(card)?;
    if card.claimed_agent() != *wanted {
        return Err(CardFetchError::AnotherCard);
    }
    Ok(card.verify(provider, now)?)
}

/// Why a card fetch gave none. Each is the peer's fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CardFetchError {
    /// The frame is neither a request nor an answer.
    #[error("the peer's frame is malformed")]
    Malformed,
    /// The peer asked for the card of another agent: it gets no answer.
    #[error("the peer asked for the card of another agent")]
    AnotherWanted,
    /// The peer answered with the card of another agent.
    #[error("the peer answered with the card of another agent")]
    AnotherCard,
    /// The card in the answer does not hold, or does not count now.
    #[error("the fetched card is refused: {0}")]
    Card(#[from] CardError),
}
