//! What the outside world tells the router.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::deferred::agent::PoolKey;
use meshwork_protocols::identity::{AgentId, Card, Transport};
use meshwork_protocols::lineage::Lineage;
use meshwork_protocols::posture::Posture;
use meshwork_protocols::relay::Answer;

use crate::command::Command;
use crate::fleets::AskId;
use crate::needs::Needs;
use crate::output::{BatchId, PathId};
use crate::relays::DepositId;

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
    /// A relay answered, or did not.
    Relay(RelayNews<'a>),
    /// A newer card of this agent's is in use.
    CardRenewed(Arc<Card>),
    /// Something is offered to agents that are not known, or no more: so many sessions with them
    /// may stand at once, or as many as an agent has that offers them nothing, if that is more.
    /// Each costs some ten kilobytes. Those that stand stay.
    Welcome {
        /// The most of them.
        strangers: usize,
    },
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
        /// The most bytes of a frame in the clear that it carries; it carries what such a frame
        /// is once it is sealed too. One on which nothing is lost carries
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

/// What a relay answered, or that it did not.
#[derive(Debug)]
pub enum RelayNews<'a> {
    /// What was to be left is durable there.
    Deposited(DepositId),
    /// It is not, as far as is known.
    NotDeposited {
        /// The deposit.
        deposit: DepositId,
        /// Why.
        why: RelayFailure,
    },
    /// A relay was asked for the prekeys of a peer.
    Taken {
        /// The relay.
        relay: AgentId,
        /// The peer.
        of: AgentId,
        /// What it gave, as it came.
        prekeys: Result<TakenPrekeys, RelayFailure>,
    },
    /// Mail lies in the mailbox that a relay keeps for us.
    Mail(RelayMail<'a>),
    /// A relay of ours answers.
    Met {
        /// The relay.
        relay: AgentId,
        /// How many one-time keys of ours nobody has taken there.
        depth: usize,
        /// Whether it did not answer before, or was never asked.
        is_back: bool,
        /// How many offers of ours, by which groups add us.
        offers: usize,
    },
    /// Our rules are durable there.
    Ruled {
        /// The relay.
        relay: AgentId,
        /// Their revision.
        revision: u64,
    },
    /// A relay answered what a group asked of it, or did not. A refusal is an answer.
    Answered {
        /// The request.
        ask: AskId,
        /// What it said.
        answer: Result<Answer, RelayFailure>,
    },
    /// Our bundle is durable there, and with it a pool, if one was published.
    Published {
        /// The relay.
        relay: AgentId,
        /// The number of the pool.
        pool: Option<u64>,
    },
}

/// Why a relay did not do what was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RelayFailure {
    /// It does not answer, or its answer was lost: it may have done it.
    Gone,
    /// It does not do it now.
    NotNow {
        /// When to ask again.
        retry_after: Duration,
    },
    /// It does not do it for this peer, or has nothing of it.
    Refused,
}

/// A piece of mail.
#[derive(Clone, Copy, Debug)]
pub struct RelayMail<'a> {
    /// The relay that kept it.
    pub relay: AgentId,
    /// Its number there, by which it is acknowledged.
    pub entry: u64,
    /// Who left it, as the relay says: only what opens proves it.
    pub from: AgentId,
    /// The frame, as [`meshwork_protocols::wire::Frame`] encodes it.
    pub frame: &'a [u8],
}

/// What a relay gave of a peer's prekeys. Nothing of it is believed before it is verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TakenPrekeys {
    /// The peer's card, where the relay has one.
    pub card: Option<Vec<u8>>,
    /// The bundle.
    pub bundle: Vec<u8>,
    /// A one-time key that nobody else was given; `None` where there is none any more.
    pub one_time: Option<TakenKey>,
}

/// A one-time key, with what proves whose it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TakenKey {
    /// The signed part of its pool.
    pub pool: Vec<u8>,
    /// The key, with its way to the pool's root.
    pub key: PoolKey,
}
