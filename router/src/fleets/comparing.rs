//! Comparing the log with other members, beside it: a holder that shows two halves of a group two
//! histories shows each half one that is whole, and nobody finds that out by reading.
//!
//! A while after a commit a few members each tell another where it stands in the log that they read,
//! and the chain up to there. Whoever has another one says so in its turn, and where the two differ
//! again their owners are told: by then nothing is late or about to be put back. What such a holder
//! shows heals by no rule, since each half reads what it is given: an admin moves the log elsewhere,
//! and the other half is told of that beside the log as well ([`super::telling`]).

use alloc::collections::VecDeque;
use core::time::Duration;

use meshwork_protocols::fleet::{GroupId, LogSeen, log_seen};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::LogChain;
use meshwork_protocols::wire::Message;
use meshwork_state::StoreError;

use super::Member;
use crate::desk::Desk;
use crate::event::GroupEvent;
use crate::fleet::{GroupRow, Stage};
use crate::transition::Transition;

/// So many commits that were read can be compared: what a member tells of is minutes old at most.
const COMPARED: usize = 64;

/// So many members tell another of a commit, whatever the size of the group: that none of them tells
/// one of the other half is then less likely than one in two hundred, each time.
const TELL: u32 = 8;

/// They do so within this, and not at once: most will have read the commit by then.
const TELLS_WITHIN_MILLIS: u32 = 120_000;

/// How long what differs has to make itself right, before it is told of in return.
const RETURNED_AFTER: Duration = Duration::from_secs(60);

/// What differed so long ago is not remembered, and an owner is not told again before.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

/// How long a member's word is of use.
const OF_USE: Duration = Duration::from_secs(10 * 60);

/// What of a log can be compared, and with whom it is.
#[derive(Debug, Default)]
pub(super) struct Comparing {
    /// The last commits that were read one behind the other, by their places, and the chain up to
    /// each.
    read: VecDeque<(u64, LogChain)>,
    /// When another member is told of the last.
    tells: Option<Duration>,
    /// Who told of a place that is not read yet.
    heard: Option<(AgentId, LogSeen)>,
    /// Who has another log, since when.
    differs: Option<(AgentId, Duration)>,
    /// Who is told so, and when.
    returns: Option<(AgentId, Duration)>,
    /// When the owner was told.
    told: Option<Duration>,
}

impl Comparing {
    /// What is left of it after a restart.
    pub(super) fn of(row: &GroupRow) -> Self {
        let read = row.commit_chain.filter(|(place, _)| *place == row.last_commit);
        Self { read: read.into_iter().collect(), ..Self::default() }
    }

    /// The log is read from elsewhere.
    pub(super) fn begin_elsewhere(&mut self) {
        self.read.clear();
    }

    fn has_read(&mut self, place: u64, chain: LogChain) {
        if self.read.back().is_some_and(|(last, _)| *last >= place) {
            self.read.clear();
        }
        if self.read.len() >= COMPARED {
            self.read.pop_front();
        }
        self.read.push_back((place, chain));
    }

    /// Whether the same stands here, of what this agent can tell.
    fn is_same(&self, seen: &LogSeen) -> Option<bool> {
        let (first, last) = (self.read.front()?.0, self.read.back()?.0);
        let here = self.read.iter().find(|(place, _)| *place == seen.place);
        let is_known = (first..=last).contains(&seen.place);
        is_known.then(|| here.is_some_and(|(_, chain)| *chain == seen.chain))
    }

    /// When something is to be told.
    pub(super) fn due(&self) -> Option<Duration> {
        self.tells.into_iter().chain(self.returns.map(|(_, at)| at)).min()
    }

    /// Another member has another log. Whether the owner is to be told, since it has by now for as
    /// long as takes.
    fn differs_from(&mut self, who: AgentId, now: Duration) -> bool {
        let is_recent = |at: Duration| at + REMEMBERED > now;
        let before = self.differs.filter(|(_, at)| is_recent(*at));
        if self.told.is_some_and(is_recent) || before.is_some_and(|(other, _)| other != who) {
            return false;
        }
        self.returns = Some((who, now + RETURNED_AFTER));
        let since = before.map_or(now, |(_, at)| at);
        self.differs = Some((who, since));
        let is_sure = since + RETURNED_AFTER <= now;
        if is_sure {
            (self.differs, self.told) = (None, Some(now));
        }
        is_sure
    }
}

impl Desk {
    /// A commit was read in the log: a few members tell another where.
    pub(super) fn commit_was_read(&mut self, step: &Transition<'_>, id: GroupId) {
        let Self { fleets, random, .. } = self;
        let Some(member) = fleets.members.get_mut(&id) else { return };
        let Some((place, chain)) = member.row.commit_chain else {
            member.comparing.begin_elsewhere();
            return;
        };
        member.comparing.has_read(place, chain);
        let size = u32::try_from(member.size()).unwrap_or(u32::MAX).max(1);
        let is_to_tell = !member.row.anew && random.below(size) < TELL;
        if is_to_tell && member.comparing.tells.is_none() {
            let wait = Duration::from_millis(random.below(TELLS_WITHIN_MILLIS).into());
            member.comparing.tells = Some(step.now.monotonic + wait);
        }
    }

