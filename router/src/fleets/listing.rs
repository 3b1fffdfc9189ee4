//! Whom the holder of a log lists, as far as the log itself says it.
//!
//! The lists beside a commit count with the holder once that, or one behind it, is confirmed: whether
//! members process it the holder cannot know. So whom it lists and who is a member may differ, where
//! a commit was put back without its lists ([`super::restoring`]), or is passed over and has some. An
//! admin lists such members anew. Who finds itself listed no more takes itself for out.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::{Change, GroupId};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Append, Commit, Entry, Request};
use meshwork_state::StoreError;

use super::{Member, Sight, request_of};
use crate::desk::Desk;
use crate::event::GroupEvent;
use crate::fleet::{CommitRow, Passed, Stage, Unlisted, Wish, key};
use crate::transition::Transition;

/// So many that the lists took out are remembered, the last ones. Those beyond are not known to be
/// out; they hear it from the holder.
const MAX_UNLISTED: usize = 64;

/// So many are noted to be listed anew: those whom one request names.
const MAX_MISLISTED: usize = super::requests::MAX_NAMED;

/// How long an admin waits before it lists anew, so that what is in doubt is decided by then, ...
const LISTS_AFTER: Duration = Duration::from_secs(30);

/// ... and how much longer by chance, so that one of several does.
const LISTS_WITHIN_MILLIS: u32 = 10_000;

impl Member {
    /// A commit stands in the log, and the holder takes its lists.
    pub(super) fn lists(&mut self, index: u64, commit: &Commit) {
        for agent in named(commit) {
            self.row.mislisted.remove(agent);
        }
        let admitted: BTreeSet<_> = commit.admitted.iter().map(|(agent, _)| *agent).collect();
        self.row.unlisted.retain(|it| !admitted.contains(&it.agent));
        let unlisted = commit.removed.iter();
        let (counts, reported) = (false, false);
        let unlisted = unlisted.map(|agent| Unlisted { index, agent: *agent, counts, reported });
        self.row.unlisted.extend(unlisted);
        let excess = self.row.unlisted.len().saturating_sub(MAX_UNLISTED);
        self.row.unlisted.drain(..excess);
    }

    /// A member cannot process a commit.
    pub(super) fn lists_are_doubted(&mut self, commit: u64) {
        let named = self.row.unlisted.iter_mut().filter(|it| it.index == commit);
        named.for_each(|it| it.reported = true);
    }

    /// A commit is confirmed, and those before it with it but for those that were reported: their
    /// lists count from now on. Whom they took out says nothing any more, and what it said counts no
    /// more.
    pub(super) fn lists_count(&mut self, commit: u64) {
        let is_void = |it: &Unlisted| it.index < commit && !it.counts && it.reported;
        self.row.unlisted.retain(|it| !is_void(it));
        let is_new = |it: &&mut Unlisted| it.index <= commit && !it.counts;
        let mut out = BTreeSet::new();
        for unlisted in self.row.unlisted.iter_mut().filter(is_new) {
            unlisted.counts = true;
            out.insert(unlisted.agent);
        }
        self.row.passed.retain(|passed| !out.contains(&passed.author));
        for judged in self.row.passed.iter_mut().chain(&mut self.row.followed) {
            judged.by.retain(|agent| !out.contains(agent));
            judged.against.retain(|agent| !out.contains(agent));
            judged.elsewhere.retain(|agent| !out.contains(agent));
        }
    }

    /// Whether the holder lists an agent no more, by what was read.
    fn is_unlisted(&self, agent: &AgentId) -> bool {
        self.row.unlisted.iter().any(|it| it.counts && it.agent == *agent)
    }

    /// The holder may list these otherwise than members have them; whether that is new.
    fn are_mislisted(&mut self, agents: impl IntoIterator<Item = AgentId>) -> bool {
        let mislisted = &mut self.row.mislisted;
        let before = mislisted.len();
        mislisted.extend(agents.into_iter().take(MAX_MISLISTED.saturating_sub(before)));
        mislisted.len() > before
    }

    /// When an admin lists anew.
    pub(super) fn lists_at(&self) -> Option<Duration> {
        let is_settled = self.caught_up && self.doubt.is_none();
        self.lists.filter(|_| is_settled && self.row.stage == Stage::Member)
    }
}

