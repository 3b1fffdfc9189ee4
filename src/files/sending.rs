//! The sending end of a file.

use std::path::Path;

use meshwork_protocols::provider::Provider;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{CHUNK, FileName, Header, Refusal, SendError};
use crate::{Stream, StreamError};

/// Sends a file over a stream, and waits until the receiver has it, durable under its name; how
/// many bytes. `moved` hears how many the receiver is known to have taken, and of how many.
///
/// Dropped on the way, the receiver sees that the file was given up.
pub async fn send(
    mut stream: Stream,
    file: &Path,
    name: FileName,
    provider: &dyn Provider,
    mut moved: impl FnMut(u64, u64),
) -> Result<u64, SendError> {
    let mut file = File::open(file).await.map_err(SendError::File)?;
    let size = file.metadata().await.map_err(SendError::File)?.len();
    let header = Header { name, size }.encode();
    let before = header.len() as u64;
    write(&mut stream, &header).await?;
    let (mut hash, mut left) = (provider.sha256(), size);
    let mut chunk = vec![0; CHUNK];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let into = chunk.get_mut(..most).unwrap_or_default();
        let count = file.read(into).await.map_err(SendError::File)?;
        if count == 0 {
            // The receiver must not take it for the whole.
            stream.abandon(Refusal::Damaged.code());
            return Err(SendError::Changed);
        }
        let read = chunk.get(..count).unwrap_or_default();
        hash.update(read);
        write(&mut stream, read).await?;
        left -= count as u64;
        moved(stream.progress().acknowledged.saturating_sub(before).min(size), size);
    }
    write(&mut stream, &hash.finish()).await?;
    stream.finish().await?;
    moved(size, size);
    let answer = stream.read_u8().await.map_err(|error| lost(&error))?;
    if answer == KEPT { Ok(size) } else { Err(SendError::BadAnswer) }
}

async fn write(stream: &mut Stream, bytes: &[u8]) -> Result<(), SendError> {
    stream.write_all(bytes).await.map_err(|error| lost(&error))
}

fn lost(error: &std::io::Error) -> SendError {
    // An end without an answer is none.
    StreamError::of(error).map_or(SendError::BadAnswer, SendError::from)
}

/// What the receiver answers once the file is durable under its name.
pub(super) const KEPT: u8 = 1;
