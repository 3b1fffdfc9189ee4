//! What can be asked of an agent.

use meshwork_protocols::identity::{AgentId, Transport};
use meshwork_protocols::wire::{ContentType, MessageId};
use serde::{Deserialize, Serialize};

use super::groups::EntryKind;
use super::{Body, SendFile, text};
use crate::Declined;

/// What is asked. On the socket it stands beside a number of the asker's, `{"id": 1, "do": ..}`,
/// that comes back with each line of the answer. A field that is not known is refused, so that
/// nobody is answered who asked for more than was understood.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Request {
    /// Who the agent is: one [`Identity`](super::Identity).
    Id {},
    /// Its card: one [`CardFacts`](super::CardFacts).
    Card {},
    /// The peers that are known, blocked or held: a [`Peer`](super::Peer) each.
    Peers {},
    /// The strangers whose messages are held until the owner decides: a [`Peer`](super::Peer)
    /// each.
    Strangers {},
    /// Learn who stands behind a contact, whose card is fetched: one [`Peer`](super::Peer).
    Meet {
        /// `mw1..@host:port`.
        contact: String,
        /// A local name to give.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Learn a card that came some other way: one [`Peer`](super::Peer).
    Import {
        /// Its text, from `-----BEGIN` on.
        card: String,
        /// A local name to give.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Say how a peer stands: one [`Peer`](super::Peer). A stranger that becomes known has its
    /// held messages delivered.
    Stand {
        /// Its id or local name.
        peer: String,
        /// The new standing.
        standing: Stand,
    },
    /// Give a peer a local name: one [`Peer`](super::Peer).
    Name {
        /// Its id or local name.
        peer: String,
        /// The name.
        name: String,
    },
    /// Forget a peer; what was sent to it and not delivered expires.
    Forget {
        /// Its id or local name.
        peer: String,
    },
    /// Deliver a message: one [`Status`](super::Status), when it is durable here, or when it got
    /// as far as was waited for.
    Send(Send),
    /// How far a message got: one [`Status`](super::Status), or of a message to a group one
    /// [`GroupMessage`](super::GroupMessage).
    Status {
        /// Its id.
        #[serde(with = "text")]
        message: MessageId,
    },
    /// What arrived and was not marked as processed: a [`Delivery`](super::Delivery) each, in
    /// the order of arrival. Nothing is marked by being shown.
    Inbox {
        /// Whether to go on with what arrives from now on.
        #[serde(default)]
        follow: bool,
    },
    /// The application has dealt with this message: it leaves the inbox, and its sender learns.
    Processed {
        /// Who sent it.
        #[serde(with = "text")]
        sender: AgentId,
        /// Its id.
        #[serde(with = "text")]
        message: MessageId,
    },
    /// How a message to this peer would go now, and why: one [`Route`](super::Route).
    Explain {
        /// Its id or local name.
        peer: String,
    },
    /// Call a service of a peer: one [`CallAnswer`](super::CallAnswer).
    Call(Call),
    /// Offer services to the known peers, and answer their calls: an [`Asked`](super::Asked) each,
    /// and a word where a caller does not wait any more. Each is answered, over another
    /// connection, by `answer` or `decline`.
    Serve {
        /// Their names.
        services: Vec<String>,
    },
    /// Answer a call that was told of by `serve`.
    Answer {
        /// Its number.
        call: u64,
        /// The answer.
        body: Body,
    },
    /// Refuse a call that was told of by `serve`.
    Decline {
        /// Its number.
        call: u64,
        /// Why.
        why: Decline,
    },
    /// Send a file over a stream: a [`Transfer`](super::Transfer) from time to time, and one when the
    /// peer has kept it.
    SendFile(SendFile),
    /// Take the files that known peers send from now on: a [`Transfer`](super::Transfer) each, from
    /// time to time and when it was kept or not.
    ReceiveFiles {
        /// The directory to keep them in, an absolute path. Nothing there is overwritten.
        into: String,
        /// Which streams: `files` where it does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// The agent's prekeys, and what is known of its peers': one [`Prekeys`](super::Prekeys).
    Prekeys {},
    /// What it does as a relay: one [`RelayFigures`](super::RelayFigures), or none where it is not
    /// one.
    Relay {},
    /// Replace the signed prekeys now: one [`Prekeys`](super::Prekeys). The replaced ones still open
    /// mail.
    RotatePrekeys {},
    /// Sign the bundle anew and give it to every known peer that is here: one
    /// [`Prekeys`](super::Prekeys).
    PublishPrekeys {},
    /// The newest bundle, for a file: one [`BundleFacts`](super::BundleFacts).
    ExportPrekeys {},
    /// Take a known peer's bundle that came as a file: one [`BundleFacts`](super::BundleFacts).
    ImportPrekeys {
        /// Its text, from `-----BEGIN` on.
        bundle: String,
    },
    /// The groups that the agent is in, and those that it is invited to: a
    /// [`Group`](super::Group) or an [`Invitation`](super::Invitation) each.
    Groups {
        /// Only this one, by its id or name: one [`Group`](super::Group).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
    },
    /// Found a group: one [`Group`](super::Group).
    CreateGroup {
        /// What to call it.
        name: String,
        /// The relay that is to hold its log, as a contact; the first of the agent's own where it
        /// does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        relay: Option<String>,
    },
    /// Change a group: one [`Group`](super::Group), when the change is durable here, or when it was
    /// made. Nothing where the agent is no member after it.
    ChangeGroup(ChangeGroup),
    /// Follow an invitation: one [`Group`](super::Group), when the agent is in.
    JoinGroup {
        /// The group's id or name.
        group: String,
    },
    /// Give an invitation up.
    DeclineGroup {
        /// The group's id or name.
        group: String,
    },
    /// Forget a group here, without a word to its members.
    ForgetGroup {
        /// Its id or name.
        group: String,
    },
    /// Send a message to each member of a group: one [`GroupMessage`](super::GroupMessage), when it is
    /// durable here, or when it stands in the log.
    SendToGroup(SendToGroup),
    /// What stands in the log of a group: a [`GroupEntry`](super::GroupEntry) each.
    GroupLog {
        /// Its id or name.
        group: String,
        /// Entries behind this place.
        #[serde(default)]
        after: u64,
        /// Whether to give the sealed bytes too.
        #[serde(default)]
        sealed: bool,
    },
    /// What an entry of a group's log would come to with the keys of this agent, which changes
    /// nothing: one [`EntryTrial`](super::EntryTrial).
    TryEntry {
        /// The group's id or name.
        group: String,
        /// What the entry is: a commit or a message.
        kind: EntryKind,
        /// Its sealed bytes.
        sealed: Body,
    },
    /// What happens from now on: an [`Event`](super::Event) each.
    Watch {},
    /// End the agent's process.
    Stop {},
}

impl Request {
    /// Whether its answer goes on until the asker asks something else or goes away.
    pub fn is_endless(&self) -> bool {
        matches!(
            self,
            Self::Watch {}
                | Self::Inbox { follow: true }
                | Self::Serve { .. }
                | Self::ReceiveFiles { .. }
        )
    }
}

/// A message to deliver.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// To whom: an id, a local name, or a contact, whose card is fetched if it is not known.
    pub to: String,
    /// The body.
    pub body: Body,
    /// What the body is: a media type, or any short name that both applications know.
    #[serde(default)]
    pub content_type: ContentType,
    /// An id of the asker's own makes it safe to ask again: one is sent once.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_id")]
    pub message: Option<MessageId>,
    /// How long to try, at most 30 days; 7 days where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u64>,
    /// Whether it must be handed out after the earlier ordered ones to this peer.
    #[serde(default)]
    pub ordered: bool,
    /// What to wait for before answering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
}

/// A change of a group.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeGroup {
    /// The group's id or name.
    pub group: String,
    /// What to change.
    pub change: GroupChange,
    /// Whom it is about, each an id or a local name; nobody where the change is about this agent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// The relay to which the log moves, as a contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
    /// How long to wait until it is made; not at all where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u64>,
}

