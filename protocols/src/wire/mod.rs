//! What travels inside a session, or inside a sealed packet: frames, messages, receipts.
//!
//! Everything is postcard behind one type byte, decoded strictly: one encoding for each value, no
//! trailing byte, every length bounded. It knows neither who sealed it nor on which path it came.

pub mod bytes;
mod frame;
mod message;
mod prekeys;
mod receipt;

use postcard::ser_flavors::Size;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use frame::{Frame, FrameError, MAX_FRAME, Payload};
pub use message::{ContentType, MAX_BODY, MAX_LIFETIME, Message, MessageError, MessageId, Place};
pub use prekeys::{HeldPrekeys, OfferedPrekeys};
pub use receipt::{MAX_RECEIPTS, Receipt, RefusalReason, Verdict};

/// The value that `bytes` are the one encoding of. Postcard's other encodings have integers that
/// are longer than they must be, so the length tells, without a copy of what may be secret.
pub(crate) fn decode<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
    let length = postcard::serialize_with_flavor(&value, Size::default()).ok()?;
    (rest.is_empty() && length == bytes.len()).then_some(value)
}
