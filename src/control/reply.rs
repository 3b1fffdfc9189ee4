//! What an agent answers.

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::{AgentId, Transport};
use meshwork_protocols::posture::Posture;
use meshwork_protocols::wire::{ContentType, MessageId};
use meshwork_router::{Choice, Dialling, Level, Protocol, Reason, RelaySituation, Standing};
use serde::{Deserialize, Serialize};

use super::groups::{EntryTrial, Group, GroupEntry, GroupMessage, Invitation};
use super::named::Named;
use super::relay::RelayFigures;
use super::{Body, BundleFacts, Event, Fault, Moment, Prekeys, Transfer, Via, text};

/// A line of an answer. On the socket it stands beside the number of the request. An answer is any
/// number of lines, and then one that says `done` or `error`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    /// Who the agent is.
    Identity(Identity),
    /// A card.
    Card(CardFacts),
    /// A peer.
    Peer(Peer),
    /// A message of ours.
    Status(Status),
    /// A message that arrived.
    Delivery(Delivery),
    /// How a message would go.
    Route(Route),
    /// What the agent does as a relay.
    Relay(RelayFigures),
    /// The agent's prekeys.
    Prekeys(Prekeys),
    /// A bundle of prekeys.
    Bundle(BundleFacts),
    /// The answer to a call of ours.
    Answer(Answer),
    /// A peer calls a service that the asker offers.
    Asked(Asked),
    /// Nobody waits for the answer to this call any more.
    Withdrawn {
        /// Its number.
        call: u64,
    },
    /// How far a file got.
    Transfer(Transfer),
    /// A group that the agent is in.
    Group(Group),
    /// An invitation to a group.
    Invitation(Invitation),
    /// A message to a group.
    GroupMessage(GroupMessage),
    /// An entry of a group's log.
    GroupEntry(GroupEntry),
    /// What an entry of a group's log would come to.
    EntryTrial(EntryTrial),
    /// Something happened.
    Event(Event),
    /// All is done and said.
    Done {},
    /// The request came to nothing.
    Error(Fault),
}

/// Who an agent is, and where it listens.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Identity {
    /// Its id.
    #[serde(with = "text")]
    pub agent: AgentId,
    /// Where it listens now, each one line for another agent to copy.
    pub contacts: Vec<String>,
    /// The version of this protocol that the agent speaks.
    pub control: u32,
}

/// What a card says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CardFacts {
    /// Whose it is.
    #[serde(with = "text")]
    pub agent: AgentId,
    /// Its number among the cards of its agent.
    pub sequence: u64,
    /// From when it counts.
    pub not_before: Moment,
    /// Until when.
    pub not_after: Moment,
    /// Where the agent listens, best first.
    pub addresses: Vec<String>,
    /// Who keeps mail for it, best first.
    pub relays: Vec<String>,
    /// The live suites it accepts, best first.
    pub suites: Vec<u8>,
    /// Services that it offers, each with its version.
    pub services: Vec<String>,
    /// Where it says that its data stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The card itself.
    pub text: String,
}

/// A peer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Peer {
    /// Who it is.
    #[serde(flatten)]
    pub who: Named,
    /// How it stands with the owner.
    pub standing: Standing,
    /// Where it was reached, as the owner wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Whether a live session with it stands.
    pub connected: bool,
    /// How many of its messages are held until the owner decides.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held: usize,
    /// What went between it and the agent since the agent's start.
    pub dealings: Dealings,
}

/// What went between an agent and a peer since the agent's start. Many handshakes beside few reuses
/// are a hop that talks too often and too little at a time.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Dealings {
    /// Sessions that were opened, whoever dialled.
    pub handshakes: u64,
    /// How often a session was used again instead of a new one.
    pub reuses: u64,
    /// Bytes of frames that came.
    pub bytes_in: u64,
    /// Bytes of frames that went.
    pub bytes_out: u64,
    /// Over what the session goes that is used now, if one stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Via>,
}

impl From<crate::Dealings> for Dealings {
    fn from(dealings: crate::Dealings) -> Self {
        let crate::Dealings { handshakes, reuses, bytes_in, bytes_out, transport, .. } = dealings;
        let transport = transport.and_then(|transport| match transport {
            Transport::Quic => Some(Via::Quic),
            Transport::Udp => Some(Via::Udp),
            Transport::Tcp => Some(Via::Tcp),
            // One of a later version.
            _ => None,
        });
        Self { handshakes, reuses, bytes_in, bytes_out, transport }
    }
}

/// The answer to a call of ours.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Answer {
    /// Who answered, proved.
    pub from: Named,
    /// Which service.
    pub service: String,
    /// What it says.
    pub body: Body,
    /// How long it took.
    pub millis: u64,
}

/// A call of a peer's, for the asker to answer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Asked {
    /// Its number, for `answer` and `decline`.
    pub call: u64,
    /// Who calls, proved.
    pub caller: Named,
    /// Which service.
    pub service: String,
    /// What it is told.
    pub body: Body,
    /// How long the caller still waits.
    pub deadline_millis: u64,
}

