//! What a relay keeps and does at most.

use std::time::Duration;

/// Quotas and rates. An operator may change each; the defaults let one small machine serve some
/// thousand agents.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long anything is kept at most: no message lives longer.
    pub keep: Duration,
    /// Pieces in one mailbox: a month of an agent that gets one every four minutes.
    pub mailbox_pieces: usize,
    /// Bytes in one mailbox.
    pub mailbox_bytes: u64,
    /// Of a mailbox's pieces, those by one sender: one that goes wild leaves room for the others.
    pub share_pieces: usize,
    /// Bytes of the same.
    pub share_bytes: u64,
    /// Pieces that one sender leaves in an hour, in all mailboxes.
    pub sender_pieces: u64,
    /// Bytes of the same.
    pub sender_bytes: u64,
    /// Bytes of everything: the disk that the relay may take.
    pub total_bytes: u64,
    /// One-time keys of one agent that are handed out in an hour: then its last resort.
    pub target_keys: usize,
    /// Of these, those to one requester.
    pub requester_keys: usize,
    /// Keys that one requester asks for in an hour, of all agents: then it is told to wait.
    pub requester_takes: u64,
    /// Keys that stand at once in one pool. More than that is kept for nobody.
    pub pool_keys: usize,
    /// Bytes of one fleet's log.
    pub log_bytes: u64,
    /// Logs that one agent founds in an hour.
    pub foundings: u64,
    /// Bytes of blobs that one agent keeps here.
    pub blob_bytes: u64,
    /// States of mailboxes, and as many of pools and logs, that are held in memory.
    pub states_in_memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(30 * 24 * 60 * 60),
            mailbox_pieces: 10_000,
            mailbox_bytes: 64 << 20,
            share_pieces: 2_500,
            share_bytes: 16 << 20,
            sender_pieces: 100_000,
            sender_bytes: 1 << 30,
            total_bytes: 64 << 30,
            target_keys: 50,
            requester_keys: 5,
            requester_takes: 1_000,
            pool_keys: 1_024,
            log_bytes: 1 << 30,
            foundings: 100,
            blob_bytes: 256 << 20,
            states_in_memory: 20_000,
        }
    }
}

impl Limits {
    /// Keys of a pool at which its owner is told.
    pub(crate) const LOW_POOL: usize = 60;
}