    /// Tells another member what the log is here, where that is due.
    pub(super) fn compare(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let now = step.now.monotonic;
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        let read = member.row.read;
        if let Some((from, seen)) = member.comparing.heard.take_if(|(_, it)| it.place <= read) {
            self.judge(step, from, &seen);
        }
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        if !member.caught_up {
            return Ok(());
        }
        let returned = member.comparing.returns.take_if(|(_, at)| *at <= now).map(|(who, _)| who);
        let tells = member.comparing.tells.take_if(|at| *at <= now).is_some();
        let Some(&(place, chain)) = member.comparing.read.back() else { return Ok(()) };
        let chosen = if tells { self.any_known_in(id) } else { None };
        for to in returned.into_iter().chain(chosen) {
            let body = LogSeen { group: id, place, chain }.encode();
            self.tell(step, to, log_seen::CONTENT_TYPE, body, OF_USE)?;
        }
        Ok(())
    }

    /// A member says what it reads. What says nothing of the kind is passed over: it was a message.
    pub(crate) fn hears_of_log(&mut self, step: &mut Transition<'_>, by: AgentId, said: &Message) {
        let Ok(seen) = LogSeen::decode(&said.body) else { return };
        let Some(member) = self.fleets.members.get_mut(&seen.group) else { return };
        if !member.has(&by) {
            return;
        }
        if seen.place > member.row.read {
            member.comparing.heard = Some((by, seen));
        } else {
            self.judge(step, by, &seen);
        }
        self.fleets.dirty.insert(seen.group);
    }

    fn judge(&mut self, step: &mut Transition<'_>, by: AgentId, seen: &LogSeen) {
        let Some(member) = self.fleets.members.get_mut(&seen.group) else { return };
        let same = member.comparing.is_same(seen);
        if same == Some(true) {
            member.comparing.differs = member.comparing.differs.filter(|(who, _)| *who != by);
        }
        if same == Some(false)
            && member.row.stage == Stage::Member
            && member.is_whole()
            && !member.is_healing(step)
            && member.comparing.differs_from(by, step.now.monotonic)
        {
            Self::tell_of_group(step, seen.group, GroupEvent::TwoLogs { with: by });
        }
    }
}

impl Member {
    /// When the log is compared with another's.
    pub(super) fn compares_at(&self) -> Option<Duration> {
        self.comparing.due().filter(|_| self.caught_up && self.row.stage == Stage::Member)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use meshwork_protocols::fleet::{GroupId, LogSeen};
    use meshwork_protocols::identity::AgentId;
    use meshwork_protocols::relay::LogChain;

    use super::{COMPARED, Comparing, REMEMBERED, RETURNED_AFTER};

    fn chain(byte: u8) -> LogChain {
        LogChain::from_bytes([byte; 32])
    }

    fn seen(place: u64, byte: u8) -> LogSeen {
        LogSeen { group: GroupId::from_bytes([0; 32]), place, chain: chain(byte) }
    }

    #[test]
    fn what_was_not_read_or_is_forgotten_is_not_judged() {
        let mut comparing = Comparing::default();
        assert_eq!(comparing.is_same(&seen(1, 1)), None);
        comparing.has_read(3, chain(3));
        comparing.has_read(7, chain(7));
        assert_eq!(comparing.is_same(&seen(2, 2)), None);
        assert_eq!(comparing.is_same(&seen(3, 3)), Some(true));
        assert_eq!(comparing.is_same(&seen(3, 4)), Some(false));
        assert_eq!(comparing.is_same(&seen(5, 5)), Some(false), "no commit stands there");
        assert_eq!(comparing.is_same(&seen(8, 8)), None);
        for place in 8..8 + COMPARED as u64 {
            comparing.has_read(place, chain(1));
        }
        assert_eq!(comparing.is_same(&seen(7, 7)), None, "one too many");
        assert_eq!(comparing.is_same(&seen(8, 1)), Some(true));
        // Read again from before.
        comparing.has_read(4, chain(9));
        assert_eq!(comparing.is_same(&seen(8, 1)), None);
    }

    #[test]
    fn an_owner_is_told_of_what_differs_twice_from_the_same_and_not_again_for_a_while() {
        let (one, other) = (AgentId::from_bytes([1; 32]), AgentId::from_bytes([2; 32]));
        let (mut comparing, start) = (Comparing::default(), Duration::from_secs(5));
        assert!(!comparing.differs_from(one, start));
        assert_eq!(comparing.due(), Some(start + RETURNED_AFTER));
        let later = start + RETURNED_AFTER;
        assert!(!comparing.differs_from(one, later - Duration::from_secs(1)), "it may be late");
        assert!(!comparing.differs_from(other, later), "another said nothing before");
        assert!(comparing.differs_from(one, later));
        assert!(!comparing.differs_from(one, later + RETURNED_AFTER));
        let again = later + REMEMBERED;
        assert!(!comparing.differs_from(other, again));
        assert!(comparing.differs_from(other, again + RETURNED_AFTER));
    }
}
