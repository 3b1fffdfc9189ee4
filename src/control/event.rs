//! What happens, as it is told outside the process.

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::wire::MessageId;
use serde::{Deserialize, Serialize};

use super::named::Named;
use super::reply::Status;
use super::{Moment, text};

/// Something happened.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// What.
    #[serde(flatten)]
    pub happening: Happening,
}

/// What happened.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Happening {
    /// A message of ours moved on.
    Moved(Status),
    /// A message is durable in the inbox.
    Arrived {
        /// Who sent it.
        sender: Named,
        /// Its id.
        #[serde(with = "text")]
        message: MessageId,
    },
    /// A stranger wrote; its messages are held until the owner decides.
    FirstContact {
        /// The stranger.
        peer: Named,
    },
    /// A live session stands.
    Connected {
        /// The peer.
        peer: Named,
    },
    /// No live session stands any more.
    Disconnected {
        /// The peer.
        peer: Named,
    },
    /// None of a peer's addresses led to it. It is tried again by itself.
    Unreachable {
        /// The peer.
        peer: Named,
        /// Why the last attempt failed, in words.
        why: String,
    },
    /// Somebody who connected did not prove who it is.
    Rejected {
        /// From where.
        from: String,
        /// What was wrong, in words.
        why: String,
        /// How many more there were since the last of these events.
        more: u64,
    },
    /// Something happened in a group.
    Group {
        /// Its id.
        #[serde(with = "text")]
        group: GroupId,
        /// What, in words.
        what: String,
    },
    /// A new card of this agent is in use.
    CardRenewed {
        /// Its number.
        sequence: u64,
    },
    /// A peer did what an honest one does not, or its history does not fit.
    Suspect {
        /// The peer.
        peer: Named,
        /// What is wrong, in words.
        what: String,
    },
    /// This agent itself is in trouble: its state, its disk, its card.
    Trouble {
        /// What is wrong, in words.
        what: String,
    },
    /// So much happened that this watcher missed some of it.
    Missed {
        /// How many events.
        events: u64,
    },
}
