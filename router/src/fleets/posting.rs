//! Messages of our own: sealed when they are accepted, appended in their order, there for everybody
//! when they are read in the log. One that the group has left behind meanwhile is sealed anew under
//! its id; one whose time is over before is given up.

use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::{Asks, GroupError, GroupId, LogEntry, MAX_PAST, Payload};
use meshwork_protocols::relay::{Answer, Append, Entry, MAX_COMMIT, Request};
use meshwork_protocols::time::{CLOCK_TOLERANCE, Timestamp, WallTime};
use meshwork_protocols::wire::{MAX_LIFETIME, Message, MessageId};
use meshwork_state::{Namespace, StoreError};

use super::following::log_of;
use super::receipts::ASKED_MESSAGES;
use super::requests::Sent;
use super::{Errand, Member};
use crate::command::{Answer as Done, CommandError};
use crate::desk::Desk;
use crate::event::{GroupEvent, Level};
use crate::fleet::{AskedRow, MessageRow, Prepared, SentToGroupRow, Wish, key};
use crate::outbox::fingerprint_to;
use crate::outgoing::MIN_LIFETIME;
use crate::transition::Transition;

/// The most messages of one group that wait for its log: as many as of one peer.
pub const GROUP_MESSAGES: usize = 256;

/// What is asked of a holder comes there within a minute, or is asked again. Where this agent was
/// stopped in between it may come there late, when others keep nothing any more that opens it.
const SLOW: Duration = Duration::from_secs(30 * 60);

/// The longest body: sealed it fits an entry of the log.
pub const MAX_GROUP_BODY: usize = MAX_COMMIT - 4 * 1024;

/// A message of ours that was not read in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// SHA-256 of the sealed bytes, by which the log gives it back.
    hash: [u8; 32],
    /// When its time is over; never for a wish to leave.
    expires: Option<WallTime>,
    /// Whether that was told. It may have come into the log all the same, and is known there until
    /// the log was read to its end.
    is_over: bool,
    is_receipt: bool,
    /// When its append was asked for last.
    asked: Option<WallTime>,
}

impl Waiting {
    pub(super) fn of(row: &MessageRow) -> Self {
        let expires = row.message.as_ref().map(|message| message.expires);
        let is_receipt = |message: &Prepared| Payload::is_receipt(&message.encoded);
        let is_receipt = row.message.as_ref().is_some_and(is_receipt);
        Self { hash: row.hash, expires, is_over: row.is_over(), is_receipt, asked: None }
    }

    pub(super) const fn is_receipt(&self) -> bool {
        self.is_receipt
    }

    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether it may have come into the log long after that was asked for.
    fn was_slow(&self, now: WallTime) -> bool {
        self.asked.is_some_and(|asked| now.saturating_since(asked) > SLOW)
    }

    pub(super) const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }
}

impl Member {
    /// Whether a message is being appended.
    fn is_appending(&self) -> bool {
        self.under_way.iter().any(|errand| matches!(errand, Errand::Message { .. }))
    }

    /// Forgets so many of those that are over, the oldest first.
    fn forget_over(&mut self, step: &mut Transition<'_>, id: &GroupId, most: usize) {
        let over = self.messages.iter().filter(|(_, message)| message.is_over);
        for number in over.map(|(number, _)| *number).take(most).collect::<Vec<_>>() {
            self.messages.remove(&number);
            self.appended.remove(&number);
            step.delete(Namespace::Group, key::message(id, number));
        }
    }

    /// How many messages wait for the log.
    pub(super) fn waiting(&self) -> usize {
        let waits = |message: &&Waiting| !message.is_over && !message.is_receipt;
        self.messages.values().filter(waits).count()
    }

    /// When the time of one of them is over.
    pub(super) fn next_expiry(&self, now: Timestamp) -> Option<Duration> {
        let wait = self.messages.values().filter(|message| !message.is_over);
        let asked = self.asked.values().map(|asked| asked.expires + CLOCK_TOLERANCE);
        let at = wait.filter_map(|message| message.expires).chain(asked).min()?;
        // A millisecond later it is over.
        let left = at.saturating_since(now.wall) + Duration::from_millis(1);
        Some(now.monotonic.saturating_add(left))
    }
}

