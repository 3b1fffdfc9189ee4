//! What a session asks of the node it runs in.

use alloc::sync::Arc;
use core::fmt;

use crate::identity::{AgentId, Card, CardHash, Newest};
use crate::lineage::Lineage;

/// What the node knows of itself and of its peers, asked while a Hello is made or judged. Answers
/// come at once, from memory.
pub trait Directory: fmt::Debug + Send + Sync {
    /// A verified card by its hash, so that none is verified twice and a Hello may name it.
    fn card(&self, hash: &CardHash) -> Option<Arc<Card>>;

    /// The newest that is known of the cards of `agent`, revocations included.
    fn newest(&self, agent: &AgentId) -> Option<Newest>;

    /// Whether `peer` has shown that it holds our card with this hash, and has not asked for it
    /// since.
    fn holds_ours(&self, peer: &AgentId, ours: &CardHash) -> bool;

    /// Where our own state stands: the last commit that is durable.
    fn lineage(&self) -> Lineage;

    /// What is remembered of the state of `peer`.
    fn remembered(&self, peer: &AgentId) -> Option<Lineage>;
}
