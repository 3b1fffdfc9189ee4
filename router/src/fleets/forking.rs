//! Commits that this agent passed over, or goes on by, and whether it stands alone with that.
//!
//! Members judge by the same bytes, so that what one passes over all do, and a single member that
//! appends what nobody can process stops nobody. Where others go on by it all the same, one state
//! is not what it should be, or the log's holder showed two histories; the more members decide which
//! way is gone. The fewer come back ([`super::returning`]).
//!
//! Of several commits on which members differ the first in the log decides: those behind it are of
//! the same fork. As many on either side go on by it. Whoever is among the fewer there comes back, and
//! counts no more behind it: so a member whose state is damaged, and can process nothing, leaves no
//! fork of others undecided. Only where more go on by a later one than pass that over do they decide
//! whatever came first: some came over meanwhile.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::{GroupError, GroupId};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Commit, EntryIndex, Logged};
use meshwork_state::StoreError;

use super::Member;
use crate::desk::Desk;
use crate::fleet::{Passed, Wish};
use crate::transition::Transition;

/// So many commits that were passed over are remembered, the last ones, and so many that this agent
/// goes on by: each is an entry that its author is named for.
const MAX_PASSED: usize = 16;

/// How long is waited for what other members say, once one goes on.
const DOUBT: Duration = Duration::from_secs(30);

/// A group in which nobody is beside the author of a commit and the one who passes it over.
const A_PAIR: usize = 2;

impl Passed {
    pub(super) fn new(index: u64, author: AgentId) -> Self {
        let (by, against, elsewhere) = Default::default();
        Self { index, author, by, against, elsewhere, open: false, alone: false, made_in: None }
    }

    /// Whether anybody was seen to go on by it.
    pub(crate) fn is_followed(&self) -> bool {
        !self.by.is_empty()
    }

    /// Who is known to go on by it, its author too, unless that passes it over itself.
    fn followers(&self) -> BTreeSet<AgentId> {
        let author = Some(self.author).filter(|author| !self.against.contains(author));
        self.by.iter().copied().filter(|agent| *agent != self.author).chain(author).collect()
    }

    /// Who passes it over, by what it said or did.
    fn objectors(&self) -> BTreeSet<AgentId> {
        self.against.union(&self.elsewhere).copied().collect()
    }

    /// How many go on by it, and how many pass it over, without those who come back anyway.
    fn sides(&self, lost: &BTreeSet<AgentId>) -> (usize, usize) {
        let count = |side: BTreeSet<AgentId>| side.difference(lost).count();
        (count(self.followers()), count(self.objectors()))
    }

    /// Whether one of its followers said that it passes another over: then that led nowhere there.
    fn is_without(&self, other: &Self) -> bool {
        other.against.contains(&self.author) || !self.by.is_disjoint(&other.against)
    }

    /// Of one that was passed over: whether no fewer members go on by it than pass it over, this
    /// agent among those; its author alone where nobody else could.
    fn prevails(&self, lost: &BTreeSet<AgentId>, alone: bool) -> bool {
        let (followers, objectors) = self.sides(lost);
        let is_followed = alone || self.alone || self.by.difference(lost).next().is_some();
        is_followed && followers > 0 && followers >= objectors
    }

    /// Of one that was passed over: whether more than one go on by it, and more than pass it over.
    fn outnumbers(&self) -> bool {
        let (followers, objectors) = self.sides(&BTreeSet::new());
        self.is_followed() && followers > objectors.max(1)
    }

    /// Of one that this agent goes on by: whether more pass it over, whether or not it said so.
    fn yields(&self, lost: &BTreeSet<AgentId>, own: &AgentId) -> bool {
        let unsaid = usize::from(self.author != *own && !self.by.contains(own));
        let (followers, objectors) = self.sides(lost);
        objectors > followers.saturating_add(unsaid)
    }

    /// Of one that this agent goes on by: whether it is not seen yet that more do than pass it over.
    fn is_in_doubt(&self) -> bool {
        let (followers, objectors) = self.sides(&BTreeSet::new());
        followers <= objectors
    }

    fn goes_on(&mut self, who: AgentId) {
        self.open |= self.by.insert(who) | self.comes_over(&who);
    }

