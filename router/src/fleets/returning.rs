//! Coming back by oneself: who cannot follow the log any more asks a member for the way back, and
//! comes in again with a commit of its own, in the place of its old leaf.
//!
//! Any member may answer, for the answer opens nothing: it is a GroupInfo and the roster of the
//! epoch. Whether the commit counts, the members judge. Where the log went on meanwhile it was not
//! the last, and the way is asked for anew.

use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::way_back::{ANSWERED_TYPE, ASKED_TYPE, ask};
use meshwork_protocols::fleet::{Group, GroupError, GroupId, Rejoined, Roster, Step, Summons};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Answer, Append, Commit as Logged, Entry, EntryIndex, Request};
use meshwork_state::StoreError;

use super::committing::{append_of, posted};
use super::joining::{Join, sight_of};
use super::{Errand, request_of};
use crate::desk::Desk;
use crate::event::GroupEvent;
use crate::fleet::{Cards, GroupLog, Offered, Stage, SummonsRow, key};
use crate::transition::Transition;

/// How long a question for the way back, and its answer, are tried: by then another was asked.
const ASKED: Duration = Duration::from_secs(60 * 60);

/// Before the first question, and between two: it doubles, since nobody may be there to answer.
const FIRST_ASK: Duration = Duration::from_secs(3);

/// The longest wait between two questions.
const LONGEST_ASK: Duration = Duration::from_secs(60 * 60);

/// So often an answer is passed over that is of a shorter log than the one that was read.
const DISTRUSTS: u32 = 2;

/// After so many questions an agent that gave way reads the log again as it is: where all gave way
/// nobody would answer.
const GIVES_UP: u32 = 6;

/// One member is told the way back at most so often: each answer leaves a roster with the holder.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Ways back stand beside summonses, under the number of their entry and this bit.
const WAY: u64 = 1 << 63;

impl Desk {
    /// Asks one of the members that are known here, another each time: first the admin that told of a
    /// move which is not in the log, since it may be the only one that is in the next.
    pub(super) fn ask_way_back(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let now = step.now.monotonic;
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        let Some((asks, at)) = member.way else {
            let wait = FIRST_ASK + Duration::from_millis(self.random.below(2_000).into());
            member.way = Some((0, now + wait));
            return Ok(());
        };
        if at > now {
            return Ok(());
        }
        if member.row.gave_way && asks >= GIVES_UP {
            return self.stays(step, id);
        }
        let wait = FIRST_ASK.saturating_mul(2 << asks.min(12)).min(LONGEST_ASK);
        let told_by = member.told_by.take();
        // That question takes nobody's turn.
        let asked = asks.saturating_add(u32::from(told_by.is_none()));
        member.way = Some((asked, now + wait));
        let any = || self.next_known_in(id, asks).or_else(|| self.any_taken_out(id, asks));
        let Some(whom) = told_by.or_else(any) else { return Ok(()) };
        self.tell(step, whom, ASKED_TYPE, ask(&id), ASKED).map(drop)
    }

    /// Nobody answered: this agent goes on by what it has, which is judged anew.
    fn stays(&mut self, step: &mut Transition<'_>, id: GroupId) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        (member.row.stage, member.row.gave_way, member.way) = (Stage::Member, false, None);
        self.begin_anew(step, id);
        Ok(())
    }

