//! What an entry names by hash: cards, and the key packages' signatures of a large addition.
//!
//! It is fetched before the entry is processed. Something missing is waited for, and never a ground
//! to refuse.

use core::fmt;

use crate::identity::{Card, CardHash};

/// Where what is named by hash comes from.
pub trait Evidence: fmt::Debug {
    /// The card with this hash, which its root signed. It may have expired since.
    fn card(&self, hash: &CardHash) -> Option<&Card>;

    /// The bytes with this SHA-256.
    fn blob(&self, hash: &[u8; 32]) -> Option<&[u8]>;
}
