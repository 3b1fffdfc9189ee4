//! Streams that come back byte for byte: what the live scene says over them, and who answers.

use std::io;
use std::time::Duration;

use meshwork::identity::Transport;
use meshwork::{Agent, OpenStreamError, Stream, Streams};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// The name of the streams, and of the service that calls are made to.
pub(super) const ECHO: &str = "echo";

/// How long one try may take: the session may have been ended under it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sends each stream back, until nobody opens one any more.
pub(super) async fn answer(mut streams: Streams) {
    while let Some(stream) = streams.next().await {
        // One that was cut off is opened anew by the other end.
        let _ = timeout(PATIENCE, send_back(stream)).await;
    }
}

async fn send_back(mut stream: Stream) -> io::Result<()> {
    let mut said = Vec::new();
    (&mut stream).take(LIMIT).read_to_end(&mut said).await?;
    stream.write_all(&said).await?;
    stream.finish().await.map_err(io::Error::other)?;
    Ok(())
}

/// What came of one try.
pub(super) enum Heard {
    /// All came back, as this.
    Back(Vec<u8>),
    /// The session ended meanwhile.
    CutOff,
    /// The transport carries no streams.
    Refused,
}

/// Says this over a stream, and listens.
pub(super) async fn ask(alice: &Agent, bob: &Agent, via: Transport, said: &[u8]) -> Heard {
    match timeout(PATIENCE, alice.open_stream_via(bob.id(), ECHO, via)).await {
        Ok(Err(OpenStreamError::NeedsQuicOrTcp)) => Heard::Refused,
        Ok(Ok(stream)) => match timeout(PATIENCE, exchange(stream, said)).await {
            Ok(Ok(back)) => Heard::Back(back),
            _ => Heard::CutOff,
        },
        _ => Heard::CutOff,
    }
}

async fn exchange(mut stream: Stream, said: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(said).await?;
    stream.finish().await.map_err(io::Error::other)?;
    let mut back = Vec::new();
    stream.take(LIMIT).read_to_end(&mut back).await?;
    Ok(back)
}

/// More than the scene says.
const LIMIT: u64 = 1 << 10;
