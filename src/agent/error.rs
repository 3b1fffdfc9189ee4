//! Why an agent did not do what it was asked, by what was asked.

use std::io;

use meshwork_protocols::identity::{CardError, NameError};
use meshwork_protocols::live::SessionError;
use meshwork_protocols::live::call::{CallEnd, CallRefused, Refusal};
use meshwork_router::CommandError;
use meshwork_state::{StoreError, WitnessError};
use meshwork_transports::DialError;

/// The agent was closed, or could not go on: [`crate::Event`] and the log say which.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the agent has stopped")]
pub struct Stopped;

/// Why a message was not taken on. Nothing was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No such peer is known: meet it, or accept it.
    #[error("no such peer is known")]
    UnknownPeer,
    /// The owner blocked this peer.
    #[error("this peer is blocked")]
    Blocked,
    /// The body is longer than [`crate::MAX_BODY`].
    #[error("the body is larger than a message may be")]
    TooLarge,
    /// The lifetime is not between a second and 30 days.
    #[error("a message lives between a second and 30 days")]
    BadLifetime,
    /// The id names another message.
    #[error("this id already names another message")]
    IdReused,
    /// A queue is full: try again later.
    #[error("a queue is full; try again later")]
    Busy,
    /// The store failed: try again; if it stays so the disk is full or broken.
    #[error("the message could not be made durable: {0}")]
    Store(StoreError),
    /// The transaction failed and was rolled back: try again.
    #[error("the message could not be made durable; try again")]
    CommitFailed,
    /// The agent has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A bug.
    #[error("a bug: the router answered what was not asked")]
    Broken,
}

impl SendError {
    /// Whether the same request can succeed later.
    pub const fn is_worth_a_retry(&self) -> bool {
        matches!(self, Self::Busy | Self::Store(_) | Self::CommitFailed)
    }
}

impl From<CommandError> for SendError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::UnknownPeer => Self::UnknownPeer,
            CommandError::Blocked => Self::Blocked,
            CommandError::TooLarge => Self::TooLarge,
            CommandError::BadLifetime => Self::BadLifetime,
            CommandError::IdReused => Self::IdReused,
            CommandError::Busy => Self::Busy,
            CommandError::Store(error) => Self::Store(error),
            CommandError::CommitFailed => Self::CommitFailed,
            _ => Self::Broken,
        }
    }
}

/// Why a message was not marked as processed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// No such message waits in the inbox.
    #[error("no such message is in the inbox")]
    UnknownMessage,
    /// The store failed: try again; if it stays so the disk is full or broken.
    #[error("the mark could not be made durable: {0}")]
    Store(StoreError),
    /// The transaction failed and was rolled back: try again.
    #[error("the mark could not be made durable; try again")]
    CommitFailed,
    /// The agent has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A bug.
    #[error("a bug: the router answered what was not asked")]
    Broken,
}

impl ProcessError {
    /// Whether the same request can succeed later.
    pub const fn is_worth_a_retry(&self) -> bool {
        matches!(self, Self::Store(_) | Self::CommitFailed)
    }
}

impl From<CommandError> for ProcessError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::UnknownMessage => Self::UnknownMessage,
            CommandError::Store(error) => Self::Store(error),
            CommandError::CommitFailed => Self::CommitFailed,
            _ => Self::Broken,
        }
    }
}

/// Why a message's way could not be told or waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// This agent sent no such message, or has forgotten it.
    #[error("no such message was sent")]
    UnknownMessage,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The agent has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl StatusError {
    /// Whether the same request can succeed later.
    pub const fn is_worth_a_retry(&self) -> bool {
        matches!(self, Self::Store(_))
    }
}

/// Why what is kept of a peer could not be told or changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// No such peer is kept.
    #[error("no such peer is known")]
    UnknownPeer,
    /// Another peer has this local name.
    #[error("another peer has this name")]
    NameTaken,
    /// The store failed: try again; if it stays so the disk is full or broken.
    #[error("the change could not be made durable: {0}")]
    Store(#[from] StoreError),
    /// The transaction failed and was rolled back: try again.
    #[error("the change could not be made durable; try again")]
    CommitFailed,
    /// The agent has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A bug.
    #[error("a bug: the router answered what was not asked")]
    Broken,
}

