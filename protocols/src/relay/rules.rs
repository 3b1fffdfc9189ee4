//! The recipient's rules for its mail: whom it knows, without saying who that is.
//!
//! The list holds HMAC-SHA-256 of each known AgentId, cut to 16 bytes, under a key that the owner
//! draws. The relay learns whether a depositor is known, which it must to judge, and how many are
//! known; it cannot read the list, and who copies it from the relay's disk can only try ids.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::identity::AgentId;
use crate::provider::Provider;

/// The most senders that rules know: 256 KiB of tags.
pub const MAX_KNOWN: usize = 16_384;

/// What an owner's tags are keyed with. The relay holds it, so it is no secret to the relay.
#[derive(Clone, Copy, Deserialize, Eq, PartialEq, Serialize)]
pub struct RulesKey(pub [u8; 32]);

/// A known sender, as the relay sees it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct SenderTag(pub [u8; 16]);

/// How much of strangers' mail is kept at once, of all strangers together.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StrangerQuota {
    /// Pieces. None at all means that strangers are refused.
    pub pieces: u32,
    /// Bytes.
    pub bytes: u64,
}

/// What an owner wants of its mailbox.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rules {
    /// A higher revision replaces a lower one.
    pub revision: u64,
    /// What the tags are keyed with.
    pub key: RulesKey,
    /// The known senders, sorted, at most [`MAX_KNOWN`].
    pub known: Vec<SenderTag>,
    /// What the others may leave.
    pub strangers: StrangerQuota,
}

impl RulesKey {
    /// A sender as these rules name it.
    pub fn tag(&self, provider: &dyn Provider, sender: &AgentId) -> SenderTag {
        let whole = provider.hmac_sha256(&self.0, &[LABEL, sender.as_bytes()]);
        let mut tag = [0; 16];
        tag.iter_mut().zip(whole.expose()).for_each(|(to, from)| *to = *from);
        SenderTag(tag)
    }
}

impl Rules {
    /// Rules that know these senders.
    pub fn new<'a>(
        provider: &dyn Provider,
        revision: u64,
        key: RulesKey,
        known: impl Iterator<Item = &'a AgentId>,
        strangers: StrangerQuota,
    ) -> Self {
        let mut known: Vec<_> = known.map(|sender| key.tag(provider, sender)).collect();
        known.sort_unstable();
        known.dedup();
        Self { revision, key, known, strangers }
    }

    /// Whether they know this sender.
    pub fn knows(&self, provider: &dyn Provider, sender: &AgentId) -> bool {
        self.known.binary_search(&self.key.tag(provider, sender)).is_ok()
    }

    pub(super) fn is_bounded(&self) -> bool {
        self.known.len() <= MAX_KNOWN && self.known.is_sorted_by(|one, next| one < next)
    }
}

impl fmt::Debug for RulesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RulesKey(..)")
    }
}

const LABEL: &[u8] = b"meshwork/v1/relay-sender\0";
