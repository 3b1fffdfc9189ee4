//! Noticing that the holder of a log shows another history than the one that was read, because it
//! was put back to a copy or lies, and reading the log again.
//!
//! What was read has a chain, and the holder tells its own for where it goes on. Where they differ,
//! or the log ends before what was read or promised, it is read again from its first entry: what
//! led here is known by its hash and passed silently, all else is judged as it comes. What is found
//! to be missing then is put back ([`super::restoring`]).

use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Append, Commit, EntryIndex, LogChain, Logged, Request};
use meshwork_state::{Namespace, StoreError};

use super::following::log_of;
use super::listing::named;
use super::moving::founding;
use super::{Errand, LONGEST_REST, Member};
use crate::desk::Desk;
use crate::event::GroupEvent;
use crate::fleet::{CommitRow, GroupLog, HistoryRow, Known, Wish, WishState, key};
use crate::transition::Transition;

/// So many commits that led here are known: a copy from which a relay is put back seldom lies
/// further behind, and members that are farther apart come back by the vote.
pub(super) const KNOWN_COMMITS: usize = 64;

/// So much is kept of them to be put back: about as much as of one log's largest entry, as each of
/// a thousand members keeps it.
pub(super) const KEPT_BYTES: usize = 1 << 20;

/// So many of those whom they took out are named: as many as one request takes out.
const NAMED_REMOVED: usize = super::requests::MAX_NAMED;

/// How long members come back after something went another way. All that takes seconds is over
/// within a minute or two; an agent that asks in vain asks again within five.
const HEALING: Duration = Duration::from_secs(15 * 60);

/// How long a log that is to be founded again is waited for at first; it doubles.
const FOUNDED_WITHIN: Duration = Duration::from_secs(3);

/// Entries behind those that were read, as the holder gave them.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) chain: LogChain,
    /// The entry up to which its chain goes.
    base: u64,
    pub(super) entries: Vec<Logged>,
}

impl Part {
    pub(super) fn of(
        log: GroupLog,
        (first, last): (EntryIndex, EntryIndex),
        chain: LogChain,
        entries: Vec<Logged>,
    ) -> Self {
        let before = |logged: &Logged| log.place(EntryIndex(logged.index.0.saturating_sub(1)));
        let base = entries.first().map_or(last.0, before);
        Self { first: first.0, last: last.0, chain, base, entries }
    }
}

/// The read that is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// Entries behind this one.
    pub(super) after: u64,
    /// The log goes so far at least: its holder said so before.
    pub(super) least: u64,
    /// The move that an admin had told of by then.
    pub(super) told: Option<u16>,
}

impl Member {
    /// Whether what was read, or promised, is not in the log any more.
    pub(super) fn is_contradicted_by(&self, part: &Part) -> bool {
        let chain = self.row.chain.filter(|_| part.base == self.row.read);
        part.last < self.row.read.max(self.reading.least)
            || chain.is_some_and(|chain| chain != part.chain)
    }

    /// Takes the chain on trust where there is none, and a log that is read again from where it
    /// begins: what was dropped of it all members had read. So does who came back and has not read its
    /// own commit yet: what stands before that is not for it. Whether that is new.
    pub(super) fn begin_at(&mut self, part: &Part) -> bool {
        let base = part.first.saturating_sub(1);
        let comes_back = self.row.read < base && self.has_lost();
        if comes_back {
            self.row.chain = None;
        }
        if self.row.anew || comes_back {
            self.row.read = self.row.read.max(base);
            let dropped = self.history.known.iter_mut().filter(|known| known.index <= base);
            dropped.for_each(|known| known.stands = true);
            let dropped = self.logged.values_mut().filter(|kept| kept.index <= base);
            dropped.for_each(|kept| kept.found = true);
        }
        let is_trusted = self.row.chain.is_none() && part.base == self.row.read;
        if is_trusted {
            self.row.chain = Some(part.chain);
        }
        is_trusted
    }

