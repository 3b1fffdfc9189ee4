//! What members tell each other beside the log: messages like any others, which a router sends and
//! hears by itself, and which no application sees.

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::{GroupId, log_moved, log_seen, summons, way_back};
use meshwork_protocols::identity::AgentId;
use meshwork_state::StoreError;

use super::Member;
use crate::command::{CommandError, Outgoing};
use crate::desk::Desk;
use crate::inbox::Delivery;
use crate::peer::Standing;
use crate::transition::Transition;

/// What a message tells of a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Word {
    /// Its receiver may come in.
    Summons,
    /// The log moved.
    Move,
    /// Where the log is that another reads.
    Log,
    /// Another cannot follow the log any more.
    WayWanted,
    /// How its receiver comes back.
    Way,
}

impl Member {
    /// Whether somebody is a member, as far as cards are here.
    pub(super) fn has(&self, agent: &AgentId) -> bool {
        self.cards.agents().any(|member| member == *agent)
    }
}

impl Desk {
    /// What a message tells, if it is one of these and this agent takes part in groups.
    pub(crate) fn word_in(&self, delivery: &Delivery) -> Option<Word> {
        if self.config.fleet.is_none() || delivery.group.is_some() {
            return None;
        }
        match delivery.message.content_type.as_str() {
            summons::CONTENT_TYPE => Some(Word::Summons),
            log_moved::CONTENT_TYPE => Some(Word::Move),
            log_seen::CONTENT_TYPE => Some(Word::Log),
            way_back::ASKED_TYPE => Some(Word::WayWanted),
            way_back::ANSWERED_TYPE => Some(Word::Way),
            _ => None,
        }
    }

    /// Deals with one. What says nothing of the kind is passed over: it was a message.
    pub(crate) fn hear(
        &mut self,
        step: &mut Transition<'_>,
        word: Word,
        delivery: &Delivery,
    ) -> Result<(), StoreError> {
        let (from, message) = (delivery.sender, &delivery.message);
        match word {
            // The owner sees the invitation, and not the message that brought it.
            Word::Summons => return self.summoned(step, from, delivery.received, message),
            Word::Move => return self.hears_of_move(step, from, message),
            Word::Log => self.hears_of_log(step, from, message),
            Word::WayWanted => {
                if let Ok(group) = way_back::asked(&message.body) {
                    return self.way_wanted(step, from, group);
                }
            }
            Word::Way => self.way_came(step, from, &message.body),
        }
        Ok(())
    }

    /// Sends one to a peer; whether it was taken on.
    pub(super) fn tell(
        &mut self,
        step: &mut Transition<'_>,
        to: AgentId,
        content_type: &str,
        body: Vec<u8>,
        lifetime: Duration,
    ) -> Result<bool, StoreError> {
        let Ok(content_type) = content_type.to_string().parse() else {
            return Err(StoreError::Damaged);
        };
        let outgoing = Outgoing { to, id: None, content_type, body, lifetime, ordered: false };
        match self.send(step, outgoing, false) {
            Ok(_) => Ok(true),
            Err(CommandError::Store(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// The other members of a group that this agent knows.
    pub(super) fn known_in(&self, id: GroupId) -> Vec<AgentId> {
        let Some(member) = self.fleets.members.get(&id) else { return Vec::new() };
        let others = member.cards.agents().filter(|agent| *agent != self.config.own);
        others.filter(|it| self.peers.standing(it) == Some(Standing::Known)).collect()
    }

    /// The one of them whose turn it is. Agents begin with different ones, so that not all ask the same.
    pub(super) fn next_known_in(&self, id: GroupId, turn: u32) -> Option<AgentId> {
        let known: BTreeSet<_> = self.known_in(id).into_iter().collect();
        let behind = known.range(self.config.own..).chain(known.range(..self.config.own));
        in_turn(&behind.copied().collect::<Vec<_>>(), turn)
    }

    /// One of them, whichever.
    pub(super) fn any_known_in(&mut self, id: GroupId) -> Option<AgentId> {
        let known = self.known_in(id);
        let bound = u32::try_from(known.len()).unwrap_or(u32::MAX).max(1);
        let place = usize::try_from(self.random.below(bound)).unwrap_or(0);
        known.get(place).copied()
    }
}

/// The one whose turn it is: all come once before one comes again.
pub(super) fn in_turn(all: &[AgentId], turn: u32) -> Option<AgentId> {
    let place = usize::try_from(turn).unwrap_or(0).checked_rem(all.len())?;
    all.get(place).copied()
}
