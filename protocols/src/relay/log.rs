//! A fleet's log: commits in one order, messages and statements between them.
//!
//! The relay reads what stands beside the sealed bytes and nothing else: who may append, which
//! commit builds on which, which one a statement speaks of.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Opaque;
use crate::identity::AgentId;
use crate::time::WallTime;

/// The longest commit with its GroupInfo, or re-founding.
pub const MAX_COMMIT: usize = super::MAX_REQUEST - super::bounds::ROOM - LIST_ROOM;

/// The most that a statement adds to its kind.
pub const MAX_STATEMENT: usize = 4_096;

/// The most agents that one entry names. A fleet of a thousand is founded by one.
pub const MAX_LISTED: usize = 4_096;

/// The most entries of one answer.
pub const MAX_ENTRIES: usize = 1_024;

/// Which log: drawn at random by who founds the fleet.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct LogId(pub [u8; 32]);

/// The place of an entry in its log: the first has 1, and none is left out.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
pub struct EntryIndex(pub u64);

/// What an agent may append.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum MayAppend {
    /// A commit, by which it joins.
    Invited,
    /// All but re-foundings.
    Member,
    /// All.
    Admin,
}

/// An entry for a log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Append {
    /// Which log.
    pub log: LogId,
    /// The entry.
    pub entry: Entry,
}

/// What stands in a log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Entry {
    /// A commit: appended only if it builds on the last one.
    Commit(Commit),
    /// A message, at most [`MAX_COMMIT`] bytes.
    Message(Opaque),
    /// What a member says of a commit.
    Statement(Statement),
    /// The fleet founded anew without the author of a commit that somebody could not process:
    /// taken once for that commit, and only while it is unconfirmed.
    Refounding(Refounding),
}

/// A commit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Commit {
    /// The epoch in which it was made.
    pub epoch: u64,
    /// The commit or re-founding that it builds on. None founds the log.
    pub builds_on: Option<EntryIndex>,
    /// Who may append by it, and what: at once. At most [`MAX_LISTED`] with those removed.
    pub admitted: Vec<(AgentId, MayAppend)>,
    /// Who may not any longer: from when it is confirmed.
    pub removed: Vec<AgentId>,
    /// The commit and its GroupInfo, at most [`MAX_COMMIT`] bytes.
    pub bytes: Opaque,
}

/// What a member says of a commit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Statement {
    /// The commit or re-founding.
    pub on: EntryIndex,
    /// What it says.
    pub kind: StatementKind,
    /// What else, at most [`MAX_STATEMENT`] bytes.
    pub bytes: Opaque,
}

/// What can be said of a commit.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum StatementKind {
    /// It was processed, by another member than its author. It confirms those that it builds on.
    Confirmed,
    /// It cannot be processed.
    CannotProcess,
    /// Its own commits, which the log lost, stand again behind this one.
    PutsBack,
}

/// A fleet founded anew.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refounding {
    /// The commit that is voided, with all that builds on it.
    pub voids: EntryIndex,
    /// The epoch that it begins.
    pub epoch: u64,
    /// All who may append from now on, at most [`MAX_LISTED`].
    pub listed: Vec<(AgentId, MayAppend)>,
    /// The new group, at most [`MAX_COMMIT`] bytes.
    pub bytes: Opaque,
}

/// Which entries to be given.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ReadLog {
    /// Which log.
    pub log: LogId,
    /// Entries behind this one.
    pub after: EntryIndex,
    /// The most entries, from 1 to [`MAX_ENTRIES`].
    pub most: u16,
    /// Milliseconds to wait where there is none, at most [`MAX_WAIT`](super::MAX_WAIT).
    pub wait: u32,
}

/// An entry as the relay kept it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Logged {
    /// Its place.
    pub index: EntryIndex,
    /// Who appended it, which the session proved to the relay.
    pub author: AgentId,
    /// When, by the relay's clock.
    pub since: WallTime,
    /// The entry.
    pub entry: Entry,
}

impl Entry {
    pub(super) fn is_bounded(&self) -> bool {
        match self {
            Self::Commit(commit) => {
                commit.admitted.len() + commit.removed.len() <= MAX_LISTED
                    && commit.bytes.len() <= MAX_COMMIT
            }
            Self::Message(bytes) => bytes.len() <= MAX_COMMIT,
            Self::Statement(statement) => statement.bytes.len() <= MAX_STATEMENT,
            Self::Refounding(founding) => {
                founding.listed.len() <= MAX_LISTED && founding.bytes.len() <= MAX_COMMIT
            }
        }
    }
}

impl ReadLog {
    pub(super) fn is_bounded(&self) -> bool {
        (1..=MAX_ENTRIES).contains(&usize::from(self.most)) && super::bounds::may_wait(self.wait)
    }
}

/// The longest list: each agent has 32 bytes and one for what it may.
const LIST_ROOM: usize = MAX_LISTED * (AgentId::LENGTH + 1);