/// What to change of a group.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupChange {
    /// Bring peers in: each is invited once the log has the commit.
    Invite,
    /// Bring members in anew that cannot follow the log any more.
    Heal,
    /// Take members out.
    Remove,
    /// Make members admins.
    Appoint,
    /// Make admins members like the others.
    Dismiss,
    /// Draw new keys of this agent's.
    Rotate,
    /// Move the log to another relay.
    Move,
    /// Ask to be taken out.
    Leave,
}

/// A message to a group.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SendToGroup {
    /// The group's id or name.
    pub group: String,
    /// The body.
    pub body: Body,
    /// What the body is: a media type, or any short name that all applications know.
    #[serde(default)]
    pub content_type: ContentType,
    /// An id of the asker's own makes it safe to ask again: one is sent once.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_id")]
    pub message: Option<MessageId>,
    /// How long it counts, at most 30 days; 7 days where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u64>,
    /// What every member is to say of it; nothing where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<WaitFor>,
    /// How long to wait until it stands in the log, or every member has said what it asks; not at all
    /// where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u64>,
}

/// A call to make.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// To whom: an id, a local name, or a contact, whose card is fetched if it is not known.
    pub to: String,
    /// Which of its services.
    pub service: String,
    /// What the service is told.
    pub body: Body,
    /// How long to wait for the answer, at most an hour; 30 seconds where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_millis: Option<u64>,
    /// Over which transport; the one that stands or answers first where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
}

/// A transport, by name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// QUIC.
    Quic,
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

impl From<Via> for Transport {
    fn from(via: Via) -> Self {
        match via {
            Via::Quic => Self::Quic,
            Via::Udp => Self::Udp,
            Via::Tcp => Self::Tcp,
        }
    }
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decline {
    /// It could not be answered.
    Failed,
    /// This caller may not have it.
    NotAllowed,
    /// There is too much to do; the caller may try again later.
    Busy,
}

impl From<Decline> for Declined {
    fn from(why: Decline) -> Self {
        match why {
            Decline::Failed => Self::Failed,
            Decline::NotAllowed => Self::NotAllowed,
            Decline::Busy => Self::Busy,
        }
    }
}

/// What to wait for, and how long.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// The level; an end of another kind ends the wait too.
    #[serde(rename = "for")]
    pub level: WaitFor,
    /// The time after which the answer says how far the message got instead.
    pub seconds: u64,
}

/// A level that can be waited for, or asked of the members of a group.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// Durable in the peer's inbox.
    Delivered,
    /// Marked by its application.
    Processed,
}

/// A standing that the owner can give.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stand {
    /// Its messages are put into the inbox.
    Known,
    /// Nothing of it is wanted.
    Blocked,
}

mod optional_id {
    use meshwork_protocols::wire::MessageId;
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[allow(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        id: &Option<MessageId>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => to.collect_str(id),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<MessageId>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
    }
}
