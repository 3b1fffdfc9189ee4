//! What is noted of a run: of the world what it did, of the routers what they decided.

use std::fmt;

use meshwork_protocols::identity::Transport;
use meshwork_protocols::relay::{Answer, Taken};
use meshwork_protocols::wire::{Frame, MessageId, Payload};
use meshwork_router::{Choice, CloseReason, Level, Misbehaviour, Needs, Suspicion};

use crate::happening::Ending;
use crate::network::Host;
use crate::trace::Note;

/// Something that the world did.
#[derive(Clone, Debug, Hash)]
pub enum Deed {
    /// A process began.
    Began {
        /// Whether its state was found to be restored.
        restored: bool,
    },
    /// A process did not begin, because its state did not open.
    DidNotBegin,
    /// A process ended.
    Ended(Ending),
    /// A commit of that many rows ended.
    Committed {
        /// How many.
        rows: usize,
        /// Whether it is durable.
        durable: bool,
    },
    /// The store was opened again.
    Reopened,
    /// A session with a host is looked for over a transport.
    Tries(Transport, Host),
    /// A session with a host stands over it.
    Stands(Transport, Host),
    /// A frame came out of a path.
    Received(FrameKind, Host),
    /// The network changed.
    Cut,
    /// The network is whole.
    Healed,
    /// A wall clock was set.
    ClockSet,
    /// The disk was copied.
    Copied,
    /// The disk was put back.
    PutBack,
    /// The disk broke.
    Lost,
    /// The session key was replaced.
    KeyRotated,
    /// A relay served that many requests.
    Served(usize),
    /// A relay answered a host.
    Gave(Host, Given),
    /// A relay reaches nobody.
    LeftAlone,
    /// A relay reaches everybody.
    Rejoined,
    /// The storm is over.
    Calm,
}

/// What a relay answered.
#[derive(Clone, Copy, Debug, Hash)]
pub enum Given {
    /// So many deposits are kept, and so many refused.
    Kept(usize, usize),
    /// So much mail.
    Mail(usize),
    /// A bundle, and whether a one-time key with it.
    Keys(bool),
    /// A refusal of this name.
    Refusal(&'static str),
    /// Something else.
    Other,
}

impl Given {
    /// What an answer gives.
    pub fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Deposited(outcomes) => {
                let kept = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
                Self::Kept(kept, outcomes.len() - kept)
            }
            Answer::Mail(mail) => Self::Mail(mail.len()),
            Answer::Taken(Taken::Prekeys { one_time, .. }) => Self::Keys(one_time.is_some()),
            Answer::Refused(refusal) => Self::Refusal(refusal.name()),
            _ => Self::Other,
        }
    }
}

/// Something that a router decided.
#[derive(Clone, Debug, Hash)]
pub enum Decision {
    /// A frame goes to a host.
    Transmit(FrameKind, Host),
    /// A host is to be dialled.
    Dial(Host, Needs),
    /// A path to a host is closed.
    Close(Host, CloseReason),
    /// Something is wanted of a relay.
    Errand(Host),
    /// Rows are to be written.
    Commit(usize),
    /// A request was answered.
    Answered(Result<Option<MessageId>, String>),
    /// A message of its own moved.
    Moved {
        /// The message.
        id: MessageId,
        /// To whom.
        to: Host,
        /// How far.
        level: Level,
        /// Which way, and why.
        choice: Choice,
    },
    /// A message of somebody is in the inbox.
    Arrived {
        /// Its place there.
        arrival: u64,
        /// Of whom.
        sender: Host,
        /// Its id.
        id: MessageId,
        /// Whether it was said before a restart.
        repeat: bool,
    },
    /// A stranger wrote.
    FirstContact(Host),
    /// A session stands.
    Connected(Host),
    /// None stands any more.
    Disconnected(Host),
    /// Two histories do not fit.
    Suspicious(Host, Suspicion),
    /// Two cards of one number.
    Equivocation(Host),
    /// A peer broke the protocol.
    Misbehaved(Host, Misbehaviour),
    /// A relay is asked something for a group.
    Asks(Host, &'static str),
    /// Something happened in a group.
    Group(String),
    /// A row could not be read.
    StoreFailed,
}

impl Note for Deed {
    const IS_DECISION: bool = false;
}

impl Note for Decision {
    const IS_DECISION: bool = true;
}

/// What a frame is, as far as who carries it can tell.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FrameKind {
    /// A message in clear within a session.
    Message,
    /// Receipts, that many.
    Receipts(usize),
    /// Something else that a router says of messages.
    Talk,
    /// A packet of a stored session.
    Sealed,
    /// Nothing that decodes.
    Garbage,
}

