//! Putting back what a log has lost: commits as they stood there, by whoever is ahead of it, so that
//! nobody needs other keys; then messages of our own, sealed anew under their ids.
//!
//! Whoever is behind processes those commits as the first time. Where others made commits of their
//! own meanwhile, it is decided first whose way is gone ([`super::forking`]).

use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::{GroupId, Payload};
use meshwork_protocols::relay::{
    Answer, Append, Commit, Entry, EntryIndex, Refusal, Request, StatementKind,
};
use meshwork_protocols::time::WallTime;
use meshwork_state::{Namespace, StoreError};

use super::following::{log_of, statement};
use super::posting::Waiting;
use super::{Errand, Member};
use crate::command::CommandError;
use crate::desk::Desk;
use crate::event::Level;
use crate::fleet::{CommitRow, Known, LoggedRow, MessageRow, Prepared, key};
use crate::transition::Transition;

/// So many messages that stood in the log are kept, the last ones, in case they are lost with it:
/// a copy from which a relay is put back lies further behind than that in few groups.
pub(super) const KEPT_MESSAGES: usize = 64;

/// So much of them.
pub(super) const KEPT_MESSAGE_BYTES: usize = 1 << 20;

/// How long they are kept: as long as late messages of an epoch open.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(60 * 60);

/// How often a message is sent again at most, so that a member that goes and comes back again and
/// again does not fill the log.
pub(super) const MOST_REPEATED: u8 = 3;

/// How long is waited for others that come back at the same time, before messages are sent again.
const GATHERED: Duration = Duration::from_secs(20);

/// How long a member that may not say who is listed leaves a commit that does to an admin.
const LISTS: Duration = Duration::from_secs(30);

/// A message of ours that stood in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) hash: [u8; 32],
    pub(super) epoch: u64,
    pub(super) index: u64,
    pub(super) since: WallTime,
    pub(super) length: usize,
    pub(super) is_receipt: bool,
    /// Whether it was found where the log is read again.
    pub(super) found: bool,
}

impl Kept {
    pub(super) fn of(row: &LoggedRow) -> Self {
        let LoggedRow { message, epoch, hash, index, since, .. } = row;
        let (length, is_receipt) = (message.encoded.len(), Payload::is_receipt(&message.encoded));
        let (hash, epoch, index, since) = (*hash, *epoch, *index, *since);
        Self { hash, epoch, index, since, length, is_receipt, found: false }
    }
}

impl Member {
    /// The number of a message of ours that stood in the log before, and whether others can read it
    /// at this place, where it is read again.
    fn finds_again(&mut self, hash: &[u8; 32], index: u64) -> Option<(u64, bool)> {
        let (reached, is_anew) = (self.reached(), self.row.anew);
        let (number, kept) = self.logged.iter_mut().find(|(_, kept)| kept.hash == *hash)?;
        let is_new = is_anew && !kept.found && kept.epoch <= reached;
        if is_new {
            (kept.index, kept.found) = (index, true);
        }
        Some((*number, is_new))
    }

    /// Whether commits are to be put back now, or at a time that is set.
    pub(super) fn is_to_restore(&self) -> bool {
        let is_under_way = |errand: &Errand| matches!(errand, Errand::Restore(_));
        self.has_lost()
            && self.caught_up
            && self.doubt.is_none()
            && self.promised <= self.row.read
            && !self.under_way.iter().any(is_under_way)
    }
}

impl Desk {
    /// Members do not all put a commit back at once.
    pub(super) fn restores_later(&mut self, step: &Transition<'_>, id: GroupId) {
        let Some(size) = self.fleets.members.get(&id).map(Member::size) else { return };
        let at = step.now.monotonic + self.turn_among(size);
        if let Some(member) = self.fleets.members.get_mut(&id) {
            member.restores = Some(at);
        }
    }

    /// Puts the first commit back that led here and does not stand in the log. Nothing else is
    /// appended before all stand there: who is behind could not read it. Whether that is so.
    pub(super) fn restore_commits(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<bool, StoreError> {
        let now = step.now.monotonic;
        loop {
            let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(false) };
            let Some(lost) = member.history.known.iter_mut().find(|known| !known.stands) else {
                member.told_put_back = false;
                return Ok(false);
            };
            let (epoch, is_own) = (lost.epoch, lost.own);
            let Some(row) = CommitRow::read(step, &key::commit(&id, epoch))? else {
                // Nothing of it is kept: what builds on it shows who is ahead.
                lost.stands = true;
                member.history.write(step, key::history(&id));
                continue;
            };
            if member.is_to_restore() && member.restores.is_none_or(|at| at <= now) {
                if is_own && !member.told_put_back {
                    self.tell_put_back(step, id);
                } else {
                    self.restore_commit(step, id, epoch, row.commit)?;
                }
            }
            return Ok(true);
        }
    }

