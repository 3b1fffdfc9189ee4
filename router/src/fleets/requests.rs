//! What the owner asks of groups, and what it sees of them.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::summons::is_group_name;
use meshwork_protocols::fleet::{Asks, Charter, Group, GroupError, GroupId, Summons};
use meshwork_protocols::identity::{AgentId, Relay};
use meshwork_protocols::relay::LogId;
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::{ContentType, MessageId};
use meshwork_state::StoreError;

use super::joining::sight_of;
use super::{MAX_GROUPS, Member, Sight};
use crate::choice::{Choice, Situation, choose};
use crate::command::{Answer, CommandError, Ticket};
use crate::desk::Desk;
use crate::event::Level;
use crate::fleet::{Cards, GroupRow, InvitationRow, SentToGroupRow, Stage, Wish, WishState, key};
use crate::peer::Standing;
use crate::transition::Transition;

/// The most agents that one request names.
pub const MAX_NAMED: usize = 1_024;

/// What the owner asks of groups.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum GroupRequest {
    /// Found a group. Answered [`Answer::Group`].
    Create {
        /// What it is called, here and in invitations.
        name: String,
        /// Who holds its log; `None` is the first relay of the own card.
        holder: Option<Relay>,
    },
    /// Bring peers in. Each is sent a summons when the log has the commit. One of which nothing is
    /// to be had that it could be added with is waited for, for a week.
    Invite {
        /// Where.
        group: GroupId,
        /// Whom.
        peers: Vec<AgentId>,
        /// Whether one that is there already lost its state, and comes in anew.
        anew: bool,
    },
    /// Follow a summons. Answered [`Answer::Group`], when this agent is in.
    Join(GroupId),
    /// Give a summons up.
    Decline(GroupId),
    /// Take members out, and wait no more for whoever is waited for.
    Remove {
        /// Where.
        group: GroupId,
        /// Whom.
        members: Vec<AgentId>,
    },
    /// Make a member an admin, or an admin none.
    Appoint {
        /// Where.
        group: GroupId,
        /// Whom.
        member: AgentId,
        /// Whether it is to be one.
        admin: bool,
    },
    /// Draw new keys of our own.
    Rotate(GroupId),
    /// Move the log to another relay. It is asked for an hour; whatever else was asked to take the
    /// log is not any more.
    MoveLog {
        /// Of which group.
        group: GroupId,
        /// Who is to hold it, and where that listens.
        to: Relay,
    },
    /// Ask to be taken out.
    Leave(GroupId),
    /// Forget a group here, without a word to its members.
    Forget(GroupId),
    /// Send a message to all members. Answered [`Answer::Accepted`].
    Send {
        /// Where.
        group: GroupId,
        /// An id of the caller's choice makes a repeated send safe; `None` draws one.
        id: Option<MessageId>,
        /// What the body is.
        content_type: ContentType,
        /// The body.
        body: Vec<u8>,
        /// How long it counts.
        lifetime: Duration,
        /// What the members are to say of it.
        asks: Asks,
    },
}

/// A message for a group.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) id: Option<MessageId>,
    pub(super) content_type: ContentType,
    pub(super) body: Vec<u8>,
    pub(super) lifetime: Duration,
    pub(super) asks: Asks,
}

/// What the owner sees of a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupSummary {
    /// Which.
    pub group: GroupId,
    /// What it is called.
    pub name: String,
    /// Who holds its log.
    pub holder: AgentId,
    /// Whether this agent follows the log: not before it is founded, and not where entries are
    /// missing.
    pub follows: bool,
    /// Whether this agent cannot follow the log any more, and is on its way back.
    pub stranded: bool,
    /// The epoch, which each commit moves on by one.
    pub epoch: u64,
    /// Members, in the order of the tree.
    pub members: Vec<AgentId>,
    /// Those of them that may change the group.
    pub admins: BTreeSet<AgentId>,
    /// How often the log has moved to another relay.
    pub moves: u16,
    /// The last entry of the log that was read.
    pub read: u64,
    /// Messages that are not known to stand in the log.
    pub waiting: usize,
    /// Changes that are under way and not made yet.
    pub changes: usize,
    /// Whom this agent wants in, and waits for: none of its relays gave keys of it yet.
    pub wanted: Vec<AgentId>,
    /// Members that this agent took for out, by a commit that does not count: what it sends waits
    /// until they are taken out again, for five minutes at most.
    pub in_again: Vec<AgentId>,
    /// How a message to it would go now, and why.
    pub choice: Choice,
}

