//! What an admin that moved a group's log tells each member: that it moved, and how often by now.
//!
//! ```text
//! version (1) || group (32) || moves (2)
//! ```
//!
//! It is the body of an ordinary message of type [`CONTENT_TYPE`]. It moves nobody: the log says where
//! it goes on. Who does not find that there, because its holder is gone or shows an older log, asks
//! for the way back. Knows no relay.

use alloc::vec::Vec;

use super::GroupId;
use super::error::GroupError;

/// What the message's body is.
pub const CONTENT_TYPE: &str = "application/vnd.meshwork.log-moved";

/// The bytes that tell it.
pub fn tell(group: &GroupId, moves: u16) -> Vec<u8> {
    [&[VERSION], group.as_bytes().as_slice(), &moves.to_be_bytes()].concat()
}

/// Of which group bytes tell it, and how often its log has moved.
pub fn told(bytes: &[u8]) -> Result<(GroupId, u16), GroupError> {
    let (version, rest) = bytes.split_first().ok_or(GroupError::Malformed)?;
    let (group, moves) = rest.split_last_chunk().ok_or(GroupError::Malformed)?;
    let group = group.try_into().map_err(|_| GroupError::Malformed)?;
    match (*version, u16::from_be_bytes(*moves)) {
        // A log that never moved is told of nowhere.
        (VERSION, moves) if moves > 0 => Ok((GroupId::from_bytes(group), moves)),
        _ => Err(GroupError::Malformed),
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::{tell, told};
    use crate::fleet::{GroupError, GroupId};

    #[test]
    fn what_tells_of_a_move_has_one_encoding_and_no_other_bytes_do() {
        let group = GroupId::from_bytes([7; 32]);
        let bytes = tell(&group, 0x0102);
        assert_eq!(told(&bytes), Ok((group, 0x0102)));
        let longer = [bytes.as_slice(), &[0]].concat();
        for bad in [&[][..], &[1], &bytes[1..], &bytes[..34], &longer, &[2; 35], &tell(&group, 0)] {
            assert_eq!(told(bad), Err(GroupError::Malformed));
        }
    }
}