    /// A commit that another puts back is known by who appends it, and our own by what is said before:
    /// whoever reads it as the first time has written meanwhile what we may not open any more.
    fn tell_put_back(&mut self, step: &mut Transition<'_>, id: GroupId) {
        let Some(member) = self.fleets.members.get(&id) else { return };
        let on = EntryIndex(member.row.last_commit);
        let says = statement(id, on, StatementKind::PutsBack);
        self.errand(step, id, Errand::PutBack, says);
    }

    /// It stands before them, or the log takes it not: they are put back all the same.
    pub(super) fn put_back_is_told(&mut self, id: GroupId) {
        if let Some(member) = self.fleets.members.get_mut(&id) {
            member.told_put_back = true;
        }
    }

    fn restore_commit(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        epoch: u64,
        mut commit: Commit,
    ) -> Result<(), StoreError> {
        let (own, now) = (self.config.own, step.now.monotonic);
        let Ok(sight) = self.sight(step, id)? else { return Ok(()) };
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        let has_lists = !(commit.admitted.is_empty() && commit.removed.is_empty());
        if has_lists && !sight.charter.is_admin(&own) {
            let until = *member.leaves_lists.get_or_insert(now + LISTS);
            if until > now {
                member.restores = Some(until);
                return Ok(());
            }
            // No admin is there: better that all go on together than that all are listed.
            commit.admitted.clear();
            commit.removed.clear();
        }
        commit.builds_on = Some(EntryIndex(member.row.last_commit));
        let append = Append { log: log_of(id), entry: Entry::Commit(commit) };
        self.errand(step, id, Errand::Restore(epoch), Request::Append(append));
        Ok(())
    }

