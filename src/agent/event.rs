//! What an application can watch.

use std::net::SocketAddr;

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::{AgentId, Sequence};
use meshwork_protocols::live::SessionError;
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::MessageId;
use meshwork_router::{Choice, GroupEvent, Level, Misbehaviour, Suspicion, UpkeepError};
use meshwork_state::{RestoreEvidence, StoreError, WitnessError};

use super::FetchError;

/// Something that happened. None of these holds a secret or a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A message of ours moved on.
    Moved {
        /// The message.
        id: MessageId,
        /// To whom.
        to: AgentId,
        /// How far it got.
        level: Level,
        /// How it went, or would go now, and why.
        choice: Choice,
    },
    /// A message is in the inbox.
    Arrived {
        /// Who sent it.
        sender: AgentId,
        /// Its id.
        id: MessageId,
    },
    /// A stranger wrote; its messages are held until the owner accepts or blocks it.
    FirstContact(AgentId),
    /// A live session with this peer stands.
    Connected(AgentId),
    /// No live session with this peer stands any more.
    Disconnected(AgentId),
    /// None of a peer's addresses led to it. It is tried again, later each time.
    Unreachable {
        /// The peer.
        peer: AgentId,
        /// What the last attempt failed with.
        why: FetchError,
    },
    /// Somebody who connected to us did not prove who it is. It was told nothing.
    Rejected {
        /// From where.
        from: SocketAddr,
        /// What was wrong.
        why: SessionError,
        /// How many more there were since the last of these events, of which there is at most one
        /// a second.
        more: u64,
    },
    /// What a peer says of its state, or remembers of ours, does not fit one history.
    Lineage {
        /// The peer.
        peer: AgentId,
        /// What is wrong.
        suspicion: Suspicion,
    },
    /// Two cards of one number differ: both are refused until a higher one comes.
    Equivocation(AgentId),
    /// A peer broke the protocol.
    Misbehaved {
        /// The peer.
        peer: AgentId,
        /// How.
        how: Misbehaviour,
    },
    /// An established session with this peer broke.
    Broken {
        /// The peer.
        peer: AgentId,
        /// How.
        why: SessionError,
    },
    /// Our state was put back from a copy. Sessions that seal ahead were given up.
    Restored(RestoreEvidence),
    /// A new card of ours is in use.
    CardRenewed(Sequence),
    /// Our card should be replaced and the root is not here: start once with the root before the
    /// card ends.
    RootWanted {
        /// When the card ends.
        until: WallTime,
    },
    /// New prekeys are due and could not be made. It is tried again within an hour.
    PrekeysNotMade(UpkeepError),
    /// Something happened in a group.
    Group {
        /// Which.
        group: GroupId,
        /// What.
        what: GroupEvent,
    },
    /// The store failed and was opened again; what had been answered is still there.
    StoreRecovered(StoreError),
    /// The witness could not be written; it is tried again.
    WitnessFailed(WitnessError),
    /// The store is lost, and the agent stops. What had been answered is durable.
    Stopped(StoreError),
    /// This many events were lost to this watcher, which did not keep up.
    Missed(u64),
}
