//! Somebody who has all that a member had before it was removed, and every entry of the log.

use std::collections::BTreeMap;

use meshwork_protocols::fleet::{
    Evidence, Group, GroupId, LogEntry, Posting, Received, RowChange, Rows, StoreError, Suite,
    Surroundings,
};
use meshwork_protocols::identity::{Card, CardHash};
use meshwork_protocols::provider::FleetProvider;
use meshwork_protocols::relay::{Entry, Logged};
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::WallTime;

use crate::network::Host;
use crate::seeded::Seeded;

/// A member's state in other hands.
#[derive(Debug)]
pub(crate) struct Thief {
    /// Whose it was.
    pub(crate) host: Host,
    group: GroupId,
    rows: Stolen,
}

/// The rows.
#[derive(Clone, Debug)]
struct Stolen(BTreeMap<Vec<u8>, SecretBytes>);

/// Everybody's cards.
#[derive(Debug, Default)]
pub(crate) struct Cards(pub(crate) BTreeMap<CardHash, Card>);

impl Thief {
    /// Has copied these rows of a host.
    pub(crate) fn new(
        host: Host,
        group: GroupId,
        rows: impl IntoIterator<Item = (Vec<u8>, SecretBytes)>,
    ) -> Self {
        Self { host, group, rows: Stolen(rows.into_iter().collect()) }
    }

    /// Follows the log from where the member was, and tries every entry behind its removal; whether
    /// one opens. Nothing where it was not removed.
    pub(crate) fn opens_later<'a>(
        mut self,
        provider: &dyn FleetProvider,
        cards: &Cards,
        log: impl Iterator<Item = &'a Logged>,
        now: WallTime,
    ) -> Option<bool> {
        let mut random = Seeded::new(0);
        // The last epoch in which it was a member.
        let mut last = None;
        for entry in log.filter_map(entry_of) {
            let mut around = Surroundings {
                provider,
                rows: &self.rows,
                random: &mut random,
                now,
                suite: Suite::default(),
            };
            let Ok(mut group) = Group::load(&mut around, self.group) else { return None };
            let now_in = group.view(&mut around).map(|view| view.epoch()).unwrap_or(0);
            let Ok(step) = group.receive(&mut around, cards, &entry) else { continue };
            match (step.output, last) {
                // It keeps what an honest member wipes.
                (Received::Removed { .. }, _) => last = Some(now_in),
                (Received::Commit { .. }, Some(_)) => return Some(true),
                // Who had not heard of its removal still wrote to it.
                (Received::Message { epoch, .. }, Some(last)) if epoch > last => return Some(true),
                _ => self.rows.adopt(step.changes),
            }
        }
        last.map(|_| false)
    }
}

impl Stolen {
    fn adopt(&mut self, changes: Vec<RowChange>) {
        for RowChange { key, value } in changes {
            match value {
                Some(value) => self.0.insert(key, value),
                None => self.0.remove(&key),
            };
        }
    }
}

impl Rows for Stolen {
    fn get(&self, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        Ok(self.0.get(key).cloned())
    }
}

impl Evidence for Cards {
    fn card(&self, hash: &CardHash) -> Option<&Card> {
        self.0.get(hash)
    }

    fn blob(&self, _: &[u8; 32]) -> Option<&[u8]> {
        None
    }
}

/// What members take out of an entry.
fn entry_of(logged: &Logged) -> Option<LogEntry> {
    match &logged.entry {
        Entry::Commit(commit) => Posting::decode(&commit.bytes.0).ok().map(|posting| posting.entry),
        Entry::Message(bytes) => LogEntry::decode(&bytes.0).ok(),
        _ => None,
    }
}
