//! What the router asks the outside world to do.

use alloc::boxed::Box;
use alloc::vec::Vec;

use meshwork_protocols::deferred::{CurvePublic, PrekeyId};
use meshwork_protocols::identity::{AgentId, Relay};
use meshwork_protocols::relay::{Request, Rules};
use meshwork_protocols::time::WallTime;
use meshwork_state::Batch;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::fleets::AskId;
use crate::needs::Needs;
use crate::relays::{DepositId, TakeId};

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
    /// Leave a frame with a relay that keeps the peer's mail; [`crate::RelayNews::Deposited`] or
    /// [`crate::RelayNews::NotDeposited`] answers.
    Deposit {
        /// Its name.
        deposit: DepositId,
        /// The relay, and where it listens.
        relay: Relay,
        /// Whose mail it is.
        to: AgentId,
        /// Until when it is worth keeping.
        expires: WallTime,
        /// The frame.
        frame: Vec<u8>,
    },
    /// Ask a relay for what seals for a peer; [`crate::RelayNews::Taken`] answers.
    TakePrekeys {
        /// The same when the request is repeated: a relay answers it as the first time.
        request: TakeId,
        /// The relay, and where it listens.
        relay: Relay,
        /// The peer.
        of: AgentId,
    },
    /// Tell a relay of ours that a piece of mail need not be kept any more. It may get lost: mail
    /// that comes again is known again.
    Acknowledge {
        /// The relay.
        relay: AgentId,
        /// The number of the piece.
        entry: u64,
    },
    /// Give a relay of ours what others seal to us with; [`crate::RelayNews::Published`] answers.
    Publish {
        /// The relay.
        relay: AgentId,
        /// The newest bundle.
        bundle: Vec<u8>,
        /// One-time keys for this relay alone.
        pool: Option<RelayPool>,
    },
    /// Tell a relay of ours whom we know, and what others may leave; [`crate::RelayNews::Ruled`]
    /// answers.
    SetRules {
        /// The relay.
        relay: AgentId,
        /// What it is to hold to.
        rules: Box<Rules>,
    },
    /// Ask a relay something for a group; [`crate::RelayNews::Answered`] answers. Requests of one
    /// group wait for no other one: a read can wait for a minute.
    AskRelay {
        /// Its name.
        ask: AskId,
        /// The relay, and where it listens.
        relay: Relay,
        /// What is asked.
        request: Box<Request>,
    },
    /// Tell the application.
    Event(Event),
}

/// One-time keys that one relay alone gives to others.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RelayPool {
    /// Its number among those that this relay was given. A pool that is published again has the
    /// same.
    pub number: u64,
    /// Whether what the relay still has of earlier pools is not to be given any more.
    pub replaces: bool,
    /// The signed part.
    #[serde(with = "meshwork_protocols::wire::bytes")]
    pub signed: Vec<u8>,
    /// The keys, in their order.
    pub keys: Vec<(PrekeyId, CurvePublic)>,
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
