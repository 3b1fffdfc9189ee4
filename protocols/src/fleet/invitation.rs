//! An invitation: a Welcome that was opened and checked, and that its agent has not accepted yet.
//!
//! Nothing is consumed until [`accept`](Invitation::accept): the invitee sees who is there, and its
//! policy decides. An invitation that is dropped leaves the key package as it was.

use alloc::vec::Vec;
use core::fmt;

use openmls::group::{StagedWelcome, WelcomeError};
use openmls::key_packages::KeyPackageBundle;
use openmls::messages::Welcome as MlsWelcome;
use openmls::prelude::tls_codec::Deserialize as _;
use openmls::treesync::RatchetTreeIn;

use super::charter::Charter;
use super::credential::Credential;
use super::error::{GroupError, Refusal};
use super::evidence::Evidence;
use super::group::{Group, Record, join_config};
use super::mls::{Label, Mls};
use super::rows::StoreError;
use super::{GroupId, Step, Surroundings, welcome};
use crate::identity::AgentId;

/// The most bytes of a tree: that of 5,000 members has some 13 MB.
pub const MAX_TREE_LENGTH: usize = 16 * 1024 * 1024;

/// An invitation to be decided on.
pub struct Invitation<'a> {
    mls: Mls<'a>,
    staged: StagedWelcome,
    id: GroupId,
    charter: Charter,
    inviter: AgentId,
    members: Vec<AgentId>,
    by_last_resort: bool,
}

impl<'a> Invitation<'a> {
    /// Opens a Welcome with the tree that it names, and checks who is in it.
    pub fn open(
        around: &mut Surroundings<'a>,
        evidence: &dyn Evidence,
        bytes: &[u8],
        tree: &[u8],
    ) -> Result<Self, GroupError> {
        let welcome = welcome::read(around.suite, bytes)?;
        let tree = read_tree(tree)?;
        let mls = around.mls();
        let by_last_resort = is_by_last_resort(&mls, &welcome)?;
        let staged = StagedWelcome::build_from_welcome(&mls, &join_config(), welcome)
            .map_err(of_welcome)?
            .with_ratchet_tree(tree)
            .skip_lifetime_validation()
            .build()
            .map_err(of_welcome)?;
        let id = GroupId::of_mls(staged.group_context().group_id())?;
        let charter = Charter::of_extensions(staged.group_context().extensions())?;
        // Each member's credential: nobody else has looked at them on this agent's behalf.
        let mut members = Vec::new();
        for member in staged.members() {
            let credential = Credential::of_mls(&member.credential)?;
            credential.check(evidence, &member.signature_key)?;
            members.push(credential.agent);
        }
        members.sort_unstable();
        if let Some([twice, _]) = members.windows(2).find(|pair| pair.first() == pair.last()) {
            return Err(Refusal::Twice(*twice).into());
        }
        let inviter = staged.welcome_sender().map_err(|_| GroupError::Invalid)?;
        let inviter = Credential::of_mls(inviter.credential())?.agent;
        if !charter.is_admin(&inviter) {
            return Err(Refusal::NotAdmin(inviter).into());
        }
        Ok(Self { mls, staged, id, charter, inviter, members, by_last_resort })
    }

    /// Which group.
    pub fn group(&self) -> GroupId {
        self.id
    }

    /// The admin who invites.
    pub fn inviter(&self) -> AgentId {
        self.inviter
    }

    /// Who may do what there.
    pub fn charter(&self) -> &Charter {
        &self.charter
    }

    /// Everybody there, oneself included, in the order of their ids.
    pub fn members(&self) -> &[AgentId] {
        &self.members
    }

    /// Whether the inviter had no other offer than the last resort, which stays as it is.
    pub fn by_last_resort(&self) -> bool {
        self.by_last_resort
    }

    /// Joins. The key package is used up in the same transaction.
    pub fn accept(self) -> Result<Step<Group>, GroupError> {
        let mls_group = self.staged.into_group(&self.mls).map_err(of_welcome)?;
        let record = Record::default();
        self.mls.overlay().put(Label::Record, mls_group.group_id(), &record)?;
        let group = Group::of(self.id, mls_group, record);
        Ok(Step { output: group, changes: self.mls.into_changes()? })
    }
}

impl fmt::Debug for Invitation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invitation({:?} by {})", self.id, self.inviter)
    }
}

fn is_by_last_resort(mls: &Mls<'_>, welcome: &MlsWelcome) -> Result<bool, GroupError> {
    for secrets in welcome.secrets() {
        let name = secrets.new_member();
        let ours: Option<KeyPackageBundle> = mls.overlay().get(Label::KeyPackage, &name)?;
        if let Some(ours) = ours {
            return Ok(ours.key_package().last_resort());
        }
    }
    Ok(false)
}

/// Reads a tree.
pub(super) fn read_tree(bytes: &[u8]) -> Result<RatchetTreeIn, GroupError> {
    if bytes.len() > MAX_TREE_LENGTH {
        return Err(GroupError::TooLong);
    }
    RatchetTreeIn::tls_deserialize_exact(bytes).map_err(|_| GroupError::Malformed)
}

#[allow(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn of_welcome(error: WelcomeError<StoreError>) -> GroupError {
    match error {
        WelcomeError::NoMatchingKeyPackage | WelcomeError::JoinerSecretNotFound => {
            GroupError::NotForUs
        }
        WelcomeError::GroupAlreadyExists => GroupError::Joined,
        WelcomeError::StorageError(error) => error.into(),
        _ => GroupError::Invalid,
    }
}
