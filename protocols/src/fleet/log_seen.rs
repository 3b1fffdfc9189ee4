//! What a member tells another of the log that it reads: where the last commit stands there, and the
//! chain up to it.
//!
//! ```text
//! version (1) || group (32) || place (8) || chain (32)
//! ```
//!
//! It is the body of an ordinary message of type [`CONTENT_TYPE`], so that the holder of the log has
//! no part in it, and members find out whether it shows all of them the same. Knows no relay.

use alloc::vec::Vec;

use super::GroupId;
use super::error::GroupError;
use crate::relay::LogChain;

/// What the message's body is.
pub const CONTENT_TYPE: &str = "application/vnd.meshwork.log-seen";

/// The log of a group up to its last commit, as a member read it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LogSeen {
    /// Whose log it is.
    pub group: GroupId,
    /// The place of the commit.
    pub place: u64,
    /// The chain up to there.
    pub chain: LogChain,
}

impl LogSeen {
    /// The bytes that say it.
    pub fn encode(&self) -> Vec<u8> {
        let Self { group, place, chain } = self;
        [&[VERSION], group.as_bytes().as_slice(), &place.to_be_bytes(), chain.as_bytes()].concat()
    }

    /// Reads them.
    pub fn decode(bytes: &[u8]) -> Result<Self, GroupError> {
        let taken = || {
            let (version, rest) = bytes.split_first()?;
            let (group, rest) = rest.split_first_chunk()?;
            let (place, chain) = rest.split_first_chunk()?;
            let chain = LogChain::from_bytes(chain.try_into().ok()?);
            let (group, place) = (GroupId::from_bytes(*group), u64::from_be_bytes(*place));
            (*version == VERSION).then_some(Self { group, place, chain })
        };
        taken().ok_or(GroupError::Malformed)
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::LogSeen;
    use crate::fleet::{GroupError, GroupId};
    use crate::relay::LogChain;

    #[test]
    fn what_a_member_saw_of_a_log_has_one_encoding_and_no_other_bytes_do() {
        let (group, chain) = (GroupId::from_bytes([7; 32]), LogChain::from_bytes([8; 32]));
        let seen = LogSeen { group, place: 0x0102, chain };
        let bytes = seen.encode();
        assert_eq!((bytes.len(), LogSeen::decode(&bytes)), (73, Ok(seen)));
        let longer = [bytes.as_slice(), &[0]].concat();
        for bad in [&[][..], &[1], &bytes[1..], &bytes[..72], &longer, &[2; 73]] {
            assert_eq!(LogSeen::decode(bad), Err(GroupError::Malformed));
        }
    }
}
