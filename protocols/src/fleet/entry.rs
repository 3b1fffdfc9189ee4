//! An entry of a group's log, as far as the relay that keeps it need not understand it.
//!
//! ```text
//! version (1) || kind (1) || the rest
//! ```

use alloc::vec::Vec;

use super::error::GroupError;
use crate::identity::HybridSignature;

/// The most bytes of a commit: the addition of a thousand members has 2.7 MB.
pub const MAX_COMMIT_LENGTH: usize = 16 * 1024 * 1024;

/// The most bytes of an application message, sealed.
pub const MAX_MESSAGE_LENGTH: usize = 1024 * 1024;

/// One entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LogEntry {
    /// A member's commit.
    Commit(Vec<u8>),
    /// A commit by which a member comes back that had lost the group's state, and its signing
    /// pair's signature over `group || epoch || SHA-256(commit)`.
    Rejoin {
        /// The commit.
        commit: Vec<u8>,
        /// The signature.
        signature: HybridSignature,
    },
    /// An application message.
    Message(Vec<u8>),
    /// What a member says of a commit.
    Statement(Statement),
}

/// What a member says of a commit, in clear.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Statement {
    /// SHA-256 of the commit's entry.
    pub commit: [u8; 32],
    /// What is said of it.
    pub verdict: Verdict,
}

/// What can be said of a commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It was processed.
    Confirmed,
    /// It cannot be.
    CannotProcess,
}

impl LogEntry {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Commit(commit) => [&[VERSION, COMMIT], commit.as_slice()].concat(),
            Self::Rejoin { commit, signature } => {
                [&[VERSION, REJOIN], signature.as_bytes().as_slice(), commit].concat()
            }
            Self::Message(message) => [&[VERSION, MESSAGE], message.as_slice()].concat(),
            Self::Statement(Statement { commit, verdict }) => {
                let verdict = match verdict {
                    Verdict::Confirmed => CONFIRMED,
                    Verdict::CannotProcess => CANNOT_PROCESS,
                };
                [&[VERSION, STATEMENT, verdict], commit.as_slice()].concat()
            }
        }
    }

    /// Reads the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, GroupError> {
        if bytes.len() > OVERHEAD + MAX_COMMIT_LENGTH {
            return Err(GroupError::TooLong);
        }
        match bytes {
            [VERSION, COMMIT, commit @ ..] => Ok(Self::Commit(commit.to_vec())),
            [VERSION, REJOIN, rest @ ..] => {
                let (signature, commit) = rest.split_first_chunk().ok_or(GroupError::Malformed)?;
                let signature = HybridSignature::from_bytes(signature);
                Ok(Self::Rejoin { commit: commit.to_vec(), signature })
            }
            [VERSION, MESSAGE, message @ ..] if message.len() > MAX_MESSAGE_LENGTH => {
                Err(GroupError::TooLong)
            }
            [VERSION, MESSAGE, message @ ..] => Ok(Self::Message(message.to_vec())),
            [VERSION, STATEMENT, verdict, commit @ ..] => {
                let commit = commit.try_into().map_err(|_| GroupError::Malformed)?;
                let verdict = match *verdict {
                    CONFIRMED => Verdict::Confirmed,
                    CANNOT_PROCESS => Verdict::CannotProcess,
                    _ => return Err(GroupError::Malformed),
                };
                Ok(Self::Statement(Statement { commit, verdict }))
            }
            _ => Err(GroupError::Malformed),
        }
    }
}

const VERSION: u8 = 1;
const COMMIT: u8 = 1;
const REJOIN: u8 = 2;
const MESSAGE: u8 = 3;
const STATEMENT: u8 = 4;
const CONFIRMED: u8 = 1;
const CANNOT_PROCESS: u8 = 2;

/// What stands around a commit at most.
const OVERHEAD: usize = 2 + HybridSignature::LENGTH;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::{LogEntry, MAX_COMMIT_LENGTH, MAX_MESSAGE_LENGTH, OVERHEAD, Statement, Verdict};
    use crate::fleet::GroupError;
    use crate::identity::HybridSignature;

    #[test]
    fn each_kind_has_one_encoding() {
        let signature = HybridSignature::from_bytes(&[7; HybridSignature::LENGTH]);
        let statement = |verdict| LogEntry::Statement(Statement { commit: [9; 32], verdict });
        for entry in [
            LogEntry::Commit(vec![1, 2]),
            LogEntry::Rejoin { commit: vec![3], signature },
            LogEntry::Message(vec![4; MAX_MESSAGE_LENGTH]),
            statement(Verdict::Confirmed),
            statement(Verdict::CannotProcess),
        ] {
            assert_eq!(LogEntry::decode(&entry.encode()), Ok(entry));
        }
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        let cases: [&[u8]; 7] =
            [&[], &[1], &[2, 1, 0], &[1, 0], &[1, 5], &[1, 2, 0], &[1, 4, 3, 0]];
        for bytes in cases {
            assert_eq!(LogEntry::decode(bytes), Err(GroupError::Malformed), "{bytes:?}");
        }
        for length in [31, 33] {
            let statement = [vec![1, 4, 1], vec![0; length]].concat();
            assert_eq!(LogEntry::decode(&statement), Err(GroupError::Malformed));
        }
    }

    #[test]
    fn one_byte_more_than_the_most_is_too_long() {
        let message = LogEntry::Message(vec![0; MAX_MESSAGE_LENGTH + 1]).encode();
        assert_eq!(LogEntry::decode(&message), Err(GroupError::TooLong));
        let longest = [vec![1, 1], vec![0; OVERHEAD - 2 + MAX_COMMIT_LENGTH]].concat();
        assert!(LogEntry::decode(&longest).is_ok());
        let longer = [longest, vec![0]].concat();
        assert_eq!(LogEntry::decode(&longer), Err(GroupError::TooLong));
    }
}
