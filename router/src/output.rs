//! What the router asks the outside world to do.

use alloc::vec::Vec;

use meshwork_protocols::identity::AgentId;
use meshwork_state::Batch;

use crate::event::Event;
use crate::needs::Needs;

/// Names a path while it stands.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PathId(pub u64);

/// Names a batch; a later one has a higher number.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BatchId(pub u64);

/// Something to do. All of it has been decided; doing it needs no further look at the router.
#[derive(Debug)]
pub enum Output {
    /// Make this batch durable, together with whatever else is ready, in the order in which the
    /// batches came out; then say [`crate::Input::Committed`].
    Commit(BatchId, Batch),
    /// Put this frame on a path. One that is gone is no error.
    Transmit {
        /// The path.
        path: PathId,
        /// The frame.
        frame: Vec<u8>,
    },
    /// Try those of the peer's addresses that can offer what is needed; a path that opens, or
    /// [`crate::PathChange::DialFailed`], answers. A session with the peer may stand meanwhile:
    /// it does not answer, and stays.
    Dial {
        /// The peer.
        peer: AgentId,
        /// What the session must offer.
        needs: Needs,
    },
    /// Close a path.
    Close {
        /// The path.
        path: PathId,
        /// Why.
        reason: CloseReason,
    },
    /// Tell the application.
    Event(Event),
}

/// Why the router gives a path up.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum CloseReason {
    /// Another session with the same peer stays.
    Replaced,
    /// Nothing goes over it any more: another session with the same peer carries everything.
    Unused,
    /// The peer sent what no honest one sends.
    PeerMisbehaved,
    /// The owner does not want this peer.
    Blocked,
    /// The peer's card was revoked, or contradicts another of the same number.
    CardRefused,
    /// More sessions with strangers than are kept.
    TooManyStrangers,
}