/// How far a message of ours to a group got.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupStatus {
    /// To which.
    pub group: GroupId,
    /// How far: [`Level::Queued`], [`Level::Relayed`] once it stands in the log, or
    /// [`Level::Expired`] where it did not come there in time. Where that was asked for,
    /// [`Level::Delivered`] and [`Level::Processed`] once everybody has said so who was a member when
    /// it was sealed and still is.
    pub level: Level,
    /// What was asked of the members.
    pub asks: Asks,
    /// How many said that it is in their inboxes.
    pub delivered: u32,
    /// How many said that their applications have dealt with it.
    pub processed: u32,
    /// Who did not say the first, where it was asked.
    pub undelivered: BTreeSet<AgentId>,
    /// Who did not say the second, where it was asked.
    pub unprocessed: BTreeSet<AgentId>,
    /// Whether they are still waited for: until the message's time is over, and as long as this agent
    /// is in the group.
    pub is_waited_for: bool,
}

impl GroupStatus {
    pub(crate) fn of(row: SentToGroupRow, is_waited_for: bool) -> Self {
        let SentToGroupRow { group, level, asks, delivered, processed, .. } = row;
        let SentToGroupRow { undelivered, unprocessed, .. } = row;
        Self { group, level, asks, delivered, processed, undelivered, unprocessed, is_waited_for }
    }

    /// Whether it got as far as it is meant to, or has expired.
    pub const fn is_settled(&self) -> bool {
        match self.level {
            Level::Queued => false,
            Level::Relayed => matches!(self.asks, Asks::Nothing),
            Level::Delivered => !matches!(self.asks, Asks::Processed),
            _ => true,
        }
    }
}

/// What the owner sees of a summons.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvitationSummary {
    /// To which group.
    pub group: GroupId,
    /// What its admin calls it.
    pub name: String,
    /// Who sent it.
    pub by: AgentId,
    /// When it came.
    pub received: WallTime,
    /// Who holds the log.
    pub holder: AgentId,
}

impl Desk {
    /// Does what the owner asks of groups; `None` where the answer comes later.
    pub(crate) fn group_request(
        &mut self,
        step: &mut Transition<'_>,
        ticket: Ticket,
        request: GroupRequest,
        congested: bool,
    ) -> Result<Option<Answer>, CommandError> {
        if self.config.fleet.is_none() {
            return Err(CommandError::NoFleets);
        }
        match request {
            GroupRequest::Create { name, holder } => {
                return self.create_group(step, name, holder).map(Some);
            }
            GroupRequest::Invite { group, peers, anew } => {
                let since = step.now.wall;
                let add = |peer| Wish::Add { peer, anew, since, state: WishState::Wanted };
                for peer in &peers {
                    if self.peers.standing(peer) != Some(Standing::Known) {
                        return Err(CommandError::UnknownPeer);
                    }
                }
                self.wish_all(step, group, peers.into_iter().map(add).collect())?;
            }
            GroupRequest::Remove { group, members } => {
                self.wish_all(step, group, members.into_iter().map(Wish::Remove).collect())?;
            }
            GroupRequest::Appoint { group, member, admin } => {
                let wish = if admin { Wish::Appoint(member) } else { Wish::Dismiss(member) };
                self.wish_all(step, group, alloc::vec![wish])?;
            }
            GroupRequest::Rotate(group) => {
                self.wish_all(step, group, alloc::vec![Wish::Rotate])?;
            }
            GroupRequest::MoveLog { group, to } => self.move_log(step, group, to)?,
            GroupRequest::Join(group) => return self.join_group(step, group, ticket),
            GroupRequest::Decline(group) => self.decline_group(step, group)?,
            GroupRequest::Leave(group) => {
                self.follows(&group)?;
                self.seal_for_group(step, group, None)?;
            }
            GroupRequest::Forget(group) => {
                self.fleets.members.get(&group).ok_or(CommandError::UnknownGroup)?;
                self.erase_group(step, group)?;
            }
            GroupRequest::Send { group, id, content_type, body, lifetime, asks } => {
                let sent = Sent { id, content_type, body, lifetime, asks };
                return self.send_to_group(step, group, sent, congested).map(Some);
            }
        }
        Ok(Some(Answer::Done))
    }