/// How far a message of ours got.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Status {
    /// Its id.
    #[serde(with = "text")]
    pub message: MessageId,
    /// To whom.
    pub to: Named,
    /// How far.
    pub level: Progress,
    /// Why the peer will never take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// What protects it, or would now.
    pub protocol: Protocol,
    /// Why that was chosen.
    pub reason: Reason,
    /// The reason in words.
    pub why: String,
}

impl Status {
    /// What a message came to, in the words of the socket.
    pub fn new(message: MessageId, to: Named, level: Level, choice: Choice) -> Self {
        let refusal = match level {
            Level::Refused(reason) => Some(reason.to_string()),
            _ => None,
        };
        let Choice { protocol, reason } = choice;
        let why = reason.to_string();
        Self { message, to, level: level.into(), refusal, protocol, reason, why }
    }
}

/// How far a message got, by name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Progress {
    /// Durable here.
    Queued,
    /// Left on a path.
    Sent,
    /// Durable at a relay that keeps the peer's mail.
    Relayed,
    /// Durable in the peer's inbox.
    Delivered,
    /// Marked by the peer's application.
    Processed,
    /// No longer tried.
    Expired,
    /// The peer will never take it.
    Refused,
}

impl Progress {
    /// As it is written on the socket.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Relayed => "relayed",
            Self::Delivered => "delivered",
            Self::Processed => "processed",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }
}

impl From<Level> for Progress {
    fn from(level: Level) -> Self {
        match level {
            Level::Sent => Self::Sent,
            Level::Relayed => Self::Relayed,
            Level::Delivered => Self::Delivered,
            Level::Processed => Self::Processed,
            Level::Expired => Self::Expired,
            Level::Refused(_) => Self::Refused,
            // A level that is added later is at least accepted.
            _ => Self::Queued,
        }
    }
}

/// A message that arrived.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Delivery {
    /// Its id, for its sender.
    #[serde(with = "text")]
    pub message: MessageId,
    /// Who sent it, proved.
    pub sender: Named,
    /// What brought it.
    pub protocol: Protocol,
    /// How it was protected on its way.
    pub posture: Protection,
    /// When it came, by this agent's clock.
    pub received: Moment,
    /// When its sender accepted it, by the sender's clock.
    pub created: Moment,
    /// What the body is.
    pub content_type: ContentType,
    /// The body.
    pub body: Body,
    /// Whether this was said before a restart.
    pub repeat: bool,
    /// The group that it was sent to, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::maybe")]
    pub group: Option<GroupId>,
}

/// What an adversary would have to break: `classical` or `hybrid`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Protection {
    /// To read it.
    pub encryption: String,
    /// To have forged it.
    pub authentication: String,
}

impl From<Posture> for Protection {
    fn from(posture: Posture) -> Self {
        let Posture { encryption, authentication } = posture;
        Self { encryption: encryption.to_string(), authentication: authentication.to_string() }
    }
}

/// How a message to a peer would go now.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Route {
    /// The peer.
    pub to: Named,
    /// How it stands with the owner.
    pub standing: Standing,
    /// What would protect a message.
    pub protocol: Protocol,
    /// Why.
    pub reason: Reason,
    /// The reason in words.
    pub why: String,
    /// Whether a live session stands.
    pub connected: bool,
    /// How the search for one goes.
    pub dialling: Search,
    /// Whether something is linked that can seal for a peer that is away.
    pub stored: bool,
    /// What the relays could do that keep its mail.
    pub relays: MailRelays,
    /// How many messages to it are not settled.
    pub waiting: usize,
}

/// How the search for a live session goes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Search {
    /// Nobody looked yet.
    Untried,
    /// The peer's addresses are being tried.
    UnderWay,
    /// The last search found nothing; the next one comes by itself.
    Failed,
}

impl Search {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Untried => "not tried yet",
            Self::UnderWay => "under way",
            Self::Failed => "found nothing, tried again by itself",
        }
    }
}

impl From<Dialling> for Search {
    fn from(dialling: Dialling) -> Self {
        match dialling {
            Dialling::Untried => Self::Untried,
            Dialling::UnderWay => Self::UnderWay,
            Dialling::Failed => Self::Failed,
        }
    }
}

/// What the relays could do that a peer's card names.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MailRelays {
    /// The card names none.
    None,
    /// One that did not fail lately would be used.
    Usable,
    /// Each failed lately, or takes nothing for the peer now.
    Unreachable,
}

impl MailRelays {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none known",
            Self::Usable => "one is used while the peer is away",
            Self::Unreachable => "none answers, tried again by itself",
        }
    }
}

impl From<RelaySituation> for MailRelays {
    fn from(relays: RelaySituation) -> Self {
        match relays {
            RelaySituation::None => Self::None,
            RelaySituation::Usable(_) => Self::Usable,
            RelaySituation::Unreachable => Self::Unreachable,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}
