//! Commits of our own: what is wished for becomes one when nothing of the log is unread, and counts
//! when it is read there. One that lost is made again from what is still to be done.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use meshwork_protocols::fleet::{
    Charter, GroupError, GroupId, LogEntry, MAX_ADDED_AT_ONCE, Offer, OfferError, Plan, Posting,
    Step,
};
use meshwork_protocols::identity::{AgentId, Card, Unverified};
use meshwork_protocols::relay::{
    Answer, Append, Commit as Logged, Entry, EntryIndex, MayAppend, Opaque, Request,
};
use meshwork_state::StoreError;

use super::following::log_of;
use super::{Errand, Member, Sight, request_of};
use crate::desk::Desk;
use crate::event::GroupEvent;
use crate::fleet::{Fleet, Offered, Wish, WishState};
use crate::transition::Transition;

/// The most changes that wait in one group for its owner: those whom one request names, twice. What
/// this agent wishes for by itself is one thing for each member at most.
pub(super) const MAX_WISHES: usize = 2 * super::requests::MAX_NAMED;

/// What one commit is to do, out of what is wished for.
#[derive(Debug, Default)]
struct Pick {
    /// What it does.
    wishes: Vec<Wish>,
    /// The offers and cards of those who come.
    add: Vec<(Offer, Card)>,
    remove: Vec<AgentId>,
    charter: Option<Charter>,
    /// What there is nothing to do for any more, and why, where it cannot be done.
    dropped: Vec<(Wish, Option<GroupEvent>)>,
    /// Whose offers do not count, and why.
    bad: Vec<(AgentId, OfferError)>,
    /// Whom the log's holder is to list as they are.
    mislisted: BTreeSet<AgentId>,
}

impl Desk {
    /// Something is to be changed. Whoever is waited for already is sought soon, and for as long as
    /// if it were wished for now.
    pub(super) fn wish(&mut self, step: &mut Transition<'_>, group: GroupId, wish: Wish) {
        let now = step.now.wall;
        let Some(member) = self.fleets.members.get_mut(&group) else { return };
        match member.row.wishes.iter_mut().find(|known| known.is_as(&wish)) {
            Some(Wish::Add { peer, since, state: WishState::Wanted, .. }) => {
                *since = now;
                let peer = *peer;
                member.hurry(&peer);
            }
            Some(Wish::Move { since, .. }) => *since = now,
            Some(_) => return,
            None => member.row.wishes.push(wish),
        }
        member.write(step, &group);
        self.fleets.dirty.insert(group);
    }

    /// Makes a commit of what is wished for, if it would build on the log's last entry.
    pub(super) fn offer_commit(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
        if member.row.offered.is_some() || !member.caught_up {
            return Ok(());
        }
        if member.row.wishes.is_empty() {
            member.apart = false;
            return Ok(());
        }
        let Ok(sight) = self.sight(step, id)? else { return Ok(()) };
        let pick = self.pick(step, id, &sight)?;
        self.drop_wishes(step, id, &pick.dropped);
        for bad in &pick.bad {
            self.offer_is_bad(step, id, *bad);
        }
        if !pick.wishes.is_empty() {
            return self.commit(step, id, &sight, pick);
        }
        if let Some(member) = self.fleets.members.get_mut(&id) {
            member.apart = false;
        }
        Ok(())
    }

    fn drop_wishes(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        dropped: &[(Wish, Option<GroupEvent>)],
    ) {
        let Some(member) = self.fleets.members.get_mut(&id) else { return };
        if dropped.is_empty() {
            return;
        }
        member.row.wishes.retain(|wish| !dropped.iter().any(|(dropped, _)| dropped == wish));
        member.write(step, &id);
        for event in dropped.iter().filter_map(|(_, event)| *event) {
            Self::tell_of_group(step, id, event);
        }
    }

