//! Commits that this agent passed over, and whether it stands alone with that.
//!
//! Members judge by the same bytes, so that what one passes over all do, and a single member that
//! appends what nobody can process stops nobody. Where others go on by it all the same, one state
//! is not what it should be; the more members decide whose. The fewer come back ([`super::returning`]).

use alloc::collections::BTreeSet;
use core::time::Duration;

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::AgentId;

use super::Member;
use crate::desk::Desk;
use crate::fleet::Passed;
use crate::transition::Transition;

/// So many commits that were passed over are remembered, the last ones: each is an entry that its
/// author is named for.
const MAX_PASSED: usize = 16;

/// How long is waited for what other members say, once one goes on.
const DOUBT: Duration = Duration::from_secs(30);

impl Passed {
    /// Whether anybody was seen to go on by it.
    pub(crate) fn is_followed(&self) -> bool {
        !self.by.is_empty()
    }

    /// Whether no fewer members go on by it than pass it over, this agent among those.
    fn prevails(&self) -> bool {
        let beside_author = self.by.iter().filter(|agent| **agent != self.author).count();
        self.is_followed() && beside_author.saturating_add(1) >= self.against.len()
    }
}

impl Member {
    pub(super) fn passed_over(&mut self, index: u64, author: AgentId) {
        if self.row.passed.len() >= MAX_PASSED {
            self.row.passed.remove(0);
        }
        let (by, against) = (BTreeSet::new(), BTreeSet::new());
        self.row.passed.push(Passed { index, author, by, against });
    }

    /// Another passes one over as well, or all of them where its own commit goes on without them.
    pub(super) fn also_passed_over(&mut self, index: Option<u64>, who: AgentId) {
        let named = |passed: &&mut Passed| index.is_none_or(|index| index == passed.index);
        for passed in self.row.passed.iter_mut().filter(named) {
            if passed.author != who {
                passed.by.remove(&who);
                passed.against.insert(who);
            }
        }
    }
}

impl Desk {
    /// A member goes on by a commit, or by the last one, that was passed over here.
    pub(super) fn goes_on(
        &mut self,
        step: &Transition<'_>,
        id: GroupId,
        index: Option<u64>,
        who: AgentId,
    ) {
        let own = self.config.own;
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let passed = match index {
            Some(index) => member.row.passed.iter_mut().find(|passed| passed.index == index),
            None => member.row.passed.last_mut(),
        };
        let Some(passed) = passed.filter(|_| who != own) else { return };
        if passed.author != who || index.is_none() {
            passed.by.insert(who);
            let at = step.now.monotonic + DOUBT;
            member.doubt = Some(member.doubt.map_or(at, |before| before.min(at)));
        }
    }

    /// Whether it is this agent that has to come back, as is decided when the doubt is over.
    pub(super) fn gives_way(&mut self, step: &Transition<'_>, id: GroupId) -> bool {
        let Some(member) = self.fleets.members.get_mut(&id) else { return false };
        let is_due = member.doubt.is_some_and(|at| at <= step.now.monotonic);
        if !is_due || !member.caught_up {
            return false;
        }
        member.doubt = None;
        member.row.passed.iter().any(Passed::prevails)
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may")]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::string::String;
    use alloc::vec::Vec;

    use meshwork_protocols::identity::{AgentId, Relay};

    use super::{MAX_PASSED, Member};
    use crate::fleet::{GroupRow, Passed, Stage};

    fn agent(number: u8) -> AgentId {
        AgentId::from_bytes([number; 32])
    }

    fn member() -> Member {
        let holder = Relay { agent: agent(9), addresses: Vec::new() };
        Member::new(GroupRow::new(String::new(), holder, Stage::Member, 0))
    }

    fn passed(by: &[u8], against: &[u8]) -> Passed {
        let of = |agents: &[u8]| agents.iter().copied().map(agent).collect::<BTreeSet<_>>();
        Passed { index: 1, author: agent(1), by: of(by), against: of(against) }
    }

    #[test]
    fn so_many_commits_are_remembered_and_not_one_more() {
        let mut member = member();
        (0..MAX_PASSED as u64).for_each(|index| member.passed_over(index, agent(1)));
        assert_eq!((member.row.passed.len(), member.row.passed[0].index), (MAX_PASSED, 0));
        member.passed_over(MAX_PASSED as u64, agent(1));
        assert_eq!((member.row.passed.len(), member.row.passed[0].index), (MAX_PASSED, 1));
    }

    #[test]
    fn a_commit_prevails_where_no_fewer_go_on_by_it_than_pass_it_over() {
        assert!(!passed(&[], &[]).prevails(), "nobody but its author");
        assert!(passed(&[1], &[2]).prevails());
        assert!(!passed(&[1], &[2, 3]).prevails(), "its author counts once");
        assert!(passed(&[3], &[2]).prevails());
        assert!(passed(&[3], &[2, 4]).prevails());
        assert!(!passed(&[3], &[2, 4, 5]).prevails());
    }

    #[test]
    fn who_passes_one_over_after_all_goes_on_by_it_no_more() {
        let mut member = member();
        member.passed_over(1, agent(1));
        member.row.passed[0].by.insert(agent(2));
        member.also_passed_over(Some(7), agent(2));
        assert!(member.row.passed[0].is_followed());
        member.also_passed_over(Some(1), agent(2));
        assert!(!member.row.passed[0].is_followed());
        member.also_passed_over(None, agent(1));
        assert_eq!(member.row.passed[0].against.len(), 1, "its author does not count against it");
    }
}
