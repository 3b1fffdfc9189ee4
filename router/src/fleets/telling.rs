//! Word of a move of the log, beside the log: for whoever does not find it there, because the holder
//! before is gone or was put back to a copy from before it.
//!
//! It moves nobody. Who was told and does not read of the move asks for the way back: at once where
//! the log was read to its end since, and in a while where its holder does not answer.

use alloc::collections::BTreeSet;
use core::time::Duration;

use meshwork_protocols::fleet::{GroupId, log_moved};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::wire::Message;
use meshwork_state::StoreError;

use super::Member;
use super::summoning::SUMMONED;
use crate::desk::Desk;
use crate::fleet::{GroupLog, Stage};
use crate::transition::Transition;

/// How long a member that was told of a move looks for it in a log whose holder does not answer, or
/// where it is in doubt which commits count. Whoever was away reads what it missed in less.
const LOOKED_FOR: Duration = Duration::from_secs(10 * 60);

/// How long members that are up have to read of it, before all are told.
const TELLS_AFTER: Duration = Duration::from_secs(60);

impl Member {
    /// Members are to be told of a move of ours.
    pub(super) fn tells_of_move(&mut self, now: Duration) {
        self.row.tells_move = true;
        self.tells_move = Some(now + TELLS_AFTER);
    }

    /// A move was read. Of one that was told of and comes later the log is to tell in its turn.
    pub(super) fn found_move(&mut self) {
        let moves = self.row.log.map_or(0, |log| log.moves());
        self.row.told_moves = self.row.told_moves.filter(|told| *told > moves);
        self.looks_for_move = None;
        self.told_by = self.told_by.filter(|_| self.row.told_moves.is_some());
    }

    /// When a move that was told of is looked for no more.
    pub(super) fn lost_at(&self) -> Option<Duration> {
        self.looks_for_move.filter(|_| self.row.stage == Stage::Member)
    }

    /// The first place of the log that an admin told of.
    pub(super) fn told_place(&self) -> u64 {
        self.row.told_moves.map_or(0, GroupLog::begin_of)
    }
}

impl Desk {
    /// Tells each member of a move of ours. Who finds it in the log needs no word; who does not, since
    /// the holder before is gone or was put back to a copy, asks for the way back by it.
    pub(super) fn tell_of_move(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let now = step.now.monotonic;
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        if member.tells_move.is_none_or(|at| at > now) {
            return Ok(());
        }
        (member.row.tells_move, member.tells_move) = (false, None);
        member.write(step, &id);
        let body = log_moved::tell(&id, member.row.log(&id).moves());
        let all: BTreeSet<_> = self.known_in(id).into_iter().collect();
        for agent in all {
            self.tell(step, agent, log_moved::CONTENT_TYPE, body.clone(), SUMMONED)?;
        }
        Ok(())
    }

    /// An admin says that the log moved. What is none is passed over: it was a message.
    pub(crate) fn hears_of_move(
        &mut self,
        step: &mut Transition<'_>,
        from: AgentId,
        message: &Message,
    ) -> Result<(), StoreError> {
        let Ok((id, moves)) = log_moved::told(&message.body) else { return Ok(()) };
        let Ok(sight) = self.sight(step, id)? else { return Ok(()) };
        let is_admin = sight.has(&from) && sight.charter.is_admin(&from);
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        let known = member.row.told_moves.unwrap_or(0).max(member.row.log(&id).moves());
        if is_admin && moves > known {
            (member.row.told_moves, member.told_by) = (Some(moves), Some(from));
            member.write(step, &id);
            self.fleets.dirty.insert(id);
        }
        Ok(())
    }

    /// The log was read to its end. An admin tells of a move once it has read it there, so that whoever
    /// asks the holder later is shown it too, unless it is lost there: nobody puts it back, since all
    /// who read it are in the next log. What is passed over in doubt may have been the move.
    pub(super) fn move_is_not_there(&mut self, step: &Transition<'_>, id: GroupId) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let told = member.row.told_moves;
        if told.is_some() && member.reading.told == told && member.doubt.is_none() {
            member.looks_for_move = Some(step.now.monotonic);
            self.fleets.dirty.insert(id);
        }
    }

    /// Where a move that an admin told of is not found in the log, that is not the log any more.
    pub(super) fn look_for_move(&mut self, step: &mut Transition<'_>, id: GroupId) {
        let now = step.now.monotonic;
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        if member.row.told_moves.is_none() || member.row.stage != Stage::Member {
            member.looks_for_move = None;
            return;
        }
        if *member.looks_for_move.get_or_insert(now + LOOKED_FOR) <= now {
            member.looks_for_move = None;
            // What was read there others may never have read.
            member.undo_removals(step.now.wall, |_| true, false);
            self.forget_errands(id);
            self.strand(step, id);
        }
    }
}
