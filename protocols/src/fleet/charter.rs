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

use crate::identity::card::MAX_ADDRESSES;
use crate::identity::{Address, AgentId, Relay, Role, canonical};
use crate::relay::LogId;

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
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Charter {
    /// Who may add, remove and change the charter.
    pub admins: BTreeSet<AgentId>,
    /// What members are to the application.
    pub roles: BTreeMap<AgentId, Role>,
    /// The relay that holds the log, and who comes after it.
    pub holders: Vec<AgentId>,
    /// Who may come in by itself, and the last epoch in which its commit counts.
    pub invited: BTreeMap<AgentId, u64>,
    /// The log, where it is not the one that the group was founded with.
    pub log: Option<MovedLog>,
}

/// A log that took an earlier one's place. The first of [`Charter::holders`] holds it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MovedLog {
    /// How often the group's log has moved: from 1 on, one more each time.
    pub number: u16,
    /// Its name at the holder, drawn by who moved it.
    pub id: LogId,
    /// Where the holder listens, best first.
    pub addresses: Vec<Address>,
}

/// The fields of a charter, in their order.
type Fields = (BTreeSet<AgentId>, BTreeMap<AgentId, Role>, Vec<AgentId>, BTreeMap<AgentId, u64>);

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
        let Self { admins, roles, holders, invited, log } = self;
        let fields = (admins, roles, holders, invited);
        let (version, body) = match log {
            None => (VERSION, canonical::encode(&fields)),
            Some(log) => (VERSION_MOVED, canonical::encode(&(fields, log))),
        };
        let bytes = [&[version], body.map_err(|_| CharterError::Malformed)?.as_slice()].concat();
        if bytes.len() > MAX_CHARTER_LENGTH { Err(CharterError::TooLong) } else { Ok(bytes) }
    }

    /// Reads the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CharterError> {
        if bytes.len() > MAX_CHARTER_LENGTH {
            return Err(CharterError::TooLong);
        }
        let (version, body) = bytes.split_first().ok_or(CharterError::Malformed)?;
        let (fields, log): (Fields, Option<MovedLog>) = match *version {
            VERSION => canonical::decode(body).map(|fields| (fields, None)),
            VERSION_MOVED => canonical::decode(body).map(|(fields, log)| (fields, Some(log))),
            other => return Err(CharterError::UnsupportedVersion(other)),
        }
        .map_err(|_| CharterError::Malformed)?;
        let (admins, roles, holders, invited) = fields;
        let charter = Self { admins, roles, holders, invited, log };
        charter.check()?;
        Ok(charter)
    }

    /// Whether `agent` may come in by a commit of its own that is made in `epoch`.
    pub fn invites(&self, agent: &AgentId, epoch: u64) -> bool {
        self.invited.get(agent).is_some_and(|last| epoch <= *last)
    }

    /// How often the group's log has moved.
    pub fn moves(&self) -> u16 {
        self.log.as_ref().map_or(0, |log| log.number)
    }

    /// Who holds the log, and where, if it ever moved: where the first one is each member was told.
    pub fn holder(&self) -> Option<Relay> {
        let (agent, log) = (*self.holders.first()?, self.log.as_ref()?);
        Some(Relay { agent, addresses: log.addresses.clone() })
    }

    /// The same with its log moved to a relay, if it can move once more. Those who held it before
    /// come after the new holder.
    #[must_use]
    pub fn moved(&self, to: &Relay, id: LogId) -> Option<Self> {
        let number = self.moves().checked_add(1)?;
        let earlier = self.holders.iter().copied().filter(|agent| *agent != to.agent);
        let holders = [to.agent].into_iter().chain(earlier).take(MAX_HOLDERS).collect();
        let log = Some(MovedLog { number, id, addresses: to.addresses.clone() });
        Some(Self { holders, log, ..self.clone() })
    }

    /// Whether the log stays where it was before, or moves on by one.
    pub(super) fn goes_on_from(&self, before: &Self) -> bool {
        let stays = self.log == before.log && self.holder() == before.holder();
        stays || before.moves().checked_add(1) == Some(self.moves())
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
        let fits =
            |log: &MovedLog| log.number > 0 && (1..=MAX_ADDRESSES).contains(&log.addresses.len());
        if self.log.as_ref().is_some_and(|log| self.holders.is_empty() || !fits(log)) {
            return Err(CharterError::Log);
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
    /// A log that moved without a holder, an address, or a number.
    #[error(
        "a charter that moves the log names its holder, at most {MAX_ADDRESSES} addresses and a number"
    )]
    Log,
    /// A group without one.
    #[error("the group has no charter")]
    Missing,
    /// A group with extensions that are not ours.
    #[error("the group has extensions beside its charter")]
    OtherExtensions,
}

/// A charter of a group whose log never moved.
const VERSION: u8 = 1;

/// One with the log that took its place.
const VERSION_MOVED: u8 = 2;

#[cfg(test)]
mod tests;
