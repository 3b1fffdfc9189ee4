//! What the outside world tells the router.

use alloc::sync::Arc;

use meshwork_protocols::identity::{AgentId, Card, Transport};
use meshwork_protocols::lineage::Lineage;
use meshwork_protocols::posture::Posture;

use crate::command::Command;
use crate::needs::Needs;
use crate::output::{BatchId, PathId};

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The application or the operator wants something.
    Command(Command),
    /// A frame came out of an open path.
    Received {
        /// The path.
        path: PathId,
        /// The frame, as [`meshwork_protocols::wire::Frame`] encodes it.
        frame: &'a [u8],
    },
    /// Every batch up to this one is durable.
    Committed(BatchId),
    /// This batch is not durable and never will be, nor will any after it. The store stands open
    /// again at its last valid root.
    CommitFailed(BatchId),
    /// A way to a peer came, went, or could not be found.
    PathChanged(PathChange),
    /// A newer card of this agent's is in use.
    CardRenewed(Arc<Card>),
    /// Only time has passed.
    Tick,
}

/// What happened to a way to a peer.
#[derive(Debug)]
pub enum PathChange {
    /// A path can carry frames.
    Opened(PathOpened),
    /// A session has new keys, by a whole new handshake in its place.
    Renewed(PathRenewed),
    /// A path is gone, with everything that was on it.
    Closed(PathId),
    /// Nothing answered at any address of this peer that could offer what was needed, or none is
    /// known.
    DialFailed {
        /// The peer.
        peer: AgentId,
        /// As it was asked for.
        needs: Needs,
    },
    /// Something that the router does not see went over a path: a call, a datagram, a stream. To be
    /// said at most once a minute a path, and at the latest when it is the first.
    Used(PathId),
}

/// A path that can carry frames.
#[derive(Debug)]
pub struct PathOpened {
    /// Its name from now on; never given twice.
    pub path: PathId,
    /// Who is at its end.
    pub peer: AgentId,
    /// What it is.
    pub kind: PathKind,
}

/// What the Hello of a new handshake said, in a session that goes on.
#[derive(Debug)]
pub struct PathRenewed {
    /// The session.
    pub path: PathId,
    /// The card that the Hello named.
    pub card: Arc<Card>,
    /// Where the peer's state stands.
    pub lineage: Lineage,
    /// What the peer remembers of ours.
    pub remembered: Option<Lineage>,
}

/// What a path is.
#[derive(Debug)]
pub enum PathKind {
    /// A session in which both Hellos were accepted: `peer` is proved.
    Live {
        /// What it runs over.
        transport: Transport,
        /// The most bytes of a frame that it carries. One on which nothing is lost carries
        /// [`MAX_FRAME`](meshwork_protocols::wire::MAX_FRAME).
        largest_frame: usize,
        /// Whether we opened it.
        initiated: bool,
        /// How it protects.
        posture: Posture,
        /// The card that the Hello named.
        card: Arc<Card>,
        /// Where the peer's state stands.
        lineage: Lineage,
        /// What the peer remembers of ours, from an earlier session.
        remembered: Option<Lineage>,
    },
    /// A way for sealed packets only: who sent one is what the packet proves.
    Mail,
}
