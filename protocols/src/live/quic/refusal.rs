//! Why a handshake is given up, in one byte.
//!
//! It travels as QUIC's crypto error (0x0100 and the byte, RFC 9001 section 4.8), without words: a
//! peer that is not accepted learns no more than the step at which that was.

use alloc::string::String;

use quinn_proto::{TransportError, TransportErrorCode};

use crate::live::handshake::HandshakeError;
use crate::live::session::SessionError;

/// Why a handshake is given up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// What came is none of the messages that are due.
    Malformed,
    /// The card of the one who refuses does not list the suite.
    SuiteNotListed,
    /// Another protocol is wanted above QUIC.
    ProtocolNotSpoken,
    /// The message was changed, or is of other surroundings.
    NotAuthentic,
    /// The responder's static key is not in the card that the initiator dialled.
    KeyNotInCard,
    /// The one who refuses has failed itself.
    Internal,
}

impl Refusal {
    const ALL: [Self; 6] = [
        Self::Malformed,
        Self::SuiteNotListed,
        Self::ProtocolNotSpoken,
        Self::NotAuthentic,
        Self::KeyNotInCard,
        Self::Internal,
    ];

    const fn byte(self) -> u8 {
        match self {
            Self::Malformed => 0x01,
            Self::SuiteNotListed => 0x02,
            Self::ProtocolNotSpoken => 0x03,
            Self::NotAuthentic => 0x04,
            Self::KeyNotInCard => 0x05,
            Self::Internal => 0x06,
        }
    }

    /// What an error of quinn's says, if it is one of these.
    pub fn of(error: &TransportError) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| TransportErrorCode::from(*refusal) == error.code)
    }

    /// What it is to a driver whose own side refused.
    pub fn to_session_error(self) -> SessionError {
        match self {
            Self::Malformed => HandshakeError::WrongLength.into(),
            Self::SuiteNotListed => SessionError::SuiteNotListed,
            Self::ProtocolNotSpoken => SessionError::ProtocolNotSpoken,
            Self::NotAuthentic => HandshakeError::NotAuthentic.into(),
            Self::KeyNotInCard => HandshakeError::KeyNotInCard.into(),
            Self::Internal => HandshakeError::Internal.into(),
        }
    }
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::MessageTooLong => Self::Malformed,
            SessionError::Handshake(error) => error.into(),
            _ => Self::Internal,
        }
    }
}

impl From<HandshakeError> for Refusal {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::WrongLength => Self::Malformed,
            HandshakeError::BadKey | HandshakeError::NotAuthentic => Self::NotAuthentic,
            HandshakeError::KeyNotInCard => Self::KeyNotInCard,
            _ => Self::Internal,
        }
    }
}

impl From<Refusal> for TransportErrorCode {
    fn from(refusal: Refusal) -> Self {
        Self::crypto(refusal.byte())
    }
}

impl From<Refusal> for TransportError {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.into(), frame: None, reason: String::new() }
    }
}
