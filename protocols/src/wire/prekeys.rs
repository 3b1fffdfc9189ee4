//! What agents that know each other say of their prekeys inside a session, which proves who says it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::deferred::agent::BundleMark;
use crate::deferred::agent::bundle::MAX_BUNDLE_LENGTH;
use crate::deferred::{CurvePublic, PrekeyId};

/// What the sender holds of the receiver's prekeys, so that the receiver knows what it lacks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct HeldPrekeys {
    /// The newest bundle.
    pub bundle: Option<BundleMark>,
    /// The one-time key that it has not used.
    pub one_time: Option<PrekeyId>,
}

/// The sender's prekeys, for the receiver alone.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OfferedPrekeys {
    /// The encoding of a [`Bundle`](crate::deferred::agent::Bundle).
    #[serde(with = "super::bytes")]
    pub bundle: Vec<u8>,
    /// A one-time key that nobody else gets. The session proves whose it is, so that it needs no
    /// path to a pool's signature.
    pub one_time: Option<(PrekeyId, CurvePublic)>,
}

impl OfferedPrekeys {
    pub(super) fn is_bounded(&self) -> bool {
        self.bundle.len() <= MAX_BUNDLE_LENGTH
    }
}
