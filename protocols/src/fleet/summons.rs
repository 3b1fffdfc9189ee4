//! A summons: what an admin sends to whom it added, once the commit stands in the log.
//!
//! ```text
//! version (1) || postcard of the fields
//! ```
//!
//! It is the body of an ordinary message of type [`CONTENT_TYPE`], so that it arrives once, whether
//! its recipient is here or away. Nothing is used up by it: who is summoned decides. Knows no relay.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::GroupId;
use super::error::GroupError;
use super::roster::MAX_ROSTER_LENGTH;
use super::welcome::MAX_WELCOME_LENGTH;
use crate::identity::{Relay, canonical};
use crate::relay::{BlobHash, EntryIndex, LogChain, Opaque};
use crate::secret::Secret;

/// What the message's body is.
pub const CONTENT_TYPE: &str = "application/vnd.meshwork.summons";

/// The longest name of a group, in bytes: a line of a terminal.
pub const MAX_GROUP_NAME: usize = 64;

/// How much of a sealed roster one blob holds.
pub const PART_LENGTH: usize = 512 * 1024;

const MAX_PARTS: usize = MAX_ROSTER_LENGTH / PART_LENGTH;

/// The most addresses of the log's holder.
const MAX_ADDRESSES: usize = 16;

/// What lets somebody who was added come in.
#[derive(Clone)]
pub struct Summons {
    /// Which group.
    pub group: GroupId,
    /// What the admin calls it.
    pub name: String,
    /// Who holds the log, and where it listens.
    pub holder: Relay,
    /// The entry of the log that added its recipient: what comes behind it is to be read.
    pub after: EntryIndex,
    /// The chain over the log up to there: its holder may show the recipient another one.
    pub chain: LogChain,
    /// The key of the roster.
    pub key: Secret<32>,
    /// The hashes of its parts.
    pub parts: Vec<BlobHash>,
    /// The recipient's Welcome.
    pub welcome: Vec<u8>,
}

#[derive(Deserialize, Serialize)]
struct Body {
    group: GroupId,
    name: String,
    holder: Relay,
    after: EntryIndex,
    chain: LogChain,
    key: [u8; 32],
    parts: Vec<BlobHash>,
    welcome: Opaque,
}

impl Summons {
    /// The bytes.
    pub fn encode(&self) -> Result<Vec<u8>, GroupError> {
        let body = Body {
            group: self.group,
            name: self.name.clone(),
            holder: self.holder.clone(),
            after: self.after,
            chain: self.chain,
            key: *self.key.expose(),
            parts: self.parts.clone(),
            welcome: self.welcome.clone().into(),
        };
        body.check()?;
        let body = canonical::encode(&body).map_err(|_| GroupError::Internal)?;
        Ok([&[VERSION], body.as_slice()].concat())
    }

    /// Reads the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, GroupError> {
        let body = match bytes {
            [VERSION, body @ ..] => body,
            _ => return Err(GroupError::Malformed),
        };
        let body: Body = canonical::decode(body).map_err(|_| GroupError::Malformed)?;
        body.check()?;
        let Body { group, name, holder, after, chain, key, parts, welcome } = body;
        let (key, welcome) = (Secret::new(key), welcome.0);
        Ok(Self { group, name, holder, after, chain, key, parts, welcome })
    }
}

impl Body {
    fn check(&self) -> Result<(), GroupError> {
        let fits = is_group_name(&self.name)
            && (1..=MAX_PARTS).contains(&self.parts.len())
            && self.holder.addresses.len() <= MAX_ADDRESSES
            && self.welcome.len() <= MAX_WELCOME_LENGTH;
        if fits { Ok(()) } else { Err(GroupError::TooLong) }
    }
}

/// Whether a group may be called that: printable, and not too long for a line.
pub fn is_group_name(name: &str) -> bool {
    name.len() <= MAX_GROUP_NAME && !name.chars().any(char::is_control)
}

impl fmt::Debug for Summons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Summons({:?})", self.group)
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{MAX_ADDRESSES, MAX_GROUP_NAME, MAX_PARTS, Summons};
    use crate::fleet::{GroupError, GroupId, MAX_WELCOME_LENGTH};
    use crate::identity::{AgentId, Relay};
    use crate::relay::{EntryIndex, LogChain};
    use crate::secret::Secret;

    fn summons() -> Summons {
        Summons {
            group: GroupId::from_bytes([1; 32]),
            name: String::from("crew"),
            holder: Relay { agent: AgentId::from_bytes([2; 32]), addresses: Vec::new() },
            after: EntryIndex(7),
            chain: LogChain::START,
            key: Secret::new([3; 32]),
            parts: vec![[4; 32]],
            welcome: vec![5; 9],
        }
    }

    #[test]
    fn a_summons_has_one_encoding_and_no_other_bytes_are_one() {
        let bytes = summons().encode().unwrap();
        let read = Summons::decode(&bytes).unwrap();
        assert_eq!(read.encode().unwrap(), bytes);
        assert_eq!((read.name.as_str(), read.after), ("crew", EntryIndex(7)));
        let longer = [bytes.as_slice(), &[0]].concat();
        for bad in [&[][..], &bytes[1..], &longer, &[1]] {
            assert_eq!(Summons::decode(bad).err(), Some(GroupError::Malformed));
        }
    }

    #[test]
    fn each_field_has_a_bound_and_one_past_it_is_refused() {
        let with = |change: fn(&mut Summons)| {
            let mut summons = summons();
            change(&mut summons);
            summons.encode().err()
        };
        assert_eq!(with(|it| it.name = "x".repeat(MAX_GROUP_NAME)), None);
        assert_eq!(with(|it| it.parts = vec![[0; 32]; MAX_PARTS]), None);
        assert_eq!(with(|it| it.welcome = vec![0; MAX_WELCOME_LENGTH]), None);
        let too_long = Some(GroupError::TooLong);
        assert_eq!(with(|it| it.name = "x".repeat(MAX_GROUP_NAME + 1)), too_long);
        assert_eq!(with(|it| it.name = "a\nb".into()), too_long);
        assert_eq!(with(|it| it.parts = vec![[0; 32]; MAX_PARTS + 1]), too_long);
        assert_eq!(with(|it| it.parts.clear()), too_long);
        assert_eq!(with(|it| it.welcome = vec![0; MAX_WELCOME_LENGTH + 1]), too_long);
        let address = "udp://127.0.0.1:1".parse().ok();
        if let Some(address) = address {
            let mut many = summons();
            many.holder.addresses = vec![address; MAX_ADDRESSES + 1];
            assert_eq!(many.encode().err(), too_long);
        }
    }
}
