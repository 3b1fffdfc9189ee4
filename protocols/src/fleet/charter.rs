//! The charter: what all members know of who may do what, and of who holds the group's log.
//!
//! It stands in the GroupContext, in an extension of ours, so that every member judges a commit by
//! the same bytes. Knows nothing of who is a member.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use openmls::extensions::{
    Extension, ExtensionType, Extensions, RequiredCapabilitiesExtension, UnknownExtension,
};
use openmls::group::GroupContext;
use serde::{Deserialize, Serialize};

use crate::identity::{AgentId, Role, canonical};

/// The most bytes of a charter: room for some 900 roles. It travels with each Welcome.
pub const MAX_CHARTER_LENGTH: usize = 64 * 1024;

/// The most admins: each commit checks that one of them is left.
pub const MAX_ADMINS: usize = 64;

/// The most relays in the order of succession.
pub const MAX_HOLDERS: usize = 8;

/// The most agents that may come in by themselves: each lengthens every Welcome.
pub const MAX_INVITED: usize = 64;

/// The extension's type, of the range for private use.
pub const EXTENSION_TYPE: u16 = 0xF4D1;

/// Who may do what.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Charter {
    /// Who may add, remove and change the charter.
    pub admins: BTreeSet<AgentId>,
    /// What members are to the application.
    pub roles: BTreeMap<AgentId, Role>,
    /// The relay that holds the log, and who comes after it.
    pub holders: Vec<AgentId>,
    /// Who may come in by itself, and the last epoch in which its commit counts.
    pub invited: BTreeMap<AgentId, u64>,
}

impl Charter {
    /// A charter with one admin.
    pub fn of_founder(founder: AgentId) -> Self {
        Self { admins: BTreeSet::from([founder]), ..Self::default() }
    }

    /// Whether `agent` is an admin.
    pub fn is_admin(&self, agent: &AgentId) -> bool {
        self.admins.contains(agent)
    }

    /// The bytes.
    pub fn encode(&self) -> Result<Vec<u8>, CharterError> {
        self.check()?;
        let body = canonical::encode(self).map_err(|_| CharterError::Malformed)?;
        let bytes = [&[VERSION], body.as_slice()].concat();
        if bytes.len() > MAX_CHARTER_LENGTH { Err(CharterError::TooLong) } else { Ok(bytes) }
    }

    /// Reads the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CharterError> {
        if bytes.len() > MAX_CHARTER_LENGTH {
            return Err(CharterError::TooLong);
        }
        let (version, body) = bytes.split_first().ok_or(CharterError::Malformed)?;
        if *version != VERSION {
            return Err(CharterError::UnsupportedVersion(*version));
        }
        let charter: Self = canonical::decode(body).map_err(|_| CharterError::Malformed)?;
        charter.check()?;
        Ok(charter)
    }

    /// Whether `agent` may come in by a commit of its own that is made in `epoch`.
    pub fn invites(&self, agent: &AgentId, epoch: u64) -> bool {
        self.invited.get(agent).is_some_and(|last| epoch <= *last)
    }

    fn check(&self) -> Result<(), CharterError> {
        if self.admins.is_empty() || self.admins.len() > MAX_ADMINS {
            return Err(CharterError::Admins);
        }
        let distinct: BTreeSet<_> = self.holders.iter().collect();
        if self.holders.len() > MAX_HOLDERS || distinct.len() != self.holders.len() {
            return Err(CharterError::Holders);
        }
        if self.invited.len() > MAX_INVITED {
            return Err(CharterError::Invited);
        }
        Ok(())
    }

    /// All extensions of a GroupContext: the charter, and that each member must know it.
    pub(super) fn extensions(&self) -> Result<Extensions<GroupContext>, CharterError> {
        let required = RequiredCapabilitiesExtension::new(&[known_type()], &[], &[]);
        let charter = Extension::Unknown(EXTENSION_TYPE, UnknownExtension(self.encode()?));
        Extensions::from_vec(vec![Extension::RequiredCapabilities(required), charter])
            .map_err(|_| CharterError::Malformed)
    }

    /// The charter of a GroupContext, which has these extensions and no others.
    pub(super) fn of_extensions(
        extensions: &Extensions<GroupContext>,
    ) -> Result<Self, CharterError> {
        let charter = extensions.unknown(EXTENSION_TYPE).ok_or(CharterError::Missing)?;
        let charter = Self::decode(&charter.0)?;
        if *extensions != charter.extensions()? {
            return Err(CharterError::OtherExtensions);
        }
        Ok(charter)
    }
}

pub(super) const fn known_type() -> ExtensionType {
    ExtensionType::Unknown(EXTENSION_TYPE)
}

/// Why something is no charter.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CharterError {
    /// Longer than a charter may be.
    #[error("the charter is longer than {MAX_CHARTER_LENGTH} bytes")]
    TooLong,
    /// A format that this version does not read.
    #[error("format version {0} of a charter is not one that this version reads")]
    UnsupportedVersion(u8),
    /// Not encoded as a charter is.
    #[error("the charter is malformed")]
    Malformed,
    /// None, or more than there may be.
    #[error("a charter names between one and {MAX_ADMINS} admins")]
    Admins,
    /// More than there may be, or one twice.
    #[error("a charter names at most {MAX_HOLDERS} relays, each once")]
    Holders,
    /// More than there may be.
    #[error("a charter invites at most {MAX_INVITED} agents")]
    Invited,
    /// A group without one.
    #[error("the group has no charter")]
    Missing,
    /// A group with extensions that are not ours.
    #[error("the group has extensions beside its charter")]
    OtherExtensions,
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests;