    /// The epoch in which who reads the log is behind what was read of it.
    pub(super) fn reached(&self) -> u64 {
        let led = self.history.known.iter().filter(|known| known.stands).map(|it| it.epoch + 1);
        led.max().unwrap_or(self.history.from)
    }

    /// The place of the last commit that led here, or by which this agent came in.
    pub(super) fn goes_by_place(&self) -> u64 {
        let known = self.history.known.last().map(|known| known.index);
        known.unwrap_or_default().max(self.history.came_at)
    }

    /// Whether commits that led here do not stand in the log.
    pub(super) fn has_lost(&self) -> bool {
        self.history.known.iter().any(|known| !known.stands)
    }

    /// Whether all of the log that led here is read and stands there: nothing else is done before.
    pub(super) fn is_whole(&self) -> bool {
        !(self.row.anew || self.has_lost())
    }

    /// How many there are, as far as their cards are here.
    pub(super) fn size(&self) -> usize {
        self.cards.agents().count()
    }

    /// Whether there is nobody but these.
    pub(super) fn is_only(&self, these: impl Fn(&AgentId) -> bool) -> bool {
        self.cards.agents().all(|agent| these(&agent))
    }

    /// Whoever comes back within a while has missed what this agent sent.
    pub(super) fn heals(&mut self, step: &Transition<'_>) {
        self.row.heals = Some(step.now.wall + HEALING);
    }

    /// Whether that is so now.
    pub(super) fn is_healing(&self, step: &Transition<'_>) -> bool {
        self.row.heals.is_some_and(|until| until >= step.now.wall)
    }
}

impl Desk {
    /// The log is another than the one that was read.
    pub(super) fn read_anew(&mut self, step: &mut Transition<'_>, id: GroupId) {
        self.begin_anew(step, id);
        Self::tell_of_group(step, id, GroupEvent::OtherHistory);
    }

    /// The holder was put back to a copy from before the log was founded. An admin founds it again,
    /// for those who are members now; then what it lost is put back as after any other copy.
    pub(super) fn log_is_gone(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let (own, now) = (self.config.own, step.now.monotonic);
        if !self.is_reading_anew(id) {
            self.read_anew(step, id);
        }
        let Ok(sight) = self.sight(step, id)? else { return Ok(()) };
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        // It is there soon, or its holder has none.
        let wait = FOUNDED_WITHIN.saturating_mul(1 << member.foundings.min(4));
        member.foundings = member.foundings.saturating_add(1);
        member.rests = Some(now + wait);
        if sight.charter.is_admin(&own) {
            let append = Append { log: log_of(id), entry: founding(&sight) };
            self.errand(step, id, Errand::FoundAgain, Request::Append(append));
        }
        Ok(())
    }

    /// Reads it again from its first entry.
    pub(super) fn begin_anew(&mut self, step: &mut Transition<'_>, id: GroupId) {
        let now = step.now.monotonic;
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        // A holder that shows another one each time makes nobody read without end.
        if member.began_anew.is_some_and(|at| at + LONGEST_REST > now) {
            member.rests = Some(now + LONGEST_REST);
        }
        member.begin_anew(step);
        member.forget_receipts(step, &id);
        member.write(step, &id);
        member.history.write(step, key::history(&id));
        self.fleets.dirty.insert(id);
    }

    /// All of it was read again: what is missing is put back.
    pub(super) fn was_read_anew(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        member.foundings = 0;
        member.history.write(step, key::history(&id));
        member.row.anew = false;
        member.commit_answered = None;
        member.appended.clear();
        member.write(step, &id);
        let kept: Vec<_> = member.logged.iter().map(|(number, it)| (*number, it.found)).collect();
        self.restores_later(step, id);
        for (number, is_found) in kept {
            if is_found {
                self.stands_again(step, id, number)?;
            } else {
                self.send_again(step, id, number)?;
            }
        }
        self.fleets.dirty.insert(id);
        Ok(())
    }

