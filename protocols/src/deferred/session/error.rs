//! What can be wrong with a step, by who is at fault.

use crate::deferred::braid::BraidError;
use crate::deferred::ratchet::ChainError;
use crate::deferred::wire::WireError;
use crate::provider::CryptoError;

/// Why a session does not begin. The peer's keys are to blame, or the provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BeginError {
    /// A key of the peer is none, or the provider failed.
    #[error("the handshake came to nothing: {0}")]
    Crypto(#[from] CryptoError),
    /// The post-quantum ratchet did not begin.
    #[error("the post-quantum ratchet did not begin: {0}")]
    Braid(#[from] BraidError),
}

/// Why nothing is sealed. All are the caller's to solve, mostly by a new session.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// There is no session to seal in.
    #[error("there is no session with this peer")]
    NoSession,
    /// The peer never answered, and the keys that the session began with are over.
    #[error("the peer has not answered this session in time")]
    Unanswered,
    /// The chain has come to its last message.
    #[error("the chain has come to its end")]
    Exhausted,
    /// The plaintext is not of the length that was announced.
    #[error("the plaintext has another length than announced")]
    WrongLength,
    /// The post-quantum ratchet gave no key.
    #[error("the post-quantum ratchet gave no key: {0}")]
    Braid(#[from] BraidError),
    /// The provider failed.
    #[error("the provider failed: {0}")]
    Crypto(#[from] CryptoError),
}

/// Why a packet does not open. Nothing has changed then.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is not of the format.
    #[error("the packet is malformed: {0}")]
    Malformed(#[from] WireError),
    /// It was opened before, or so much came after it that its key is gone.
    #[error("the message was opened before, or its key is gone")]
    Duplicate,
    /// It lies too far ahead of what has come.
    #[error("the message lies too far ahead")]
    JumpTooFar,
    /// It is forged, changed, or of a session that is not this one.
    #[error("the packet does not open")]
    DoesNotOpen,
    /// It shows other addresses than the session's.
    #[error("the message is addressed to another session")]
    WrongAddresses,
    /// There is no session that it could be of.
    #[error("there is no session with this peer")]
    NoSession,
    /// It uses a signed prekey that is unknown or was deleted.
    #[error("the signed prekey is not known")]
    UnknownSignedPrekey,
    /// It uses a KEM prekey that is unknown or was deleted.
    #[error("the KEM prekey is not known")]
    UnknownKemPrekey,
    /// It uses a one-time prekey that is unknown or was used.
    #[error("the one-time prekey is not known, or was used")]
    UnknownOneTimePrekey,
    /// It began a session before, whose record is gone.
    #[error("the first message was used before")]
    Replayed,
    /// The post-quantum ratchet refuses what it says.
    #[error("the post-quantum ratchet refuses it: {0}")]
    Braid(#[from] BraidError),
    /// A key in it is none, or the provider failed.
    #[error("a key of the message is unusable: {0}")]
    Crypto(#[from] CryptoError),
}

impl From<ChainError> for OpenError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Duplicate => Self::Duplicate,
            ChainError::JumpTooFar => Self::JumpTooFar,
        }
    }
}

impl From<BeginError> for OpenError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Crypto(error) => Self::Crypto(error),
            BeginError::Braid(error) => Self::Braid(error),
        }
    }
}