    fn passes_over(&mut self, who: AgentId) {
        self.open |= self.by.remove(&who) | self.against.insert(who);
    }

    /// It made a commit beside this one.
    fn goes_elsewhere(&mut self, who: AgentId) -> bool {
        self.by.remove(&who) | self.elsewhere.insert(who)
    }

    /// It is against it no more.
    fn comes_over(&mut self, who: &AgentId) -> bool {
        self.against.remove(who) | self.elsewhere.remove(who)
    }
}

impl Member {
    /// This agent passes one over.
    pub(super) fn passed_over(&mut self, passed: Passed) {
        let author = passed.author;
        if self.row.passed.len() >= MAX_PASSED {
            self.row.passed.remove(0);
        }
        self.row.passed.push(passed);
        // Its author goes another way than this agent.
        for followed in self.row.followed.iter_mut().filter(|it| it.author != author) {
            followed.goes_elsewhere(author);
        }
    }

    /// This agent goes on by a commit.
    pub(super) fn follows(&mut self, index: u64, author: AgentId) {
        if self.row.followed.len() >= MAX_PASSED {
            self.row.followed.remove(0);
        }
        self.row.followed.push(Passed::new(index, author));
    }

    /// Another goes on by one by which this agent does. That disputes nothing: whoever came in by an
    /// earlier commit says so of that while others differ on a later one.
    fn also_follows(&mut self, index: Option<u64>, who: AgentId) -> bool {
        let followed = self.row.followed.iter_mut().find(|it| Some(it.index) == index);
        if let Some(followed) = followed {
            let open = followed.open;
            followed.goes_on(who);
            followed.open = open;
            return true;
        }
        false
    }

    /// Another passes one over as well, or all of them where a commit that it made goes on without
    /// them. Of its own it says so: such a commit may be one from before, that another put back.
    pub(super) fn also_passed_over(&mut self, index: Option<u64>, who: AgentId) {
        let passed = self.row.passed.iter_mut();
        if let Some(index) = index {
            passed.filter(|it| it.index == index).for_each(|it| it.passes_over(who));
            return;
        }
        for passed in passed.filter(|it| it.author != who) {
            passed.open |= passed.goes_elsewhere(who);
        }
        for followed in &mut self.row.followed {
            followed.comes_over(&who);
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
        if member.also_follows(index, who) {
            return;
        }
        let is_it = |it: &&mut Passed| Some(it.index) == index;
        let passed = match index {
            Some(_) => member.row.passed.iter_mut().find(is_it),
            None => member.row.passed.last_mut(),
        };
        let Some(passed) = passed.filter(|_| who != own) else { return };
        if passed.author != who || index.is_none() {
            passed.goes_on(who);
            self.doubts(step, id);
        }
    }

    /// It is to be decided whose way is gone.
    pub(super) fn doubts(&mut self, step: &Transition<'_>, id: GroupId) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let at = step.now.monotonic + DOUBT;
        member.doubt = Some(member.doubt.map_or(at, |before| before.min(at)));
        member.heals(step);
        let is_pair = member.size() <= A_PAIR;
        if let Some(last) = member.row.passed.last_mut() {
            last.open |= is_pair || last.alone;
        }
    }

    /// A commit by which this agent goes on, another passes over. Whoever can process it says so,
    /// until it is seen that more do.
    pub(super) fn is_contested(
        &mut self,
        step: &Transition<'_>,
        id: GroupId,
        on: EntryIndex,
        who: AgentId,
    ) {
        let own = self.config.own;
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let size = member.size();
        let Some(followed) = member.row.followed.iter_mut().find(|it| it.index == on.0) else {
            return;
        };
        if who == own || followed.author == who {
            return;
        }
        followed.passes_over(who);
        let is_to_say =
            followed.is_in_doubt() && followed.author != own && !followed.by.contains(&own);
        self.doubts(step, id);
        if is_to_say {
            self.confirm_later(step, id, on, size);
        }
    }

    /// Another says that it goes on by a commit: this agent need not, unless as many pass it over.
    pub(super) fn is_confirmed(&mut self, id: GroupId, on: u64) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let followed = member.row.followed.iter().find(|it| it.index == on);
        if followed.is_none_or(|it| !it.is_in_doubt()) {
            member.confirm = member.confirm.filter(|(commit, _)| *commit > on);
        }
    }