impl PeerError {
    /// Whether the same request can succeed later.
    pub const fn is_worth_a_retry(&self) -> bool {
        matches!(self, Self::Store(_) | Self::CommitFailed)
    }
}

impl From<CommandError> for PeerError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::UnknownPeer => Self::UnknownPeer,
            CommandError::NameTaken => Self::NameTaken,
            CommandError::Store(error) => Self::Store(error),
            CommandError::CommitFailed => Self::CommitFailed,
            _ => Self::Broken,
        }
    }
}

/// Why no session with a peer was to be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReachError {
    /// No such peer is known: meet it, or accept it.
    #[error("no such peer is known")]
    UnknownPeer,
    /// The owner blocked this peer.
    #[error("this peer is blocked")]
    Blocked,
    /// The peer does not answer, or not over what is needed: try again later.
    #[error("the peer does not answer")]
    Unreachable,
    /// As many peers are looked for as may be: try again later.
    #[error("as many peers are looked for as may be; try again later")]
    Busy,
    /// The peer's row could not be read: try again; if it stays so the disk is full or broken.
    #[error("the peer's row could not be read: {0}")]
    Store(StoreError),
    /// The agent has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A bug.
    #[error("a bug: the router answered what was not asked")]
    Broken,
}

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No session with the peer was to be had: nothing was sent.
    #[error(transparent)]
    NotReached(#[from] ReachError),
    /// No session with the peer was to be had before the deadline: nothing was sent.
    #[error("the peer was not reached before the deadline")]
    NotReachedInTime,
    /// It is no name of a service.
    #[error("not the name of a service: {0}")]
    BadName(NameError),
    /// The deadline is none, or more than an hour off.
    #[error("a call takes more than nothing and at most an hour")]
    BadDeadline,
    /// The body is longer than [`crate::MAX_CALL_BODY`], or than the transport that was asked for
    /// carries.
    #[error("the body is longer than a call over this transport may be")]
    TooLarge,
    /// As many calls to this peer are under way as may be: try again when some ended.
    #[error("as many calls to this peer are under way as may be; try again later")]
    Busy,
    /// The peer refused.
    #[error(transparent)]
    Refused(Refusal),
    /// No answer came in time. The peer may have done what was asked.
    #[error("no answer came before the deadline")]
    DeadlinePassed,
    /// The session ended before an answer came: call again.
    #[error("the session ended before an answer came")]
    Interrupted {
        /// Whether the request was on its way, so that the peer may have done what was asked.
        may_have_run: bool,
    },
}

impl CallError {
    /// Whether the peer may have done what was asked, or some of it. Where it may not, to call
    /// again is safe whatever the service does.
    pub const fn may_have_run(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.may_have_run(),
            Self::DeadlinePassed => true,
            Self::Interrupted { may_have_run } => *may_have_run,
            _ => false,
        }
    }

    /// Whether the same call can succeed later.
    pub const fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::NotReached(error) => error.is_worth_a_retry(),
            Self::NotReachedInTime | Self::Busy | Self::DeadlinePassed => true,
            Self::Interrupted { .. } => true,
            Self::Refused(refusal) => matches!(refusal, Refusal::Busy | Refusal::DeadlinePassed),
            _ => false,
        }
    }
}

impl From<CallRefused> for CallError {
    fn from(refused: CallRefused) -> Self {
        match refused {
            CallRefused::Busy => Self::Busy,
            CallRefused::BadDeadline => Self::NotReachedInTime,
            _ => Self::TooLarge,
        }
    }
}

