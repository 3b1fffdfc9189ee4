//! Moving a group's log to another relay: the log is founded there first, with all who may append,
//! and then named by a commit, the last that counts in the log before.
//!
//! So nobody is ever without a log, and whoever founded one in vain leaves an empty one behind, of
//! which nobody knows. Whoever reads the commit goes on at the new holder from the first entry;
//! whoever was away reads the old log up to there. What is under way is appended again in the new
//! log, and known by its ids. The holder before takes no part in any of it.

use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::{Charter, GroupId};
use meshwork_protocols::identity::card::MAX_ADDRESSES;
use meshwork_protocols::identity::{AgentId, Relay};
use meshwork_protocols::relay::{
    Answer, Append, Entry, EntryIndex, LogChain, LogId, MayAppend, Refusal, Request,
};
use meshwork_protocols::time::WallTime;
use meshwork_state::{Namespace, StoreError};

use super::following::first_entry;
use super::{Ask, Errand, LONGEST_REST, Member, Sight};
use crate::command::CommandError;
use crate::desk::Desk;
use crate::event::GroupEvent;
use crate::fleet::{GroupLog, NextLog, SummonsRow, Wish, key};
use crate::input::RelayFailure;
use crate::transition::Transition;

/// How long a relay is asked to found the log: one that does not answer within an hour is not where
/// a group wants to be.
const TRIED: Duration = Duration::from_secs(60 * 60);

/// The first wait after it did not answer; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// So often an earlier holder is asked to keep a roster: a minute apart, an hour in all.
const MOST_UPLOADS: u32 = 60;

/// What did not succeed, how often in a row, and when it is tried again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pause {
    failures: u32,
    until: Option<Duration>,
}

impl Pause {
    fn failed(&mut self, now: Duration, least: Duration, jitter: f64) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(5)).max(least);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + pause.min(LONGEST_REST).mul_f64(1.0 - jitter));
    }

    fn is_over(self, now: Duration) -> bool {
        self.until.is_none_or(|until| until <= now)
    }
}

impl Errand {
    /// Whether it goes to the holder of the log as it is now, and to nobody else.
    const fn is_for_the_log(self) -> bool {
        !matches!(self, Self::Card(_) | Self::Offer(_) | Self::FoundNext(_) | Self::Upload { .. })
    }
}

impl Member {
    /// Where the log is to go, and since when.
    fn moves_to(&self) -> Option<(&Relay, WallTime)> {
        self.row.wishes.iter().find_map(|wish| match wish {
            Wish::Move { to, since } => Some((to, *since)),
            _ => None,
        })
    }

    /// The wish to move the log and the charter that does, once the next log stands for those who
    /// are members now.
    pub(super) fn is_to_move(&self, sight: &Sight) -> Option<(Wish, Charter)> {
        let is_next = |next: &&NextLog| next.stands && next.holder != self.row.holder;
        let next = self.row.next_log.as_ref().filter(is_next)?;
        let wish = self.row.wishes.iter().find(|wish| next.is_for(wish))?;
        let charter = sight.charter.moved(&next.holder, next.id)?;
        (next.listed == listed(sight)).then(|| (wish.clone(), charter))
    }

    /// When something is to be done about another log than the one that is followed.
    pub(super) fn other_logs_due(&self) -> Option<Duration> {
        let moves = self.moving.until.filter(|_| self.moves_to().is_some());
        let uploads = self.uploading.until.filter(|_| !self.summons.is_empty());
        moves.into_iter().chain(uploads).min()
    }

    /// The first of the summonses whose roster can be left now. An earlier holder keeps nobody
    /// waiting who came in since.
    pub(super) fn next_summons(&self, id: &GroupId, now: Duration) -> Option<u64> {
        let log = self.row.log(id);
        let can = |number: &&u64| self.uploading.is_over(now) || log.has(place_of(**number));
        self.summons.iter().find(can).copied()
    }
}

impl NextLog {
    fn is_for(&self, wish: &Wish) -> bool {
        matches!(wish, Wish::Move { to, .. } if *to == self.holder)
    }
}

impl Desk {
    /// The log is to move, to this relay and to no other that was named before.
    pub(super) fn move_log(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        to: Relay,
    ) -> Result<(), CommandError> {
        if !(1..=MAX_ADDRESSES).contains(&to.addresses.len()) {
            return Err(CommandError::NoRelay);
        }
        let wish = Wish::Move { to, since: step.now.wall };
        self.wish_all(step, group, alloc::vec![wish.clone()])?;
        if let Some(member) = self.fleets.members.get_mut(&group) {
            let stays = |it: &Wish| !matches!(it, Wish::Move { .. }) || it.is_as(&wish);
            member.row.wishes.retain(stays);
            member.write(step, &group);
        }
        Ok(())
    }

