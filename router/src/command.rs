//! What the application and the operator can ask for, and what they are answered.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use meshwork_protocols::deferred::agent::BundleError;
use meshwork_protocols::fleet::{GroupError, GroupId};
use meshwork_protocols::identity::{AgentId, Card, Sequence};
use meshwork_protocols::wire::{ContentType, MessageId};
use meshwork_state::StoreError;

use crate::fleets::GroupRequest;
use crate::needs::Needs;
use crate::output::PathId;
use crate::peer::{Meeting, Standing};

/// Pairs a request with its answer; chosen by whoever asks.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ticket(pub u64);

/// A request that is answered once, by [`crate::Event::Answered`], when what it changed is durable,
/// or what it asks for is there.
#[derive(Debug)]
pub struct Command {
    /// Comes back with the answer.
    pub ticket: Ticket,
    /// What is wanted.
    pub request: Request,
}

/// What is wanted.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request {
    /// Deliver a message.
    Send(Outgoing),
    /// The application has dealt with this message.
    Process {
        /// Who sent it.
        sender: AgentId,
        /// Its id.
        id: MessageId,
    },
    /// Learn a card and how its owner stands with us.
    Meet {
        /// The card, verified.
        card: Arc<Card>,
        /// What the owner says.
        meeting: Meeting,
    },
    /// The root of a peer revoked its cards up to this number: sessions on them end.
    Revoke {
        /// The peer.
        peer: AgentId,
        /// The last number that is revoked.
        number: Sequence,
    },
    /// Change how a peer stands; accepting a stranger delivers what was held.
    Stand {
        /// The peer.
        peer: AgentId,
        /// Its new standing.
        standing: Standing,
    },
    /// Give a peer another local name, or none.
    Name {
        /// The peer.
        peer: AgentId,
        /// The name, unique among the peers.
        name: Option<String>,
    },
    /// Replace the signed prekeys now; what was sealed to the old ones still opens.
    RotatePrekeys,
    /// Sign a bundle that offers the prekeys of now, and give it to every known peer that is here.
    PublishPrekeys,
    /// Take a peer's bundle that came as a file.
    ImportBundle(Vec<u8>),
    /// Forget a peer; what was sent to it and not delivered expires.
    Forget(AgentId),
    /// A live session with a peer, for what goes over one beside messages. It is answered at once
    /// where one stands, else when one opens or none is found.
    Reach {
        /// The peer.
        peer: AgentId,
        /// What the session must offer.
        needs: Needs,
    },
    /// Something of groups.
    Group(GroupRequest),
}

/// A message to deliver.
#[derive(Clone, Eq, PartialEq)]
pub struct Outgoing {
    /// To whom.
    pub to: AgentId,
    /// An id of the caller's choice makes a repeated send safe; `None` draws one.
    pub id: Option<MessageId>,
    /// What the body is.
    pub content_type: ContentType,
    /// The body.
    pub body: Vec<u8>,
    /// How long to try.
    pub lifetime: Duration,
    /// Whether it must be handed out after the earlier ordered ones to this peer.
    pub ordered: bool,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("to", &self.to)
            .field("id", &self.id)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// What a request came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// The message is durable here and will be put into the peer's inbox once, or its end will be
    /// told.
    Accepted(MessageId),
    /// Done, durably.
    Done,
    /// The bundle of this peer is kept.
    Imported(AgentId),
    /// This agent is in this group.
    Group(GroupId),
    /// This live session stands and offers what is needed. It may be gone before it is used.
    Reached(PathId),
}

/// Why a request came to nothing. Nothing was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Nothing is known of this peer: fix the caller, or learn its card.
    #[error("no such peer is known")]
    UnknownPeer,
    /// The owner blocked this peer.
    #[error("this peer is blocked")]
    Blocked,
    /// The body is too large: fix the caller, or use a stream.
    #[error("the body is larger than a message may be")]
    TooLarge,
    /// The lifetime is zero or longer than 30 days: fix the caller.
    #[error("a message lives between a second and 30 days")]
    BadLifetime,
    /// The id names another message: fix the caller.
    #[error("this id already names another message")]
    IdReused,
    /// No such message waits in the inbox.
    #[error("no such message is in the inbox")]
    UnknownMessage,
    /// Another peer has this local name.
    #[error("another peer has this name")]
    NameTaken,
    /// The card is older than the one held, revoked, or contradicts it.
    #[error("the card is not newer than the one that is held")]
    CardRefused,
    /// This agent has no deferred identity: start it once with its root.
    #[error("this agent takes no mail while it is away: its card names no key for it")]
    NoMail,
    /// This agent has no key for groups: start it once with its root.
    #[error("this agent takes part in no group: its card names no key for it")]
    NoFleets,
    /// This agent is in no such group.
    #[error("this agent is in no such group")]
    UnknownGroup,
    /// No relay is known that would hold the group's log.
    #[error("no relay is known to hold the log of the group")]
    NoRelay,
    /// Nobody invited this agent there, or what the invitation needs is gone.
    #[error("there is no invitation to this group that counts")]
    NotInvited,
    /// A group cannot be called that.
    #[error("a group's name has at most 64 bytes, without control characters")]
    BadName,
    /// This agent cannot follow the log of the group any more: ask an admin to invite it anew.
    #[error("this agent cannot follow the log of the group any more")]
    Stranded,
    /// The group does not allow it.
    #[error("{0}")]
    Group(GroupError),
    /// The bundle is none to seal to.
    #[error("{0}")]
    Bundle(#[from] BundleError),
    /// The peer does not answer where it could offer what is needed: try again later.
    #[error("the peer does not answer")]
    Unreachable,
    /// A queue is full: try again later.
    #[error("a queue is full; try again later")]
    Busy,
    /// The store failed: try again; if it stays so the disk is full or broken.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// The commit failed: try again.
    #[error("the commit failed and was rolled back; try again")]
    CommitFailed,
}

impl CommandError {
    /// Whether the same request can succeed later.
    pub const fn is_worth_a_retry(self) -> bool {
        matches!(self, Self::Busy | Self::Unreachable | Self::Store(_) | Self::CommitFailed)
    }
}