impl From<CallEnd> for CallError {
    fn from(end: CallEnd) -> Self {
        match end {
            CallEnd::Refused(refusal) => Self::Refused(refusal),
            CallEnd::Interrupted { may_have_run } => Self::Interrupted { may_have_run },
            _ => Self::DeadlinePassed,
        }
    }
}

/// Why a datagram did not leave.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// No session with the peer was to be had.
    #[error(transparent)]
    NotReached(#[from] ReachError),
    /// It is longer than [`crate::MAX_DATAGRAM`]: fix the caller, or use a message.
    #[error("longer than a datagram may be")]
    TooLarge,
}

impl DatagramError {
    /// Whether the same datagram can leave later.
    pub const fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::NotReached(error) => error.is_worth_a_retry(),
            Self::TooLarge => false,
        }
    }
}

impl ReachError {
    /// Whether the same request can succeed later.
    pub const fn is_worth_a_retry(&self) -> bool {
        matches!(self, Self::Unreachable | Self::Busy | Self::Store(_))
    }
}

/// Why a peer did not become known.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MeetError {
    /// It is this agent itself.
    #[error("this is the agent's own identity")]
    Oneself,
    /// Its card was not to be had.
    #[error("the card could not be fetched: {0}")]
    Fetch(#[from] FetchError),
    /// The card does not count now.
    #[error("the card does not count: {0}")]
    Card(CardError),
    /// The card is older than the one held, revoked, or contradicts it.
    #[error("the card is not newer than the one that is held")]
    CardRefused,
    /// Another peer has this local name.
    #[error("another peer has this name")]
    NameTaken,
    /// As many peers are kept as may be: forget some.
    #[error("no more peers can be kept; forget some")]
    Full,
    /// The store failed: try again; if it stays so the disk is full or broken.
    #[error("the peer could not be made durable: {0}")]
    Store(StoreError),
    /// The transaction failed and was rolled back: try again.
    #[error("the peer could not be made durable; try again")]
    CommitFailed,
    /// The agent has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A bug.
    #[error("a bug: the router answered what was not asked")]
    Broken,
}

impl MeetError {
    /// Whether the same request can succeed later.
    pub const fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_worth_a_retry(),
            Self::Store(_) | Self::CommitFailed => true,
            _ => false,
        }
    }
}

impl From<CommandError> for MeetError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::CardRefused => Self::CardRefused,
            CommandError::NameTaken => Self::NameTaken,
            CommandError::Busy => Self::Full,
            CommandError::Store(error) => Self::Store(error),
            CommandError::CommitFailed => Self::CommitFailed,
            _ => Self::Broken,
        }
    }
}

/// Why no address led to a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No address of it is known that this build can dial.
    #[error("no address is known that can be dialled")]
    NoAddress,
    /// The host's name leads nowhere.
    #[error("the host is not known")]
    UnknownHost,
    /// Nothing answers there.
    #[error("nothing answers there: {0}")]
    Unreachable(io::ErrorKind),
    /// What answers there is not the agent, or did not prove to be.
    #[error(transparent)]
    Session(SessionError),
    /// What answers there is the agent, and went away in good order before the end.
    #[error("the peer closed the session")]
    Closed,
    /// The card that is held of it ended, and no newer one was to be had.
    #[error("the card that is held does not count: {0}")]
    Card(CardError),
    /// The peer's row could not be read.
    #[error(transparent)]
    Store(StoreError),
}

impl FetchError {
    /// Whether another try can succeed later.
    pub const fn is_worth_a_retry(&self) -> bool {
        !matches!(self, Self::NoAddress)
    }
}

impl From<DialError> for FetchError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::UnknownHost => Self::UnknownHost,
            DialError::Unreachable(kind) => Self::Unreachable(kind),
            _ => Self::NoAddress,
        }
    }
}

/// What was left undone when an agent was closed. Its state is whole all the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// The session keys were not replaced, or the last changes not made durable.
    #[error("the store failed while it was closed: {0}")]
    Store(#[from] StoreError),
    /// The witness was not written: it lags behind, as after a crash.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// It had stopped before.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}
