//! Why a stream was not opened, or came to an end before its end.

use std::io;

use meshwork_protocols::identity::NameError;
use meshwork_protocols::live::stream::{self, OpenError, StreamCode};

use crate::agent::ReachError;

/// Why a stream was not opened. Nothing was said to the peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenStreamError {
    /// No session with the peer that carries streams was to be had.
    #[error(transparent)]
    NotReached(#[from] ReachError),
    /// What was given is no name.
    #[error("this is no name for a stream: {0}")]
    BadName(#[from] NameError),
    /// UDP carries no streams: leave the transport open, or take QUIC or TCP.
    #[error("streams need QUIC or TCP")]
    NeedsQuicOrTcp,
    /// As many streams to the peer are open as it lets be: when one ends, another may be opened. One
    /// that does not know this agent lets none be.
    #[error("as many streams to the peer are open as it lets be")]
    TooMany,
    /// The session ended meanwhile: try again.
    #[error("the session with the peer ended meanwhile; try again")]
    SessionOver,
}

impl OpenStreamError {
    /// Whether the same request can succeed later.
    pub const fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::NotReached(error) => error.is_worth_a_retry(),
            Self::TooMany | Self::SessionOver => true,
            _ => false,
        }
    }
}

impl From<OpenError> for OpenStreamError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::TooMany => Self::TooMany,
            // A new session has new ids.
            _ => Self::SessionOver,
        }
    }
}

/// Why streams of a name are not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TakeStreamsError {
    /// What was given is no name.
    #[error("this is no name for a stream: {0}")]
    BadName(#[from] NameError),
    /// Somebody takes the streams of this name already.
    #[error("somebody takes streams of this name already")]
    NameTaken,
}

/// Why a stream ended before its end. From an [`io::Error`] of a stream it comes by
/// [`StreamError::of`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The peer gave up what it was sending: what came is not all.
    #[error("the peer gave the stream up: {0}")]
    Reset(StreamCode),
    /// The peer does not want the rest.
    #[error("the peer does not want the rest of the stream: {0}")]
    Stopped(StreamCode),
    /// Nothing may be written behind the end.
    #[error("the stream was finished here")]
    Finished,
    /// It was given up here.
    #[error("the stream was given up here")]
    Abandoned,
    /// The session ended before the stream: what came is not all, and of what was written the peer
    /// is known to have taken so many bytes. It may have taken more.
    #[error("the session ended before the stream; the peer is known to have taken {taken} bytes")]
    SessionOver {
        /// The bytes that the peer's application is known to have taken.
        taken: u64,
    },
}

impl StreamError {
    /// Why reading or writing a stream failed.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }

    /// Whether a new stream can succeed where this one did not.
    pub const fn is_worth_a_retry(&self) -> bool {
        matches!(self, Self::SessionOver { .. } | Self::Stopped(StreamCode::BUSY))
    }

    /// What happened to a stream of which the peer has taken so much.
    pub(super) fn from_end(error: stream::StreamError, taken: u64) -> Self {
        match error {
            stream::StreamError::Reset(code) => Self::Reset(code),
            stream::StreamError::Stopped(code) => Self::Stopped(code),
            stream::StreamError::Finished => Self::Finished,
            stream::StreamError::SessionOver => Self::SessionOver { taken },
            _ => Self::Abandoned,
        }
    }
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        let kind = match error {
            StreamError::Reset(_) => io::ErrorKind::ConnectionReset,
            StreamError::Stopped(_) | StreamError::Finished => io::ErrorKind::BrokenPipe,
            StreamError::Abandoned => io::ErrorKind::NotConnected,
            StreamError::SessionOver { .. } => io::ErrorKind::ConnectionAborted,
        };
        Self::new(kind, error)
    }
}
