//! Groups, as answers tell of them.

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::wire::MessageId;
use meshwork_router::{Protocol, Reason};
use serde::{Deserialize, Serialize};

use super::named::Named;
use super::reply::Progress;
use super::request::WaitFor;
use super::{Body, Moment, text};

/// A group that the agent is in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Group {
    /// Its id.
    #[serde(with = "text")]
    pub group: GroupId,
    /// What it is called here.
    pub name: String,
    /// The relay that holds its log.
    pub holder: Named,
    /// How far the agent is in it.
    pub state: GroupState,
    /// Its epoch: each commit moves it on by one, to new keys.
    pub epoch: u64,
    /// Who is in it.
    pub members: Vec<GroupMember>,
    /// How often the log has moved to another relay.
    #[serde(default, skip_serializing_if = "is_none")]
    pub moves: u16,
    /// The last entry of the log that was read here.
    pub read: u64,
    /// Messages of this agent that are not known to stand in the log.
    pub waiting: usize,
    /// Changes that this agent asked for and that are under way.
    pub changes: usize,
    /// Whom this agent invites as soon as a relay of theirs has keys of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wanted: Vec<Named>,
    /// What would protect a message to it now.
    pub protocol: Protocol,
    /// Why.
    pub reason: Reason,
    /// The reason in words.
    pub why: String,
}

/// No move is not told.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_none(moves: &u16) -> bool {
    *moves == 0
}

/// How far an agent is in a group.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GroupState {
    /// Its log is being founded.
    Founding,
    /// It follows the log.
    Follows,
    /// It cannot follow the log any more, and is on its way back.
    Stranded,
}

/// A member of a group.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GroupMember {
    /// Who it is.
    #[serde(flatten)]
    pub who: Named,
    /// Whether it may change the group.
    pub admin: bool,
    /// Whether it is this agent itself.
    pub own: bool,
    /// Whether it was taken out by a change that does not count: what this agent sends waits until it
    /// is taken out again, for five minutes at most.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_again: bool,
}

/// An invitation that waits for the owner.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Invitation {
    /// To which group.
    #[serde(with = "text")]
    pub group: GroupId,
    /// What its admin calls it.
    pub name: String,
    /// Who sent it.
    pub by: Named,
    /// When it came.
    pub received: Moment,
    /// The relay that holds the log.
    pub holder: Named,
}

/// How far a message of ours to a group got.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GroupMessage {
    /// To which.
    #[serde(with = "text")]
    pub group: GroupId,
    /// Its id.
    #[serde(with = "text")]
    pub message: MessageId,
    /// How far: `relayed` is what stands in the log, where each member finds it; where it asks,
    /// `delivered` and `processed` follow once every member has said so.
    pub level: Progress,
    /// What it asks of the members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<WaitFor>,
    /// How many said that it is in their inboxes.
    pub delivered: u32,
    /// How many said that their applications have dealt with it.
    pub processed: u32,
    /// Who did not say the first, where it was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undelivered: Vec<Named>,
    /// Who did not say the second, where it was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unprocessed: Vec<Named>,
}

/// An entry of a group's log, as its holder sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GroupEntry {
    /// Its place.
    pub index: u64,
    /// Who appended it.
    pub author: Named,
    /// When, by the holder's clock.
    pub at: Moment,
    /// What it is.
    pub kind: EntryKind,
    /// The epoch that a commit ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// The commit that a statement speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<u64>,
    /// Who may append from a commit on, or may do more or less than before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admitted: Vec<Named>,
    /// Who may not any longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Named>,
    /// How many sealed bytes are in it.
    pub bytes: usize,
    /// The sealed bytes, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Body>,
}

/// What an entry would come to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EntryTrial {
    /// Whether it opens.
    pub opens: bool,
    /// What it is, or why it does not open, in words.
    pub what: String,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EntryKind {
    /// The first entry, by which the log began.
    Founding,
    /// New keys, and perhaps other members.
    Commit,
    /// A message.
    Message,
    /// A member processed a commit.
    Confirmed,
    /// A member cannot process a commit.
    CannotProcess,
    /// A member puts commits of its own back, which the log lost.
    PutsBack,
    /// The group founded anew.
    Refounding,
}

impl EntryKind {
    /// Whether there is something in it that only members can read.
    pub const fn is_sealed(self) -> bool {
        matches!(self, Self::Commit | Self::Message | Self::Refounding)
    }

    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Founding => "founding",
            Self::Commit => "commit",
            Self::Message => "message",
            Self::Confirmed => "confirmed",
            Self::CannotProcess => "cannot process",
            Self::PutsBack => "puts back",
            Self::Refounding => "refounding",
        }
    }
}
