//! Removals that do not count: whom a void commit took out is a member again until it is taken out
//! anew, and whoever had read of that took it for out.
//!
//! What is sealed meanwhile would reach whom it was not meant for. So it waits for a while, and those
//! who had read of the removal and are admins make it again, whoever made it first.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::time::{Timestamp, WallTime};

use super::requests::MAX_NAMED;
use super::words::in_turn;
use super::{Member, Sight};
use crate::desk::Desk;
use crate::event::GroupEvent;
use crate::fleet::{GroupRow, Known, Undone, Wish};
use crate::peer::Standing;
use crate::transition::Transition;

/// How long a removal is waited for: who made it comes back as this agent does, within minutes. A
/// member that waited for one that is gone would not speak again.
const AWAITED: Duration = Duration::from_secs(5 * 60);

/// So many are remembered: those whom one request takes out.
const MAX_UNDONE: usize = MAX_NAMED;

impl Member {
    /// Who was a member before a commit and is none by it.
    pub(super) fn taken_out(&self, by: &Sight) -> Vec<AgentId> {
        let stay = by.agents();
        let before: BTreeSet<_> = self.cards.agents().collect();
        before.difference(&stay).copied().collect()
    }

    /// Commits that led here are void, or may be where that is not certain: whom they took out may
    /// be a member where this agent comes in again.
    pub(super) fn undo_removals(
        &mut self,
        now: WallTime,
        is_void: impl Fn(&Known) -> bool,
        is_certain: bool,
    ) {
        let here: BTreeSet<_> = self.cards.agents().collect();
        let until = now + AWAITED;
        let void = self.history.known.iter().filter(|known| is_void(known));
        let out = void.flat_map(|known| &known.removed).filter(|agent| !here.contains(agent));
        for agent in out {
            if self.row.undone.len() < MAX_UNDONE || self.row.undone.contains_key(agent) {
                let new = Undone { until, is_certain };
                self.row.undone.entry(*agent).or_insert(new).is_certain |= is_certain;
            }
        }
    }

    /// Those of them that are members now.
    pub(super) fn in_again(&self) -> impl Iterator<Item = AgentId> {
        let in_again = self.cards.agents().filter(|agent| self.row.undone.contains_key(agent));
        // Two cards may be one agent's while its leaf changes.
        in_again.collect::<BTreeSet<_>>().into_iter()
    }

    /// Whether what is sealed now would reach one of them.
    pub(super) fn awaits_removal(&self) -> bool {
        !self.row.undone.is_empty() && self.in_again().next().is_some()
    }

    /// Whether somebody may say where this agent comes in again: a member, or whom void commits took
    /// out, which is one there.
    pub(super) fn is_led_by(&self, agent: &AgentId) -> bool {
        self.has(agent) || self.row.undone.get(agent).is_some_and(|it| it.is_certain)
    }

    /// An admin wants these in: they are, whoever took them out before.
    pub(super) fn are_wanted(&mut self, added: &[AgentId]) {
        let GroupRow { undone, wishes, .. } = &mut self.row;
        for agent in added {
            if undone.remove(agent).is_some() {
                wishes.retain(|wish| *wish != Wish::Remove(*agent));
            }
        }
    }

    /// When the first of them is waited for no more.
    pub(super) fn removals_end_at(&self, now: Timestamp) -> Option<Duration> {
        let until = self.row.undone.values().map(|it| it.until).min()?;
        Some(now.monotonic.saturating_add(until.saturating_since(now.wall)))
    }
}

impl Desk {
    /// This agent is in again, maybe beside some that it took for out: their removal is waited for
    /// from now on, and wished for where it may be.
    pub(super) fn awaits_removals(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        sight: &Sight,
    ) {
        let own = self.config.own;
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let until = step.now.wall + AWAITED;
        member.row.undone.values_mut().for_each(|it| it.until = until);
        member.row.undone.remove(&own);
        member.write(step, &id);
        let is_to_go = |agent: &AgentId| sight.charter.is_admin(&own) && sight.has(agent);
        let certain = member.row.undone.iter().filter(|(_, it)| it.is_certain);
        let to_go: Vec<_> = certain.map(|(agent, _)| *agent).filter(is_to_go).collect();
        for agent in to_go {
            self.wish(step, id, Wish::Remove(agent));
        }
    }

