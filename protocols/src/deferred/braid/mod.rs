//! The sparse post-quantum ratchet (SPQR V1): a fresh secret, agreed on in the background of a
//! conversation, and the message keys that follow from it.
//!
//! A KEM key is too large for a message. It goes out in pieces of 32 bytes, one beside each message,
//! and so does the ciphertext that answers it; once both are through, both ends derive a new epoch
//! of keys and begin again the other way round. Who copied either end's state learns nothing of what
//! comes two epochs later, even with a quantum computer.
//!
//! Written from the published ML-KEM Braid and Double Ratchet specifications. Knows nothing of the
//! messages themselves, of sessions and of time. The state is never changed: [`Braid::send`] and
//! [`Braid::receive`] return the next one, which the caller adopts once all else about the message
//! holds. The two share what did not change.

mod agreement;
mod answering;
mod authenticator;
mod chain;
mod derivation;
mod erasure;
mod gf;
mod message;
mod offering;
mod record;
mod skipped_keys;
#[cfg(all(feature = "aws-lc-rs", feature = "pure"))]
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

pub use self::chain::{KEYS_KEPT, MAX_JUMP};
pub use self::erasure::{CHUNK_LENGTH, Chunk};
pub use self::message::{BraidMessage, MAX_BRAID_MESSAGE, Payload};

use self::agreement::Agreement;
use self::chain::Chain;
use crate::provider::{CryptoError, SplitKem};
use crate::random::Random;
use crate::secret::{Secret, SecretBytes};

/// Who began the session.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// This end: A in the specifications.
    Initiator,
    /// The peer: this end is B.
    Responder,
}

/// The braid of one session, at one end.
#[derive(Clone, Debug)]
pub struct Braid {
    agreement: Agreement,
    chain: Chain,
}

impl Braid {
    /// The braid of a session whose handshake gave both ends this secret.
    pub fn new(key: &Secret<32>, role: Role, provider: &dyn SplitKem) -> Result<Self, BraidError> {
        Ok(Self {
            agreement: Agreement::new(provider, role, key)?,
            chain: Chain::new(provider, role, key)?,
        })
    }

    /// How many agreements this end has seen completed.
    pub fn epoch(&self) -> u64 {
        self.chain.newest
    }

    /// What to put beside the next message, and the key to seal it under.
    pub fn send(
        &self,
        provider: &dyn SplitKem,
        random: &mut dyn Random,
    ) -> Result<(Self, Vec<u8>, Secret<32>), BraidError> {
        let mut next = self.clone();
        let epoch = next.agreement.epoch;
        let (payload, agreed) = next.agreement.send(provider, random)?;
        if let Some(secret) = agreed {
            next.chain.add_epoch(provider, &secret)?;
        }
        let (index, key) = next.chain.send(provider, keyed_from(epoch))?;
        Ok((next, BraidMessage { epoch, index, payload }.encode(), key))
    }

    /// The key of a message beside which `message` stood. Nobody has vouched for either yet: only
    /// once the message opened under the key may the next state be adopted.
    pub fn receive(
        &self,
        provider: &dyn SplitKem,
        message: &[u8],
    ) -> Result<(Self, Secret<32>), BraidError> {
        let message = BraidMessage::decode(message)?;
        let mut next = self.clone();
        let agreed = next.agreement.receive(provider, message.epoch, &message.payload)?;
        if let Some(secret) = agreed {
            next.chain.add_epoch(provider, &secret)?;
        }
        let key = next.chain.receive(provider, keyed_from(message.epoch), message.index)?;
        Ok((next, key))
    }

    /// The state, to be stored.
    pub fn encode(&self) -> SecretBytes {
        record::encode(self)
    }

    /// A state that was stored.
    pub fn decode(bytes: &[u8]) -> Result<Self, BraidRecordError> {
        record::decode(bytes)
    }
}

/// The epoch whose chains key the messages that an agreement travels beside: the one before, since
/// its own has no secret yet.
fn keyed_from(agreement: u64) -> u64 {
    agreement.saturating_sub(1)
}

/// Why there is no key, and no next state.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BraidError {
    /// The peer speaks another version, or none.
    #[error("the peer speaks another version of the post-quantum ratchet")]
    UnknownVersion,
    /// The bytes are not those of a message.
    #[error("what stands beside the message is malformed")]
    Malformed,
    /// The message is of an epoch that was not agreed on.
    #[error("the message is of an epoch that has not begun")]
    EpochAhead,
    /// The message is of an epoch whose keys are gone.
    #[error("the message is of an epoch whose keys are gone")]
    EpochGone,
    /// The message lies further ahead than [`MAX_JUMP`].
    #[error("the message lies more than {MAX_JUMP} ahead of its chain")]
    JumpTooFar,
    /// The message lies further back than [`KEYS_KEPT`].
    #[error("the message lies more than {KEYS_KEPT} back in its chain")]
    KeyGone,
    /// The message's key was given out before.
    #[error("the message was opened before")]
    AlreadyOpened,
    /// A KEM key or a ciphertext is not the peer's.
    #[error("the agreement on a new secret does not authenticate")]
    NotAuthentic,
    /// The peer's KEM key is not the one that it announced, or none that FIPS 203 takes.
    #[error("the peer's KEM key is not a valid one")]
    BadKey,
    /// A counter has run out. A new session starts anew.
    #[error("the session has used all its counters")]
    Exhausted,
    /// The provider failed where it should not.
    #[error("the provider failed in the post-quantum ratchet: {0}")]
    Provider(#[from] CryptoError),
    /// A length that the types promise is not there: a bug here.
    #[error("the post-quantum ratchet failed inside")]
    Internal,
}

impl BraidError {
    /// The fault for which a provider refuses the peer's key.
    fn of_peer_key(error: CryptoError) -> Self {
        match error {
            CryptoError::InvalidKey => Self::BadKey,
            error => Self::Provider(error),
        }
    }
}

/// Why stored bytes are no state.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BraidRecordError {
    /// A later version wrote them.
    #[error("the stored ratchet is of a version that is not known here")]
    UnknownVersion,
    /// They are not as they were written.
    #[error("the stored ratchet is damaged")]
    Malformed,
}
