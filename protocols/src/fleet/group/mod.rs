//! A group as one of its members holds it.
//!
//! One owner drives it. An operation works on a candidate: it gives the rows to be made durable and
//! what may leave the process once they are. After an error the candidate is gone and the next
//! operation loads the group from its rows again, where nothing has changed; an owner whose
//! transaction failed calls [`Group::forget`] for the same.

mod commit;
mod past;
mod receive;
mod rejoin;
mod seal;

pub use commit::{Commit, MAX_ADDED, Plan};
pub use past::{MAX_PAST, PAST_LIFETIME};
pub use receive::Received;
pub use rejoin::{MAX_INFO_LENGTH, Rejoined};
pub use seal::MAX_PAYLOAD_LENGTH;

use alloc::vec::Vec;
use core::fmt;

use openmls::group::{
    MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY, MlsGroup, MlsGroupCreateConfig, MlsGroupJoinConfig,
};
use openmls::prelude::SenderRatchetConfiguration;
use openmls::prelude::tls_codec::Serialize as _;
use openmls_traits::OpenMlsProvider;
use serde::{Deserialize, Serialize};

use self::past::Past;
use super::charter::Charter;
use super::credential::Credential;
use super::error::GroupError;
use super::evidence::Evidence;
use super::judgement;
use super::mls::{Label, Mls};
use super::offer::endless;
use super::{GroupId, Local, Step, Surroundings};
use crate::identity::AgentId;

/// How far messages of one sender may come out of order: keys that are kept for those missing.
const OUT_OF_ORDER: u32 = 64;

/// How many messages of one sender may be missing in a row: keys that are skipped at once.
const MAX_FORWARD: u32 = 5_000;

/// A group of which this agent is a member.
pub struct Group {
    id: GroupId,
    loaded: Option<Loaded>,
}

/// What the rows say.
struct Loaded {
    mls: MlsGroup,
    record: Record,
}

/// What we keep of a group beside what openmls does.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Record {
    /// SHA-256 of the commit of one's own that waits for the log.
    pending: Option<[u8; 32]>,
    /// SHA-256 of the commit by which this agent came back, which the log gives back too.
    returned: Option<[u8; 32]>,
    /// The epochs whose late messages still open, the oldest first.
    past: Vec<Past>,
}

/// A member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Member {
    /// Its place in the tree.
    pub leaf: u32,
    /// Who it is, and by which card.
    pub credential: Credential,
}

