//! What connections tell the driver.

use std::sync::Arc;

use meshwork_protocols::identity::{AgentId, Card, Sequence};
use meshwork_protocols::live::{PeerInfo, SessionError};
use meshwork_protocols::relay::Kept;
use meshwork_router::{Needs, PathId, RelayNews};
use tokio::sync::OwnedSemaphorePermit;

use super::session::Session;
use crate::agent::FetchError;

/// Something that happened on a connection, in its order.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A session stands.
    Opened { session: Arc<Session>, peer: Box<PeerInfo> },
    /// A session has new keys, by a whole new handshake in its place.
    Renewed { path: PathId, peer: Box<PeerInfo> },
    /// Frames came in.
    Frames {
        path: PathId,
        frames: Vec<Vec<u8>>,
        /// Their part of what all connections may have waiting; given back when they are handled.
        _room: OwnedSemaphorePermit,
    },
    /// Calls, datagrams or streams go over a session, which the router does not see.
    Used(PathId),
    /// A session is over; it broke where there is an error.
    Closed { path: PathId, why: Option<SessionError> },
    /// A relay answered, or did not.
    Relay(RelayNews<'static>),
    /// A relay of ours gave a piece of mail.
    Mail {
        relay: AgentId,
        kept: Kept,
        /// Its part of what all connections may have waiting.
        _room: OwnedSemaphorePermit,
    },
    /// No address led to a session with this peer that offers what is needed.
    DialFailed { peer: AgentId, needs: Needs, why: FetchError },
    /// A newer card of a peer was fetched.
    Learned(Arc<Card>),
    /// This agent signed two cards of this number.
    Contradicted { agent: AgentId, number: Sequence },
}
