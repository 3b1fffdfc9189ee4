//! Bringing in those whom a commit of ours added: what they need is left with the log's holder, and
//! each is sent its summons, once the commit stands in the log and not before.

use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::summons::{CONTENT_TYPE, PART_LENGTH};
use meshwork_protocols::fleet::{GroupId, Roster, Step, Summons};
use meshwork_protocols::relay::{Answer, BlobHash, EntryIndex, LogChain, Request};
use meshwork_state::{Namespace, StoreError};

use super::{Errand, Sight};
use crate::desk::Desk;
use crate::event::GroupEvent;
use crate::fleet::{Offered, SummonsRow, Wish, key};
use crate::transition::Transition;

/// How long a summons is tried, and what it needs is kept: as long as an offer counts.
pub(super) const SUMMONED: Duration = Duration::from_secs(29 * 24 * 60 * 60);

impl Desk {
    /// A commit of our own was read in the log: what it was to do is done.
    pub(super) fn own_commit_stands(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        place: (u64, LogChain),
        sight: &Sight,
    ) -> Result<(), StoreError> {
        let (author, epoch) = (self.config.own, sight.epoch);
        let Self { config, fleets, random, .. } = self;
        let (Some(fleet), Some(member)) = (&config.fleet, fleets.members.get_mut(&id)) else {
            return Ok(());
        };
        member.commit_answered = None;
        let mut due = None;
        if let Some(Offered { wishes, welcomes, .. }) = member.row.offered.take() {
            member.row.wishes.retain(|wish| !wishes.contains(wish));
            let came = wishes.iter().filter(|wish| matches!(wish, Wish::Add { .. })).count();
            let has_path = |wish: &Wish| matches!(wish, Wish::Rotate | Wish::Remove(_));
            due = Some((came, wishes.iter().any(has_path)));
            if !welcomes.is_empty() {
                let slot = (id, &mut member.group);
                let tree = fleet.on(step, &mut **random, slot, |group, around, _| {
                    let output = group.view(around)?.tree()?;
                    Ok(Step { output, changes: Vec::new() })
                })?;
                let tree = tree.map_err(|_| StoreError::Damaged)?;
                let roster = Roster { tree: tree.into(), cards: member.cards.bytes() };
                let provider = fleet.provider();
                let whence = (place, member.row.holder.clone());
                SummonsRow::seal(provider, &mut **random, &id, whence, &roster, welcomes)?
                    .write(step, key::summons(&id, place.0));
                member.summons.insert(place.0);
            }
        }
        if let Some((came, is_renewed)) = due {
            if is_renewed {
                self.renewed(step, id);
            }
            self.take_turn(step, id, came, sight);
        }
        Self::tell_of_group(step, id, GroupEvent::Changed { author, epoch });
        Ok(())
    }

    /// Leaves what is next of a roster.
    pub(super) fn upload(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<(), StoreError> {
        let Some(member) = self.fleets.members.get(&id) else { return Ok(()) };
        let is_under_way = |errand: &Errand| matches!(errand, Errand::Upload { .. });
        match member.next_summons(&id, step.now.monotonic) {
            Some(after) if !member.under_way.iter().any(is_under_way) => {
                self.upload_part(step, id, after, 0)
            }
            _ => Ok(()),
        }
    }

    fn upload_part(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        after: u64,
        part: usize,
    ) -> Result<(), StoreError> {
        let row = SummonsRow::read(step, &key::summons(&id, after))?;
        let row = row.ok_or(StoreError::Damaged)?;
        match row.roster.chunks(PART_LENGTH).nth(part) {
            Some(bytes) => {
                let hash = self.config.provider.digest(&[bytes]);
                let (expires, bytes) = (step.now.wall + SUMMONED, bytes.to_vec().into());
                let request = Request::PutBlob { hash, expires, bytes };
                let errand = Errand::Upload { after, part };
                self.errand_at(step, id, row.holder, errand, request);
                Ok(())
            }
            None => self.summon(step, id, after, &row),
        }
    }

    pub(super) fn part_kept(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        (after, part): (u64, usize),
        answer: &Answer,
    ) -> Result<(), StoreError> {
        if *answer == Answer::Done {
            self.upload_part(step, id, after, part + 1)
        } else {
            self.refused(step, id);
            Ok(())
        }
    }

    /// Sends each of those whom a commit added its summons, as a message like any other.
    fn summon(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
        number: u64,
        row: &SummonsRow,
    ) -> Result<(), StoreError> {
        let provider = alloc::sync::Arc::clone(&self.config.provider);
        let hash = |bytes: &[u8]| provider.digest(&[bytes]);
        let parts: Vec<BlobHash> = row.roster.chunks(PART_LENGTH).map(hash).collect();
        for (peer, welcome) in &row.welcomes {
            let Some(member) = self.fleets.members.get(&id) else { return Ok(()) };
            let summons = Summons {
                group: id,
                name: member.row.name.clone(),
                holder: row.holder.clone(),
                after: EntryIndex(row.after),
                chain: row.chain,
                key: row.key(),
                parts: parts.clone(),
                welcome: welcome.clone(),
            };
            if Self::is_way(number) {
                self.tell_way_back(step, *peer, &summons)?;
                continue;
            }
            let Ok(body) = summons.encode() else { return Err(StoreError::Damaged) };
            if !self.tell(step, *peer, CONTENT_TYPE, body, SUMMONED)? {
                // It is added and not told so: whoever wants it in adds it anew.
                Self::tell_of_group(step, id, GroupEvent::NotAdded(*peer));
            }
        }
        step.delete(Namespace::Group, key::summons(&id, number));
        if let Some(member) = self.fleets.members.get_mut(&id) {
            member.summons.remove(&number);
        }
        self.fleets.dirty.insert(id);
        Ok(())
    }
}
