//! The name of a group: 32 random bytes.

use core::fmt;

use openmls::group::GroupId as MlsGroupId;
use serde::{Deserialize, Serialize};

use super::error::GroupError;
use crate::random::Random;

/// Which group.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct GroupId([u8; GroupId::LENGTH]);

impl GroupId {
    /// Bytes of an id.
    pub const LENGTH: usize = 32;

    /// Draws an id.
    pub fn random(random: &mut dyn Random) -> Self {
        Self(random.array())
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    pub(super) fn of_openmls(&self) -> MlsGroupId {
        MlsGroupId::from_slice(&self.0)
    }

    pub(super) fn of_mls(id: &MlsGroupId) -> Result<Self, GroupError> {
        id.as_slice().try_into().map(Self).map_err(|_| GroupError::OtherGroup)
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupId(")?;
        for byte in &self.0 {
            write!(f, "{byte:02x}")?;
        }
        write!(f, ")")
    }
}
