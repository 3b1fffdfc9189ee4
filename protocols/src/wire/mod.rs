//! What travels inside a session, or inside a sealed packet: frames, messages, receipts.
//!
//! Everything is postcard behind one type byte, decoded strictly: no trailing byte, every length
//! bounded. It knows neither who sealed it nor on which path it came.

mod frame;
mod message;
mod receipt;

pub use frame::{Frame, FrameError, MAX_FRAME, Payload};
pub use message::{ContentType, MAX_BODY, MAX_LIFETIME, Message, MessageError, MessageId, Place};
pub use receipt::{MAX_RECEIPTS, Receipt, RefusalReason, Verdict};