    /// Founds the log at the relay that is to hold it: its first entry lists those who may append.
    /// Where others are members by then, another one is founded.
    pub(super) fn prepare_move(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        let Some((to, since)) = member.moves_to().map(|(to, since)| (to.clone(), since)) else {
            if member.row.next_log.take().is_some() {
                member.write(step, &id);
            }
            member.moving = Pause::default();
            return Ok(());
        };
        if !member.caught_up || member.row.offered.is_some() || member.row.holder == to {
            return Ok(());
        }
        if step.now.wall > since + TRIED {
            self.not_moved(step, id, &to);
            return Ok(());
        }
        let Ok(sight) = self.sight(step, id)? else { return Ok(()) };
        if !sight.charter.is_admin(&self.config.own) {
            return Ok(());
        }
        let listed = listed(&sight);
        let Self { fleets, random, .. } = self;
        let Some(member) = fleets.members.get_mut(&id) else { return Ok(()) };
        let fits = |next: &&NextLog| next.holder == to && next.listed == listed;
        let next = match member.row.next_log.as_ref().filter(fits) {
            Some(next) => next.clone(),
            None => {
                let (name, stands) = (LogId(random.array()), false);
                let next = NextLog { holder: to, id: name, listed, stands };
                member.row.next_log = Some(next.clone());
                member.write(step, &id);
                next
            }
        };
        if !next.stands && member.moving.is_over(step.now.monotonic) {
            self.found_next(step, id, next, &sight);
        }
        Ok(())
    }

    fn found_next(&mut self, step: &mut Transition<'_>, id: GroupId, next: NextLog, sight: &Sight) {
        let NextLog { holder, id: log, .. } = next;
        let request = Request::Append(Append { log, entry: founding(sight) });
        self.errand_at(step, id, holder, Errand::FoundNext(log), request);
    }

