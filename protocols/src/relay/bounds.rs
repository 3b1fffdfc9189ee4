//! Bounds that all requests and answers share.

use core::time::Duration;

use crate::live::call::MAX_CALL_BODY;

/// The longest request: what a call carries.
pub const MAX_REQUEST: usize = MAX_CALL_BODY;

/// The longest answer: what a call carries.
pub const MAX_ANSWER: usize = MAX_CALL_BODY;

/// The longest that a request may ask to wait for something to come. Half of what a NAT forgets
/// after is no matter here, as the session has its own heartbeat; a relay that restarts should not
/// leave anybody waiting for longer than this.
pub const MAX_WAIT: Duration = Duration::from_secs(60);

/// What a request or an answer has beside its largest field.
pub(super) const ROOM: usize = 1_024;

pub(super) fn may_wait(millis: u32) -> bool {
    Duration::from_millis(millis.into()) <= MAX_WAIT
}