impl Desk {
    /// The holder lists these otherwise than members have them, or may.
    pub(super) fn are_mislisted(
        &mut self,
        step: &Transition<'_>,
        id: GroupId,
        agents: impl IntoIterator<Item = AgentId>,
    ) {
        let Self { fleets, random, .. } = self;
        let Some(member) = fleets.members.get_mut(&id) else { return };
        if member.are_mislisted(agents) {
            let wait = Duration::from_millis(random.below(LISTS_WITHIN_MILLIS).into());
            member.lists = Some(step.now.monotonic + LISTS_AFTER + wait);
        }
    }

    /// A commit is confirmed, and the holder does not take the lists of those before it that were
    /// reported and that nobody confirmed: those that this agent goes on by are listed anew.
    pub(super) fn lists_are_skipped(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        confirmed: u64,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        let followed = &member.row.followed;
        // Once: where one behind it was confirmed before, it was skipped then.
        let last = followed.iter().filter(|it| it.is_followed()).map(|it| it.index).max();
        let pending = last.unwrap_or(0)..confirmed;
        let is_skipped = |it: &&Passed| {
            pending.contains(&it.index) && !it.is_followed() && !it.against.is_empty()
        };
        let skipped: BTreeSet<_> = followed.iter().filter(is_skipped).map(|it| it.index).collect();
        let known = member.history.known.iter().filter(|known| skipped.contains(&known.index));
        let epochs: Vec<_> = known.map(|known| known.epoch).collect();
        for epoch in epochs {
            let row = CommitRow::read(step, &key::commit(&id, epoch))?;
            let named = row.iter().flat_map(|row| named(&row.commit)).copied();
            self.are_mislisted(step, id, named.collect::<Vec<_>>());
        }
        Ok(())
    }

    /// Whom the lists beside a commit were about as its author made it: those of our own are known,
    /// those of another follow from what it did, where somebody else has put it back.
    pub(super) fn listed_by(
        &self,
        id: GroupId,
        came: Option<&Change>,
        appended_by: AgentId,
        sight: &Sight,
    ) -> Result<Vec<AgentId>, StoreError> {
        let Some(Change { author, added, removed, new_charter, .. }) = came else {
            let offered = self.fleets.members.get(&id).and_then(|it| it.row.offered.as_ref());
            let request = offered.map(|offered| request_of(&offered.request)).transpose()?;
            return Ok(match request.as_deref() {
                Some(Request::Append(Append { entry: Entry::Commit(commit), .. })) => {
                    named(commit).copied().collect()
                }
                _ => Vec::new(),
            });
        };
        if *author == appended_by {
            return Ok(Vec::new());
        }
        let all = if *new_charter { sight.agents() } else { BTreeSet::new() };
        Ok(added.iter().chain(removed).copied().chain(all).collect())
    }

    /// A commit was put back without the lists that it had: those whom it is about.
    pub(super) fn lists_are_missing(
        &mut self,
        step: &Transition<'_>,
        id: GroupId,
        (had, has): (impl IntoIterator<Item = AgentId>, &Commit),
    ) {
        let there: BTreeSet<_> = named(has).copied().collect();
        let missing: Vec<_> = had.into_iter().filter(|agent| !there.contains(agent)).collect();
        self.are_mislisted(step, id, missing);
    }

    /// Where the lists are not what they should be, an admin draws new keys by a commit that has
    /// them.
    pub(super) fn list_anew(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let now = step.now.monotonic;
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        if member.lists_at().is_none_or(|at| at > now) {
            return Ok(());
        }
        member.lists = None;
        if member.row.mislisted.is_empty() {
            return Ok(());
        }
        let own = self.config.own;
        if self.sight(step, id)?.is_ok_and(|sight| sight.charter.is_admin(&own)) {
            self.wish(step, id, Wish::Rotate);
        }
        Ok(())
    }

    /// The log was read to its end, and says that this agent may read no further.
    pub(super) fn is_out(&self, id: GroupId) -> bool {
        let member = self.fleets.members.get(&id);
        member.is_some_and(|member| member.caught_up && member.is_unlisted(&self.config.own))
    }