    /// A member wants the way back: it is left with the holder, and then told.
    pub(super) fn way_wanted(
        &mut self,
        step: &mut Transition<'_>,
        from: AgentId,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let Ok(sight) = self.sight(step, id)? else { return Ok(()) };
        let Self { config, fleets, random, .. } = self;
        let (Some(fleet), Some(member)) = (&config.fleet, fleets.members.get_mut(&id)) else {
            return Ok(());
        };
        let now = step.now.monotonic;
        member.told.retain(|_, at| *at + TOLD_EVERY > now);
        let number = member.row.last_commit | WAY;
        // Who is not where the log is leads nobody there.
        let is_unsure = !member.is_whole() || member.doubt.is_some();
        if member.row.stage != Stage::Member
            || is_unsure
            || !sight.has(&from)
            || member.told.contains_key(&from)
            || member.summons.contains(&number)
        {
            return Ok(());
        }
        let last_commit = member.row.last_commit;
        let Some(place) = member.row.commit_chain.filter(|(index, _)| *index == last_commit) else {
            return Ok(());
        };
        let slot = (id, &mut member.group);
        let way = fleet.on(step, &mut **random, slot, |group, around, local| {
            let info = group.info(around, local)?.output;
            let tree = group.view(around)?.tree()?;
            Ok(Step { output: (info, tree), changes: Vec::new() })
        })?;
        // What this agent cannot say now, another member can.
        let Ok((info, tree)) = way else { return Ok(()) };
        let roster = Roster { tree: tree.into(), cards: member.cards.bytes() };
        let welcomes = alloc::vec![(from, info)];
        let whence = (place, member.row.holder.clone());
        SummonsRow::seal(fleet.provider(), &mut **random, &id, whence, &roster, welcomes)?
            .write(step, key::summons(&id, number));
        member.summons.insert(number);
        member.told.insert(from, now);
        self.fleets.dirty.insert(id);
        Ok(())
    }

    /// What a row of summonses brings: an invitation, or the way back.
    pub(super) const fn is_way(number: u64) -> bool {
        number & WAY != 0
    }

    pub(super) fn tell_way_back(
        &mut self,
        step: &mut Transition<'_>,
        to: AgentId,
        way: &Summons,
    ) -> Result<(), StoreError> {
        // One that is too long to be told is not told: an admin brings its asker in anew.
        let Ok(body) = way.encode() else { return Ok(()) };
        self.tell(step, to, ANSWERED_TYPE, body, ASKED).map(drop)
    }

    /// A member answered: the roster is fetched.
    pub(super) fn way_came(&mut self, step: &mut Transition<'_>, from: AgentId, body: &[u8]) {
        let Ok(way) = Summons::decode(body) else { return };
        let id = way.group;
        let Some(member) = self.fleets.members.get(&id) else { return };
        // A log that was put back to a copy ends before what was read of it.
        let asks = member.way.map_or(0, |(asks, _)| asks);
        let least = member.row.last_commit.max(member.told_place());
        let goes_on = least <= way.after.0 || asks > DISTRUSTS;
        let is_wanted = member.row.stage == Stage::Stranded && member.is_led_by(&from) && goes_on;
        if is_wanted && !self.fleets.joins.contains_key(&id) {
            self.fleets.joins.insert(id, Join::back(from, way));
            self.next_part(step, id);
        }
    }

    /// Everything is here: the commit is made that comes back, in place of all that was.
    pub(super) fn come_back(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        way: &Summons,
        roster: &Roster,
    ) -> Result<Result<(), GroupError>, StoreError> {
        let Self { config, fleets, random, .. } = self;
        let (Some(fleet), Some(member)) = (&config.fleet, fleets.members.get_mut(&id)) else {
            return Ok(Err(GroupError::NoGroup));
        };
        let now = step.now.wall;
        let Ok(mut cards) = Cards::default().with(fleet.provider(), &roster.cards, now) else {
            return Ok(Err(GroupError::Malformed));
        };
        cards.insert((**fleet.card()).clone());
        let returned = fleet.run(step, &mut **random, |around, local| {
            let Step { output, changes } =
                Group::rejoin(around, local, &cards, &way.welcome, &roster.tree.0)?;
            let Rejoined { mut group, commit } = output;
            if group.id() != id {
                return Err(GroupError::OtherGroup);
            }
            let sight = sight_of(&group.view(around)?)?;
            Ok(Step { output: (group, commit, sight), changes })
        })?;
        let (group, commit, sight) = match returned {
            Ok(returned) => returned,
            Err(why) => return Ok(Err(why)),
        };
        let own = alloc::vec![fleet.card().as_bytes().to_vec().into()];
        let log = GroupLog::of(&id, &sight.charter);
        let logged = Logged {
            epoch: commit.epoch,
            builds_on: Some(EntryIndex(log.place(log.index(way.after.0)))),
            admitted: Vec::new(),
            removed: Vec::new(),
            bytes: posted(commit.entry, own)?,
        };
        let request = append_of(id, logged);
        let (wishes, welcomes) = (Vec::new(), Vec::new());
        member.row.offered = Some(Offered { request, wishes, welcomes });
        member.row.holder = sight.charter.holder().unwrap_or_else(|| way.holder.clone());
        (member.row.log, member.row.way) = (Some(log), Some(way.chain));
        member.row.stage = Stage::Returning;
        member.group = Some(group);
        member.write(step, &id);
        // A holder from before has nothing more to say.
        self.forget_errands(id);
        self.keep_cards(step, id, cards, &sight);
        self.fleets.dirty.insert(id);
        Ok(Ok(()))
    }