impl Desk {
    /// Takes a message on.
    pub(super) fn send_to_group(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        sent: Sent,
        congested: bool,
    ) -> Result<Done, CommandError> {
        let Sent { id: name, content_type, body, lifetime, asks } = sent;
        // 1. Is it a message that may be sent at all?
        let member = self.fleets.members.get(&id).ok_or(CommandError::UnknownGroup)?;
        if body.len() > MAX_GROUP_BODY {
            return Err(CommandError::TooLarge);
        }
        if !(MIN_LIFETIME..=MAX_LIFETIME).contains(&lifetime) {
            return Err(CommandError::BadLifetime);
        }
        let (is_lost, waiting) = (member.row.stage.is_lost(), member.waiting());
        let waits_for_many = asks != Asks::Nothing && member.asked.len() >= ASKED_MESSAGES;
        let drawn = name.is_none();
        let name = name.unwrap_or_else(|| MessageId::random(&mut *self.random));
        let created = step.now.wall;
        let expires = created + lifetime;
        let message = Message { id: name, created, expires, order: None, content_type, body };
        let fingerprint = fingerprint_to(&*self.config.provider, id.as_bytes(), &message);
        // 2. Was it sent before?
        if !drawn && let Some(before) = self.fingerprint_of(step, name)? {
            return if before == fingerprint {
                Ok(Done::Accepted(name))
            } else {
                Err(CommandError::IdReused)
            };
        }
        // 3. Is there room?
        if is_lost {
            return Err(CommandError::Stranded);
        }
        if congested || waiting >= GROUP_MESSAGES || waits_for_many {
            return Err(CommandError::Busy);
        }
        // 4. It is taken on.
        let message = message.encode().expose().to_vec();
        let encoded = Payload::Message { asks, message }.encode();
        let prepared = Prepared { id: name, expires, encoded };
        SentToGroupRow::new(id, expires, fingerprint, asks).write(step, name);
        self.seal_for_group(step, id, Some(prepared))?;
        if let Some(member) = self.fleets.members.get_mut(&id).filter(|_| asks != Asks::Nothing) {
            let row = AskedRow { place: None, expires };
            row.write(step, key::asked(&id, name));
            member.asked.insert(name, row);
        }
        Self::tell_of_group(step, id, GroupEvent::Moved { id: name, level: Level::Queued });
        Ok(Done::Accepted(name))
    }

    /// Tells how far a message got, where that is news.
    pub(super) fn move_in_group(
        step: &mut Transition<'_>,
        group: GroupId,
        id: MessageId,
        level: Level,
    ) -> Result<(), StoreError> {
        let Some(mut row) = SentToGroupRow::read(step, id)? else { return Ok(()) };
        if row.moves(level) {
            row.write(step, id);
            Self::tell_of_group(step, group, GroupEvent::Moved { id, level });
        }
        Ok(())
    }

    /// Gives up what was not read in the log when its time is over. What came there all the same is
    /// still known by its hash.
    pub(super) fn expire_messages(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get(&id) else { return Ok(()) };
        let now = step.now.wall;
        let ends = |message: &Waiting| {
            !message.is_over && message.expires.is_some_and(|expires| expires < now)
        };
        let over = member.messages.iter().filter(|(_, message)| ends(message));
        for number in over.map(|(number, _)| *number).collect::<Vec<_>>() {
            let row = MessageRow::read(step, &key::message(&id, number))?;
            let row = row.ok_or(StoreError::Damaged)?.over();
            row.write(step, key::message(&id, number));
            if let Some(member) = self.fleets.members.get_mut(&id) {
                member.messages.insert(number, Waiting::of(&row));
            }
            if let Some(message) = row.message {
                Self::move_in_group(step, id, message.id, Level::Expired)?;
            }
        }
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        let over = member.messages.values().filter(|message| message.is_over).count();
        let excess = over.saturating_sub(GROUP_MESSAGES);
        member.forget_over(step, &id, excess);
        Ok(())
    }

