//! Streams between two agents: the handles that an application holds, and what joins them to the
//! sessions that carry them.
//!
//! - [`Stream`] is one end of a stream, [`Streams`] takes those that peers open under a name.
//! - `muxed` is all the streams of one session over TCP, shared by its line and its handles: what
//!   may be sent is decided in `protocols`, here is who waits for it.
//! - `native` is the same over QUIC, which has streams of its own.
//! - `desk` knows who takes the streams of which name.
//!
//! Knows no sockets, and nothing of messages.

use std::sync::Arc;

mod coming;
mod desk;
mod error;
mod muxed;
mod native;
mod opening;
mod stream;
mod taking;

pub(crate) use coming::take_native;
pub(crate) use desk::StreamDesk;
pub(crate) use muxed::Muxed;
pub(crate) use native::{Native, NativeStream};
pub(crate) use opening::open;

pub use error::{OpenStreamError, StreamError, TakeStreamsError};
pub use stream::Stream;
pub use taking::Streams;

/// The streams of one session, as its transport carries them.
#[derive(Debug)]
pub(crate) enum SessionStreams {
    /// Over the frames of the session.
    Muxed(Arc<Muxed>),
    /// QUIC's own.
    Native(Native),
}

impl SessionStreams {
    /// The session is over: no stream of it goes on.
    pub(crate) fn end(&self) {
        match self {
            Self::Muxed(streams) => streams.end(),
            Self::Native(streams) => streams.end(),
        }
    }
}
