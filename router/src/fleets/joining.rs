//! Answering a summons: nothing of it is used up before the owner says so.

use alloc::vec::Vec;

use meshwork_protocols::fleet::{
    Group, GroupError, GroupId, Invitation, MAX_ROSTER_LENGTH, Roster, Step, Summons, View,
};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Answer, EntryIndex, Request};
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::Message;
use meshwork_state::{Namespace, StoreError};

use super::{Ask, MAX_GROUPS, Member, Sight};
use crate::command::{Answer as Done, CommandError, Ticket};
use crate::desk::Desk;
use crate::event::{Event, GroupEvent};
use crate::fleet::{Cards, GroupLog, GroupRow, InvitationRow, Stage, key};
use crate::input::RelayFailure;
use crate::transition::Transition;

/// The most summonses that wait for the owner.
pub const MAX_INVITATIONS: usize = 256;

/// The most of one agent among them.
pub const INVITATIONS_OF_ONE: usize = 16;

/// A group that is being joined.
#[derive(Debug)]
pub(super) struct Join {
    /// Who waits for it; nobody for one that this agent comes back into by itself.
    pub(super) ticket: Option<Ticket>,
    by: AgentId,
    summons: Summons,
    /// What came of the roster.
    roster: Vec<u8>,
    parts: usize,
}

impl Join {
    /// Coming back by the way that a member told.
    pub(super) const fn back(by: AgentId, summons: Summons) -> Self {
        Self { ticket: None, by, summons, roster: Vec::new(), parts: 0 }
    }
}

impl Desk {
    /// Keeps a summons for the owner to decide. A later one for the same group replaces it, and one
    /// that was overtaken on its way does not. What is none, or one too many, is passed over: it was
    /// a message, and is dealt with.
    pub(crate) fn summoned(
        &mut self,
        step: &mut Transition<'_>,
        by: AgentId,
        received: WallTime,
        message: &Message,
    ) -> Result<(), StoreError> {
        let Ok(summons) = Summons::decode(&message.body) else { return Ok(()) };
        let of_one = self.fleets.invitations.values().filter(|inviter| **inviter == by).count();
        let is_known = self.fleets.invitations.contains_key(&summons.group);
        let has_room =
            of_one < INVITATIONS_OF_ONE && self.fleets.invitations.len() < MAX_INVITATIONS;
        if !is_known && !has_room {
            return Ok(());
        }
        // Who is in by this or by a later commit needs none.
        let after = summons.after.0;
        let is_in =
            |member: &Member| member.row.stage == Stage::Member && member.goes_by_place() >= after;
        if self.fleets.members.get(&summons.group).is_some_and(is_in) {
            return Ok(());
        }
        let (key, created) = (key::invitation(&summons.group), message.created);
        // Its maker's clock may have been set back since the one before, and the log put back: it was
        // overtaken where both say so.
        let before = InvitationRow::read(step, &key)?.filter(|before| before.by == by);
        if let Some(before) = before
            && before.created > created
            && Summons::decode(&before.summons).is_ok_and(|known| known.after >= summons.after)
        {
            return Ok(());
        }
        InvitationRow { by, created, received, summons: message.body.clone() }.write(step, key);
        self.fleets.invitations.insert(summons.group, by);
        Self::tell_of_group(step, summons.group, GroupEvent::Invited { by });
        self.is_in_elsewhere(step, summons.group, by, after)
    }

    /// An admin brings this agent in by a commit that it read and does not go by: it came in by one
    /// that its admin itself has given up since, where nobody else is.
    fn is_in_elsewhere(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        by: AgentId,
        after: u64,
    ) -> Result<(), StoreError> {
        let has_read = |member: &Member| {
            let follows = member.row.stage == Stage::Member && member.is_whole();
            follows && member.row.read >= after && member.goes_by_place() < after
        };
        if !self.fleets.members.get(&id).is_some_and(has_read) {
            return Ok(());
        }
        if self.sight(step, id)?.is_ok_and(|sight| sight.charter.is_admin(&by)) {
            self.strand(step, id);
        }
        Ok(())
    }

