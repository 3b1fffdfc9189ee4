//! Coming back into a group whose state was lost, restored from a copy, or left behind by the log;
//! and coming in by oneself where the charter invites.

use openmls::group::MlsGroup;
use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::tls_codec::Deserialize as _;
use openmls::prelude::{LeafNodeParameters, MlsMessageBodyIn, MlsMessageIn};
use openmls_traits::OpenMlsProvider;

use super::receive::rejoin_bytes;
use super::{Commit, Group, Loaded, Record, join_config};
use crate::fleet::credential::Credential;
use crate::fleet::error::{GroupError, Refusal};
use crate::fleet::evidence::Evidence;
use crate::fleet::invitation::read_tree;
use crate::fleet::mls::{Label, Mls, Place};
use crate::fleet::suite::Suite;
use crate::fleet::{GroupId, Local, LogEntry, Step, Surroundings};
use crate::identity::Purpose;

/// The most bytes of a GroupInfo: the charter stands in it.
pub const MAX_INFO_LENGTH: usize = 128 * 1024;

/// A group that this agent came back into, if the log takes the commit.
#[derive(Debug)]
pub struct Rejoined {
    /// The group, one epoch on. Where the log refused the commit it is worth nothing: come back
    /// again, by the GroupInfo of the epoch that the log is in.
    pub group: Group,
    /// What is appended.
    pub commit: Commit,
}

impl Group {
    /// Comes back by the GroupInfo and the tree of the log's last epoch, in place of what the rows
    /// hold of the group, however damaged. One's old leaf goes in the same commit. Who has none comes
    /// in by the charter's invitation.
    pub fn rejoin(
        around: &mut Surroundings<'_>,
        local: &Local<'_>,
        evidence: &dyn Evidence,
        info: &[u8],
        tree: &[u8],
    ) -> Result<Step<Rejoined>, GroupError> {
        local.check()?;
        let info = read_info(around.suite, info)?;
        let tree = read_tree(tree)?;
        let id = GroupId::of_mls(info.group_id())?;
        let mls = around.mls();
        erase_rows(&mls, id)?;
        let epoch = info.epoch().as_u64();
        let credential = Credential::of(local.card);
        let leaf = LeafNodeParameters::builder().with_capabilities(around.suite.capabilities());
        let builder = MlsGroup::external_commit_builder()
            .with_ratchet_tree(tree)
            .with_config(join_config())
            .skip_lifetime_validation()
            .build_group(&mls, info, credential.with_key(local.key))
            .map_err(|_| GroupError::Invalid)?;
        let (group, bundle) = builder
            .leaf_node_parameters(leaf.build())
            .load_psks(mls.storage())
            .map_err(|_| GroupError::Internal)?
            .create_group_info(true)
            .use_ratchet_tree_extension(false)
            .build(mls.rand(), mls.crypto(), local.key, |_| true)
            .map_err(|_| GroupError::Invalid)?
            .finalize(&mls)
            .map_err(|_| GroupError::Invalid)?;
        let (commit, _, info) = bundle.into_messages();
        let info = info.ok_or(GroupError::Internal)?;
        let info = info.to_bytes().map_err(|_| GroupError::Internal)?;
        let commit = commit.to_bytes().map_err(|_| GroupError::Internal)?;
        let hash = around.digest(&[&commit]);
        let record = Record { returned: Some(hash), ..Record::default() };
        mls.overlay().put(Label::Record, group.group_id(), &record)?;
        let mut group = Self { id, loaded: Some(Loaded { mls: group, record }) };
        check_return(&mut group, around, evidence, local)?;
        let signed = rejoin_bytes(&id, epoch, &hash);
        let signature = local.pair.sign(Purpose::Rejoin, &signed, around.random)?;
        let entry = LogEntry::Rejoin { commit, signature };
        let commit = Commit { entry, epoch, info, welcomes: alloc::vec![], proofs: None };
        Ok(Step { output: Rejoined { group, commit }, changes: mls.into_changes()? })
    }
}

impl Group {
    /// The GroupInfo of this epoch: with the tree it is the way back for a member that lost its state
    /// or what led here. It opens nothing, and who is no member comes in by it only where the charter
    /// invites.
    pub fn info(
        &mut self,
        around: &mut Surroundings<'_>,
        local: &Local<'_>,
    ) -> Result<Step<alloc::vec::Vec<u8>>, GroupError> {
        local.check()?;
        self.operate(around.mls(), |mls, loaded| {
            if !loaded.is_own_key(local.key) {
                return Err(GroupError::OtherKey);
            }
            let info = loaded.mls.export_group_info(mls.crypto(), local.key, false);
            let info = info.map_err(|_| GroupError::Internal)?;
            info.to_bytes().map_err(|_| GroupError::Internal)
        })
    }

    /// Forgets the group here: nothing of it is left in the rows. The other members are not told.
    pub fn abandon(mut self, around: &mut Surroundings<'_>) -> Result<Step<()>, GroupError> {
        let mls = around.mls();
        self.loaded = None;
        erase_rows(&mls, self.id)?;
        Ok(Step { output: (), changes: mls.into_changes()? })
    }
}

/// What one comes back into is what the members say it is, and one is there once.
fn check_return(
    group: &mut Group,
    around: &mut Surroundings<'_>,
    evidence: &dyn Evidence,
    local: &Local<'_>,
) -> Result<(), GroupError> {
    let view = group.view(around)?;
    let charter = view.charter()?;
    view.check_members(evidence)?;
    let members = view.members()?;
    let own = local.card.agent();
    if members.iter().filter(|member| member.credential.agent == own).count() != 1 {
        return Err(Refusal::Twice(own).into());
    }
    if !members.iter().any(|member| charter.is_admin(&member.credential.agent)) {
        return Err(Refusal::NoAdmin.into());
    }
    Ok(())
}

/// Takes away what the rows hold of the group, as far as they can be read.
fn erase_rows(mls: &Mls<'_>, id: GroupId) -> Result<(), GroupError> {
    let group_id = id.of_openmls();
    if let (Ok(Some(group)), Ok(Some(record))) =
        (MlsGroup::load(mls.storage(), &group_id), mls.overlay().get(Label::Record, &group_id))
    {
        return Loaded { mls: group, record }.erase(mls);
    }
    for label in Label::OF_AN_EPOCH {
        mls.overlay().put_raw(Place::Current, label, &group_id, None)?;
    }
    Ok(())
}

fn read_info(suite: Suite, bytes: &[u8]) -> Result<VerifiableGroupInfo, GroupError> {
    if bytes.len() > MAX_INFO_LENGTH {
        return Err(GroupError::TooLong);
    }
    match bytes {
        // MLS 1.0, a GroupInfo, of a group in MLS 1.0.
        [0, 1, 0, 4, 0, 1, high, low, ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            suite.check(code).map_err(GroupError::UnknownSuite)?;
        }
        _ => return Err(GroupError::Malformed),
    }
    match MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| GroupError::Malformed)?.extract() {
        MlsMessageBodyIn::GroupInfo(info) => Ok(info),
        _ => Err(GroupError::Malformed),
    }
}
