//! What is dropped because its time has passed: looked for a few names at a time.

use std::time::Duration;

use meshwork_protocols::time::WallTime;

use crate::blobs::{BlobRecord, Shelved};
use crate::entry;
use crate::mailbox::{MailRecord, Seen};
use crate::storage::{Key, Most, Storage, StorageError, Subject};

/// How far the sweep came.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    pub(crate) subject: Option<Subject>,
    pub(crate) key: Option<Key>,
    /// What this round found so far.
    pub(crate) found: Found,
}

/// What was found in a look over everything.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) mail: u64,
    pub(crate) fullest_mailbox: u64,
    /// The age of the oldest mail.
    pub(crate) oldest: Duration,
    pub(crate) keys: u64,
    pub(crate) empty_pools: u64,
}

impl Sweep {
    /// A pool in which so many keys are left.
    pub(crate) fn pool(&mut self, left: u32) {
        self.found.keys += u64::from(left);
        self.found.empty_pools += u64::from(left == 0);
    }

    /// The entries of a mailbox or a shelf that nobody wants any more.
    pub(crate) fn ended(
        &mut self,
        storage: &dyn Storage,
        subject: &Subject,
        now: WallTime,
    ) -> Result<Vec<u64>, StorageError> {
        let (mut ended, mut stays) = (Vec::new(), 0);
        let mut after = 0;
        loop {
            let records = storage.read(subject, after, READ_AT_ONCE)?;
            let Some(last) = records.last() else { break };
            after = last.sequence;
            for record in &records {
                if self.entry_has_ended(subject, &record.bytes, now)? {
                    ended.push(record.sequence);
                } else {
                    stays += 1;
                }
            }
        }
        if subject.kind() == entry::MAILBOX {
            self.found.mail += stays;
            self.found.fullest_mailbox = self.found.fullest_mailbox.max(stays);
        }
        Ok(ended)
    }

    fn entry_has_ended(
        &mut self,
        subject: &Subject,
        record: &[u8],
        now: WallTime,
    ) -> Result<bool, StorageError> {
        if subject.kind() == entry::SHELF {
            return Ok(entry::decode::<Shelved>(record)?.expires <= now);
        }
        let mail: MailRecord<'_> = entry::decode(record)?;
        let has_ended = mail.expires <= now;
        if !has_ended {
            self.found.oldest = self.found.oldest.max(now.saturating_since(mail.since()));
        }
        Ok(has_ended)
    }
}

/// Whether a value is wanted no more.
pub(crate) fn value_has_ended(
    key: &Key,
    value: &[u8],
    now: WallTime,
) -> Result<bool, StorageError> {
    match key.kind() {
        entry::SEEN => Ok(entry::decode::<Seen>(value)?.until <= now),
        entry::BLOB => Ok(entry::decode::<BlobRecord<'_>>(value)?.expires <= now),
        _ => Ok(false),
    }
}

const READ_AT_ONCE: Most = Most { entries: 1_024, bytes: 4 << 20 };