    /// What a commit made now would do.
    fn pick(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        sight: &Sight,
    ) -> Result<Pick, StoreError> {
        let Self { config, fleets, random, .. } = self;
        let mut pick = Pick::default();
        let (Some(fleet), Some(member)) = (&config.fleet, fleets.members.get(&id)) else {
            return Ok(pick);
        };
        let is_admin = sight.charter.is_admin(&config.own);
        if is_admin {
            pick.mislisted.clone_from(&member.row.mislisted);
        }
        // What moves the log does nothing else: it was founded for those who are here now.
        if is_admin && let Some((wish, charter)) = member.is_to_move(sight) {
            pick.charter = Some(charter);
            pick.wishes.push(wish);
            return Ok(pick);
        }
        let waits = member.waits_for_offers();
        for wish in &member.row.wishes {
            if member.apart && !pick.wishes.is_empty() {
                break;
            }
            if !is_admin && *wish != Wish::Rotate {
                pick.dropped.push((wish.clone(), Some(GroupEvent::NotAdmin)));
                continue;
            }
            match wish {
                Wish::Rotate => pick.wishes.push(wish.clone()),
                Wish::Remove(agent) => pick.remove(wish, sight, *agent),
                Wish::Appoint(agent) => pick.admin(wish, sight, *agent, true),
                Wish::Dismiss(agent) => pick.admin(wish, sight, *agent, false),
                Wish::Add { peer, anew: false, .. } if sight.has(peer) => {
                    pick.dropped.push((wish.clone(), None));
                }
                Wish::Add { state: WishState::Wanted, .. } => {}
                Wish::Move { to, .. } if *to == member.row.holder => {
                    pick.dropped.push((wish.clone(), None));
                }
                // It is founded there first.
                Wish::Move { .. } => {}
                // Those whose offers are about to come are added with them.
                Wish::Add { .. } if waits => {}
                Wish::Add { peer, state: WishState::Ready { offer, card }, .. } => {
                    match verify(fleet, step, &mut **random, *peer, (offer, card))? {
                        Ok(verified) => pick.add(wish, sight, verified),
                        Err(why) => pick.bad.push((*peer, why)),
                    }
                }
            }
        }
        Ok(pick)
    }

    fn commit(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        sight: &Sight,
        pick: Pick,
    ) -> Result<(), StoreError> {
        let Self { config, fleets, random, .. } = self;
        let (Some(fleet), Some(member)) = (&config.fleet, fleets.members.get_mut(&id)) else {
            return Ok(());
        };
        let offers: Vec<_> = pick.add.iter().map(|(offer, _)| offer.clone()).collect();
        let plan = Plan {
            add: &offers,
            remove: &pick.remove,
            charter: pick.charter.as_ref(),
            rotate: pick.wishes.contains(&Wish::Rotate),
            previous: None,
        };
        let slot = (id, &mut member.group);
        let made = fleet.on(step, &mut **random, slot, |group, around, local| {
            group.commit(around, local, &plan)
        })?;
        let commit = match made {
            Ok(commit) => commit,
            Err(_) if pick.wishes.len() > 1 => {
                member.apart = true;
                self.fleets.dirty.insert(id);
                return Ok(());
            }
            Err(why) => {
                let dropped: Vec<_> = pick.wishes.into_iter().map(|wish| (wish, None)).collect();
                self.drop_wishes(step, id, &dropped);
                Self::tell_of_group(step, id, GroupEvent::NotChanged { why });
                return Ok(());
            }
        };
        let mut cards: Vec<Opaque> =
            pick.add.iter().map(|(_, card)| card.as_bytes().to_vec().into()).collect();
        if !member.cards.contains(&fleet.card().hash()) {
            cards.push(fleet.card().as_bytes().to_vec().into());
        }
        let logged = Logged {
            epoch: commit.epoch,
            builds_on: Some(EntryIndex(member.row.last_commit)),
            admitted: pick.admitted(sight),
            removed: pick.unlisted(sight),
            bytes: posted(commit.entry, cards)?,
        };
        member.row.offered = Some(Offered {
            request: append_of(id, logged),
            wishes: pick.wishes,
            welcomes: commit.welcomes.into_iter().map(|it| (it.agent, it.bytes)).collect(),
        });
        member.commit_number += 1;
        member.commit_answered = None;
        member.write(step, &id);
        Ok(())
    }

