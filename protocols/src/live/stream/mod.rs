//! Streams of bytes in both directions, many over one session.
//!
//! A [`Multiplexer`] is one end of all the streams of a session over a carrier that delivers frames
//! reliably and in order. Frames come in and go out one at a time; it keeps no clock, draws no
//! randomness and waits for nobody. QUIC has streams of its own and needs none of this.
//!
//! - [`frame`]: what the two ends say, byte for byte. [`code`] says why a direction was given up.
//! - `sending`, `receiving`: the two directions of a stream. Each byte that is sent was allowed by
//!   the other end, which so decides how much it must keep.
//! - `credit`: how much a session allows in all. `schedule`: whose turn it is.

pub mod code;
mod credit;
pub mod frame;
mod multiplexer;
mod receiving;
mod schedule;
mod sending;
#[cfg(test)]
mod tests;
mod violation;

pub use code::StreamCode;
pub use frame::{MAX_DATA, StreamFrame, StreamId};
pub use multiplexer::{
    MAX_STREAMS, MAX_UNACCEPTED, Multiplexer, OpenError, Progress, Readable, Received, StreamError,
};
pub use receiving::{FIRST_CREDIT, MOST_CREDIT};
pub use sending::MAX_UNSENT;
pub use violation::StreamViolation;