    /// The holder does not list this agent, which has not read that it was taken out.
    pub(super) fn not_listed(&mut self, step: &mut Transition<'_>, id: GroupId) {
        let is_member = |member: &Member| member.row.stage == Stage::Member;
        if self.fleets.members.get(&id).is_some_and(is_member) {
            Self::tell_of_group(step, id, GroupEvent::NotListed);
            self.strand(step, id);
        }
    }
}

/// Of whom a commit's lists say something.
pub(super) fn named(commit: &Commit) -> impl Iterator<Item = &AgentId> {
    commit.admitted.iter().map(|(agent, _)| agent).chain(&commit.removed)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may")]
mod tests {
    use alloc::vec::Vec;

    use meshwork_protocols::relay::{Commit, MayAppend, Opaque};

    use super::{MAX_MISLISTED, MAX_UNLISTED};
    use crate::fleet::Passed;
    use crate::fleets::fixture::{agent, member};

    fn commit(admitted: &[usize], removed: &[usize]) -> Commit {
        let admitted = admitted.iter().map(|it| (agent(*it), MayAppend::Member)).collect();
        let removed = removed.iter().copied().map(agent).collect();
        Commit { epoch: 1, builds_on: None, admitted, removed, bytes: Opaque::default() }
    }

    #[test]
    fn whom_a_list_took_out_is_out_once_it_is_confirmed_and_not_where_a_later_one_has_it() {
        let mut member = member();
        member.lists(3, &commit(&[], &[1, 2]));
        member.lists(5, &commit(&[2], &[4]));
        member.lists_count(2);
        assert!(!member.is_unlisted(&agent(1)), "what is confirmed stands before it");
        member.lists_count(4);
        assert!(member.is_unlisted(&agent(1)) && !member.is_unlisted(&agent(2)));
        assert!(!member.is_unlisted(&agent(4)), "what is confirmed stands before it");
        member.lists(6, &commit(&[1], &[]));
        assert!(!member.is_unlisted(&agent(1)));
    }

    #[test]
    fn the_lists_of_a_commit_that_was_reported_count_where_it_is_confirmed_itself() {
        for (confirmed, counts) in [(5, true), (6, false)] {
            let mut member = member();
            member.lists(4, &commit(&[], &[1]));
            member.lists(5, &commit(&[], &[2]));
            member.lists_are_doubted(5);
            member.lists_count(confirmed);
            assert!(member.is_unlisted(&agent(1)));
            assert_eq!(member.is_unlisted(&agent(2)), counts);
            member.lists_count(7);
            assert_eq!(member.is_unlisted(&agent(2)), counts);
        }
    }

    #[test]
    fn who_is_out_decides_no_more_whose_way_is_gone() {
        let mut member = member();
        let judged = |author: usize, by: usize, against: usize| Passed {
            by: [agent(by)].into(),
            against: [agent(against)].into(),
            open: true,
            ..Passed::new(2, agent(author))
        };
        member.row.passed = [judged(1, 2, 5), judged(3, 1, 2)].into();
        member.row.followed = [judged(5, 6, 1)].into();
        member.lists(3, &commit(&[], &[1]));
        assert_eq!(member.row.passed.len(), 2, "it is not confirmed");
        member.lists_count(3);
        assert_eq!((member.row.passed.len(), member.row.passed[0].author), (1, agent(3)));
        assert!(member.row.passed[0].by.is_empty() && member.row.followed[0].against.is_empty());
        assert_eq!(member.row.followed[0].by.len(), 1);
    }

    #[test]
    fn so_many_are_remembered_to_be_out_and_to_be_listed_and_not_one_more() {
        let mut member = member();
        let all: Vec<_> = (0..=MAX_UNLISTED).collect();
        member.lists(1, &commit(&[], &all));
        member.lists_count(1);
        assert_eq!(member.row.unlisted.len(), MAX_UNLISTED);
        assert!(!member.is_unlisted(&agent(0)) && member.is_unlisted(&agent(MAX_UNLISTED)));
        assert!(member.are_mislisted((0..=MAX_MISLISTED).map(agent)));
        assert_eq!(member.row.mislisted.len(), MAX_MISLISTED);
        assert!(!member.are_mislisted([agent(MAX_MISLISTED)]));
    }
}
