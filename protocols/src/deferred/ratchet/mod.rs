//! The chains of the Double Ratchet, each a value whose step gives the next one.
//!
//! Knows nothing of messages and sessions. What the post-quantum ratchet adds comes in as the
//! message's key of the braid.

mod chain_key;
mod message_keys;
mod receiver_chain;
mod root_key;
mod sender_chain;
mod skipped;

pub use chain_key::ChainKey;
pub(super) use message_keys::{MAC_LENGTH, MessageKeys, MessageSeed};
pub use receiver_chain::{ChainError, MAX_JUMP, ReceiverChain};
pub use root_key::RootKey;
pub use sender_chain::SenderChain;
pub use skipped::{MAX_SKIPPED, SkippedSeeds};
