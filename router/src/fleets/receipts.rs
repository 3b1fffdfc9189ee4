//! Receipts of groups: what this agent says of the messages of others, and what others say of its
//! own.
//!
//! A member gathers what it has to say and appends it as one entry, which its leaf signs. What it
//! promised stands in rows until it is sealed, and is then a message like its others, so it is said
//! after a restart too. Nothing is said of a receipt.

use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::{Asks, GroupId, Payload, Receipt, Said};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::time::CLOCK_TOLERANCE;
use meshwork_protocols::wire::{MAX_LIFETIME, MessageId, Verdict};
use meshwork_state::{Namespace, StoreError};

use super::{GroupStatus, Member, Sight};
use crate::command::CommandError;
use crate::desk::Desk;
use crate::fleet::{AskedRow, OwedRow, Prepared, SentToGroupRow, key};
use crate::transition::Transition;

/// The most messages of one group whose receipts are waited for: each receipt that comes is looked
/// through for all of them, and each has a row with the members that said nothing.
pub const ASKED_MESSAGES: usize = 256;

/// How long a member of a small group gathers at most before it says anything.
const GATHERED: Duration = Duration::from_secs(5);

/// How much later, at most, for each member: a thousand do not answer at once, but twenty a second.
const SPREAD: u32 = 50;

impl Member {
    /// Whether a receipt of ours waits for the log: what is to be said meanwhile is gathered.
    fn is_saying(&self) -> bool {
        self.messages.values().any(super::Waiting::is_receipt)
    }

    /// The log is another than the one that was read, and receipts speak of places: what is owed, or
    /// was said and is not known to stand there, is of another log, and messages of our own have no
    /// place before they are found again. Who reads such a message at a new place speaks of it there.
    pub(super) fn forget_receipts(&mut self, step: &mut Transition<'_>, id: &GroupId) {
        // Those of an earlier log stay.
        let log = self.row.log(id);
        for (place, _) in self.owed.extract_if(.., |place, _| log.has(*place)) {
            step.delete(Namespace::Group, key::owed(id, place));
        }
        self.says = None;
        for (number, _) in self.messages.extract_if(.., |_, message| message.is_receipt()) {
            self.appended.remove(&number);
            step.delete(Namespace::Group, key::message(id, number));
        }
        for (number, _) in self.logged.extract_if(.., |_, kept| kept.is_receipt) {
            step.delete(Namespace::Group, key::logged(id, number));
        }
        for (message, asked) in &mut self.asked {
            asked.place = asked.place.filter(|place| !log.has(*place));
            asked.write(step, key::asked(id, *message));
        }
    }

    /// When this agent is to say what it owes.
    pub(super) fn says_at(&self) -> Option<Duration> {
        self.says.filter(|_| self.caught_up && !self.owed.is_empty() && !self.is_saying())
    }
}

impl Desk {
    /// A message that asks for it is in the inbox, or was dealt with: that is said with the next
    /// receipt.
    pub(crate) fn owe_receipt(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        (place, said): (u64, Said),
    ) {
        // A group that this agent has left hears nothing more.
        let Some(member) = self.fleets.members.get_mut(&group) else { return };
        if member.owed.get(&place).is_some_and(|owed| *owed >= said) {
            return;
        }
        member.owed.insert(place, said);
        OwedRow { said }.write(step, key::owed(&group, place));
        self.fleets.dirty.insert(group);
    }

    /// Says what was gathered, when it is time.
    pub(super) fn say_receipts(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        if member.owed.is_empty() {
            return Ok(());
        }
        let now = step.now.monotonic;
        let members = u32::try_from(member.size()).unwrap_or(u32::MAX);
        let half = GATHERED / 2;
        let spread = members.saturating_mul(SPREAD).max(2_500);
        let random = &mut self.random;
        let at = *member
            .says
            .get_or_insert_with(|| now + half + Duration::from_millis(random.below(spread).into()));
        if at > now || member.says_at().is_none() {
            return Ok(());
        }
        member.says = None;
        let said = member.owed.iter().map(|(place, said)| (*place, *said));
        let Some((receipt, count)) = Receipt::gather(said) else { return Ok(()) };
        let places: Vec<_> = member.owed.keys().take(count).copied().collect();
        let prepared = Prepared {
            id: MessageId::random(&mut *self.random),
            expires: step.now.wall + MAX_LIFETIME,
            encoded: Payload::Receipt(receipt).encode(),
        };
        match self.seal_for_group(step, id, Some(prepared)) {
            Ok(()) => {}
            Err(CommandError::Store(error)) => return Err(error),
            Err(_) => {
                if let Some(member) = self.fleets.members.get_mut(&id) {
                    member.says = Some(now + GATHERED);
                }
                return Ok(());
            }
        }
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        for place in places {
            member.owed.remove(&place);
            step.delete(Namespace::Group, key::owed(&id, place));
        }
        Ok(())
    }