    /// Whether a commit is one that led here and was not in the log: it says nothing new.
    pub(super) fn led_here(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        logged: &Logged,
        commit: &Commit,
    ) -> Result<bool, StoreError> {
        let own = self.config.own;
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(false) };
        if !member.has_lost() {
            return Ok(false);
        }
        let hash = self.config.provider.digest(&[&commit.bytes.0]);
        let is_it = |known: &&mut Known| known.hash == hash && !known.stands;
        let Some(known) = member.history.known.iter_mut().find(is_it) else { return Ok(false) };
        let epoch = known.epoch;
        (known.index, known.stands) = (logged.index.0, true);
        member.history.write(step, key::history(&id));
        member.row.last_commit = logged.index.0;
        member.follows(logged.index.0, logged.author);
        let (is_put_back, size) = (!member.row.anew, member.size());
        if is_put_back && logged.author != own {
            self.confirm_later(step, id, logged.index, size);
            self.restores_later(step, id);
        }
        if let Some(row) = CommitRow::read(step, &key::commit(&id, epoch))? {
            let had = named(&row.commit).copied();
            self.lists_are_missing(step, id, (had, commit));
        }
        Ok(true)
    }

    /// A commit led to another epoch.
    pub(super) fn remember(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        (index, epoch, own): (u64, u64, bool),
        commit: &Commit,
        (wishes, removed): (&[Wish], Vec<AgentId>),
    ) {
        let hash = self.config.provider.digest(&[&commit.bytes.0]);
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let wishes = wishes.iter().filter_map(made_again).collect();
        let commit = Commit { builds_on: None, ..commit.clone() };
        let length = commit.bytes.len();
        CommitRow { commit, wishes }.write(step, key::commit(&id, epoch));
        let known = Known { epoch, hash, index, stands: true, own, length, removed };
        member.history.remember(known, |epoch| {
            step.delete(Namespace::Group, key::commit(&id, epoch));
        });
        member.history.write(step, key::history(&id));
    }

    /// This agent came in by a commit: what was before it is behind it.
    pub(super) fn begin_history(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        (from, came_at): (u64, u64),
    ) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        for known in member.history.known.drain(..) {
            step.delete(Namespace::Group, key::commit(&id, known.epoch));
        }
        (member.history.from, member.history.came_at) = (from, came_at);
        member.history.write(step, key::history(&id));
    }

    /// What commits of ours did that do not count is wished for again: those that are not in the
    /// log, and those from an entry or an epoch on. So is it that they took out, whoever made them.
    /// Whom they brought in the holder may list.
    pub(super) fn wish_again(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        from: (u64, Option<u64>),
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        let is_void = |known: &Known| known.is_void(from);
        member.undo_removals(step.now.wall, is_void, true);
        let void = member.history.known.iter().filter(|known| is_void(known)).map(|it| it.epoch);
        let void: Vec<_> = void.collect();
        for epoch in void {
            let Some(row) = CommitRow::read(step, &key::commit(&id, epoch))? else { continue };
            let admitted = row.commit.admitted.iter().map(|(agent, _)| *agent);
            self.are_mislisted(step, id, admitted);
            for mut wish in row.wishes {
                if let Wish::Add { since, .. } | Wish::Move { since, .. } = &mut wish {
                    *since = step.now.wall;
                }
                self.wish(step, id, wish);
            }
        }
        Ok(())
    }
}

impl Member {
    fn begin_anew(&mut self, step: &Transition<'_>) {
        self.began_anew = Some(step.now.monotonic);
        self.told_put_back = false;
        (self.row.anew, self.row.read, self.row.chain) = (true, 0, None);
        // Whatever stood at its place is another by now.
        self.row.last_commit = 0;
        self.begin_elsewhere();
        (self.caught_up, self.promised) = (false, 0);
        (self.confirm, self.doubt, self.leaves_lists) = (None, None, None);
        self.history.known.iter_mut().for_each(|known| known.stands = false);
        self.logged.values_mut().for_each(|kept| kept.found = false);
        self.heals(step);
    }

