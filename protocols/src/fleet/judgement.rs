//! Whether a commit is accepted: from its bytes, what they name by hash, and the group's state, so
//! that all members find the same.
//!
//! Knows no clock, no policy and no revocation: they make a member propose a removal, or leave.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use openmls::group::{MlsGroup, StagedCommit};
use openmls::key_packages::KeyPackage;
use openmls::messages::proposals::Proposal;
use openmls::prelude::LeafNodeIndex;
use openmls::prelude::tls_codec::Serialize as _;
use openmls::treesync::LeafNode;

use super::charter::Charter;
use super::credential::Credential;
use super::entry_proofs;
use super::error::{GroupError, Refusal};
use super::evidence::Evidence;
use super::offer::check_package;
use crate::identity::{AgentId, Card, HybridSignature, Purpose};
use crate::provider::Provider;

/// Who made a commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Committer<'a> {
    /// The member on this leaf.
    Member(LeafNodeIndex),
    /// Who comes back or was invited, and what its signing pair signed.
    Returning {
        /// `group || epoch || SHA-256(commit)`.
        signed: &'a [u8],
        /// The signature.
        signature: &'a HybridSignature,
    },
}

/// What an accepted commit changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// Who made it.
    pub author: AgentId,
    /// The epoch that it leads to.
    pub epoch: u64,
    /// Who came.
    pub added: Vec<AgentId>,
    /// Who went.
    pub removed: Vec<AgentId>,
    /// Whether the charter is another one.
    pub new_charter: bool,
}

/// What is judged.
pub(super) struct Case<'a> {
    pub(super) provider: &'a dyn Provider,
    pub(super) evidence: &'a dyn Evidence,
    pub(super) group: &'a MlsGroup,
    pub(super) staged: &'a StagedCommit,
    pub(super) committer: Committer<'a>,
    pub(super) associated: &'a [u8],
}

impl Case<'_> {
    /// What the commit changes, if it may.
    pub(super) fn judge(&self) -> Result<Change, GroupError> {
        let before = Charter::of_extensions(self.group.extensions())?;
        let members = members(self.group)?;
        let proposed = Proposed::of(self.staged)?;
        // 1. The author is a member, and its new leaf is its own.
        let (author, leaf) = self.author(&members)?;
        // 2. Who comes back takes its own old leaf away and changes nothing else, and who is invited
        //    has none; every other change is an admin's.
        if matches!(self.committer, Committer::Returning { .. }) {
            let invited = before.invites(&author, self.group.epoch().as_u64());
            proposed.check_return(&members, author, invited)?;
        } else if proposed.changes_something() && !before.is_admin(&author) {
            return Err(Refusal::NotAdmin(author).into());
        } else if proposed.returns {
            return Err(Refusal::Proposal.into());
        }
        // 3. Each leaf that comes names a card that names its key, and for each key package the
        //    card's signing pair answers.
        let mut added = self.added(&proposed.added)?;
        // 4. The charter that results is one, and somebody it names as admin is there.
        let after = Charter::of_extensions(self.staged.group_context().extensions())?;
        let comes = leaf.map(|_| author);
        let new = comes.filter(|author| !members.values().any(|member| member == author));
        let (now, removed) = proposed.apply(members, &added, comes)?;
        added.extend(new);
        if !now.iter().any(|agent| after.is_admin(agent)) {
            return Err(Refusal::NoAdmin.into());
        }
        // 5. Who was removed does not come in again by itself.
        if let Some(agent) = removed.iter().find(|agent| after.invited.contains_key(agent)) {
            return Err(Refusal::StillInvited(*agent).into());
        }
        // 6. The log stays, or moves on by one: places in it are told apart by that number.
        if !after.goes_on_from(&before) {
            return Err(Refusal::Log.into());
        }
        Ok(Change {
            author,
            epoch: self.staged.epoch().as_u64(),
            added,
            removed,
            new_charter: before != after,
        })
    }

    /// The author, and the leaf that it brings.
    fn author(
        &self,
        members: &BTreeMap<u32, AgentId>,
    ) -> Result<(AgentId, Option<&LeafNode>), GroupError> {
        let leaf = self.staged.update_path_leaf_node();
        let brought = leaf
            .map(|leaf| {
                let credential = Credential::of_mls(leaf.credential())?;
                credential.check(self.evidence, leaf.signature_key().as_slice())
            })
            .transpose()?;
        match self.committer {
            Committer::Member(index) => {
                let author = *members.get(&index.u32()).ok_or(GroupError::Invalid)?;
                if brought.is_some_and(|card| card.agent() != author) {
                    return Err(Refusal::LeafOfAnother(author).into());
                }
                // Its leaf stays where it is.
                Ok((author, None))
            }
            Committer::Returning { signed, signature } => {
                let card = brought.ok_or(GroupError::Invalid)?;
                card.signing_pair()
                    .verify(self.provider, Purpose::Rejoin, signed, signature)
                    .map_err(|_| Refusal::ReturnNotSigned(card.agent()))?;
                Ok((card.agent(), leaf))
            }
        }
    }

    fn added(&self, packages: &[&KeyPackage]) -> Result<Vec<AgentId>, GroupError> {
        let proofs = entry_proofs::decode(self.provider, self.evidence, self.associated)?;
        if proofs.len() != packages.len() {
            return Err(Refusal::AssociatedData.into());
        }
        packages
            .iter()
            .zip(&proofs)
            .map(|(package, proof)| {
                let card = self.card_of(package.leaf_node())?;
                check_package(package, card)?;
                let bytes = package.tls_serialize_detached().map_err(|_| GroupError::Internal)?;
                if self.provider.digest(&[&bytes]) != proof.package {
                    return Err(Refusal::NotSigned(card.agent()).into());
                }
                proof.verify(self.provider, card)?;
                Ok(card.agent())
            })
            .collect()
    }

    fn card_of(&self, leaf: &LeafNode) -> Result<&Card, GroupError> {
        let credential = Credential::of_mls(leaf.credential())?;
        credential.check(self.evidence, leaf.signature_key().as_slice())
    }
}

