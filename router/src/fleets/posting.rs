//! Messages of our own: sealed when they are accepted, appended in their order, done when they are
//! read in the log. One that the group has left behind meanwhile is sealed anew under its id.

use meshwork_protocols::fleet::{GroupError, GroupId, LogEntry, MAX_PAST};
use meshwork_protocols::relay::{Answer, Append, Entry, MAX_COMMIT, Request};
use meshwork_protocols::wire::{MAX_LIFETIME, Message, MessageId};
use meshwork_state::{Namespace, StoreError};

use super::Errand;
use super::following::log_of;
use super::requests::Sent;
use crate::command::{Answer as Done, CommandError};
use crate::desk::Desk;
use crate::event::GroupEvent;
use crate::fleet::{MessageRow, Prepared, key};
use crate::outgoing::MIN_LIFETIME;
use crate::transition::Transition;

/// The most messages of one group that wait for its log: as many as of one peer.
pub const GROUP_MESSAGES: usize = 256;

/// The longest body: sealed it fits an entry of the log.
pub const MAX_GROUP_BODY: usize = MAX_COMMIT - 4 * 1024;

impl Desk {
    /// Takes a message on.
    pub(super) fn send_to_group(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        sent: Sent,
        congested: bool,
    ) -> Result<Done, CommandError> {
        let Sent { content_type, body, lifetime } = sent;
        let member = self.fleets.members.get(&id).ok_or(CommandError::UnknownGroup)?;
        if member.row.stage.is_lost() {
            return Err(CommandError::Stranded);
        }
        if body.len() > MAX_GROUP_BODY {
            return Err(CommandError::TooLarge);
        }
        if !(MIN_LIFETIME..=MAX_LIFETIME).contains(&lifetime) {
            return Err(CommandError::BadLifetime);
        }
        if congested || member.messages.len() >= GROUP_MESSAGES {
            return Err(CommandError::Busy);
        }
        let (created, name) = (step.now.wall, MessageId::random(&mut *self.random));
        let expires = created + lifetime;
        let message = Message { id: name, created, expires, order: None, content_type, body };
        let encoded = message.encode().expose().to_vec();
        let prepared = Prepared { id: name, expires, encoded };
        self.seal_for_group(step, id, Some(prepared))?;
        Ok(Done::Accepted(name))
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
        member.messages.insert(number, row.hash);
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
        let epoch = self.sight(step, id)??.epoch;
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
        Ok(MessageRow { message, epoch, hash, entry: entry.encode() })
    }

    /// Asks for the first message that is not known to stand there to be put behind the log.
    pub(super) fn append_message(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get(&id) else { return Ok(()) };
        let is_under_way = |errand: &Errand| matches!(errand, Errand::Message { .. });
        if member.under_way.iter().any(is_under_way) {
            return Ok(());
        }
        let waits = |number: &&u64| !member.appended.contains(*number);
        let Some(number) = member.messages.keys().find(waits).copied() else { return Ok(()) };
        let row = MessageRow::read(step, &key::message(&id, number))?;
        let row = row.ok_or(StoreError::Damaged)?;
        // What was sealed in an epoch that is over is sealed for whoever is there now.
        let Ok(sight) = self.sight(step, id)? else { return Ok(()) };
        let row = if row.epoch < sight.epoch { self.reseal(step, id, number, row)? } else { row };
        let (epoch, entry) = (row.epoch, Entry::Message(row.entry.into()));
        let append = Append { log: log_of(id), entry };
        self.errand(step, id, Errand::Message { number, epoch }, Request::Append(append));
        Ok(())
    }

    fn reseal(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        number: u64,
        row: MessageRow,
    ) -> Result<MessageRow, StoreError> {
        let row = match self.sealed(step, id, row.message.clone()) {
            Ok(row) => row,
            Err(CommandError::Store(error)) => return Err(error),
            // The last admin may not leave: what was sealed says so to nobody any more.
            Err(_) => row,
        };
        row.write(step, key::message(&id, number));
        if let Some(member) = self.fleets.members.get_mut(&id) {
            member.messages.insert(number, row.hash);
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
        if row.is_none_or(|row| row.epoch != epoch) {
            return Ok(());
        }
        match answer {
            Answer::Appended(_) => {
                if let Some(member) = self.fleets.members.get_mut(&id) {
                    member.appended.insert(number);
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
        number: u64,
    ) -> Result<(), StoreError> {
        let row = MessageRow::read(step, &key::message(&id, number))?;
        let row = row.ok_or(StoreError::Damaged)?;
        let Ok(sight) = self.sight(step, id)? else { return Ok(()) };
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        member.appended.remove(&number);
        let kept = u64::try_from(MAX_PAST).unwrap_or(0);
        let is_late = sight.epoch.saturating_sub(row.epoch) > kept;
        let over = row.message.as_ref().is_none_or(|message| message.expires < step.now.wall);
        if is_late && !over {
            self.reseal(step, id, number, row)?;
            return Ok(());
        }
        member.messages.remove(&number);
        step.delete(Namespace::Group, key::message(&id, number));
        if let Some(message) = row.message {
            Self::tell_of_group(step, id, GroupEvent::Logged(message.id));
        }
        Ok(())
    }
}
