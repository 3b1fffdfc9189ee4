//! One end of a stream.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use meshwork_protocols::identity::{AgentId, ServiceName, Transport};
use meshwork_protocols::live::stream::{Progress, StreamCode, StreamId};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Muxed, NativeStream, StreamError};

/// One end of a stream of bytes in both directions.
///
/// Each direction ends by itself: with [`finish`](Stream::finish) or by shutting the writer down.
/// Who writes faster than the peer's application reads waits. Reading ends only where the peer
/// finished; a stream that was cut off gives an error, behind all that came, which
/// [`StreamError::of`] names.
///
/// Dropping it gives up what is not at its end: the peer sees a reset, unless this end was finished,
/// whose bytes still go. A stream lives no longer than the session that carries it.
pub struct Stream {
    pub(super) name: ServiceName,
    peer: AgentId,
    carried: Carried,
    /// What the peer is told when this is dropped.
    parting: StreamCode,
}

/// What carries a stream.
enum Carried {
    /// The frames of a session.
    Muxed { session: Arc<Muxed>, id: StreamId },
    /// QUIC.
    Native(Box<NativeStream>),
}

impl Stream {
    pub(crate) fn muxed(
        session: Arc<Muxed>,
        id: StreamId,
        name: ServiceName,
        peer: AgentId,
    ) -> Self {
        let carried = Carried::Muxed { session, id };
        Self { name, peer, carried, parting: StreamCode::DROPPED }
    }

    pub(crate) fn native(stream: NativeStream, name: ServiceName, peer: AgentId) -> Self {
        let carried = Carried::Native(Box::new(stream));
        Self { name, peer, carried, parting: StreamCode::DROPPED }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> AgentId {
        self.peer
    }

    /// What it was opened for.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// What carries it.
    pub fn transport(&self) -> Transport {
        match self.carried {
            Carried::Muxed { .. } => Transport::Tcp,
            Carried::Native(_) => Transport::Quic,
        }
    }

    /// How far both directions got. Over QUIC what the peer has taken is known up to its window, and
    /// wholly once [`finish`](Stream::finish) returned.
    pub fn progress(&self) -> Progress {
        match &self.carried {
            Carried::Muxed { session, id } => session.progress(*id),
            Carried::Native(stream) => stream.progress(),
        }
    }

    /// Says that no more will be written, and waits until the peer's application, or over QUIC its
    /// agent, has taken all of it; how many bytes. What the peer sends can still be read.
    ///
    /// Dropped on the way, the stream is finished all the same.
    pub async fn finish(&mut self) -> Result<u64, StreamError> {
        match self.say_finished() {
            Ok(()) | Err(StreamError::Finished) => {}
            Err(error) => return Err(error),
        }
        match &mut self.carried {
            Carried::Muxed { session, id } => session.done(*id).await,
            Carried::Native(stream) => stream.done().await,
        }
    }

    /// Gives up what was written and is not yet sent: the peer sees an error and never an end. It
    /// comes too late once the end was sent. Codes from [`StreamCode::FIRST_OF_APPLICATION`] on are
    /// the application's.
    pub fn reset(&mut self, code: StreamCode) {
        match &mut self.carried {
            Carried::Muxed { session, id } => session.reset(*id, code),
            Carried::Native(stream) => stream.reset(code),
        }
    }

    /// Wants no more of what the peer sends: its writer sees an error.
    pub fn stop(&mut self, code: StreamCode) {
        match &mut self.carried {
            Carried::Muxed { session, id } => session.stop(*id, code),
            Carried::Native(stream) => stream.stop(code),
        }
    }

    /// Gives up both directions.
    pub fn abandon(mut self, code: StreamCode) {
        self.parting = code;
    }

    /// It is in the hands of who takes it.
    pub(super) fn accept(&self) {
        if let Carried::Muxed { session, id } = &self.carried {
            session.accept(*id);
        }
    }

    fn say_finished(&mut self) -> Result<(), StreamError> {
        match &mut self.carried {
            Carried::Muxed { session, id } => session.finish(*id),
            Carried::Native(stream) => stream.finish(),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        match &mut self.carried {
            Carried::Muxed { session, id } => session.release(*id, self.parting),
            Carried::Native(stream) => stream.release(self.parting),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = match &mut self.carried {
            Carried::Muxed { session, id } => session.poll_read(*id, context, into),
            Carried::Native(stream) => stream.poll_read(context, into),
        };
        read.map_err(io::Error::from)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.carried {
            Carried::Muxed { session, id } => session.poll_write(*id, context, bytes),
            Carried::Native(stream) => stream.poll_write(context, bytes),
        };
        written.map_err(io::Error::from)
    }

    /// Waits until what was written has left the stream.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.carried {
            Carried::Muxed { session, id } => {
                session.poll_flush(*id, context).map_err(io::Error::from)
            }
            // QUIC holds nothing back.
            Carried::Native(_) => Poll::Ready(Ok(())),
        }
    }

    /// Says that no more will be written, and waits for nothing: see [`Stream::finish`].
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.say_finished() {
            Ok(()) | Err(StreamError::Finished) => Ok(()),
            Err(error) => Err(error.into()),
        })
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("peer", &self.peer.short())
            .field("name", &self.name.as_str())
            .field("transport", &self.transport())
            .finish_non_exhaustive()
    }
}
