//! What an agent does as a relay, as an answer tells of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{RelayMetrics, RelayStorageError};

/// Counts since the relay started, and what it keeps. What is kept of mail and keys was counted in
/// the last look over everything, which takes as many seconds as there are mailboxes and pools for
/// each 64.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RelayFigures {
    /// Pieces of mail that were kept.
    pub deposits: u64,
    /// Deposits that were there already.
    pub repeated_deposits: u64,
    /// Requests for mail that were answered.
    pub fetches: u64,
    /// Pieces of mail in those answers.
    pub fetched: u64,
    /// Pieces that their owners have.
    pub acknowledged: u64,
    /// Pieces of mail that wait.
    pub mail: u64,
    /// Of these, those in the fullest mailbox.
    pub fullest_mailbox: u64,
    /// The age of the oldest of them.
    pub oldest_mail_seconds: u64,
    /// One-time keys that were handed out.
    pub keys_taken: u64,
    /// Last resorts that were handed out.
    pub last_resorts: u64,
    /// Of these, those because a rate was used up while keys were left.
    pub drains_refused: u64,
    /// One-time keys that nobody has taken.
    pub keys_left: u64,
    /// Pools in which there is none.
    pub empty_pools: u64,
    /// Entries that were appended to logs.
    pub appended: u64,
    /// Blobs that were kept.
    pub blobs: u64,
    /// Mail, entries and whatever else is stored.
    pub stored: u64,
    /// Bytes of it.
    pub stored_bytes: u64,
    /// Durable transactions, each of a batch of requests.
    pub batches: u64,
    /// How often its disk failed and was opened again.
    pub recoveries: u64,
    /// Why it does not serve now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<String>,
    /// Refusals by name.
    pub refusals: BTreeMap<String, u64>,
}

impl RelayFigures {
    pub(super) fn new(metrics: &RelayMetrics, failing: Option<RelayStorageError>) -> Self {
        let refusals = metrics.refusals.iter();
        Self {
            deposits: metrics.deposits,
            repeated_deposits: metrics.repeated_deposits,
            fetches: metrics.fetches,
            fetched: metrics.fetched,
            acknowledged: metrics.acknowledged,
            mail: metrics.mail,
            fullest_mailbox: metrics.fullest_mailbox,
            oldest_mail_seconds: metrics.oldest_mail_secs,
            keys_taken: metrics.keys_taken,
            last_resorts: metrics.last_resorts,
            drains_refused: metrics.drains_refused,
            keys_left: metrics.keys_left,
            empty_pools: metrics.empty_pools,
            appended: metrics.appended,
            blobs: metrics.blobs,
            stored: metrics.stored_entries,
            stored_bytes: metrics.stored_bytes,
            batches: metrics.batches,
            recoveries: metrics.recoveries,
            failing: failing.map(|error| error.to_string()),
            refusals: refusals.map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        }
    }
}
