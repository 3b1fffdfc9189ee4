//! What a session tells its driver, on every transport.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::call::CallFrameError;
use super::card_fetch::CardFetchError;
use super::exchange::ExchangeError;
use super::handshake::HandshakeError;
use super::hello::{HelloError, PeerInfo};
use super::record::RecordError;
use super::stream::StreamViolation;
use crate::identity::{Card, CardError};

/// The type byte of the first frame that is not a session's own. Below it a session speaks for
/// itself; from it on the content is the application's (see [`wire`](crate::wire)).
pub const FIRST_FRAME_TYPE: u8 = 0x10;

/// What happened in a session, in its order. After all but the first two and `Renewed` it
/// is closed, once what is left to transmit is sent.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// Both Hellos were accepted: frames may be sent. On the responder's side its Hello is still to
    /// transmit.
    Established(Box<PeerInfo>),
    /// The peer sent this frame.
    Frame(Vec<u8>),
    /// The card that was fetched.
    CardFetched(Arc<Card>),
    /// The peer fetched our card.
    CardServed,
    /// The peer no longer holds our card: dial again with a Hello that carries it.
    CardWanted,
    /// We do not hold the card that the peer named; the peer was asked to dial again with it.
    CardUnknown,
    /// The session has new keys, for which the peer proved itself anew. It may have a newer card.
    Renewed(Box<PeerInfo>),
    /// The peer closed the session in good order.
    Closed,
}

/// Why a session broke. Nothing is sent after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The two cards have no suite in common.
    #[error("the peer's card lists no suite of ours")]
    NoCommonSuite,
    /// The dialled card does not count now: fetch it anew.
    #[error("the dialled card does not count now: {0}")]
    DialledCard(CardError),
    /// The peer's message 1 names a suite that the current card does not list, or does not exist.
    #[error("the peer asked for a suite that our card does not list")]
    SuiteNotListed,
    /// The peer speaks another protocol above QUIC.
    #[error("the peer speaks another protocol above QUIC")]
    ProtocolNotSpoken,
    /// The peer announced a handshake message that is longer than any.
    #[error("the peer's handshake message is too long")]
    MessageTooLong,
    /// The handshake failed.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The stream of records broke.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// No peer was accepted.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The peer sent a frame of a type that is a session's own, or of none, after its Hello.
    #[error("the peer sent a frame of a reserved type")]
    ReservedFrame,
    /// The peer said of streams what an honest one never says.
    #[error(transparent)]
    Stream(#[from] StreamViolation),
    /// The peer said something about a call that no honest one says.
    #[error(transparent)]
    Call(#[from] CallFrameError),
    /// The peer sent a datagram that is longer than any may be.
    #[error("the peer's datagram is too long")]
    Datagram,
    /// The peer was not accepted in time.
    #[error("the peer did not prove itself in time")]
    TimedOut,
    /// The peer has not been heard for too long.
    #[error("the peer has not been heard for too long")]
    Silent,
    /// The keys of the session were due to be replaced, and the peer did not take part.
    #[error("the session's keys could not be replaced in time")]
    NotRenewed,
    /// The connection ended without the peer's end of the stream: what it said may be cut short.
    #[error("the connection ended before the peer closed the session")]
    Truncated,
}

impl SessionError {
    /// Who is at fault, and so what to do.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoCommonSuite
            | Self::DialledCard(_)
            | Self::TimedOut
            | Self::Silent
            | Self::NotRenewed
            | Self::Truncated => Fault::NotNow,
            Self::SuiteNotListed
            | Self::ProtocolNotSpoken
            | Self::MessageTooLong
            | Self::ReservedFrame
            | Self::Stream(_)
            | Self::Call(_)
            | Self::Datagram => Fault::PeerMisbehaved,
            Self::Handshake(error) => match error {
                HandshakeError::KeyNotInCard => Fault::NotNow,
                HandshakeError::ProviderFailed(_) | HandshakeError::Internal => Fault::Broken,
                _ => Fault::PeerMisbehaved,
            },
            Self::Record(error) => match error {
                RecordError::Exhausted => Fault::NotNow,
                RecordError::ProviderFailed(_) | RecordError::Internal => Fault::Broken,
                _ => Fault::PeerMisbehaved,
            },
            Self::Exchange(error) => error.fault(),
        }
    }
}

impl ExchangeError {
    fn fault(&self) -> Fault {
        match self {
            Self::Hello(HelloError::Signing(_) | HelloError::Internal) => Fault::Broken,
            Self::Hello(HelloError::Card(error)) | Self::CardFetch(CardFetchError::Card(error)) => {
                match error {
                    CardError::NotYetValid(_) | CardError::Expired(_) => Fault::NotNow,
                    _ => Fault::PeerMisbehaved,
                }
            }
            _ => Fault::PeerMisbehaved,
        }
    }
}

/// Who is at fault.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Fault {
    /// The peer, or who stands between: close.
    PeerMisbehaved,
    /// Nobody: another try, or the card fetched anew, may do.
    NotNow,
    /// We are: file a bug.
    Broken,
}

/// Why a frame was not taken to be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The session is not established, or closed.
    #[error("the session is not open")]
    NotOpen,
    /// The frame has a type of the session's own, or none.
    #[error("the frame has a reserved type")]
    ReservedFrame,
    /// The frame is longer than any may be.
    #[error("the frame is too long")]
    TooLong,
    /// The frame is longer than this path carries: one over QUIC or TCP does.
    #[error("the frame is longer than UDP carries; it needs QUIC or TCP")]
    TooLongForPath,
    /// Too much is waiting to be transmitted: try again when it was.
    #[error("too much is waiting to be transmitted")]
    Busy,
    /// The frame was not sealed: the session is lost.
    #[error("the frame could not be sealed: {0}")]
    Record(#[from] RecordError),
}