impl FrameKind {
    /// The kind of a frame.
    pub fn of(frame: &[u8]) -> Self {
        match Frame::decode(frame) {
            Ok(Frame::Clear(Payload::Message { .. })) => Self::Message,
            Ok(Frame::Clear(Payload::Receipts(receipts))) => Self::Receipts(receipts.len()),
            Ok(Frame::Clear(_) | Frame::Skipped(_)) => Self::Talk,
            Ok(Frame::Sealed(_)) => Self::Sealed,
            Err(_) => Self::Garbage,
        }
    }
}

impl fmt::Display for FrameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message => f.write_str("a message"),
            Self::Receipts(count) => write!(f, "{count} receipt(s)"),
            Self::Talk => f.write_str("talk of messages"),
            Self::Sealed => f.write_str("a sealed packet"),
            Self::Garbage => f.write_str("garbage"),
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began { restored: false } => f.write_str("begins"),
            Self::Began { restored: true } => f.write_str("begins, on a restored state"),
            Self::DidNotBegin => f.write_str("cannot open its state"),
            Self::Ended(Ending::Killed) => f.write_str("is killed"),
            Self::Ended(Ending::PowerLost) => f.write_str("loses power"),
            Self::Ended(Ending::Stopped) => f.write_str("stops"),
            Self::Committed { rows, durable: true } => write!(f, "commits {rows} row(s)"),
            Self::Committed { rows, durable: false } => write!(f, "fails to commit {rows} row(s)"),
            Self::Reopened => f.write_str("opens its store again"),
            Self::Tries(transport, to) => write!(f, "tries {to} over {transport}"),
            Self::Stands(transport, with) => {
                write!(f, "has a session with {with} over {transport}")
            }
            Self::Received(kind, from) => write!(f, "hears {kind} of {from}"),
            Self::Cut => f.write_str("is cut off from some"),
            Self::Healed => f.write_str("reaches everybody"),
            Self::ClockSet => f.write_str("has its clock set"),
            Self::Copied => f.write_str("has its disk copied"),
            Self::PutBack => f.write_str("has its disk put back"),
            Self::Lost => f.write_str("loses its disk"),
            Self::KeyRotated => f.write_str("replaces its session key"),
            Self::Served(count) => write!(f, "serves {count} request(s)"),
            Self::Gave(to, given) => write!(f, "answers {to}: {given:?}"),
            Self::LeftAlone => f.write_str("reaches nobody"),
            Self::Rejoined => f.write_str("reaches everybody again"),
            Self::Calm => f.write_str("sees the storm end"),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transmit(kind, to) => write!(f, "-> {to} {kind}"),
            Self::Dial(to, needs) => write!(f, "-> dials {to} ({needs:?})"),
            Self::Close(to, why) => write!(f, "-> closes a path to {to}: {why:?}"),
            Self::Errand(relay) => write!(f, "-> wants something of relay {relay}"),
            Self::Commit(rows) => write!(f, "-> wants {rows} row(s) durable"),
            Self::Answered(Ok(Some(id))) => write!(f, "accepted {id}"),
            Self::Answered(Ok(None)) => f.write_str("done"),
            Self::Answered(Err(error)) => write!(f, "refused: {error}"),
            Self::Moved { id, to, level, choice } => {
                write!(f, "{id} to {to} is {level:?} ({}: {})", choice.protocol, choice.reason)
            }
            Self::Arrived { arrival, sender, id, repeat } => {
                let again = if *repeat { " again" } else { "" };
                write!(f, "inbox {arrival}: {id} of {sender}{again}")
            }
            Self::FirstContact(of) => write!(f, "a stranger wrote: {of}"),
            Self::Connected(to) => write!(f, "is connected to {to}"),
            Self::Disconnected(from) => write!(f, "is disconnected from {from}"),
            Self::Suspicious(of, suspicion) => write!(f, "suspects {of}: {suspicion:?}"),
            Self::Equivocation(of) => write!(f, "holds two cards of {of} of one number"),
            Self::Misbehaved(of, how) => write!(f, "blames {of}: it {how}"),
            Self::Asks(relay, what) => write!(f, "-> asks relay {relay}: {what}"),
            Self::Group(what) => write!(f, "group: {what}"),
            Self::StoreFailed => f.write_str("could not read a row"),
        }
    }
}