    /// The log was read to its end: what is not there of what was given up does not come any more.
    pub(super) fn read_to_the_end(&mut self, step: &mut Transition<'_>, id: GroupId) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        if !member.is_appending() {
            member.forget_over(step, &id, usize::MAX);
        }
    }

    /// What waits ends with the group.
    pub(super) fn end_messages(
        step: &mut Transition<'_>,
        id: GroupId,
        member: &Member,
    ) -> Result<(), StoreError> {
        for number in member.messages.keys() {
            let row = MessageRow::read(step, &key::message(&id, *number))?;
            step.delete(Namespace::Group, key::message(&id, *number));
            if let Some(message) = row.and_then(|row| row.message) {
                Self::move_in_group(step, id, message.id, Level::Expired)?;
            }
        }
        Ok(())
    }

    /// Seals a message, or a wish to leave, behind those that wait.
    pub(super) fn seal_for_group(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        message: Option<Prepared>,
    ) -> Result<(), CommandError> {
        let member = self.fleets.members.get_mut(&id).ok_or(CommandError::UnknownGroup)?;
        let number = member.row.next_message;
        let row = self.sealed(step, id, message)?;
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        // A wish to leave is for everybody.
        let waits = row.message.is_some() && member.awaits_removal();
        let row = if waits { row.unsealed() } else { row };
        member.messages.insert(number, Waiting::of(&row));
        member.row.next_message = number + 1;
        member.write(step, &id);
        row.write(step, key::message(&id, number));
        self.fleets.dirty.insert(id);
        Ok(())
    }

    fn sealed(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        message: Option<Prepared>,
    ) -> Result<MessageRow, CommandError> {
        let sight = self.sight(step, id)??;
        let epoch = sight.epoch;
        let Self { config, fleets, random, .. } = self;
        let fleet = config.fleet.as_ref().ok_or(CommandError::NoFleets)?;
        let member = fleets.members.get_mut(&id).ok_or(CommandError::UnknownGroup)?;
        let slot = (id, &mut member.group);
        let sealed =
            fleet.on(step, &mut **random, slot, |group, around, local| match &message {
                Some(prepared) => group.seal(around, local, &prepared.encoded),
                None => group.leave(around, local),
            })?;
        let entry = sealed.map_err(CommandError::Group)?;
        let LogEntry::Message(bytes) = &entry else {
            return Err(CommandError::Group(GroupError::Internal));
        };
        let hash = fleet.provider().digest(&[bytes]);
        let own = config.own;
        if let Some(message) = &message
            && let Some(mut row) = SentToGroupRow::read(step, message.id)?
            && row.asks != Asks::Nothing
        {
            let mut others = sight.agents();
            others.remove(&own);
            row.sealed_to(&others);
            row.write(step, message.id);
        }
        Ok(MessageRow { message, epoch, hash, entry: entry.encode(), repeated: 0 })
    }

    /// Asks for the first message that is not known to stand there to be put behind the log.
    pub(super) fn append_message(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get(&id) else { return Ok(()) };
        // What is sealed in an epoch that is over by the log is for nobody.
        if member.is_appending() || !member.caught_up {
            return Ok(());
        }
        let waits = |(number, message): &(&u64, &Waiting)| {
            let at = member.appended.get(*number);
            !message.is_over && at.is_none_or(|at| *at <= member.row.read)
        };
        let next = member.messages.iter().find(waits).map(|(number, _)| *number);
        let Some(number) = next else { return Ok(()) };
        let row = MessageRow::read(step, &key::message(&id, number))?;
        let row = row.ok_or(StoreError::Damaged)?;
        // What was sealed in an epoch that is over is sealed for whoever is there now.
        let Ok(sight) = self.sight(step, id)? else { return Ok(()) };
        let row = if row.epoch < sight.epoch {
            if self.is_to_remove(id) {
                return Ok(());
            }
            self.reseal(step, id, number, row)?
        } else {
            row
        };
        if let Some(member) = self.fleets.members.get_mut(&id)
            && let Some(waiting) = member.messages.get_mut(&number)
        {
            waiting.asked = Some(step.now.wall);
        }
        let (epoch, entry) = (row.epoch, Entry::Message(row.entry.into()));
        let append = Append { log: log_of(id), entry };
        self.errand(step, id, Errand::Message { number, epoch }, Request::Append(append));
        Ok(())
    }

    /// Whether somebody is to be taken out whom what is sealed anew could reach before: who was taken
    /// out by a commit that does not count any more is in the group again until that is made again.
    pub(super) fn is_to_remove(&self, id: GroupId) -> bool {
        let is_removal = |wish: &Wish| matches!(wish, Wish::Remove(_));
        let wishes = |member: &Member| member.row.wishes.iter().any(is_removal);
        self.fleets.members.get(&id).is_some_and(|member| wishes(member) || member.awaits_removal())
    }

    fn reseal(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        number: u64,
        row: MessageRow,
    ) -> Result<MessageRow, StoreError> {
        let row = match self.sealed(step, id, row.message.clone()) {
            Ok(sealed) => {
                let sealed = MessageRow { repeated: row.repeated, ..sealed };
                if self.is_to_remove(id) { sealed.unsealed() } else { sealed }
            }
            Err(CommandError::Store(error)) => return Err(error),
            // The last admin may not leave: what was sealed says so to nobody any more.
            Err(_) => row,
        };
        row.write(step, key::message(&id, number));
        if let Some(member) = self.fleets.members.get_mut(&id) {
            member.messages.insert(number, Waiting::of(&row));
        }
        Ok(row)
    }

    pub(super) fn message_answered(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        (number, epoch): (u64, u64),
        answer: &Answer,
    ) -> Result<(), StoreError> {
        // Meanwhile it may have been read in the log, or sealed anew.
        let row = MessageRow::read(step, &key::message(&id, number))?;
        let Some(row) = row.filter(|row| row.epoch == epoch) else { return Ok(()) };
        // The last admin's wish to leave is not sealed anew.
        let is_for_nobody =
            row.message.is_none() && self.sight(step, id)?.is_ok_and(|sight| epoch < sight.epoch);
        match answer {
            Answer::Appended(index) => {
                let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
                member.appended.insert(number, index.0);
                member.promised = member.promised.max(index.0);
                if index.0 <= member.row.read && is_for_nobody {
                    // It was read there, by whom it could still be opened.
                    member.messages.remove(&number);
                    member.appended.remove(&number);
                    step.delete(Namespace::Group, key::message(&id, number));
                } else if index.0 <= member.row.read && !member.row.anew {
                    // Another stood there when that was read: the log is another one.
                    self.read_anew(step, id);
                }
            }
            _ => self.refused(step, id),
        }
        Ok(())
    }

    /// A message of our own was read in the log: it is there for everybody, unless the group had
    /// moved on too far when it came there.
    pub(super) fn message_stands(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        (number, place): (u64, u64),
    ) -> Result<(), StoreError> {
        let row = MessageRow::read(step, &key::message(&id, number))?;
        let row = row.ok_or(StoreError::Damaged)?;
        let Ok(sight) = self.sight(step, id)? else { return Ok(()) };
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        member.appended.remove(&number);
        let kept = u64::try_from(MAX_PAST).unwrap_or(0);
        // Who reads the log again may be ahead of what others are in at this place.
        let is_early = member.row.anew && row.epoch > member.reached();
        let was_slow = member.messages.get(&number).is_some_and(|it| it.was_slow(step.now.wall));
        let is_late = is_early
            || sight.epoch.saturating_sub(row.epoch) > kept
            || (was_slow && sight.epoch > row.epoch);
        if is_late && !row.is_over() {
            let hash = row.hash;
            let sealed = self.reseal(step, id, number, row.clone())?;
            // A wish to leave that does not count any more is over where it was read.
            if sealed.message.is_some() || sealed.hash != hash {
                return Ok(());
            }
        }
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        member.messages.remove(&number);
        step.delete(Namespace::Group, key::message(&id, number));
        self.keep_logged(step, id, number, place, &row);
        match row.message {
            // It expired, and nobody can open what came there of it.
            Some(_) if is_late => Ok(()),
            Some(message) => {
                Self::move_in_group(step, id, message.id, Level::Relayed)?;
                self.asked_at(step, id, (message.id, place), &sight)
            }
            None => Ok(()),
        }
    }
}