    /// Asks for the commit that comes back to be put behind the log.
    pub(super) fn append_return(&mut self, step: &mut Transition<'_>, id: GroupId) {
        let Some(member) = self.fleets.members.get(&id) else { return };
        let Some(offered) = member.row.offered.as_ref() else { return };
        if let Ok(request) = request_of(&offered.request) {
            self.errand(step, id, Errand::Return, *request);
        }
    }

    /// It stands there, or another came before it and the way is asked for anew.
    pub(super) fn return_answered(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        answer: &Answer,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        if member.row.stage != Stage::Returning {
            return Ok(());
        }
        let offered = member.row.offered.take();
        (member.commit_answered, member.caught_up, member.way) = (None, false, None);
        match answer {
            Answer::Appended(EntryIndex(index)) => {
                let missed = member.row.log(&id).between(member.row.read, *index);
                member.row.stage = Stage::Member;
                (member.row.anew, member.promised) = (false, *index);
                (member.row.gave_way, member.row.told_moves) = (false, None);
                member.begin_elsewhere();
                member.heals(step);
                if let Some(Offered { request, .. }) = offered {
                    self.came_by(step, id, *index, &request)?;
                }
                self.needs_no_invitation(step, id, *index)?;
                let sight = self.sight(step, id)?;
                if let Ok(sight) = &sight {
                    self.awaits_removals(step, id, sight);
                }
                self.send_all_again(step, id)?;
                self.renewed(step, id);
                Self::tell_of_group(step, id, GroupEvent::Returned { missed });
                if let Ok(sight) = sight {
                    self.wait_for_those_left(step, id, &sight)?;
                }
            }
            _ => member.row.stage = Stage::Stranded,
        }
        if let Some(member) = self.fleets.members.get(&id) {
            member.write(step, &id);
        }
        Ok(())
    }

    /// The commit that came back is known from now on, and nothing before it. The log is read from the
    /// one that it builds on, as who told the way saw it: if ours is not there, it was lost.
    fn came_by(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        index: u64,
        request: &[u8],
    ) -> Result<(), StoreError> {
        if let Request::Append(Append { entry: Entry::Commit(commit), .. }) = *request_of(request)?
        {
            let (epoch, after) = (commit.epoch, commit.builds_on.map_or(index, |after| after.0));
            self.begin_history(step, id, (epoch, index));
            self.remember(step, id, (index, epoch, true), &commit, (&[], Vec::new()));
            let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
            (member.row.read, member.row.last_commit) = (after, after);
            member.row.chain = member.row.way.take();
            member.row.commit_chain = member.row.chain.map(|chain| (after, chain));
            member.history.known.iter_mut().for_each(|known| known.stands = false);
            member.history.write(step, key::history(&id));
        }
        Ok(())
    }
}
