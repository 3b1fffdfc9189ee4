//! Commits going out: made, and then merged or given up as the log decides.

use alloc::vec::Vec;

use openmls::credentials::NewSignerBundle;
use openmls::group::CreateCommitError;
use openmls::messages::Welcome as MlsWelcome;
use openmls::prelude::LeafNodeIndex;
use openmls_traits::OpenMlsProvider;

use super::past::Snapshot;
use super::{Group, Loaded, check_admin_left};
use crate::fleet::charter::Charter;
use crate::fleet::credential::Credential;
use crate::fleet::error::{GroupError, Refusal};
use crate::fleet::judgement::members;
use crate::fleet::mls::Mls;
use crate::fleet::offer::Offer;
use crate::fleet::{FleetKey, Local, LogEntry, Step, Surroundings, Welcome, entry_proofs, welcome};
use crate::identity::AgentId;
use crate::provider::Provider;

/// The most members that one commit adds.
pub const MAX_ADDED: usize = entry_proofs::MAX_PROOFS;

/// What one commit is to do, all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Plan<'a> {
    /// Whom to add.
    pub add: &'a [Offer],
    /// Whom to remove. Their invitations go as well.
    pub remove: &'a [AgentId],
    /// A charter in the present one's place.
    pub charter: Option<&'a Charter>,
    /// Whether to draw new keys of one's own. A removal does so always, and so does a card that has
    /// taken the place of the one in one's leaf.
    pub rotate: bool,
    /// The fleet key that one's leaf names, where one's card names another. It signs the commit, and
    /// the card's takes its place.
    pub previous: Option<&'a FleetKey>,
}

/// A commit that waits for the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Commit {
    /// What is appended, if no other commit stands there.
    pub entry: LogEntry,
    /// The epoch in which it was made: it is good for no other.
    pub epoch: u64,
    /// The GroupInfo of the epoch that it leads to, by which a member can come back.
    pub info: Vec<u8>,
    /// What new members are sent once the entry stands in the log, with the tree.
    pub welcomes: Vec<Welcome>,
    /// The proofs of entry that the commit names by hash, where it adds many.
    pub proofs: Option<Vec<u8>>,
}

impl Group {
    /// Makes a commit. It changes the group once [`merge`](Self::merge) says that it stands in the
    /// log, or never, if another one came first.
    pub fn commit(
        &mut self,
        around: &mut Surroundings<'_>,
        local: &Local<'_>,
        plan: &Plan<'_>,
    ) -> Result<Step<Commit>, GroupError> {
        local.check()?;
        let provider = around.provider;
        self.operate(around.mls(), |mls, loaded| loaded.commit(provider, mls, local, plan))
    }

    /// The commit that waits stands in the log: it is this group's next epoch.
    pub fn merge(&mut self, around: &mut Surroundings<'_>) -> Result<Step<()>, GroupError> {
        self.operate(around.mls(), |mls, loaded| loaded.merge_own(mls))
    }

    /// Gives up the commit that waits, where it cannot come into the log any more. One that lost to
    /// another is given up by itself when that one is received.
    pub fn withdraw(&mut self, around: &mut Surroundings<'_>) -> Result<Step<()>, GroupError> {
        self.operate(around.mls(), |mls, loaded| {
            if loaded.record.pending.take().is_none() {
                return Err(GroupError::NothingPending);
            }
            loaded.mls.clear_pending_commit(mls.storage())?;
            Ok(())
        })
    }
}

