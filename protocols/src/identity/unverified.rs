//! What a peer claims, until it is verified.

use serde::{Deserialize, Serialize};

/// The parsed form of a `T` whose signatures nobody has checked.
///
/// `parse` makes it and `verify` consumes it; there is no other way to a `T` that somebody else
/// made.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Unverified<T: Verifiable>(pub(crate) T::Claim);

/// What is parsed first and verified then.
pub trait Verifiable {
    /// What parsing alone yields.
    type Claim;
}