impl Group {
    /// Founds a group with oneself as its only member.
    pub fn create(
        around: &mut Surroundings<'_>,
        local: &Local<'_>,
        charter: &Charter,
    ) -> Result<Step<Self>, GroupError> {
        local.check()?;
        if !charter.is_admin(&local.card.agent()) {
            return Err(GroupError::NotAdmin);
        }
        let id = GroupId::random(around.random);
        let mls = around.mls();
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(around.suite.of_openmls())
            .capabilities(around.suite.capabilities())
            .with_group_context_extensions(charter.extensions()?)
            .wire_format_policy(MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .lifetime(endless())
            .max_past_epochs(0)
            .number_of_resumption_psks(0)
            .sender_ratchet_configuration(ratchets())
            .use_ratchet_tree_extension(false)
            .build();
        let credential = Credential::of(local.card).with_key(local.key);
        let group =
            MlsGroup::new_with_group_id(&mls, local.key, &config, id.of_openmls(), credential)
                .map_err(|_| GroupError::Internal)?;
        let record = Record::default();
        mls.overlay().put(Label::Record, group.group_id(), &record)?;
        let output = Self::of(id, group, record);
        Ok(Step { output, changes: mls.into_changes()? })
    }

    /// The group that stands in the rows.
    pub fn load(around: &mut Surroundings<'_>, id: GroupId) -> Result<Self, GroupError> {
        let mut group = Self { id, loaded: None };
        let mls = around.mls();
        group.loaded = Some(group.take(&mls)?);
        Ok(group)
    }

    pub(super) fn of(id: GroupId, mls: MlsGroup, record: Record) -> Self {
        Self { id, loaded: Some(Loaded { mls, record }) }
    }

    /// Drops what was computed: its transaction failed. The next operation reads the rows.
    pub fn forget(&mut self) {
        self.loaded = None;
    }

    /// Which group it is.
    pub fn id(&self) -> GroupId {
        self.id
    }

    /// What can be asked of the group without changing it.
    pub fn view(&mut self, around: &mut Surroundings<'_>) -> Result<View<'_>, GroupError> {
        if self.loaded.is_none() {
            let mls = around.mls();
            self.loaded = Some(self.take(&mls)?);
        }
        Ok(View { loaded: self.loaded.as_ref().ok_or(GroupError::Internal)? })
    }

    /// Takes the candidate for an operation, which puts it back if all went well.
    fn take(&mut self, mls: &Mls<'_>) -> Result<Loaded, GroupError> {
        if let Some(loaded) = self.loaded.take() {
            return Ok(loaded);
        }
        let id = self.id.of_openmls();
        let group = MlsGroup::load(mls.storage(), &id)?.ok_or(GroupError::NoGroup)?;
        let record = mls.overlay().get(Label::Record, &id)?.ok_or(GroupError::NoGroup)?;
        Ok(Loaded { mls: group, record })
    }

    /// What a member without our rules would use.
    #[cfg(test)]
    pub(super) fn without_rules(&mut self) -> &mut MlsGroup {
        &mut self.loaded.as_mut().unwrap().mls
    }

    /// Runs one operation on a candidate.
    fn operate<T>(
        &mut self,
        mls: Mls<'_>,
        operation: impl FnOnce(&Mls<'_>, &mut Loaded) -> Result<T, GroupError>,
    ) -> Result<Step<T>, GroupError> {
        let mut loaded = self.take(&mls)?;
        let before = loaded.record.clone();
        let output = operation(&mls, &mut loaded)?;
        if loaded.record != before && loaded.mls.is_active() {
            mls.overlay().put(Label::Record, loaded.mls.group_id(), &loaded.record)?;
        }
        let changes = mls.into_changes()?;
        if loaded.mls.is_active() {
            self.loaded = Some(loaded);
        }
        Ok(Step { output, changes })
    }
}

impl Local<'_> {
    fn check(&self) -> Result<(), GroupError> {
        if self.key.is_of(self.card) { Ok(()) } else { Err(GroupError::KeyNotInCard) }
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = self.loaded.as_ref().map(|loaded| loaded.mls.epoch().as_u64());
        write!(f, "Group({:?}, epoch {epoch:?})", self.id)
    }
}

/// What can be asked of a group.
pub struct View<'g> {
    loaded: &'g Loaded,
}

impl View<'_> {
    /// The epoch, which each commit moves on by one.
    pub fn epoch(&self) -> u64 {
        self.loaded.mls.epoch().as_u64()
    }

    /// What only members of this epoch of this history can know, and all of them do: where it
    /// differs, the group has forked.
    pub fn authenticator(&self) -> &[u8] {
        self.loaded.mls.epoch_authenticator().as_slice()
    }

    /// Who may do what.
    pub fn charter(&self) -> Result<Charter, GroupError> {
        Ok(Charter::of_extensions(self.loaded.mls.extensions())?)
    }

    /// Everybody, in the order of their leaves.
    pub fn members(&self) -> Result<Vec<Member>, GroupError> {
        self.loaded
            .mls
            .members()
            .map(|member| {
                let credential = Credential::of_mls(&member.credential)?;
                Ok(Member { leaf: member.index.u32(), credential })
            })
            .collect()
    }

    /// Whether a commit of one's own waits for the log.
    pub fn is_pending(&self) -> bool {
        self.loaded.record.pending.is_some()
    }

    /// The tree, which whoever joins or comes back needs beside what it is sent.
    pub fn tree(&self) -> Result<Vec<u8>, GroupError> {
        let tree = self.loaded.mls.export_ratchet_tree();
        tree.tls_serialize_detached().map_err(|_| GroupError::Internal)
    }

    /// Whether every member's card is at hand and names its leaf's key.
    pub fn check_members(&self, evidence: &dyn Evidence) -> Result<(), GroupError> {
        for member in self.loaded.mls.members() {
            let credential = Credential::of_mls(&member.credential)?;
            credential.check(evidence, &member.signature_key)?;
        }
        Ok(())
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View(epoch {})", self.epoch())
    }
}

/// How every group of ours is kept, however this agent came into it.
pub(super) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .max_past_epochs(0)
        .number_of_resumption_psks(0)
        .sender_ratchet_configuration(ratchets())
        .use_ratchet_tree_extension(false)
        .build()
}

fn ratchets() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(OUT_OF_ORDER, MAX_FORWARD)
}

/// Refuses to leave a group without an admin.
fn check_admin_left(
    group: &MlsGroup,
    charter: &Charter,
    gone: &[AgentId],
) -> Result<(), GroupError> {
    let members = judgement::members(group)?;
    let left = members.values().any(|agent| !gone.contains(agent) && charter.is_admin(agent));
    if left { Ok(()) } else { Err(GroupError::LastAdmin) }
}
