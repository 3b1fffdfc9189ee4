//! The way back: what a member asks another for that cannot follow the log any more, and is answered.
//!
//! ```text
//! asked:     version (1) || group (32)
//! answered:  a summons, with a GroupInfo in the Welcome's place
//! ```
//!
//! Both are bodies of ordinary messages, so that who asks and who answers are proved, whether either
//! is here or away. By the answer the member comes back with a commit of its own, which all judge
//! like any other. Knows no relay.

use alloc::vec::Vec;

use super::GroupId;
use super::error::GroupError;

/// What the body is that asks.
pub const ASKED_TYPE: &str = "application/vnd.meshwork.way-back-wanted";

/// What the body is that answers.
pub const ANSWERED_TYPE: &str = "application/vnd.meshwork.way-back";

/// The bytes that ask.
pub fn ask(group: &GroupId) -> Vec<u8> {
    [&[VERSION], group.as_bytes().as_slice()].concat()
}

/// Which group bytes ask about.
pub fn asked(bytes: &[u8]) -> Result<GroupId, GroupError> {
    match bytes {
        [VERSION, group @ ..] => {
            group.try_into().map(GroupId::from_bytes).map_err(|_| GroupError::Malformed)
        }
        _ => Err(GroupError::Malformed),
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::{ask, asked};
    use crate::fleet::GroupError;
    use crate::fleet::GroupId;

    #[test]
    fn what_asks_for_the_way_back_has_one_encoding_and_no_other_bytes_do() {
        let group = GroupId::from_bytes([7; 32]);
        let bytes = ask(&group);
        assert_eq!(asked(&bytes), Ok(group));
        let longer = [bytes.as_slice(), &[0]].concat();
        for bad in [&[][..], &bytes[1..], &bytes[..32], &longer, &[2; 33]] {
            assert_eq!(asked(bad), Err(GroupError::Malformed));
        }
    }
}