impl Loaded {
    fn commit(
        &mut self,
        provider: &dyn Provider,
        mls: &Mls<'_>,
        local: &Local<'_>,
        plan: &Plan<'_>,
    ) -> Result<Commit, GroupError> {
        let Checked { removed, charter, signer } = self.check(local, plan)?;
        let credential = Credential::of(local.card);
        let rotate = plan.rotate || self.own_credential()? != credential;
        let proofs: Vec<_> = plan.add.iter().map(Offer::proof).collect();
        let (associated, proofs) = entry_proofs::encode(provider, &proofs)?;
        let epoch = self.mls.epoch().as_u64();
        self.mls.set_aad(associated);
        let mut builder = self
            .mls
            .commit_builder()
            .consume_proposal_store(false)
            .propose_adds(plan.add.iter().map(|offer| offer.package().clone()))
            .propose_removals(removed);
        if let Some(charter) = charter {
            builder = builder
                .propose_group_context_extensions(charter.extensions()?)
                .map_err(|_| GroupError::Internal)?;
        }
        let builder = builder
            .load_psks(mls.storage())
            .map_err(of_creation)?
            .create_group_info(true)
            .use_ratchet_tree_extension(false);
        let built = if rotate {
            let credential_with_key = credential.with_key(local.key);
            let leaf = NewSignerBundle { signer: local.key, credential_with_key };
            builder.build_with_new_signer(mls.rand(), mls.crypto(), signer, leaf, |_| true)
        } else {
            builder.build(mls.rand(), mls.crypto(), signer, |_| true)
        };
        let bundle =
            built.map_err(of_creation)?.stage_commit(mls).map_err(|_| GroupError::Internal)?;
        let welcome: Option<MlsWelcome> = bundle.welcome().cloned();
        let (commit, _, info) = bundle.into_messages();
        let info = info.ok_or(GroupError::Internal)?;
        let commit = commit.to_bytes().map_err(|_| GroupError::Internal)?;
        self.record.pending = Some(provider.digest(&[&commit]));
        Ok(Commit {
            entry: LogEntry::Commit(commit),
            epoch,
            info: info.to_bytes().map_err(|_| GroupError::Internal)?,
            welcomes: match &welcome {
                Some(welcome) => welcome::split(mls, welcome, plan.add)?,
                None => Vec::new(),
            },
            proofs,
        })
    }

    /// What the members would refuse is refused here.
    fn check<'a>(&self, local: &Local<'a>, plan: &Plan<'a>) -> Result<Checked<'a>, GroupError> {
        if self.record.pending.is_some() {
            return Err(GroupError::Pending);
        }
        let changes = !plan.add.is_empty() || !plan.remove.is_empty() || plan.charter.is_some();
        if !changes && !plan.rotate {
            return Err(GroupError::Empty);
        }
        if plan.add.len() > MAX_ADDED {
            return Err(GroupError::TooMany);
        }
        let present = Charter::of_extensions(self.mls.extensions())?;
        if changes && !present.is_admin(&local.card.agent()) {
            return Err(GroupError::NotAdmin);
        }
        let members = members(&self.mls)?;
        let mut all: Vec<_> = members.values().copied().collect();
        for offer in plan.add {
            if all.contains(&offer.agent()) && !plan.remove.contains(&offer.agent()) {
                return Err(GroupError::Member(offer.agent()));
            }
            all.push(offer.agent());
        }
        let mut after = plan.charter.unwrap_or(&present).clone();
        after.invited.retain(|agent, _| !plan.remove.contains(agent));
        check_admin_left(&self.mls, &after, plan.remove)?;
        if !after.goes_on_from(&present) {
            return Err(Refusal::Log.into());
        }
        let leaf_of = |agent: &AgentId| {
            let found = members.iter().find(|(_, member)| *member == agent);
            found.map(|(leaf, _)| LeafNodeIndex::new(*leaf)).ok_or(GroupError::NoMember(*agent))
        };
        Ok(Checked {
            removed: plan.remove.iter().map(leaf_of).collect::<Result<_, _>>()?,
            charter: (plan.charter.is_some() || after != present).then_some(after),
            signer: self.signer(local, plan.previous)?,
        })
    }

    /// The key that one's leaf names.
    fn signer<'a>(
        &self,
        local: &Local<'a>,
        previous: Option<&'a FleetKey>,
    ) -> Result<&'a FleetKey, GroupError> {
        [Some(local.key), previous]
            .into_iter()
            .flatten()
            .find(|key| self.is_own_key(key))
            .ok_or(GroupError::OtherKey)
    }

    pub(super) fn is_own_key(&self, key: &FleetKey) -> bool {
        let leaf = self.mls.own_leaf_node();
        leaf.is_some_and(|leaf| leaf.signature_key().as_slice() == key.public())
    }

    pub(super) fn own_credential(&self) -> Result<Credential, GroupError> {
        let leaf = self.mls.own_leaf_node().ok_or(GroupError::Internal)?;
        Ok(Credential::of_mls(leaf.credential())?)
    }

    pub(super) fn merge_own(&mut self, mls: &Mls<'_>) -> Result<(), GroupError> {
        if self.record.pending.take().is_none() {
            return Err(GroupError::NothingPending);
        }
        let snapshot = Snapshot::take(mls, &self.mls)?;
        self.mls.merge_pending_commit(mls).map_err(|_| GroupError::Internal)?;
        snapshot.keep(mls, &self.mls, &mut self.record)
    }
}

/// What a plan comes to.
struct Checked<'a> {
    removed: Vec<LeafNodeIndex>,
    charter: Option<Charter>,
    signer: &'a FleetKey,
}

fn of_creation(_: CreateCommitError) -> GroupError {
    GroupError::Internal
}
