//! The post-quantum ratchet against the official client's: every snapshot in the transcripts is a
//! state, and what our braid makes of it must be the snapshot that follows.
#![allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a check may stop")]

#[cfg(test)]
mod official;
#[cfg(test)]
mod protobuf;
#[cfg(test)]
mod transcripts;
