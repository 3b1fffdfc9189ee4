//! Deferred sessions against the official client's: its first messages open from the prekeys alone,
//! and each of its snapshots, imported, leads over the same message to the snapshot that follows.
#![allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a check may stop")]

#[cfg(test)]
mod import;
#[cfg(test)]
mod known_answers;
// What reads the official client's records, shared with the tests of the braid.
#[cfg(test)]
#[path = "../braid/official.rs"]
mod official;
#[cfg(test)]
#[path = "../braid/protobuf.rs"]
mod protobuf;
#[cfg(test)]
mod transcripts;
