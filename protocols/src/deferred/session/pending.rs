//! What the initiator of a session repeats until something of the responder opens.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::Opener;
use crate::deferred::handshake::Opening;
use crate::deferred::wire::FirstFields;
use crate::time::WallTime;

/// How long the official client lets a session without an answer seal.
pub const MAX_UNANSWERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The fields of the first messages.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pending {
    pub(in crate::deferred) fields: FirstFields,
    until: WallTime,
}

impl Pending {
    /// What `opening` says, until the end that `opener` sets.
    pub fn new(opening: Opening, opener: Opener) -> Self {
        let fields = FirstFields {
            one_time: opening.one_time,
            base_key: opening.base_key,
            registration: opener.registration,
            signed: opening.signed,
            kem: opening.kem,
        };
        Self { fields, until: opener.until }
    }

    /// Whether the session may no longer seal.
    pub fn is_over(&self, now: WallTime) -> bool {
        now > self.until
    }
}
