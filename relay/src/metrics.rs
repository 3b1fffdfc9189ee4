//! What a relay did since it started.

use std::collections::BTreeMap;

use meshwork_protocols::relay::Refusal;

/// Counts since the start, and what is stored now.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// Pieces of mail that were kept.
    pub deposits: u64,
    /// Deposits that were there already.
    pub repeated_deposits: u64,
    /// Requests for mail that were answered.
    pub fetches: u64,
    /// Pieces of mail in those answers.
    pub fetched: u64,
    /// Pieces that were acknowledged.
    pub acknowledged: u64,
    /// Keys that were handed out, each for the only time.
    pub keys_taken: u64,
    /// Last resorts that were handed out.
    pub last_resorts: u64,
    /// Of these, those because a rate was used up while keys were left.
    pub drains_refused: u64,
    /// Entries that were appended to logs.
    pub appended: u64,
    /// Blobs that were kept.
    pub blobs: u64,
    /// Durable transactions, each of a batch of requests.
    pub batches: u64,
    /// How often the storage was opened again after it failed.
    pub recoveries: u64,
    /// Pieces of mail, log entries and other entries that are stored.
    pub stored_entries: u64,
    /// Bytes that are stored.
    pub stored_bytes: u64,
    /// Pieces of mail that the last look over everything found.
    pub mail: u64,
    /// Of these, those in the fullest mailbox.
    pub fullest_mailbox: u64,
    /// The age in seconds of the oldest of them.
    pub oldest_mail_secs: u64,
    /// One-time keys and KeyPackages that nobody had taken then.
    pub keys_left: u64,
    /// Pools in which there was none.
    pub empty_pools: u64,
    /// Pieces and things that were dropped because their time had passed.
    pub expired: u64,
    /// Refusals by name.
    pub refusals: BTreeMap<&'static str, u64>,
}

impl Metrics {
    pub(crate) fn refused(&mut self, refusal: Refusal) {
        *self.refusals.entry(refusal.name()).or_default() += 1;
    }
}