    /// A commit led on: from now on it is known by its hash.
    pub(super) fn goes_by(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        logged: &Logged,
        commit: &Commit,
        (epoch, own, removed): (u64, bool, Vec<AgentId>),
    ) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        member.follows(logged.index.0, logged.author);
        // Where it is another's, ours that waited is gone.
        let offered = member.row.offered.as_ref();
        let wishes: Vec<Wish> = offered.map(|offered| offered.wishes.clone()).unwrap_or_default();
        let place = (logged.index.0, epoch.saturating_sub(1), own);
        self.remember(step, id, place, commit, (&wishes, removed));
    }

    /// Others may have missed what this agent sent: those who process only now a commit that was put
    /// back, or one that comes back itself after members went different ways.
    pub(super) fn others_missed(
        &mut self,
        step: &Transition<'_>,
        id: GroupId,
        (author, appended_by): (AgentId, AgentId),
        returns: bool,
    ) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let is_told = member.row.puts_back == Some(author) && member.is_healing(step);
        let is_put_back = author != appended_by || is_told;
        if is_put_back {
            member.heals(step);
        }
        if is_put_back || (returns && member.is_healing(step)) {
            self.repeat_later(step, id);
        }
    }

    /// Whether a commit is older than those by which this agent knows its way: it led here, or
    /// nowhere.
    pub(super) fn is_behind_us(&mut self, id: GroupId, index: u64, why: GroupError) -> bool {
        let Some(member) = self.fleets.members.get_mut(&id) else { return false };
        let GroupError::EpochOver { theirs, .. } = why else { return false };
        let first = member.history.known.first().map(|known| known.epoch);
        let is_behind = theirs < first.unwrap_or(member.history.from);
        if is_behind {
            member.row.last_commit = index;
        }
        is_behind
    }

    /// Whether what led here is not all read again.
    pub(super) fn reads_again(&self, id: GroupId) -> bool {
        self.fleets.members.get(&id).is_some_and(|member| !member.is_whole())
    }

    pub(super) fn is_reading_anew(&self, id: GroupId) -> bool {
        self.fleets.members.get(&id).is_some_and(|member| member.row.anew)
    }

    /// Whether it is this agent that has to come back, as is decided when the doubt is over.
    pub(super) fn gives_way(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<bool, StoreError> {
        let own = self.config.own;
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(false) };
        let is_due = member.doubt.is_some_and(|at| at <= step.now.monotonic);
        if !is_due || !member.caught_up {
            return Ok(false);
        }
        member.doubt = None;
        let first = member.first_dispute(&own);
        let void = first.filter(|(_, yields)| *yields).map(|(index, _)| member.void_from(index));
        let judged = member.row.passed.iter_mut().chain(&mut member.row.followed);
        judged.for_each(|it| it.open = false);
        member.write(step, &id);
        let Some(void) = void else { return Ok(false) };
        member.row.gave_way = true;
        self.wish_again(step, id, void)?;
        Ok(true)
    }
}

impl Member {
    /// From which entry on, and from which epoch, commits that led here are void where this agent gives
    /// way to those who go on by a commit: from that on, or from an earlier one on that they passed over
    /// when this agent was among the more.
    fn void_from(&self, index: u64) -> (u64, Option<u64>) {
        let Some(passed) = self.row.passed.iter().find(|it| it.index == index) else {
            return (index, None);
        };
        let led_nowhere = self.row.followed.iter().filter(|it| passed.is_without(it));
        let first = led_nowhere.map(|it| it.index).min().unwrap_or(index);
        (first.min(index), passed.made_in)
    }

