//! The agent at this end of its sessions.

use alloc::sync::Arc;
use core::fmt;

use super::suite::Suite;
use crate::identity::{AgentId, Card, LiveKey, SigningPair};
use crate::provider::Provider;
use crate::secret::Secret;

/// What an agent's sessions need of it: its current card, and the secrets that the card names. A
/// new card makes a new value; sessions that stand keep theirs.
pub struct Local {
    provider: Arc<dyn Provider>,
    card: Arc<Card>,
    live_key: LiveKey,
    signing_pair: SigningPair,
}

impl Local {
    /// Puts a card together with the secrets that it names.
    ///
    /// `live_key` may be the card's next one: peers accept it as soon as they have the card, and an
    /// agent whose current key is lost or suspect can go on with it.
    pub fn new(
        provider: Arc<dyn Provider>,
        card: Arc<Card>,
        live_key: LiveKey,
        signing_pair: SigningPair,
    ) -> Result<Self, LocalError> {
        if !card.names_live_key(live_key.public()) {
            return Err(LocalError::WrongLiveKey);
        }
        if card.signing_pair() != signing_pair.public() {
            return Err(LocalError::WrongSigningPair);
        }
        Ok(Self { provider, card, live_key, signing_pair })
    }

    /// The primitives.
    pub fn provider(&self) -> &Arc<dyn Provider> {
        &self.provider
    }

    /// The current card.
    pub fn card(&self) -> &Arc<Card> {
        &self.card
    }

    /// Who this is.
    pub fn agent(&self) -> AgentId {
        self.card.agent()
    }

    /// A secret of this agent for one purpose, the same as long as its live key.
    pub fn secret_for(&self, purpose: &str) -> Secret<32> {
        let key = self.live_key.secret().expose();
        self.provider.hmac_sha256(key, &[b"meshwork/v1/", purpose.as_bytes(), &[0]])
    }

    pub(super) fn live_key(&self) -> &LiveKey {
        &self.live_key
    }

    pub(super) fn signing_pair(&self) -> &SigningPair {
        &self.signing_pair
    }

    /// The suites of the current card that this version knows, best first.
    pub(super) fn suites(&self) -> impl Iterator<Item = Suite> {
        known_suites(&self.card)
    }
}

/// The suites of `card` that this version knows, best first.
pub(super) fn known_suites(card: &Card) -> impl Iterator<Item = Suite> {
    card.suites().iter().copied().filter_map(Suite::from_byte)
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Local").field(&self.agent()).finish_non_exhaustive()
    }
}

/// Why a card and secrets do not fit together. Each is the caller's fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// The card does not name the live key.
    #[error("the card does not name this live key")]
    WrongLiveKey,
    /// The card does not name the signing pair.
    #[error("the card does not name this signing pair")]
    WrongSigningPair,
}

#[cfg(all(feature = "aws-lc-rs", feature = "pure"))]
#[cfg(test)]
mod tests {
    use super::{Local, LocalError};
    use crate::live::fixture::{Node, aws, live_key, signing_pair};

    #[test]
    fn a_card_goes_with_the_secrets_that_it_names_only() {
        let card = Node::new(1).card();
        let local = |key, pair| {
            Local::new(aws(), card.clone(), live_key(key), signing_pair(pair)).map(|_| ())
        };
        assert_eq!(local(1, 1), Ok(()));
        assert_eq!(local(2, 1), Ok(()), "the next live key");
        assert_eq!(local(3, 1), Err(LocalError::WrongLiveKey));
        assert_eq!(local(1, 3), Err(LocalError::WrongSigningPair));
    }
}
