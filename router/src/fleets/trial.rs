//! Trying an entry of a log on this agent's keys, which changes nothing: who asks what a state can
//! read, of its own or of one that was saved, need not trust that it follows the rules.

use alloc::vec::Vec;
use core::fmt;

use meshwork_protocols::fleet::{Group, GroupError, GroupId, LogEntry, Posting, Received, Step};
use meshwork_protocols::relay::Entry;
use meshwork_state::StoreError;

use crate::command::CommandError;
use crate::desk::Desk;
use crate::fleet::Cards;
use crate::transition::Transition;

/// What an entry came to that opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Trial {
    /// A message.
    Message,
    /// A commit, which leads to keys that this agent has too.
    Commit,
    /// A commit that takes this agent out: it leads to keys that this agent has not.
    TakenOut,
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Message => "a message",
            Self::Commit => "a commit",
            Self::TakenOut => "a commit that takes this agent out",
        })
    }
}

impl Desk {
    /// Tries an entry on a group as its rows are.
    pub(crate) fn try_entry(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        entry: &Entry,
    ) -> Result<Result<Trial, CommandError>, StoreError> {
        let Self { config, fleets, random, .. } = self;
        let Some(fleet) = &config.fleet else { return Ok(Err(CommandError::NoFleets)) };
        let Some(member) = fleets.members.get(&id) else {
            return Ok(Err(CommandError::UnknownGroup));
        };
        let read = match read(entry) {
            Ok(read) => read,
            Err(why) => return Ok(Err(CommandError::Group(why))),
        };
        let cards = member.cards.with(fleet.provider(), &read.cards, step.now.wall);
        let cards = cards.unwrap_or_else(|_| Cards::default());
        let tried = fleet.run(step, &mut **random, |around, _| {
            // A group of its own, so that the one in memory stays as it is.
            let mut group = Group::load(around, id)?;
            let Step { output, .. } = group.receive(around, &cards, &read.entry)?;
            // Its changes are dropped.
            Ok(Step { output: outcome(&output), changes: Vec::new() })
        })?;
        Ok(tried.map_err(CommandError::Group))
    }
}

/// What members make of an entry.
fn read(entry: &Entry) -> Result<Posting, GroupError> {
    match entry {
        Entry::Commit(commit) => Posting::decode(&commit.bytes.0),
        Entry::Message(bytes) => {
            Ok(Posting { entry: LogEntry::decode(&bytes.0)?, cards: Vec::new() })
        }
        // These are in clear, or of a later version.
        _ => Err(GroupError::Malformed),
    }
}

fn outcome(received: &Received) -> Trial {
    match received {
        Received::Commit { .. } | Received::OwnCommit => Trial::Commit,
        Received::Removed { .. } => Trial::TakenOut,
        _ => Trial::Message,
    }
}