/// What a commit proposes.
struct Proposed<'a> {
    added: Vec<&'a KeyPackage>,
    removed: Vec<u32>,
    charter: bool,
    returns: bool,
}

impl<'a> Proposed<'a> {
    fn of(staged: &'a StagedCommit) -> Result<Self, Refusal> {
        let mut proposed =
            Self { added: Vec::new(), removed: Vec::new(), charter: false, returns: false };
        for queued in staged.queued_proposals() {
            match queued.proposal() {
                Proposal::Add(add) => proposed.added.push(add.key_package()),
                Proposal::Remove(remove) => proposed.removed.push(remove.removed().u32()),
                Proposal::GroupContextExtensions(_) => proposed.charter = true,
                Proposal::ExternalInit(_) => proposed.returns = true,
                _ => return Err(Refusal::Proposal),
            }
        }
        Ok(proposed)
    }

    fn changes_something(&self) -> bool {
        self.charter || !self.added.is_empty() || !self.removed.is_empty()
    }

    /// Only a leaf of one's own is taken away, and it is, if there is one.
    fn check_return(
        &self,
        members: &BTreeMap<u32, AgentId>,
        author: AgentId,
        invited: bool,
    ) -> Result<(), Refusal> {
        if self.charter || !self.added.is_empty() || !self.returns {
            return Err(Refusal::Proposal);
        }
        match self.removed.as_slice() {
            [index] if members.get(index) == Some(&author) => Ok(()),
            [] if invited => Ok(()),
            [] => Err(Refusal::Uninvited(author)),
            _ => Err(Refusal::Proposal),
        }
    }

    /// Who is there afterwards, and who went.
    fn apply(
        &self,
        mut members: BTreeMap<u32, AgentId>,
        added: &[AgentId],
        returned: Option<AgentId>,
    ) -> Result<(Vec<AgentId>, Vec<AgentId>), Refusal> {
        let mut removed: Vec<_> =
            self.removed.iter().filter_map(|index| members.remove(index)).collect();
        removed.retain(|agent| Some(*agent) != returned);
        let mut now: Vec<_> = members.into_values().collect();
        now.extend_from_slice(added);
        now.extend(returned);
        now.sort_unstable();
        match now.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[_]>::first) {
            Some(twice) => Err(Refusal::Twice(*twice)),
            None => Ok((now, removed)),
        }
    }
}

/// Who sits on which leaf.
pub(super) fn members(group: &MlsGroup) -> Result<BTreeMap<u32, AgentId>, GroupError> {
    group
        .members()
        .map(|member| {
            let credential = Credential::of_mls(&member.credential)?;
            Ok((member.index.u32(), credential.agent))
        })
        .collect()
}
