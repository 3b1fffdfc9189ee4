//! What the router tells the application.

use core::fmt;

use meshwork_protocols::fleet::{GroupError, GroupId, OfferError};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::wire::{MessageId, RefusalReason};
use meshwork_state::StoreError;
use serde::{Deserialize, Serialize};

use crate::choice::Choice;
use crate::command::{Answer, CommandError, Ticket};
use crate::deferred::UpkeepError;
use crate::lineage::Suspicion;

/// Something the application may want to know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A request is answered.
    Answered {
        /// The request's.
        ticket: Ticket,
        /// What it came to.
        answer: Result<Answer, CommandError>,
    },
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
    /// A message is durable in the inbox, to be read there by its arrival number.
    Arrived {
        /// Its number in the order of arrival.
        arrival: u64,
        /// Who sent it.
        sender: AgentId,
        /// Its id.
        id: MessageId,
        /// Whether this was said before a restart.
        repeat: bool,
    },
    /// A stranger wrote; the message is held until the owner accepts or blocks the stranger.
    FirstContact(AgentId),
    /// A live session with this peer stands.
    Connected(AgentId),
    /// No live session with this peer stands any more.
    Disconnected(AgentId),
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
    /// Own prekeys that are due could not be made. It is tried again within an hour.
    PrekeysNotMade(UpkeepError),
    /// Something happened in a group.
    Group {
        /// Which.
        group: GroupId,
        /// What.
        what: GroupEvent,
    },
    /// A row could not be read: the store is to be opened again, then
    /// [`crate::Input::CommitFailed`] said of the batch named.
    StoreFailed {
        /// The first batch that is lost.
        lost_from: crate::BatchId,
        /// How.
        error: StoreError,
    },
}

/// What happened in a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum GroupEvent {
    /// Its log is founded.
    Founded,
    /// An admin summons this agent: join, or decline.
    Invited {
        /// Who.
        by: AgentId,
    },
    /// This agent is in.
    Joined,
    /// A commit counts, and the group has new keys.
    Changed {
        /// Who made it.
        author: AgentId,
        /// The epoch that it led to.
        epoch: u64,
    },
    /// This agent was taken out. Nothing of the group is left here.
    Removed {
        /// By whom.
        by: AgentId,
    },
    /// A member wants to go; an admin takes it out.
    Leaving(AgentId),
    /// A message of ours moved on: it waits for the log, stands there ([`Level::Relayed`]), or its
    /// time was over before; and where it asked, every member has it, or dealt with it.
    Moved {
        /// The message.
        id: MessageId,
        /// How far it got.
        level: Level,
    },
    /// Somebody was not added, or not told of it: for a week none of its relays had an offer of it
    /// that counts. Invite it again later.
    NotAdded(AgentId),
    /// Somebody is not added yet: no relay of its own gives an offer of it. It is asked for again.
    WaitsFor(AgentId),
    /// An offer does not count, and another is asked for.
    BadOffer {
        /// Of whom it is said to be.
        peer: AgentId,
        /// What is wrong with it.
        why: OfferError,
    },
    /// This agent came in by its last resort, which its relays give when they have no other offer of
    /// it, and which others may have come by too. They get others.
    LastResort,
    /// A change was not made: only an admin may.
    NotAdmin,
    /// A change was not made.
    NotChanged {
        /// Why.
        why: GroupError,
    },
    /// A commit in the log breaks a rule, and all members pass it over.
    PassedOver {
        /// Who made it.
        author: AgentId,
        /// The rule.
        why: GroupError,
    },
    /// A message in the log does not open.
    NotOpened {
        /// Who appended it.
        author: AgentId,
        /// Why.
        why: GroupError,
    },
    /// This agent is back, by a commit of its own. What the log held meanwhile it did not read.
    Returned {
        /// How many entries.
        missed: u64,
    },
    /// A member says that it cannot process a commit.
    CannotProcess(AgentId),
    /// The holder of the log refuses what this agent asks. It is asked again within a minute.
    Refused,
    /// The log goes on at another relay. Messages and changes that were under way are made there.
    LogMoved {
        /// Who holds it from now on.
        to: AgentId,
        /// Who moved it.
        by: AgentId,
    },
    /// The log stays where it is: the relay that was to hold it does not want to, or did not answer
    /// for an hour.
    NotMoved {
        /// Which relay.
        to: AgentId,
    },
    /// The log's holder shows another history than the one that this agent read: it was put back
    /// to a copy, or lies. The log is read again, and what it lost is put back.
    OtherHistory,
    /// Another member reads another log than this agent: the holder shows two histories, and goes on
    /// doing so. An admin moves the log to a relay that does not.
    TwoLogs {
        /// Which member.
        with: AgentId,
    },
    /// A member that this agent took for out, by a commit that does not count, was not taken out again
    /// within five minutes: what is sent goes to it too.
    NotRemoved(AgentId),
    /// This agent cannot follow the log any more, and asks members for the way back.
    Stranded,
    /// The holder of the log does not list this agent any more, which has not read that it was taken
    /// out: others took it out in a history that it does not go by, or the holder lies. It asks
    /// members for the way back, and who has it as a member lists it again.
    NotListed,
}

