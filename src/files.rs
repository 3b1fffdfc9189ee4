//! Files over streams: sent whole, kept whole, and nothing overwritten.
//!
//! ```text
//! 01 || size u64 || length of the name u16 || name || content || SHA-256 of the content (32)
//! ```
//!
//! The receiver answers `01` and finishes once the file is durable under its name. Where it does
//! not want it, it stops the stream with one of the [codes](Refusal); where the content is not what
//! it was, it resets its answer.
//!
//! - [`send`] and [`Incoming`] are the two ends, over streams of the name [`NAME`] or another.
//! - [`FileName`] is a name that is safe to be created in a directory.
//!
//! Knows streams as bytes, and nothing of agents.

mod error;
mod header;
mod name;
mod place;
mod receiving;
mod refusal;
mod sending;

pub use error::{ReceiveError, SendError};
pub use header::{Header, HeaderError};
pub use name::{FileName, FileNameError};
pub use receiving::{Incoming, Kept};
pub use refusal::Refusal;
pub use sending::send;

/// What streams with files are opened for, unless both ends say otherwise.
pub const NAME: &str = "files";

/// How many bytes a file may have, unless the receiver says otherwise: a peer that is known fills no
/// disk by one file that nobody expected.
pub const MAX_FILE: u64 = 4 << 30;

/// How much of a file is read, or written, at a time: a thread's hop is then paid by 256 KiB.
const CHUNK: usize = 256 << 10;
