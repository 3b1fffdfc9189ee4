//! What a first message used, remembered for as long as its keys are kept.
//!
//! Without a one-time key nothing of the handshake is used up: once the session's record is lost, a
//! copy of its first message would begin it again.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::prekey_store::{KEPT_AFTER_REPLACED, ROTATION};
use crate::deferred::curve_key::CurvePublic;
use crate::deferred::prekey_id::PrekeyId;
use crate::deferred::wire::FirstMessage;
use crate::provider::Provider;
use crate::time::WallTime;

/// The prekeys that a first message used, and the key that its sender made for it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct UsedPrekeys {
    /// The signed prekey.
    pub signed: PrekeyId,
    /// The KEM prekey.
    pub kem: PrekeyId,
    /// The one-time prekey, which is to be deleted.
    pub one_time: Option<PrekeyId>,
    /// The sender's key.
    pub base_key: CurvePublic,
}

impl UsedPrekeys {
    /// What `first` uses.
    pub fn of(first: &FirstMessage<'_>) -> Self {
        Self {
            signed: first.signed,
            kem: first.kem,
            one_time: first.one_time,
            base_key: first.base_key,
        }
    }

    /// Under what the use is remembered.
    pub fn replay_key(&self, provider: &dyn Provider) -> ReplayKey {
        let (kem, signed) = (self.kem.0.to_be_bytes(), self.signed.0.to_be_bytes());
        ReplayKey(provider.digest(&[LABEL, &kem, &signed, self.base_key.u()]))
    }
}

/// The key of a row of the log of used first messages.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ReplayKey([u8; 32]);

impl ReplayKey {
    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// When a use that is noted `now` can be forgotten: its keys are then gone.
pub fn forget_after(now: WallTime) -> WallTime {
    now + REMEMBERED
}

/// A key that is newest now is replaced within a week, or a little later if the agent was off, and
/// kept for a while then.
const REMEMBERED: Duration = ROTATION.saturating_mul(2).saturating_add(KEPT_AFTER_REPLACED);

const LABEL: &[u8] = b"meshwork/v1/first-message\0";
