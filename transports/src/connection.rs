//! A stream of bytes to somebody, whatever carries it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// A stream of bytes in both directions.
#[derive(Debug)]
pub struct Connection {
    reader: Reader,
    writer: Writer,
    remote: SocketAddr,
}

impl Connection {
    pub(crate) fn new(reader: Reader, writer: Writer, remote: SocketAddr) -> Self {
        Self { reader, writer, remote }
    }

    /// Where the other end is.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Both directions, to be used at once.
    pub fn split(self) -> (Reader, Writer) {
        (self.reader, self.writer)
    }
}

/// What comes in.
#[derive(Debug)]
pub struct Reader(pub(crate) ReaderKind);

#[derive(Debug)]
pub(crate) enum ReaderKind {
    Tcp(OwnedReadHalf),
    Loopback(ReadHalf<DuplexStream>),
}

impl Reader {
    /// Waits for bytes and takes at most so many of them; none at the end of the stream. While it
    /// waits it holds no buffer, so that a connection on which nothing happens costs little.
    /// Dropping the future loses nothing.
    pub async fn read(&mut self, at_most: usize) -> io::Result<Vec<u8>> {
        match &mut self.0 {
            ReaderKind::Tcp(half) => loop {
                half.readable().await?;
                let mut bytes = Vec::with_capacity(at_most);
                // Polled, and not only tried: a read that leaves room has emptied the socket, which
                // is remembered, and the next one waits without asking it.
                if let Some(read) = now(half.read_buf(&mut bytes)).await {
                    read?;
                    return Ok(bytes);
                }
            },
            ReaderKind::Loopback(half) => {
                let mut bytes = Vec::with_capacity(at_most);
                half.read_buf(&mut bytes).await?;
                Ok(bytes)
            }
        }
    }
}

/// What a future has to say at once, if anything.
async fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// What goes out.
#[derive(Debug)]
pub struct Writer(pub(crate) WriterKind);

#[derive(Debug)]
pub(crate) enum WriterKind {
    Tcp(OwnedWriteHalf),
    Loopback(WriteHalf<DuplexStream>),
}

impl Writer {
    /// Waits until some of the bytes are taken, and says how many. Dropping the future loses
    /// nothing.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.0 {
            WriterKind::Tcp(half) => half.write(bytes).await?,
            WriterKind::Loopback(half) => half.write(bytes).await?,
        };
        if written == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(written)
    }

    /// Tells the other end that no more will come.
    pub async fn finish(&mut self) -> io::Result<()> {
        match &mut self.0 {
            WriterKind::Tcp(half) => half.shutdown().await,
            WriterKind::Loopback(half) => half.shutdown().await,
        }
    }
}