    /// Asks for the commit that waits to be put behind the log.
    pub(super) fn append_commit(&mut self, step: &mut Transition<'_>, id: GroupId) {
        let Some(member) = self.fleets.members.get(&id) else { return };
        let is_about_to_be_read = member.commit_answered.is_some_and(|at| at > member.row.read);
        let Some(offered) = member.row.offered.as_ref().filter(|_| !is_about_to_be_read) else {
            return;
        };
        let (number, last) = (member.commit_number, member.row.last_commit);
        if let Ok(mut request) = request_of(&offered.request) {
            // Others may have read it before the log lost it: it is the same one, wherever it stands.
            if let Request::Append(Append { entry: Entry::Commit(commit), .. }) = &mut *request {
                commit.builds_on = Some(EntryIndex(last));
            }
            self.errand(step, id, Errand::Commit(number), *request);
        }
    }

    /// What the log has in its place is read next, whether it is ours or another.
    pub(super) fn commit_answered(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        number: u64,
        answer: &Answer,
    ) -> Result<(), StoreError> {
        use meshwork_protocols::relay::Refusal;
        let waits =
            |member: &&Member| member.row.offered.is_some() && member.commit_number == number;
        if self.fleets.members.get(&id).filter(waits).is_none() {
            // It was read in the log meanwhile, or given up.
            return Ok(());
        }
        match answer {
            Answer::Appended(last) | Answer::Refused(Refusal::NotLast { last }) => {
                let Some(member) = self.fleets.members.get_mut(&id) else { return Ok(()) };
                let is_read = last.0 <= member.row.read;
                match answer {
                    // What stood there was read before, and was another: the log lost ours.
                    Answer::Appended(_) if is_read => self.rest_a_moment(step, id),
                    // The last commit that was read is another.
                    _ if is_read => {
                        member.row.last_commit = last.0;
                        self.read_anew(step, id);
                    }
                    _ => {
                        member.promised = member.promised.max(last.0);
                        member.commit_answered = Some(last.0);
                    }
                }
                Ok(())
            }
            // It will not stand there: what it was to do is given up.
            _ => {
                let member = self.fleets.members.get(&id);
                let wishes = member.and_then(|member| member.row.offered.as_ref());
                let wishes = wishes.map(|offered| offered.wishes.clone()).unwrap_or_default();
                let dropped: Vec<_> = wishes.into_iter().map(|wish| (wish, None)).collect();
                self.withdraw_commit(step, id)?;
                self.drop_wishes(step, id, &dropped);
                self.refused(step, id);
                Ok(())
            }
        }
    }

    /// The commit that waits cannot come into the log any more.
    pub(super) fn withdraw_commit(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let Self { config, fleets, random, .. } = self;
        let (Some(fleet), Some(member)) = (&config.fleet, fleets.members.get_mut(&id)) else {
            return Ok(());
        };
        if member.row.offered.take().is_some() {
            member.write(step, &id);
            let slot = (id, &mut member.group);
            let withdrawn =
                fleet.on(step, &mut **random, slot, |group, around, _| group.withdraw(around))?;
            match withdrawn {
                Ok(()) | Err(GroupError::NothingPending) => {}
                Err(_) => return Err(StoreError::Damaged),
            }
        }
        Ok(())
    }
}

impl Member {
    /// Whether more offers are under way, and fewer came than one commit takes.
    fn waits_for_offers(&self) -> bool {
        let is_ready =
            |wish: &&Wish| matches!(wish, Wish::Add { state: WishState::Ready { .. }, .. });
        self.seeks_first() && self.row.wishes.iter().filter(is_ready).count() < MAX_ADDED_AT_ONCE
    }
}

