//! A group's log, as its holder keeps it: what stands there in clear, beside bytes that it cannot
//! read.

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{self, Commit, Entry, Opaque, StatementKind};
use meshwork_protocols::time::WallTime;

/// An entry of a group's log.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Logged {
    /// Its place: the first has 1, and none is left out.
    pub index: u64,
    /// Who appended it, which its session proved to the holder.
    pub author: AgentId,
    /// When, by the holder's clock.
    pub since: WallTime,
    /// What it is.
    pub kind: LoggedKind,
    /// What only members can read of it.
    pub sealed: Vec<u8>,
}

/// What an entry is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LoggedKind {
    /// The first entry, which lists who founded the group.
    Founding,
    /// New keys for the group, and perhaps other members.
    Commit {
        /// The epoch that it ended.
        epoch: u64,
        /// Who may append from then on, or may do more or less than before.
        admitted: Vec<AgentId>,
        /// Who may not any longer.
        removed: Vec<AgentId>,
    },
    /// A message.
    Message,
    /// A member processed the commit at this place.
    Confirmed(u64),
    /// A member cannot process the commit at this place.
    CannotProcess(u64),
    /// Its author puts commits of its own back behind this one, which the log lost.
    PutsBack(u64),
    /// The group founded anew, without the commit at this place.
    Refounding(u64),
}

/// What only members can read of an entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SealedEntry {
    /// That of a commit.
    Commit(Vec<u8>),
    /// That of a message.
    Message(Vec<u8>),
}

impl From<SealedEntry> for Entry {
    fn from(sealed: SealedEntry) -> Self {
        match sealed {
            SealedEntry::Message(bytes) => Self::Message(Opaque(bytes)),
            // What stands beside it in clear is the holder's to judge, and no member's.
            SealedEntry::Commit(bytes) => Self::Commit(Commit {
                epoch: 0,
                builds_on: None,
                admitted: Vec::new(),
                removed: Vec::new(),
                bytes: Opaque(bytes),
            }),
        }
    }
}

impl From<relay::Logged> for Logged {
    fn from(logged: relay::Logged) -> Self {
        let relay::Logged { index, author, since, entry } = logged;
        let (kind, sealed) = match entry {
            Entry::Commit(commit) if commit.builds_on.is_none() => {
                (LoggedKind::Founding, commit.bytes)
            }
            Entry::Commit(commit) => {
                let admitted = commit.admitted.into_iter().map(|(agent, _)| agent).collect();
                let (epoch, removed) = (commit.epoch, commit.removed);
                (LoggedKind::Commit { epoch, admitted, removed }, commit.bytes)
            }
            Entry::Message(sealed) => (LoggedKind::Message, sealed),
            Entry::Statement(statement) => {
                let kind = match statement.kind {
                    StatementKind::Confirmed => LoggedKind::Confirmed(statement.on.0),
                    StatementKind::CannotProcess => LoggedKind::CannotProcess(statement.on.0),
                    StatementKind::PutsBack => LoggedKind::PutsBack(statement.on.0),
                };
                (kind, statement.bytes)
            }
            Entry::Refounding(founding) => {
                (LoggedKind::Refounding(founding.voids.0), founding.bytes)
            }
        };
        Self { index: index.0, author, since, kind, sealed: sealed.0 }
    }
}