    /// The log is read from elsewhere: what its entries said so far of others, and of lists, is of
    /// another.
    pub(super) fn begin_elsewhere(&mut self) {
        self.row.passed.clear();
        self.row.followed.clear();
        self.row.unlisted.clear();
        self.comparing.begin_elsewhere();
    }
}

impl Known {
    /// Whether it does not count where this agent gives way to the commit of that entry, which was
    /// made in that epoch: the log may have it behind one of ours that leads elsewhere.
    fn is_void(&self, (index, made_in): (u64, Option<u64>)) -> bool {
        let is_beside = made_in.is_some_and(|epoch| self.epoch >= epoch);
        !self.stands || self.index >= index || is_beside
    }
}

impl HistoryRow {
    /// Keeps one more, and gives up what is one too many.
    fn remember(&mut self, known: Known, mut gives_up: impl FnMut(u64)) {
        self.known.push(known);
        if self.known.len() > KNOWN_COMMITS {
            gives_up(self.known.remove(0).epoch);
        }
        let mut named: usize = self.known.iter().map(|known| known.removed.len()).sum();
        for known in &mut self.known {
            if named <= NAMED_REMOVED {
                break;
            }
            named -= core::mem::take(&mut known.removed).len();
        }
        let mut kept: usize = self.known.iter().map(|known| known.length).sum();
        for known in &mut self.known {
            if kept <= KEPT_BYTES {
                break;
            }
            if known.length > 0 {
                kept -= core::mem::take(&mut known.length);
                gives_up(known.epoch);
            }
        }
    }
}

/// What is wished for again where it is undone. New keys are drawn by whoever comes back.
fn made_again(wish: &Wish) -> Option<Wish> {
    match wish {
        Wish::Add { peer, anew, since, .. } => {
            let (peer, anew, since) = (*peer, *anew, *since);
            Some(Wish::Add { peer, anew, since, state: WishState::Wanted })
        }
        Wish::Rotate => None,
        other => Some(other.clone()),
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn what_leads_elsewhere_than_the_commit_that_is_given_way_to_does_not_count() {
        let ours = Known { index: 7, ..known(2, 0) };
        for (from, is_void) in [
            ((7, None), true),
            ((8, None), false),
            ((8, Some(2)), true),
            ((8, Some(1)), true),
            ((8, Some(3)), false),
        ] {
            assert_eq!(ours.is_void(from), is_void, "{from:?}");
        }
        assert!(Known { stands: false, ..ours }.is_void((8, None)), "the log has lost it");
    }

    fn known(epoch: u64, length: usize) -> Known {
        Known {
            epoch,
            hash: [0; 32],
            index: epoch,
            stands: true,
            own: false,
            length,
            removed: Vec::new(),
        }
    }

    #[test]
    fn so_many_commits_are_known_and_so_much_is_kept_of_them_and_not_one_more() {
        let (mut history, mut gone) = (HistoryRow::default(), Vec::new());
        for epoch in 0..KNOWN_COMMITS as u64 {
            history.remember(known(epoch, 1), |epoch| gone.push(epoch));
        }
        assert!(gone.is_empty());
        history.remember(known(100, 1), |epoch| gone.push(epoch));
        assert_eq!((history.known.len(), history.known[0].epoch, &gone[..]), (64, 1, &[0][..]));
        // All that is kept of the others goes for the largest, and they are known all the same.
        history.remember(known(101, KEPT_BYTES - 62), |epoch| gone.push(epoch));
        assert_eq!(gone.len(), 3, "the oldest, and what was kept of the next: {gone:?}");
        history.remember(known(102, KEPT_BYTES), |epoch| gone.push(epoch));
        assert_eq!(history.known.len(), KNOWN_COMMITS);
        let kept: Vec<_> = history.known.iter().filter(|it| it.length > 0).collect();
        assert_eq!((kept.len(), kept[0].epoch), (1, 102));
    }
}
