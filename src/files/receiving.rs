//! The receiving end of a file.

use std::path::{Path, PathBuf};

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::Provider;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::spawn_blocking;

use super::header::FIXED;
use super::place::Place;
use super::sending::KEPT;
use super::{CHUNK, FileName, Header, HeaderError, MAX_FILE, ReceiveError};
use crate::Stream;

/// A file that is coming in.
#[derive(Debug)]
pub struct Incoming {
    stream: Stream,
    header: Header,
}

/// A file that came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// Where it is.
    pub path: PathBuf,
    /// How many bytes it has.
    pub size: u64,
}

impl Incoming {
    /// Waits for what a file is called and how large it is. A name that is not safe is refused, and
    /// so is a file of more than [`MAX_FILE`] bytes.
    pub async fn begin(stream: Stream) -> Result<Self, ReceiveError> {
        Self::begin_up_to(MAX_FILE, stream).await
    }

    /// The same where a file may have so many bytes. No more are ever taken than were announced.
    pub async fn begin_up_to(most: u64, mut stream: Stream) -> Result<Self, ReceiveError> {
        let header = read_header(&mut stream).await.and_then(|header| match header.size {
            size if size > most => Err(ReceiveError::TooLarge { size, most }),
            _ => Ok(header),
        });
        match header {
            Ok(header) => Ok(Self { stream, header }),
            Err(error) => Err(refuse(stream, error)),
        }
    }

    /// Who sends it.
    pub fn sender(&self) -> AgentId {
        self.stream.peer()
    }

    /// What it is called.
    pub fn name(&self) -> &FileName {
        &self.header.name
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.header.size
    }

    /// Refuses it: as many are coming in as may.
    pub fn refuse_busy(self) {
        self.stream.abandon(super::Refusal::Busy.code());
    }

    /// Keeps it in a folder, under its name and never over another file, once all of it came and
    /// is what was sent. `moved` hears how many bytes came, and of how many. What came of one that
    /// is not kept stays beside its place, under its name and `.part`.
    pub async fn keep(
        mut self,
        folder: &Path,
        provider: &dyn Provider,
        moved: impl FnMut(u64, u64),
    ) -> Result<Kept, ReceiveError> {
        match self.take(folder, provider, moved).await {
            Ok(kept) => {
                self.answer().await;
                Ok(kept)
            }
            Err(error) => Err(refuse(self.stream, error)),
        }
    }

    async fn take(
        &mut self,
        folder: &Path,
        provider: &dyn Provider,
        moved: impl FnMut(u64, u64),
    ) -> Result<Kept, ReceiveError> {
        let (folder, name) = (folder.to_owned(), self.header.name.clone());
        let (place, file) = blocking(move || Place::begin(&folder, &name)).await?;
        let mut file = File::from_std(file);
        let hash = self.copy(&mut file, provider, moved).await?;
        let mut announced = [0; 32];
        let read = self.stream.read_exact(&mut announced).await;
        read.map_err(|error| ReceiveError::reading(&error))?;
        // Behind it only the end may stand.
        let more = self.stream.read(&mut [0]).await;
        let more = more.map_err(|error| ReceiveError::reading(&error))?;
        if announced != hash || more > 0 {
            return Err(ReceiveError::Damaged);
        }
        file.flush().await.map_err(ReceiveError::Disk)?;
        let file = file.into_std().await;
        let path = blocking(move || place.keep(&file)).await?;
        Ok(Kept { path, size: self.header.size })
    }

    /// Writes the content down; its hash.
    async fn copy(
        &mut self,
        file: &mut File,
        provider: &dyn Provider,
        mut moved: impl FnMut(u64, u64),
    ) -> Result<[u8; 32], ReceiveError> {
        let size = self.header.size;
        let (mut hash, mut came) = (provider.sha256(), 0);
        let mut chunk = vec![0; CHUNK];
        while came < size {
            let most = usize::try_from(size - came).unwrap_or(CHUNK).min(CHUNK);
            let into = chunk.get_mut(..most).unwrap_or_default();
            let count = self.stream.read(into).await;
            let count = count.map_err(|error| ReceiveError::reading(&error))?;
            if count == 0 {
                return Err(ReceiveError::Damaged);
            }
            let read = chunk.get(..count).unwrap_or_default();
            hash.update(read);
            file.write_all(read).await.map_err(ReceiveError::Disk)?;
            came += count as u64;
            moved(came, size);
        }
        Ok(hash.finish())
    }

    /// Tells the sender. Should it not hear it, the file is here all the same.
    async fn answer(&mut self) {
        if self.stream.write_all(&[KEPT]).await.is_ok() {
            let _ = self.stream.finish().await;
        }
    }
}

async fn read_header(stream: &mut Stream) -> Result<Header, ReceiveError> {
    let mut bytes = vec![0; FIXED];
    let lost = |error| ReceiveError::reading(&error);
    stream.read_exact(&mut bytes).await.map_err(lost)?;
    let fixed = bytes.first_chunk().ok_or(HeaderError::Version)?;
    let length = Header::name_length(fixed)?;
    bytes.resize(FIXED + length, 0);
    stream.read_exact(bytes.get_mut(FIXED..).unwrap_or_default()).await.map_err(lost)?;
    Ok(Header::decode(&bytes)?.ok_or(HeaderError::Version)?)
}

/// Tells the sender why.
fn refuse(stream: Stream, error: ReceiveError) -> ReceiveError {
    if let Some(refusal) = error.refusal() {
        stream.abandon(refusal.code());
    }
    error
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReceiveError> + Send + 'static,
) -> Result<T, ReceiveError> {
    // A runtime that shuts down drops what it still had to do.
    let stopped = |_| ReceiveError::Disk(std::io::ErrorKind::Interrupted.into());
    spawn_blocking(work).await.unwrap_or_else(|error| Err(stopped(error)))
}
