//! When this agent draws new keys: in its turn after many came, so that commits become small, and
//! then now and again, so that a copy of its state is good for so long and no longer.

use core::time::Duration;

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::fleet::upkeep::{turn, turns};
use meshwork_protocols::time::WallTime;

use super::Sight;
use crate::desk::Desk;
use crate::fleet::Wish;
use crate::transition::Transition;

/// Each member renews its keys so often: a week is what a thief of its state reads.
const RENEWED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The turns after many came are spread over so long, that commits do not meet.
const TURNS: Duration = Duration::from_secs(60 * 60);

/// So many that come at once are many: fewer leave a tree that any commit fills.
const MANY: usize = 8;

impl Desk {
    /// Some came. Where they are many each member has a turn, or none.
    pub(super) fn take_turn(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        came: usize,
        sight: &Sight,
    ) {
        if came < MANY {
            return;
        }
        let own = self.config.own;
        let leaf = sight.members.iter().find(|member| member.credential.agent == own);
        let size = sight.members.iter().map(|member| member.leaf.saturating_add(1)).max();
        let (Some(leaf), Some(size)) = (leaf.map(|member| member.leaf), size) else { return };
        match turn(leaf, size) {
            Some(turn) => {
                let part = f64::from(turn.saturating_add(1)) / f64::from(turns(size));
                self.renew_at(step, id, step.now.wall + TURNS.mul_f64(part));
            }
            None => self.renewed(step, id),
        }
    }

    /// This agent has new keys, or is new: the next ones are due in a week, not to the hour.
    pub(super) fn renewed(&mut self, step: &mut Transition<'_>, id: GroupId) {
        let jitter = self.jitter();
        self.renew_at(step, id, step.now.wall + RENEWED.mul_f64(1.0 - jitter));
    }

    fn renew_at(&mut self, step: &mut Transition<'_>, id: GroupId, at: WallTime) {
        if let Some(member) = self.fleets.members.get_mut(&id) {
            member.row.renew = Some(at);
            member.write(step, &id);
        }
    }

    /// Wishes for new keys when they are due.
    pub(super) fn renew(&mut self, step: &mut Transition<'_>, id: GroupId) {
        let now = step.now;
        let due = self.fleets.members.get(&id).and_then(|member| member.row.renew);
        if due.is_some_and(|at| at <= now.wall) {
            self.renewed(step, id);
            self.wish(step, id, Wish::Rotate);
        }
        if let Some(member) = self.fleets.members.get_mut(&id) {
            member.renews = member.row.renew.map(|at| now.monotonic + wait(now.wall, at));
        }
    }
}

/// How long until then; looked at again within a day, since the wall's clock may be put.
fn wait(now: WallTime, at: WallTime) -> Duration {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    at.saturating_since(now).clamp(Duration::from_secs(1), DAY)
}