    fn create_group(
        &mut self,
        step: &mut Transition<'_>,
        name: String,
        holder: Option<Relay>,
    ) -> Result<Answer, CommandError> {
        if !is_group_name(&name) {
            return Err(CommandError::BadName);
        }
        if self.fleets.members.len() >= MAX_GROUPS {
            return Err(CommandError::Busy);
        }
        let Self { config, random, .. } = self;
        let fleet = config.fleet.as_ref().ok_or(CommandError::NoFleets)?;
        let holder = holder.or_else(|| fleet.card().relays().first().cloned());
        let holder = holder.ok_or(CommandError::NoRelay)?;
        let mut charter = Charter::of_founder(config.own);
        charter.holders.push(holder.agent);
        let created = fleet.run(step, &mut **random, |around, local| {
            let step = Group::create(around, local, &charter)?;
            let mut group = step.output;
            let sight = sight_of(&group.view(around)?)?;
            Ok(meshwork_protocols::fleet::Step { output: (group, sight), changes: step.changes })
        })?;
        let (group, sight) = created.map_err(CommandError::Group)?;
        let mut cards = Cards::default();
        cards.insert((**fleet.card()).clone());
        let id = group.id();
        let row = GroupRow::new(name, holder, Stage::Founding, 0);
        self.begin_group(step, row, group, cards, &sight);
        Ok(Answer::Group(id))
    }

    /// This agent is in a group from now on.
    pub(super) fn begin_group(
        &mut self,
        step: &mut Transition<'_>,
        row: GroupRow,
        group: Group,
        cards: Cards,
        sight: &Sight,
    ) {
        let (id, mut member) = (group.id(), Member::new(row));
        member.group = Some(group);
        member.write(step, &id);
        self.fleets.members.insert(id, member);
        self.keep_cards(step, id, cards, sight);
        self.renewed(step, id);
        self.fleets.dirty.insert(id);
    }

    /// Notes what is to be changed, all of it or nothing.
    pub(super) fn wish_all(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        wishes: Vec<Wish>,
    ) -> Result<(), CommandError> {
        self.follows(&group)?;
        if wishes.is_empty() || wishes.len() > MAX_NAMED {
            return Err(CommandError::Group(GroupError::Empty));
        }
        let sight = self.sight(step, group)??;
        let own = self.config.own;
        for wish in &wishes {
            let why = match wish {
                Wish::Rotate => None,
                _ if !sight.charter.is_admin(&own) => Some(GroupError::NotAdmin),
                Wish::Add { peer, anew, .. } => {
                    (sight.has(peer) && !anew).then_some(GroupError::Member(*peer))
                }
                Wish::Move { .. } => None,
                // Who goes says so, and another takes it out.
                Wish::Remove(agent) if *agent == own => Some(GroupError::LastAdmin),
                Wish::Remove(agent) if self.is_wished_for(&group, agent) => None,
                Wish::Remove(agent) | Wish::Appoint(agent) | Wish::Dismiss(agent) => {
                    (!sight.has(agent)).then_some(GroupError::NoMember(*agent))
                }
            };
            if let Some(why) = why {
                return Err(CommandError::Group(why));
            }
        }
        let member = self.fleets.members.get(&group).ok_or(CommandError::UnknownGroup)?;
        if member.row.wishes.len() + wishes.len() > super::committing::MAX_WISHES {
            return Err(CommandError::Busy);
        }
        for wish in wishes {
            self.are_added(group, wish.adds().as_slice());
            let is_for_nobody = match &wish {
                Wish::Remove(agent) => !self.take_back(step, group, agent) && !sight.has(agent),
                _ => false,
            };
            if !is_for_nobody {
                self.wish(step, group, wish);
            }
        }
        Ok(())
    }

