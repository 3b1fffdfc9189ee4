//! Which of its logs a group is in, and what a place is called by members and by the log's holder.
//!
//! A group has one log at a time, and may go on in another one at another relay. An entry's place, as
//! members speak of it, is its index there and above that how often the log had moved: places only
//! grow, and no two logs share one. What is asked of a holder, and what it answers, has its own
//! indices and the log's name.

use meshwork_protocols::fleet::{Charter, GroupId};
use meshwork_protocols::relay::{
    Answer, Append, Entry, EntryIndex, LogId, Logged, ReadLog, Refusal, Request,
};
use serde::{Deserialize, Serialize};

/// A log that a group is in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct GroupLog {
    id: LogId,
    moves: u16,
}

impl GroupLog {
    /// The one that a group is founded with: it has the group's name.
    pub(crate) const fn first(group: &GroupId) -> Self {
        Self { id: LogId(*group.as_bytes()), moves: 0 }
    }

    /// The one that a charter names.
    pub(crate) fn of(group: &GroupId, charter: &Charter) -> Self {
        let moved = charter.log.as_ref();
        moved.map_or(Self::first(group), |log| Self { id: log.id, moves: log.number })
    }

    /// Where the log begins that a group has after so many moves.
    pub(crate) fn begin_of(moves: u16) -> u64 {
        u64::from(moves) << INDEX_BITS
    }

    pub(crate) const fn id(&self) -> LogId {
        self.id
    }

    /// How often the group's log moved before.
    pub(crate) const fn moves(&self) -> u16 {
        self.moves
    }

    /// The place of an entry of this log. No log has so many that one came into the next.
    pub(crate) fn place(&self, index: EntryIndex) -> u64 {
        (u64::from(self.moves) << INDEX_BITS) | index.0.min(INDEX)
    }

    /// What the holder calls a place.
    pub(crate) const fn index(&self, place: u64) -> EntryIndex {
        index_of(EntryIndex(place))
    }

    /// Whether an entry at this place is one of this log.
    pub(crate) fn has(&self, place: u64) -> bool {
        place >> INDEX_BITS == u64::from(self.moves)
    }

    /// How many entries of this log stand between two places.
    pub(crate) fn between(&self, before: u64, place: u64) -> u64 {
        let before = before.max(self.place(EntryIndex(0)));
        place.saturating_sub(before.saturating_add(1))
    }

    /// What is to be asked of the holder, in its terms.
    pub(crate) fn asked(&self, request: Request) -> Request {
        let log = self.id;
        match request {
            Request::Append(Append { mut entry, .. }) => {
                match &mut entry {
                    Entry::Commit(commit) => commit.builds_on = commit.builds_on.map(index_of),
                    Entry::Statement(statement) => statement.on = index_of(statement.on),
                    _ => {}
                }
                Request::Append(Append { log, entry })
            }
            Request::ReadLog(read) => {
                Request::ReadLog(ReadLog { log, after: index_of(read.after), ..read })
            }
            Request::PassedLog { through, .. } => {
                Request::PassedLog { log, through: index_of(through) }
            }
            other => other,
        }
    }

    /// What the holder answered, in terms of places. The entries that it gives are not touched: the
    /// chain is over what it keeps.
    pub(crate) fn answered(&self, answer: Answer) -> Answer {
        let place = |index| EntryIndex(self.place(index));
        match answer {
            Answer::Appended(index) => Answer::Appended(place(index)),
            Answer::Refused(Refusal::NotLast { last }) => {
                Answer::Refused(Refusal::NotLast { last: place(last) })
            }
            Answer::Entries { first, last, chain, entries } => {
                Answer::Entries { first: place(first), last: place(last), chain, entries }
            }
            other => other,
        }
    }

    /// An entry as its holder gave it, in terms of places.
    pub(crate) fn locate(&self, logged: &mut Logged) {
        logged.index = EntryIndex(self.place(logged.index));
        if let Entry::Statement(statement) = &mut logged.entry {
            statement.on = EntryIndex(self.place(statement.on));
        }
    }
}

const fn index_of(place: EntryIndex) -> EntryIndex {
    EntryIndex(place.0 & INDEX)
}

/// How many bits of a place are the index.
const INDEX_BITS: u32 = 32;

const INDEX: u64 = (1 << INDEX_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn log(moves: u16) -> GroupLog {
        GroupLog { id: LogId([7; 32]), moves }
    }

    #[test]
    fn places_of_a_log_come_behind_those_of_every_earlier_one() {
        let places = [0, 1, u16::MAX].map(|moves| {
            let log = log(moves);
            [0, 1, INDEX, u64::MAX].map(|index| log.place(EntryIndex(index)))
        });
        assert_eq!(places[0], [0, 1, INDEX, INDEX], "the first log's are its indices");
        assert!(places.concat().is_sorted());
        assert!(places.concat().last().is_some_and(|last| *last < 1 << 63));
        assert!(log(1).has(places[1][0]) && !log(1).has(places[0][2]) && !log(1).has(places[2][0]));
    }

    #[test]
    fn what_stands_between_two_places_is_counted_in_the_later_log() {
        let (first, second) = (log(0), log(1));
        let place = |index| second.place(EntryIndex(index));
        assert_eq!((first.between(3, 4), first.between(3, 9)), (0, 5));
        assert_eq!((second.between(3, place(1)), second.between(3, place(5))), (0, 4));
        assert_eq!(
            (second.between(place(4), place(9)), second.between(place(4), place(4))),
            (4, 0)
        );
    }
}