    /// Begins to join: what the summons names is fetched.
    pub(super) fn join_group(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        ticket: Ticket,
    ) -> Result<Option<Done>, CommandError> {
        let row = InvitationRow::read(step, &key::invitation(&id))?;
        let InvitationRow { by, summons, .. } = row.ok_or(CommandError::NotInvited)?;
        if self.fleets.joins.get(&id).is_some_and(|join| join.ticket.is_some()) {
            return Err(CommandError::Busy);
        }
        let stands = |member: &Member| !member.row.stage.is_lost();
        if self.fleets.members.get(&id).is_some_and(stands) {
            return Err(CommandError::Group(GroupError::Joined));
        }
        if self.fleets.members.len() >= MAX_GROUPS {
            return Err(CommandError::Busy);
        }
        let summons = Summons::decode(&summons).map_err(CommandError::Group)?;
        let join = Join { ticket: Some(ticket), by, summons, roster: Vec::new(), parts: 0 };
        self.fleets.joins.insert(id, join);
        self.next_part(step, id);
        Ok(None)
    }

    /// Gives a summons up.
    pub(super) fn decline_group(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), CommandError> {
        self.fleets.invitations.remove(&id).ok_or(CommandError::NotInvited)?;
        step.delete(Namespace::Group, key::invitation(&id));
        Ok(())
    }

    pub(super) fn next_part(&mut self, step: &mut Transition<'_>, id: GroupId) {
        let Some(join) = self.fleets.joins.get(&id) else { return };
        let Some(part) = join.summons.parts.get(join.parts) else { return };
        let (holder, request) = (join.summons.holder.clone(), Request::GetBlob(*part));
        self.ask_of(step, holder, Ask::Roster(id), request);
    }

    /// A part of a roster came, or did not.
    pub(super) fn roster_came(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        answer: Result<Answer, RelayFailure>,
    ) -> Result<(), StoreError> {
        let Some(join) = self.fleets.joins.get_mut(&id) else { return Ok(()) };
        let part = match answer {
            Ok(Answer::Blob(Some(part))) => part.0,
            Ok(_) => return self.not_joined(step, id, CommandError::NotInvited),
            Err(_) => return self.not_joined(step, id, CommandError::Unreachable),
        };
        let provider = &*self.config.provider;
        if join.summons.parts.get(join.parts) != Some(&provider.digest(&[&part]))
            || join.roster.len() + part.len() > MAX_ROSTER_LENGTH
        {
            return self.not_joined(step, id, CommandError::Group(GroupError::Malformed));
        }
        join.roster.extend_from_slice(&part);
        join.parts += 1;
        if join.parts < join.summons.parts.len() {
            self.next_part(step, id);
            return Ok(());
        }
        match self.enter_group(step, id)? {
            Ok(()) => Ok(()),
            Err(why) => self.not_joined(step, id, CommandError::Group(why)),
        }
    }

    fn not_joined(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        why: CommandError,
    ) -> Result<(), StoreError> {
        let join = self.fleets.joins.remove(&id);
        if let Some(ticket) = join.and_then(|join| join.ticket) {
            step.tell_now(Event::Answered { ticket, answer: Err(why) });
        }
        Ok(())
    }