impl Pick {
    fn remove(&mut self, wish: &Wish, sight: &Sight, agent: AgentId) {
        if sight.has(&agent) {
            self.remove.push(agent);
            self.wishes.push(wish.clone());
        } else {
            self.dropped.push((wish.clone(), None));
        }
    }

    fn admin(&mut self, wish: &Wish, sight: &Sight, agent: AgentId, is_to_be: bool) {
        let mut charter = self.charter.clone().unwrap_or_else(|| sight.charter.clone());
        let changes =
            if is_to_be { charter.admins.insert(agent) } else { charter.admins.remove(&agent) };
        if changes && sight.has(&agent) {
            self.charter = Some(charter);
            self.wishes.push(wish.clone());
        } else {
            self.dropped.push((wish.clone(), None));
        }
    }

    fn add(&mut self, wish: &Wish, sight: &Sight, verified: (Offer, Card)) {
        let peer = verified.0.agent();
        if self.add.len() < MAX_ADDED_AT_ONCE {
            if sight.has(&peer) {
                self.remove.push(peer);
            }
            self.add.push(verified);
            self.wishes.push(wish.clone());
        }
    }

    /// Who may append from this commit on, and what.
    fn admitted(&self, sight: &Sight) -> Vec<(AgentId, MayAppend)> {
        let charter = self.charter.as_ref().unwrap_or(&sight.charter);
        let may = |agent: &AgentId| {
            if charter.is_admin(agent) { MayAppend::Admin } else { MayAppend::Member }
        };
        let changed = charter.admins.symmetric_difference(&sight.charter.admins).copied();
        let removed: BTreeSet<_> = self.unlisted(sight).into_iter().collect();
        let mislisted = self.mislisted.iter().filter(|agent| sight.has(agent)).copied();
        let added = self.add.iter().map(|(offer, _)| offer.agent());
        let all: BTreeSet<_> = added.chain(changed).chain(mislisted).collect();
        all.difference(&removed).map(|agent| (*agent, may(agent))).collect()
    }

    /// Who may not any longer: whoever goes, or is gone, and does not come in anew.
    fn unlisted(&self, sight: &Sight) -> Vec<AgentId> {
        let stays = |agent: &&AgentId| !self.add.iter().any(|(offer, _)| offer.agent() == **agent);
        let gone = self.mislisted.iter().filter(|agent| !sight.has(agent));
        self.remove.iter().chain(gone).filter(stays).copied().collect()
    }
}

/// What a commit's entry carries: itself, and cards that its leaves name.
pub(super) fn posted(entry: LogEntry, cards: Vec<Opaque>) -> Result<Opaque, StoreError> {
    let posting = Posting { entry, cards };
    posting.encode().map(Opaque).map_err(|_| StoreError::Damaged)
}

/// The request that puts a commit behind a group's log.
pub(super) fn append_of(group: GroupId, commit: Logged) -> Vec<u8> {
    let append = Append { log: log_of(group), entry: Entry::Commit(commit) };
    Request::Append(append).encode()
}

/// An offer of a peer and the card that it names, if both count.
fn verify(
    fleet: &Fleet,
    step: &mut Transition<'_>,
    random: &mut dyn meshwork_protocols::random::Random,
    peer: AgentId,
    (offer, card): (&[u8], &[u8]),
) -> Result<Result<(Offer, Card), OfferError>, StoreError> {
    let now = step.now.wall;
    let card = Unverified::<Card>::parse(card).and_then(|card| card.verify(fleet.provider(), now));
    let Ok(card) = card else { return Ok(Err(OfferError::CardNotValid)) };
    let verified = fleet.run(step, random, |around, _| {
        let output = Unverified::<Offer>::parse(fleet.provider(), offer)
            .and_then(|offer| offer.verify(around, &card));
        Ok(Step { output, changes: Vec::new() })
    })?;
    Ok(match verified {
        Ok(Ok(offer)) if offer.agent() == peer => Ok((offer, card)),
        Ok(Ok(_)) => Err(OfferError::WrongCard),
        Ok(Err(why)) => Err(why),
        Err(_) => Err(OfferError::Internal),
    })
}