impl fmt::Display for GroupEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Founded => f.write_str("its log is founded"),
            Self::Invited { by } => write!(f, "{by} invites this agent"),
            Self::Joined => f.write_str("this agent is in"),
            Self::Changed { author, epoch } => write!(f, "epoch {epoch} by {author}"),
            Self::Removed { by } => write!(f, "{by} took this agent out"),
            Self::Leaving(agent) => write!(f, "{agent} wants to leave"),
            Self::Moved { id, level } => write!(f, "message {id} {}", so_far(*level)),
            Self::NotAdded(peer) => write!(f, "{peer} was not added; no offer of it was found"),
            Self::WaitsFor(peer) => {
                write!(
                    f,
                    "{peer} is not added yet; no offer of it is to be had, it is asked for again"
                )
            }
            Self::BadOffer { peer, why } => {
                write!(f, "an offer of {peer} does not count, another is asked for: {why}")
            }
            Self::LastResort => f.write_str("this agent came in by the last resort of its offers"),
            Self::NotAdmin => f.write_str("a change was not made; only an admin may"),
            Self::NotChanged { why } => write!(f, "a change was not made: {why}"),
            Self::PassedOver { author, why } => {
                write!(f, "a commit of {author} is passed over: {why}")
            }
            Self::NotOpened { author, why } => {
                write!(f, "a message of {author} does not open: {why}")
            }
            Self::CannotProcess(agent) => write!(f, "{agent} cannot process a commit"),
            Self::Returned { missed } => {
                write!(f, "this agent is back; it missed {missed} entries")
            }
            Self::LogMoved { to, by } => write!(f, "its log goes on at {to}, moved by {by}"),
            Self::NotMoved { to } => write!(f, "its log was not moved; {to} does not take it"),
            Self::OtherHistory => f.write_str(
                "its log's holder shows another history than was read: put back to a copy, or lying",
            ),
            Self::TwoLogs { with } => write!(
                f,
                "{with} reads another log of it: the holder shows two, and an admin should move it"
            ),
            Self::Refused => f.write_str("the holder of its log refuses what is asked"),
            Self::NotRemoved(agent) => write!(
                f,
                "{agent} is a member: the commit that took it out does not count, and nobody made it again"
            ),
            Self::Stranded => f.write_str("this agent cannot follow its log any more"),
            Self::NotListed => f.write_str(
                "the holder of its log lists this agent no more: taken out by others, or the holder lies",
            ),
        }
    }
}

/// How far a message to a group is, in words.
const fn so_far(level: Level) -> &'static str {
    match level {
        Level::Relayed => "stands in the log",
        Level::Delivered => "is in the inbox of each member",
        Level::Processed => "was dealt with by each member",
        Level::Expired => "expired before it stood in the log",
        _ => "waits for the log",
    }
}

/// How a peer broke the protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// A frame that does not decode.
    #[error("sent a frame that is not one")]
    Malformed,
    /// A frame in clear outside a session.
    #[error("sent a frame in clear outside a session")]
    ClearOutsideSession,
    /// One id for two contents.
    #[error("used one message id for two contents")]
    IdReused,
    /// A bundle that it did not sign, or that is none.
    #[error("gave a bundle of prekeys that is none of its own")]
    BadBundle,
}

/// How far a message of ours got.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Level {
    /// Durable here.
    Queued,
    /// Left on a path. Forgotten by a restart, after which it is sent again.
    Sent,
    /// Opened and durable in the peer's inbox.
    Delivered,
    /// The peer's application marked it.
    Processed,
    /// No longer tried, and no receipt seen.
    Expired,
    /// The peer will never put it into its inbox.
    Refused(RefusalReason),
    /// Durable at a relay that keeps the peer's mail: between [`Level::Sent`] and
    /// [`Level::Delivered`]. It stands last because rows hold the places of those above.
    Relayed,
}

impl Level {
    /// Whether nothing can follow it but a late receipt.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Processed | Self::Expired | Self::Refused(_))
    }
}