    /// One of those whom void commits took out, another each time: where they are all whom this agent
    /// knows, nobody else can lead it back.
    pub(super) fn any_taken_out(&self, id: GroupId, asks: u32) -> Option<AgentId> {
        let undone = &self.fleets.members.get(&id)?.row.undone;
        let is_known = |agent: &&AgentId| self.peers.standing(agent) == Some(Standing::Known);
        let certain = undone.iter().filter(|(_, it)| it.is_certain).map(|(agent, _)| agent);
        let known: Vec<_> = certain.filter(is_known).copied().collect();
        in_turn(&known, asks)
    }

    /// Some were added, or are to be: nobody waits for their removal.
    pub(super) fn are_added(&mut self, id: GroupId, added: &[AgentId]) {
        if let Some(member) = self.fleets.members.get_mut(&id) {
            member.are_wanted(added);
        }
    }

    /// Who was not taken out in time is not waited for any more. The owner hears that its messages go
    /// to it.
    pub(super) fn end_removals(&mut self, step: &mut Transition<'_>, id: GroupId) {
        let now = step.now.wall;
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        // The log may say of it what was not read yet.
        if !member.caught_up || member.row.undone.is_empty() {
            return;
        }
        let in_again: BTreeSet<_> = member.in_again().collect();
        // Nor is it longer where the clock was put back.
        let latest = now + AWAITED;
        member.row.undone.values_mut().for_each(|it| it.until = it.until.min(latest));
        let over = member.row.undone.extract_if(.., |_, it| it.until <= now);
        let over: Vec<_> = over.map(|(agent, _)| agent).collect();
        if !over.is_empty() {
            member.write(step, &id);
        }
        for agent in over.into_iter().filter(|agent| in_again.contains(agent)) {
            Self::tell_of_group(step, id, GroupEvent::NotRemoved(agent));
        }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may")]
mod tests {
    use super::*;
    use crate::fleets::fixture::{agent, member};

    fn known(index: u64, removed: &[usize]) -> Known {
        Known {
            epoch: index,
            hash: [0; 32],
            index,
            stands: true,
            own: false,
            length: 0,
            removed: removed.iter().copied().map(agent).collect(),
        }
    }

    #[test]
    fn those_are_waited_for_whom_void_commits_took_out_and_nobody_else() {
        let (now, mut member) = (WallTime::from_secs(0), member());
        member.history.known = [known(3, &[1]), known(5, &[2])].into();
        member.undo_removals(now, |known| known.index >= 5, true);
        assert_eq!(member.row.undone.keys().collect::<Vec<_>>(), [&agent(2)]);
        // What is not certain later was so before.
        member.undo_removals(now, |_| true, false);
        let certain = |number| member.row.undone[&agent(number)].is_certain;
        assert!(!certain(1) && certain(2));
        member.row.wishes = [Wish::Remove(agent(2)), Wish::Remove(agent(3))].into();
        member.are_wanted(&[agent(2), agent(3)]);
        assert_eq!(member.row.wishes, [Wish::Remove(agent(3))], "that is its owner's");
        assert_eq!(member.row.undone.len(), 1);
    }

    #[test]
    fn so_many_are_waited_for_and_not_one_more() {
        let (now, mut member) = (WallTime::from_secs(0), member());
        let all: Vec<_> = (0..=MAX_UNDONE).collect();
        member.history.known = [known(3, &all)].into();
        member.undo_removals(now, |_| true, true);
        assert_eq!(member.row.undone.len(), MAX_UNDONE);
    }
}
