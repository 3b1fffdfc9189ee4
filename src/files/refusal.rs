//! Why a receiver did not keep a file, as codes of a stream.

use meshwork_protocols::live::stream::StreamCode;

/// Why a receiver did not keep a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// What was sent is not a file with a safe name.
    #[error("the receiver does not take a file of this name")]
    BadName,
    /// A file of this name is there already, or on its way.
    #[error("the receiver has a file of this name already")]
    Exists,
    /// The receiver's disk failed or is full.
    #[error("the receiver cannot write the file")]
    Disk,
    /// What came is not what was announced.
    #[error("the file did not arrive as it was sent")]
    Damaged,
    /// As many files are coming in as may.
    #[error("the receiver takes too many files at once")]
    Busy,
    /// It is larger than the receiver takes any.
    #[error("the file is larger than the receiver takes any")]
    TooLarge,
}

impl Refusal {
    const ALL: [Self; 6] =
        [Self::BadName, Self::Exists, Self::Disk, Self::Damaged, Self::Busy, Self::TooLarge];

    /// As a stream says it.
    pub const fn code(self) -> StreamCode {
        StreamCode(StreamCode::FIRST_OF_APPLICATION.0 + self as u32)
    }

    /// What a stream said.
    pub fn from_code(code: StreamCode) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }
}
