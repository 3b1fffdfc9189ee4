//! Why a file was not sent, or not kept.

use std::io;

use super::{FileNameError, HeaderError, Refusal};
use crate::StreamError;

/// Why a file was not sent, or is not known to have been kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The file could not be read.
    #[error("the file cannot be read: {0}")]
    File(io::Error),
    /// It has no name that a receiver takes.
    #[error("the file needs another name: {0}")]
    Name(#[from] FileNameError),
    /// It became shorter while it was read.
    #[error("the file became shorter while it was sent")]
    Changed,
    /// The receiver did not keep it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The stream ended before the file was known to be kept.
    #[error(transparent)]
    Stream(StreamError),
    /// The receiver answered what makes no sense.
    #[error("the receiver's answer makes no sense")]
    BadAnswer,
}

impl From<StreamError> for SendError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Reset(code) | StreamError::Stopped(code) => {
                Refusal::from_code(code).map_or(Self::Stream(error), Self::Refused)
            }
            _ => Self::Stream(error),
        }
    }
}

/// Why a file was not kept. What came of it stays beside its place, under its name and `.part`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// What came is not a file with a safe name.
    #[error("what came is not a file with a safe name: {0}")]
    Header(#[from] HeaderError),
    /// A file of this name is there already.
    #[error("a file of this name is there already")]
    Exists,
    /// A file of this name is on its way already.
    #[error("a file of this name is coming in already")]
    Coming,
    /// It could not be written.
    #[error("the file cannot be written: {0}")]
    Disk(io::Error),
    /// What came is not what was announced.
    #[error("the file did not arrive as it was sent")]
    Damaged,
    /// It is larger than may be.
    #[error("the file has {size} bytes, and at most {most} are taken")]
    TooLarge {
        /// How many bytes it was announced to have.
        size: u64,
        /// How many it may have.
        most: u64,
    },
    /// The stream ended before the file.
    #[error(transparent)]
    Stream(StreamError),
}

impl ReceiveError {
    /// What the sender is told.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Header(_) => Some(Refusal::BadName),
            Self::Exists | Self::Coming => Some(Refusal::Exists),
            Self::Disk(_) => Some(Refusal::Disk),
            Self::Damaged => Some(Refusal::Damaged),
            Self::TooLarge { .. } => Some(Refusal::TooLarge),
            Self::Stream(_) => None,
        }
    }

    /// Why reading a stream failed; that it ended too early is the sender's doing.
    pub(super) fn reading(error: &io::Error) -> Self {
        StreamError::of(error).map_or(Self::Damaged, Self::Stream)
    }
}
