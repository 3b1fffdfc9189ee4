//! Blobs: sealed bytes under their hash.

/// SHA-256 of a blob.
pub type BlobHash = [u8; 32];

/// The longest blob: with its request it fits a call. What is longer goes in parts.
pub const MAX_BLOB: usize = super::MAX_REQUEST - super::bounds::ROOM;
