//! The name of a group: 32 random bytes.

use core::fmt;
use core::str::FromStr;

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

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupId({self})")
    }
}

impl FromStr for GroupId {
    type Err = NoGroupId;

    fn from_str(text: &str) -> Result<Self, NoGroupId> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes());
        bytes.ok().and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NoGroupId)
    }
}

/// A text that is the id of no group.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a group's id is 64 hexadecimal digits")]
pub struct NoGroupId;

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::{GroupId, NoGroupId};

    #[test]
    fn an_id_reads_back_and_nothing_else_is_one() {
        let id = GroupId::from_bytes([0xa7; 32]);
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text[1..].parse::<GroupId>(), Err(NoGroupId));
        assert_eq!("".parse::<GroupId>(), Err(NoGroupId));
    }
}
