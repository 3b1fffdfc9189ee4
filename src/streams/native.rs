//! Streams over QUIC, which has its own: a name in front, then the bytes.
//!
//! ```text
//! length of the name u8 || name || bytes
//! ```

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use meshwork_protocols::identity::ServiceName;
use meshwork_protocols::live::stream::{Progress, StreamCode};
use meshwork_transports::{
    QUIC_STREAM_WINDOW, QuicCode, QuicConnection, QuicError, QuicReadError, QuicReceiver,
    QuicSender, QuicWriteError,
};
use tokio::io::{AsyncReadExt, ReadBuf};
use tokio::time::timeout;

use super::{OpenStreamError, StreamError};

/// How long a stream may take to say what it is for: it says so with its first bytes.
const NAME: Duration = Duration::from_secs(10);

/// How long a stream may wait to be opened because as many are open as the peer lets be.
const OPENING: Duration = Duration::from_secs(1);

/// The streams of one session over QUIC.
#[derive(Debug)]
pub(crate) struct Native {
    connection: QuicConnection,
}

/// Both directions of one stream.
#[derive(Debug)]
pub(crate) struct NativeStream {
    sender: QuicSender,
    receiver: QuicReceiver,
    progress: Progress,
    finished: bool,
}

impl Native {
    pub(crate) fn new(connection: QuicConnection) -> Self {
        Self { connection }
    }

    /// The session is over: no stream of it goes on.
    pub(crate) fn end(&self) {
        self.connection.close();
    }

    /// The peer may open streams.
    pub(crate) fn let_open(&self) {
        self.connection.trust();
    }

    pub(super) async fn open(&self, name: &ServiceName) -> Result<NativeStream, OpenStreamError> {
        let opened = timeout(OPENING, self.connection.open_stream());
        let opened = opened.await.map_err(|_| OpenStreamError::TooMany)?;
        let (sender, receiver) = opened.map_err(|_| OpenStreamError::SessionOver)?;
        let mut stream = NativeStream::new(sender, receiver);
        let written = stream.sender.write_all(&header(name)).await;
        written.map_err(|_| OpenStreamError::SessionOver)?;
        Ok(stream)
    }

    /// Waits for a stream that the peer opens. Dropping the future loses nothing.
    pub(crate) async fn accept(&self) -> Result<NativeStream, QuicError> {
        let (sender, receiver) = self.connection.accept_stream().await?;
        Ok(NativeStream::new(sender, receiver))
    }
}

impl NativeStream {
    fn new(sender: QuicSender, receiver: QuicReceiver) -> Self {
        Self { sender, receiver, progress: Progress::default(), finished: false }
    }

    /// Waits for what it is for; nothing where it does not say so.
    pub(crate) async fn name(&mut self) -> Option<ServiceName> {
        let reading = async {
            let length = self.receiver.read_u8().await.ok()?;
            let mut name = vec![0; usize::from(length)];
            self.receiver.read_exact(&mut name).await.ok()?;
            String::from_utf8(name).ok()?.parse().ok()
        };
        timeout(NAME, reading).await.ok().flatten()
    }

    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), StreamError>> {
        let read = self.receiver.poll_read(context, into.initialize_unfilled());
        read.map_ok(|count| {
            into.advance(count);
            self.progress.received += count as u64;
            self.progress.read += count as u64;
        })
        .map_err(|error| self.reading(&error))
    }

    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, StreamError>> {
        if self.finished {
            return Poll::Ready(Err(StreamError::Finished));
        }
        let written = Pin::new(&mut self.sender).poll_write(context, bytes);
        written
            .map_ok(|count| {
                self.progress.written += count as u64;
                count
            })
            .map_err(|error| self.writing(&error))
    }

    pub(super) fn finish(&mut self) -> Result<(), StreamError> {
        if std::mem::replace(&mut self.finished, true) {
            return Err(StreamError::Finished);
        }
        // One that was stopped or given up cannot be: it is found out by waiting for its end.
        let _ = self.sender.finish();
        Ok(())
    }

    /// Waits until the peer has taken all; how many bytes.
    pub(super) async fn done(&mut self) -> Result<u64, StreamError> {
        match self.sender.stopped().await {
            Ok(None) => {
                self.progress.acknowledged = self.progress.written;
                Ok(self.progress.written)
            }
            Ok(Some(code)) => Err(StreamError::Stopped(from_quic(code))),
            Err(_) => Err(StreamError::SessionOver { taken: self.progress().acknowledged }),
        }
    }

    pub(super) fn reset(&mut self, code: StreamCode) {
        self.finished = true;
        // One that is over cannot be.
        let _ = self.sender.reset(QuicCode::from_u32(code.0));
    }

    pub(super) fn stop(&mut self, code: StreamCode) {
        let _ = self.receiver.stop(QuicCode::from_u32(code.0));
    }

    /// Gives up what is open.
    pub(crate) fn release(&mut self, code: StreamCode) {
        if !self.finished {
            self.reset(code);
        }
        self.stop(code);
    }

    /// QUIC lets no more be written than the peer's window: what is beyond it was taken.
    pub(super) fn progress(&self) -> Progress {
        let Progress { written, acknowledged, .. } = self.progress;
        let taken = written.saturating_sub(QUIC_STREAM_WINDOW.into());
        Progress { sent: written, acknowledged: acknowledged.max(taken), ..self.progress }
    }

    fn reading(&self, error: &QuicReadError) -> StreamError {
        match error {
            QuicReadError::Reset(code) => StreamError::Reset(from_quic(*code)),
            QuicReadError::ConnectionLost(_) => self.session_over(),
            _ => StreamError::Abandoned,
        }
    }

    fn writing(&self, error: &QuicWriteError) -> StreamError {
        match error {
            QuicWriteError::Stopped(code) => StreamError::Stopped(from_quic(*code)),
            QuicWriteError::ConnectionLost(_) => self.session_over(),
            _ => StreamError::Abandoned,
        }
    }

    fn session_over(&self) -> StreamError {
        StreamError::SessionOver { taken: self.progress().acknowledged }
    }
}

/// What stands in front of the bytes: a name has at most 64.
fn header(name: &ServiceName) -> Vec<u8> {
    let name = name.as_str().as_bytes();
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    [&[length], name].concat()
}

/// Codes of ours have 32 bits, and QUIC's 62.
fn from_quic(code: QuicCode) -> StreamCode {
    StreamCode(u32::try_from(code.into_inner()).unwrap_or(u32::MAX))
}