    /// Everything is here: the group is entered, and the offer used up, in one step.
    fn enter_group(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<Result<(), GroupError>, StoreError> {
        let Some(join) = self.fleets.joins.get(&id) else { return Ok(Ok(())) };
        let (by, summons) = (join.by, join.summons.clone());
        let now = step.now.wall;
        let roster = {
            let provider = &*self.config.provider;
            match Roster::open(provider, &summons.key, &id, &join.roster) {
                Ok(roster) => roster,
                Err(why) => return Ok(Err(why)),
            }
        };
        if join.ticket.is_none() {
            self.fleets.joins.remove(&id);
            return self.come_back(step, id, &summons, &roster);
        }
        let Ok(cards) = Cards::default().with(&*self.config.provider, &roster.cards, now) else {
            return Ok(Err(GroupError::Malformed));
        };
        // A state that cannot follow any more gives way, in the same step. What it sent goes on.
        let unsent = self.take_messages(step, id)?;
        let before = self.fleets.members.get_mut(&id);
        let undone = before.map(|member| core::mem::take(&mut member.row.undone));
        self.erase_group(step, id)?;
        let Self { config, random, .. } = self;
        let Some(fleet) = &config.fleet else { return Ok(Err(GroupError::NoGroup)) };
        let entered = fleet.run(step, &mut **random, |around, _| {
            let invitation = Invitation::open(around, &cards, &summons.welcome, &roster.tree.0)?;
            // The one who sent it is the one who added us.
            if invitation.group() != id || invitation.inviter() != by {
                return Err(GroupError::NotForUs);
            }
            let by_last_resort = invitation.by_last_resort();
            let Step { output: mut group, changes } = invitation.accept()?;
            let sight = sight_of(&group.view(around)?)?;
            Ok(Step { output: (group, sight, by_last_resort), changes })
        })?;
        match entered {
            Ok((group, sight, by_last_resort)) => {
                self.joined(step, &summons, group, cards, &sight)?;
                if let Some(member) = self.fleets.members.get_mut(&id) {
                    member.row.undone = undone.unwrap_or_default();
                }
                self.awaits_removals(step, id, &sight);
                self.seal_again(step, id, unsent)?;
                if by_last_resort {
                    Self::tell_of_group(step, id, GroupEvent::LastResort);
                    self.replace_offers(step)?;
                }
                Ok(Ok(()))
            }
            Err(why) => Ok(Err(why)),
        }
    }

    fn joined(
        &mut self,
        step: &mut Transition<'_>,
        summons: &Summons,
        group: Group,
        cards: Cards,
        sight: &Sight,
    ) -> Result<(), StoreError> {
        let id = summons.group;
        let (name, holder) = (summons.name.clone(), summons.holder.clone());
        // Where the group's log is its charter says, if it ever moved.
        let log = GroupLog::of(&id, &sight.charter);
        let holder = sight.charter.holder().unwrap_or(holder);
        let after = log.place(log.index(summons.after.0));
        let row = GroupRow {
            log: Some(log),
            chain: Some(summons.chain),
            commit_chain: Some((after, summons.chain)),
            ..GroupRow::new(name, holder, Stage::Member, after)
        };
        self.begin_group(step, row, group, cards, sight);
        self.begin_history(step, id, (sight.epoch, after));
        self.take_turn(step, id, sight.members.len(), sight);
        self.confirm_later(step, id, EntryIndex(after), sight.members.len());
        self.needs_no_invitation(step, id, after.max(summons.after.0))?;
        Self::tell_of_group(step, id, GroupEvent::Joined);
        let join = self.fleets.joins.remove(&id);
        if let Some(ticket) = join.and_then(|join| join.ticket) {
            step.tell(Event::Answered { ticket, answer: Ok(Done::Group(id)) });
        }
        Ok(())
    }

    /// This agent is in by the log up to there. A summons into what comes behind that stays: one that
    /// came while another was followed may be of a commit that takes this agent out and in anew.
    pub(super) fn needs_no_invitation(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        through: u64,
    ) -> Result<(), StoreError> {
        if !self.fleets.invitations.contains_key(&id) {
            return Ok(());
        }
        let row = InvitationRow::read(step, &key::invitation(&id))?;
        let summons = row.and_then(|row| Summons::decode(&row.summons).ok());
        if summons.is_none_or(|summons| summons.after.0 <= through) {
            self.fleets.invitations.remove(&id);
            step.delete(Namespace::Group, key::invitation(&id));
        }
        Ok(())
    }
}

/// What a group looks like.
pub(super) fn sight_of(view: &View<'_>) -> Result<Sight, GroupError> {
    Ok(Sight { epoch: view.epoch(), members: view.members()?, charter: view.charter()? })
}