    /// A message that asks stands in the log at this place: those who were there when it was sealed
    /// and still are speak of it.
    pub(super) fn asked_at(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        (message, place): (MessageId, u64),
        sight: &Sight,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        let Some(asked) = member.asked.get_mut(&message) else { return Ok(()) };
        asked.place = Some(place);
        asked.write(step, key::asked(&id, message));
        self.hear_of(step, id, message, |row| row.retain(&sight.agents()))
    }

    /// A message that asks stands in the log that was read again, at this place.
    pub(super) fn asked_again_at(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        message: MessageId,
        place: u64,
    ) {
        let member = self.fleets.members.get_mut(&id);
        if let Some(asked) = member.and_then(|member| member.asked.get_mut(&message)) {
            asked.place = Some(place);
            asked.write(step, key::asked(&id, message));
        }
    }

    /// A member says what became of messages.
    pub(super) fn heard(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        sender: AgentId,
        receipt: &Receipt,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get(&id) else { return Ok(()) };
        let said =
            |(message, asked): (&MessageId, &AskedRow)| Some((*message, receipt.of(asked.place?)?));
        for (message, said) in member.asked.iter().filter_map(said).collect::<Vec<_>>() {
            self.hear_of(step, id, message, |row| row.hear(&sender, said))?;
        }
        Ok(())
    }

    /// Whoever is gone is waited for no more.
    pub(super) fn wait_for_those_left(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        sight: &Sight,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get(&id) else { return Ok(()) };
        let agents = sight.agents();
        for message in member.asked.keys().copied().collect::<Vec<_>>() {
            self.hear_of(step, id, message, |row| row.retain(&agents))?;
        }
        Ok(())
    }

    /// Changes what is known of a message, and what follows from it where the change is news.
    fn hear_of(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        message: MessageId,
        change: impl FnOnce(&mut SentToGroupRow) -> bool,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        let stands = member.asked.get(&message).is_some_and(|asked| asked.place.is_some());
        let Some(mut row) = SentToGroupRow::read(step, message)? else { return Ok(()) };
        let is_news = change(&mut row);
        if is_news {
            row.write(step, message);
        }
        if !stands {
            return Ok(());
        }
        if let Some(level) = row.heard() {
            Self::move_in_group(step, id, message, level)?;
        }
        if row.is_answered() {
            member.asked.remove(&message);
            step.delete(Namespace::Group, key::asked(&id, message));
        }
        Ok(())
    }

    /// How far a message of ours got.
    pub(crate) fn group_status(
        &self,
        step: &Transition<'_>,
        id: MessageId,
    ) -> Result<Option<GroupStatus>, StoreError> {
        let Some(row) = SentToGroupRow::read(step, id)? else { return Ok(None) };
        let member = self.fleets.members.get(&row.group);
        let is_waited_for = member.is_some_and(|member| member.asked.contains_key(&id));
        Ok(Some(GroupStatus::of(row, is_waited_for)))
    }

    /// Whoever did not speak in time is not waited for: the message stays where it is.
    pub(super) fn end_waits(&mut self, step: &mut Transition<'_>, id: GroupId) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        let now = step.now.wall;
        let ends = |asked: &AskedRow| asked.expires + CLOCK_TOLERANCE < now;
        let over = member.asked.iter().filter(|(_, asked)| ends(asked));
        for message in over.map(|(message, _)| *message).collect::<Vec<_>>() {
            member.asked.remove(&message);
            step.delete(Namespace::Group, key::asked(&id, message));
        }
    }

    /// A message that came before came again, at another place: it is spoken of there.
    pub(super) fn receipt_again(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        (place, asks): (u64, Asks),
        seen: &crate::seen::SeenRow,
    ) -> Result<(), StoreError> {
        let said = match (seen.verdict, asks) {
            (Verdict::Delivered | Verdict::Processed, Asks::Delivered)
            | (Verdict::Delivered, Asks::Processed) => Said::Delivered,
            (Verdict::Processed, Asks::Processed) => Said::Processed,
            _ => return Ok(()),
        };
        self.owe_receipt(step, group, (place, said));
        match (said, seen.arrival) {
            (Said::Delivered, Some(arrival)) if asks == Asks::Processed => {
                crate::inbox::Inbox::move_to(step, arrival, place)
            }
            _ => Ok(()),
        }
    }
}