    /// It is founded there, or that relay does not want it.
    pub(super) fn next_founded(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        log: LogId,
        answer: &Answer,
    ) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        member.moving = Pause::default();
        let next = member.row.next_log.as_mut().filter(|next| next.id == log);
        let Some(next) = next else { return };
        match answer {
            // Nobody else knows its name: what stands there was asked for before.
            Answer::Appended(_) | Answer::Refused(Refusal::NotLast { .. }) => {
                next.stands = true;
                member.write(step, &id);
            }
            _ => {
                let to = next.holder.clone();
                self.not_moved(step, id, &to);
            }
        }
    }

    /// The relay that is to hold the log did not answer: the one that does keeps nobody waiting.
    pub(super) fn next_holder_failed(
        &mut self,
        step: &Transition<'_>,
        id: GroupId,
        why: RelayFailure,
    ) {
        let jitter = self.jitter();
        if let Some(member) = self.fleets.members.get_mut(&id) {
            member.moving.failed(step.now.monotonic, least(why), jitter);
        }
    }

    /// The log stays where it is.
    fn not_moved(&mut self, step: &mut Transition<'_>, id: GroupId, to: &Relay) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        member.row.wishes.retain(|wish| !matches!(wish, Wish::Move { to: it, .. } if it == to));
        member.row.next_log = None;
        member.moving = Pause::default();
        member.write(step, &id);
        self.fleets.dirty.insert(id);
        Self::tell_of_group(step, id, GroupEvent::NotMoved { to: to.agent });
    }

    /// Goes on in the log that the charter names, if that is another one. What the holder before
    /// still answers counts for nothing, and what it was asked to append is appended anew.
    pub(super) fn goes_on_elsewhere(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        sight: &Sight,
        by: AgentId,
    ) -> Result<bool, StoreError> {
        let Some(member) = self.fleets.members.get(&id) else { return Ok(false) };
        let Some(holder) = sight.charter.holder() else { return Ok(false) };
        let log = GroupLog::of(&id, &sight.charter);
        if log.moves() <= member.row.log(&id).moves() {
            return Ok(false);
        }
        if member.row.anew {
            self.was_read_anew(step, id)?;
        }
        self.forget_errands(id);
        let own = self.config.own;
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(false) };
        let to = holder.agent;
        member.begin_log(log, holder);
        member.found_move();
        // Whoever comes back for it may have been shown another log before.
        member.heals(step);
        if by == own {
            member.tells_of_move(step.now.monotonic);
        }
        member.write(step, &id);
        member.history.write(step, key::history(&id));
        self.fleets.dirty.insert(id);
        Self::tell_of_group(step, id, GroupEvent::LogMoved { to, by });
        Ok(true)
    }

    /// What the holder of the log was asked is waited for no more.
    pub(super) fn forget_errands(&mut self, id: GroupId) {
        let is_its = |ask: &Ask| matches!(ask, Ask::Errand(group, errand) if *group == id && errand.is_for_the_log());
        self.fleets.asks.retain(|_, ask| !is_its(ask));
        if let Some(member) = self.fleets.members.get_mut(&id) {
            member.under_way.retain(|errand| !errand.is_for_the_log());
        }
    }

    /// Whether a roster is to be left with a relay that does not hold the log any more.
    pub(super) fn is_for_earlier_holder(&self, id: &GroupId, errand: Errand) -> bool {
        let Some(member) = self.fleets.members.get(id) else { return false };
        matches!(errand, Errand::Upload { after, .. } if !member.row.log(id).has(place_of(after)))
    }

    /// An earlier holder keeps a roster later, or never: then those whom it is for are not told that
    /// they were added.
    pub(super) fn earlier_holder_failed(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        errand: Errand,
        why: RelayFailure,
    ) -> Result<(), StoreError> {
        let Errand::Upload { after, .. } = errand else { return Ok(()) };
        let jitter = self.jitter();
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        member.uploading.failed(step.now.monotonic, least(why), jitter);
        if member.uploading.failures < MOST_UPLOADS {
            return Ok(());
        }
        member.uploading = Pause::default();
        member.summons.remove(&after);
        let row = SummonsRow::read(step, &key::summons(&id, after))?;
        step.delete(Namespace::Group, key::summons(&id, after));
        let peers = row.into_iter().flat_map(|row| row.welcomes).map(|(peer, _)| peer);
        for peer in peers.filter(|_| !Self::is_way(after)) {
            Self::tell_of_group(step, id, GroupEvent::NotAdded(peer));
        }
        Ok(())
    }
}

impl Member {
    /// Nothing of it was read, and its first entry, which all know, is its last commit.
    fn begin_log(&mut self, log: GroupLog, holder: Relay) {
        let begin = log.place(EntryIndex(0));
        self.row.holder = holder;
        self.row.log = Some(log);
        (self.row.read, self.row.last_commit) = (begin, log.place(EntryIndex(1)));
        (self.row.chain, self.row.anew) = (Some(LogChain::START), false);
        // That of the first entry, once it is read.
        self.row.commit_chain = None;
        self.begin_elsewhere();
        // It was founded for those who are members now.
        self.row.mislisted.clear();
        self.appended.clear();
        (self.promised, self.caught_up, self.commit_answered) = (begin, false, None);
        (self.confirm, self.doubt, self.leaves_lists) = (None, None, None);
        (self.restores, self.began_anew) = (None, None);
        (self.failures, self.rests) = (0, None);
        // Whoever reads the earlier log to its end processes them there.
        self.history.known.iter_mut().for_each(|known| known.stands = true);
    }
}

/// Who may append to the log of a group as it is now, and what.
fn listed(sight: &Sight) -> Vec<(AgentId, MayAppend)> {
    let agents = sight.agents();
    let may = |agent: &AgentId| {
        if sight.charter.is_admin(agent) { MayAppend::Admin } else { MayAppend::Member }
    };
    let invited = sight.charter.invited.keys().filter(|agent| !agents.contains(agent));
    let invited = invited.map(|agent| (*agent, MayAppend::Invited));
    agents.iter().map(|agent| (*agent, may(agent))).chain(invited).collect()
}

/// The first entry of a log for a group as it is now.
pub(super) fn founding(sight: &Sight) -> Entry {
    first_entry(sight.epoch, listed(sight))
}

/// The place of the entry that a row of summonses is about.
const fn place_of(number: u64) -> u64 {
    number & (u64::MAX >> 1)
}

fn least(why: RelayFailure) -> Duration {
    match why {
        RelayFailure::NotNow { retry_after } => retry_after,
        RelayFailure::Gone => Duration::ZERO,
        RelayFailure::Refused => LONGEST_REST,
    }
}