    /// The first commit that has this agent among the fewer, or else the first on which members differ,
    /// and whether it has.
    fn first_dispute(&self, own: &AgentId) -> Option<(u64, bool)> {
        let is_pair = self.size() <= A_PAIR;
        let is_disputed = |it: &&Passed| it.open && (it.is_followed() || it.alone || is_pair);
        let passed = self.row.passed.iter().filter(is_disputed).map(|it| (it, false));
        let followed = self.row.followed.iter().filter(|it| it.open && !it.objectors().is_empty());
        let mut disputes: Vec<_> = passed.chain(followed.map(|it| (it, true))).collect();
        disputes.sort_by_key(|(it, _)| it.index);
        let (first, mut lost) = (disputes.first()?.0.index, BTreeSet::new());
        for (it, is_ours) in disputes {
            let (others, yields) = match is_ours {
                true => (it.against.clone(), it.yields(&lost, own)),
                false => (it.followers(), it.outnumbers() || it.prevails(&lost, is_pair)),
            };
            if yields {
                return Some((it.index, true));
            }
            lost.extend(others);
        }
        Some((first, false))
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may")]
mod tests {
    use alloc::collections::BTreeSet;

    use super::MAX_PASSED;
    use crate::fleet::Passed;
    use crate::fleets::fixture::{agent, member};

    fn passed(by: &[usize], against: &[usize]) -> Passed {
        let of = |agents: &[usize]| agents.iter().copied().map(agent).collect::<BTreeSet<_>>();
        let (by, against) = (of(by), of(against));
        Passed { by, against, open: true, ..Passed::new(1, agent(1)) }
    }

    #[test]
    fn so_many_commits_are_remembered_and_not_one_more() {
        let mut member = member();
        (0..MAX_PASSED as u64).for_each(|index| member.passed_over(Passed::new(index, agent(1))));
        assert_eq!((member.row.passed.len(), member.row.passed[0].index), (MAX_PASSED, 0));
        member.passed_over(Passed::new(MAX_PASSED as u64, agent(1)));
        assert_eq!((member.row.passed.len(), member.row.passed[0].index), (MAX_PASSED, 1));
    }

    #[test]
    fn a_commit_prevails_where_no_fewer_go_on_by_it_than_pass_it_over() {
        assert!(!passed(&[], &[]).is_followed(), "nobody but its author");
        let prevails = |by: &[usize], against: &[usize], lost: &[usize]| {
            let lost = lost.iter().copied().map(agent).collect();
            passed(by, against).prevails(&lost, false)
        };
        assert!(prevails(&[1], &[2], &[]));
        assert!(!prevails(&[1], &[2, 3], &[]), "its author counts once");
        assert!(prevails(&[3], &[2], &[]));
        assert!(prevails(&[3], &[2, 4], &[]));
        assert!(!prevails(&[3], &[2, 4, 5], &[]));
        assert!(prevails(&[3], &[2, 4, 5], &[5]), "who comes back does not count");
        assert!(!prevails(&[3], &[2], &[3]), "nobody is left but its author");
        assert!(passed(&[], &[2]).prevails(&BTreeSet::new(), true), "nobody else could be");
    }

    #[test]
    fn a_commit_yields_where_more_pass_it_over_than_go_on_by_it() {
        let (own, none) = (agent(9), BTreeSet::new());
        assert!(!passed(&[9], &[2]).yields(&none, &own));
        assert!(!passed(&[], &[2, 3]).yields(&none, &own), "it counts, though it said nothing");
        assert!(!passed(&[9], &[2, 3]).yields(&none, &own), "as many go on by it");
        assert!(passed(&[9], &[2, 3, 4]).yields(&none, &own));
        assert!(!passed(&[9], &[2, 3, 4]).yields(&[agent(4)].into(), &own), "that one comes back");
        assert!(passed(&[], &[2, 3]).yields(&none, &agent(1)));
    }

    #[test]
    fn of_two_commits_on_which_members_differ_the_first_in_the_log_decides() {
        let (own, mut member) = (agent(9), member());
        // Ours at 3, two against two; theirs at 5, two against two.
        member.row.followed.push(Passed { index: 3, ..passed(&[9], &[2, 3]) });
        member.row.passed.push(Passed { index: 5, author: agent(2), ..passed(&[3], &[1, 9]) });
        assert_eq!(member.first_dispute(&own), Some((3, false)));
        member.row.followed[0].index = 7;
        assert_eq!(member.first_dispute(&own), Some((5, true)));
        member.row.passed[0].open = false;
        assert_eq!(member.first_dispute(&own), Some((7, false)), "what was decided is over");
    }

    #[test]
    fn who_objects_to_an_earlier_commit_alone_leaves_no_later_fork_undecided() {
        let (own, mut member) = (agent(9), member());
        // One whose state is damaged; and theirs, two against two.
        member.row.followed.push(Passed { index: 3, ..passed(&[3, 7, 8, 9], &[5]) });
        member.row.passed.push(Passed { index: 6, author: agent(2), ..passed(&[3], &[1, 9]) });
        assert_eq!(member.first_dispute(&own), Some((6, true)));
        // What they made goes beside the first as well; they said nothing of it.
        member.row.followed[0].goes_elsewhere(agent(2));
        assert_eq!(member.first_dispute(&own), Some((6, true)));
        member.row.followed[0].passes_over(agent(3));
        assert_eq!(member.first_dispute(&own), Some((3, false)));
        // Nor does one who goes on alone by what this agent passed over.
        member.row.passed = [Passed { author: agent(5), ..passed(&[], &[1, 3, 9]) }].into();
        member.row.followed.push(Passed { index: 7, ..passed(&[9], &[2, 3, 4, 6]) });
        assert_eq!(member.first_dispute(&own), Some((7, true)));
    }

    #[test]
    fn who_gives_way_makes_again_what_the_others_said_that_they_passed_over() {
        let mut member = member();
        member.row.followed.push(Passed { index: 3, ..passed(&[9], &[4]) });
        member.row.followed.push(Passed { index: 4, ..passed(&[9], &[2]) });
        member.row.passed.push(Passed { index: 7, author: agent(2), ..passed(&[3], &[9]) });
        assert_eq!(member.void_from(7), (4, None));
        // By what it made it is not known where it left.
        member.row.followed[1].against.clear();
        member.row.followed[1].goes_elsewhere(agent(2));
        assert_eq!(member.void_from(7), (7, None));
        member.row.followed[0].passes_over(agent(3));
        member.row.passed[0].made_in = Some(5);
        assert_eq!(member.void_from(7), (3, Some(5)));
        assert_eq!(member.void_from(4), (4, None), "of one that it followed itself");
    }

    #[test]
    fn more_who_went_on_by_a_later_commit_decide_though_fewer_objected_to_an_earlier_one() {
        let (own, mut member) = (agent(9), member());
        member.row.followed.push(Passed { index: 3, ..passed(&[9], &[2]) });
        // Theirs: one who objected before, and another, against this agent alone.
        member.row.passed.push(Passed { index: 5, author: agent(2), ..passed(&[2, 3], &[9]) });
        assert_eq!(member.first_dispute(&own), Some((5, true)));
        member.row.passed[0].against.insert(agent(1));
        assert_eq!(member.first_dispute(&own), Some((3, false)), "as many decide nothing");
    }

    #[test]
    fn who_goes_on_by_an_earlier_commit_as_this_agent_does_disputes_nothing() {
        let (own, mut member) = (agent(9), member());
        member.follows(3, agent(4));
        // Its author goes another way, by which as many go on as pass it over.
        member.passed_over(Passed::new(5, agent(1)));
        member.row.passed[0] = Passed { index: 5, ..passed(&[2], &[8, 9]) };
        assert!(member.row.followed[0].elsewhere.contains(&agent(1)));
        assert!(member.also_follows(Some(3), agent(6)));
        assert!(!member.also_follows(Some(5), agent(6)), "this agent does not");
        assert_eq!(member.first_dispute(&own), Some((5, true)));
    }

    #[test]
    fn who_passes_one_over_after_all_goes_on_by_it_no_more() {
        let mut member = member();
        member.passed_over(Passed::new(1, agent(1)));
        member.row.passed[0].by.insert(agent(2));
        member.also_passed_over(Some(7), agent(2));
        assert!(member.row.passed[0].is_followed());
        member.also_passed_over(Some(1), agent(2));
        assert!(!member.row.passed[0].is_followed());
        member.also_passed_over(None, agent(1));
        assert_eq!(
            member.row.passed[0].objectors().len(),
            1,
            "its author does not count against it"
        );
        assert_eq!(member.row.passed[0].followers().len(), 1);
        member.also_passed_over(Some(1), agent(1));
        assert!(member.row.passed[0].followers().is_empty(), "unless it says so");
    }
}