    /// It stands there, or another came before it and is read next.
    pub(super) fn restore_answered(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        epoch: u64,
        answer: &Answer,
    ) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        match answer {
            Answer::Appended(EntryIndex(index)) => member.promised = member.promised.max(*index),
            Answer::Refused(Refusal::NotLast { last }) if last.0 > member.row.read => {
                member.promised = member.promised.max(last.0);
            }
            // It was dropped from the log, and so not read again.
            Answer::Refused(Refusal::NotLast { last }) => {
                member.row.last_commit = last.0;
                member.write(step, &id);
            }
            // Whoever lists this agent there is put back by others, or nobody does.
            Answer::Refused(Refusal::NotListed | Refusal::NotNow { .. }) => {
                member.restores = Some(step.now.monotonic + LISTS);
            }
            // It will not stand there.
            _ => {
                let is_it = |known: &&mut Known| known.epoch == epoch;
                if let Some(known) = member.history.known.iter_mut().find(is_it) {
                    known.stands = true;
                }
                member.history.write(step, key::history(&id));
                self.refused(step, id);
            }
        }
    }

    /// Whether a message is one of ours that stood in the log before. Where that is read again its
    /// receipts speak of this place.
    pub(super) fn found_again(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        hash: &[u8; 32],
        index: u64,
    ) -> Result<bool, StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(false) };
        let Some((number, is_new)) = member.finds_again(hash, index) else { return Ok(false) };
        if is_new {
            self.stands_again(step, id, number)?;
        }
        Ok(true)
    }

    /// A message of ours stands in the log that was read again: its receipts speak of its place there.
    pub(super) fn stands_again(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        number: u64,
    ) -> Result<(), StoreError> {
        let Some(row) = LoggedRow::read(step, &key::logged(&id, number))? else { return Ok(()) };
        let Some(member) = self.fleets.members.get(&id) else { return Ok(()) };
        let index = member.logged.get(&number).map_or(row.index, |kept| kept.index);
        let message = row.message.id;
        if index != row.index {
            LoggedRow { index, ..row }.write(step, key::logged(&id, number));
        }
        self.asked_again_at(step, id, message, index);
        Ok(())
    }

    /// Keeps a message that stands in the log for a while.
    pub(super) fn keep_logged(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        number: u64,
        index: u64,
        row: &MessageRow,
    ) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let Some(message) = row.message.clone().filter(|_| !row.is_over()) else { return };
        let MessageRow { epoch, hash, repeated, .. } = *row;
        let logged = LoggedRow { message, epoch, hash, index, since: step.now.wall, repeated };
        member.logged.insert(number, Kept { found: true, ..Kept::of(&logged) });
        logged.write(step, key::logged(&id, number));
        let mut bytes: usize = member.logged.values().map(|kept| kept.length).sum();
        while let Some((first, kept)) = member.logged.first_key_value()
            && (member.logged.len() > KEPT_MESSAGES
                || bytes > KEPT_MESSAGE_BYTES
                || kept.since + KEPT_FOR < step.now.wall)
        {
            let first = *first;
            bytes -= kept.length;
            member.logged.remove(&first);
            step.delete(Namespace::Group, key::logged(&id, first));
        }
    }

    /// All messages of ours of a state that gives way, and how often each was repeated.
    pub(super) fn take_messages(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<Vec<(Prepared, u8)>, StoreError> {
        let mut taken = Vec::new();
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(taken) };
        for number in member.logged.iter().filter(|(_, it)| !it.is_receipt).map(|(it, _)| it) {
            let row = LoggedRow::read(step, &key::logged(&id, *number))?;
            let row = row.filter(|row| row.repeated < MOST_REPEATED);
            taken.extend(row.map(|row| (row.message, row.repeated + 1)));
        }
        for (number, _) in member.messages.extract_if(.., |_, it| !it.is_receipt() && !it.is_over())
        {
            let row = MessageRow::read(step, &key::message(&id, number))?;
            let row = row.and_then(|row| Some((row.message?, row.repeated)));
            taken.extend(row);
            step.delete(Namespace::Group, key::message(&id, number));
        }
        Ok(taken)
    }

    /// Seals messages for the group that this agent came into anew.
    pub(super) fn seal_again(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        messages: Vec<(Prepared, u8)>,
    ) -> Result<(), StoreError> {
        for (message, repeated) in messages {
            if message.expires < step.now.wall {
                Self::move_in_group(step, id, message.id, Level::Expired)?;
                continue;
            }
            let Some(member) = self.fleets.members.get(&id) else { return Ok(()) };
            let next = member.row.next_message;
            match self.seal_for_group(step, id, Some(message)) {
                Ok(()) => {}
                Err(CommandError::Store(error)) => return Err(error),
                Err(_) => return Ok(()),
            }
            let Some(sealed) = MessageRow::read(step, &key::message(&id, next))? else { continue };
            let row = MessageRow { repeated, ..sealed };
            // Not for who is about to be taken out again.
            let row = if self.is_to_remove(id) { row.unsealed() } else { row };
            row.write(step, key::message(&id, next));
            if let Some(member) = self.fleets.members.get_mut(&id) {
                member.messages.insert(next, Waiting::of(&row));
            }
        }
        Ok(())
    }

    /// Seals a message anew that stood in the log once.
    pub(super) fn send_again(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        number: u64,
    ) -> Result<(), StoreError> {
        let Some(row) = LoggedRow::read(step, &key::logged(&id, number))? else { return Ok(()) };
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        member.logged.remove(&number);
        step.delete(Namespace::Group, key::logged(&id, number));
        if row.repeated >= MOST_REPEATED || row.message.expires < step.now.wall {
            return Ok(());
        }
        self.seal_again(step, id, alloc::vec![(row.message, row.repeated + 1)])
    }

    /// Sends all again that is kept, in a while: others did not read it.
    pub(super) fn repeat_later(&mut self, step: &Transition<'_>, id: GroupId) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        member.row.repeats = true;
        member.repeats = Some(step.now.monotonic + GATHERED);
    }

    pub(super) fn repeat(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        if member.repeats.is_none_or(|at| at > step.now.monotonic) {
            return Ok(());
        }
        (member.row.repeats, member.repeats) = (false, None);
        member.write(step, &id);
        self.repeat_all(step, id)
    }

    fn repeat_all(&mut self, step: &mut Transition<'_>, id: GroupId) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get(&id) else { return Ok(()) };
        let numbers: Vec<_> = member.logged.keys().copied().collect();
        numbers.into_iter().try_for_each(|number| self.send_again(step, id, number))
    }

    /// This agent came back by a commit: what it sent before was sealed for another group, which
    /// has the numbers of this one's epochs.
    pub(super) fn send_all_again(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        member.appended.clear();
        for (number, waiting) in &mut member.messages {
            let row = MessageRow::read(step, &key::message(&id, *number))?;
            let row = row.ok_or(StoreError::Damaged)?;
            let row = row.unsealed();
            *waiting = Waiting::of(&row);
            row.write(step, key::message(&id, *number));
        }
        self.repeat_all(step, id)
    }
}