    fn is_wished_for(&self, group: &GroupId, peer: &AgentId) -> bool {
        let wishes = self.fleets.members.get(group).map(|member| &member.row.wishes);
        wishes.is_some_and(|wishes| wishes.iter().any(|wish| wish.adds() == Some(*peer)))
    }

    fn follows(&self, group: &GroupId) -> Result<(), CommandError> {
        let member = self.fleets.members.get(group).ok_or(CommandError::UnknownGroup)?;
        if member.row.stage.is_lost() {
            return Err(CommandError::Stranded);
        }
        Ok(())
    }

    /// A card of somebody was revoked: who may, takes it out of every group.
    pub(crate) fn revoked_in_groups(
        &mut self,
        step: &mut Transition<'_>,
        peer: AgentId,
    ) -> Result<(), StoreError> {
        let own = self.config.own;
        let groups: Vec<_> = self.fleets.members.keys().copied().collect();
        for group in groups {
            let comes = self.take_back(step, group, &peer);
            if let Ok(sight) = self.sight(step, group)?
                && sight.charter.is_admin(&own)
                && (sight.has(&peer) || comes)
            {
                self.wish(step, group, Wish::Remove(peer));
            }
        }
        Ok(())
    }

    /// Who holds the log of a group, and what it is called there.
    pub(crate) fn log(&self, group: &GroupId) -> Option<(&Relay, LogId)> {
        let row = self.fleets.members.get(group).map(|member| &member.row)?;
        Some((&row.holder, row.log(group).id()))
    }

    /// Every group, as it is now.
    pub(crate) fn groups(
        &mut self,
        step: &mut Transition<'_>,
    ) -> Result<Vec<GroupSummary>, StoreError> {
        let groups: Vec<_> = self.fleets.members.keys().copied().collect();
        let mut summaries = Vec::with_capacity(groups.len());
        for group in groups {
            let sight = self.sight(step, group)?;
            let Some(member) = self.fleets.members.get(&group) else { continue };
            let situation = Situation { fleet: Some(member.log()), ..Situation::default() };
            let wanted: Vec<_> = member.wanted().collect();
            let in_again: Vec<_> = member.in_again().collect();
            let Member { row, .. } = member;
            let (epoch, members, admins) = match sight {
                Ok(sight) => {
                    let members = sight.members.iter().map(|leaf| leaf.credential.agent);
                    (sight.epoch, members.collect(), sight.charter.admins)
                }
                Err(_) => (0, Vec::new(), BTreeSet::new()),
            };
            summaries.push(GroupSummary {
                group,
                name: row.name.clone(),
                holder: row.holder.agent,
                follows: row.stage == Stage::Member,
                stranded: row.stage.is_lost(),
                epoch,
                members,
                admins,
                moves: row.log(&group).moves(),
                read: row.log(&group).index(row.read).0,
                waiting: member.waiting(),
                changes: row.wishes.len() - wanted.len(),
                wanted,
                in_again,
                choice: choose(&situation).choice,
            });
        }
        Ok(summaries)
    }

    /// Every summons that waits for the owner.
    pub(crate) fn invitations(
        &self,
        step: &Transition<'_>,
    ) -> Result<Vec<InvitationSummary>, StoreError> {
        let mut summaries = Vec::new();
        for group in self.fleets.invitations.keys() {
            let Some(row) = InvitationRow::read(step, &key::invitation(group))? else { continue };
            let InvitationRow { by, received, summons, .. } = row;
            let summons = Summons::decode(&summons).map_err(|_| StoreError::Damaged)?;
            let (name, holder) = (summons.name, summons.holder.agent);
            summaries.push(InvitationSummary { group: *group, name, by, received, holder });
        }
        Ok(summaries)
    }
}
