//! Drops what nobody wants any more, a few things at a time.

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{KeyKind, LogId};
use meshwork_protocols::time::Timestamp;

use super::Relay;
use crate::entry;
use crate::pools::Keys;
use crate::storage::{Change, Storage, StorageError, Subject, Then};
use crate::sweep;

impl<S: Storage> Relay<S> {
    /// Drops a few of the things whose time has passed, where the last sweep stopped.
    pub fn sweep(&mut self, now: Timestamp) -> Result<(), StorageError> {
        let subjects = self.storage.subjects(self.sweep.subject.as_ref(), SWEPT_SUBJECTS)?;
        let mut changes = Vec::new();
        for subject in &subjects {
            self.sweep_subject(now, subject, &mut changes)?;
        }
        self.sweep.subject = subjects.last().copied();
        if subjects.is_empty() {
            let found = std::mem::take(&mut self.sweep.found);
            self.metrics.mail = found.mail;
            self.metrics.fullest_mailbox = found.fullest_mailbox;
            self.metrics.oldest_mail_secs = found.oldest.as_secs();
            self.metrics.keys_left = found.keys;
            self.metrics.empty_pools = found.empty_pools;
        }
        let values = self.storage.values(self.sweep.key.as_ref(), SWEPT_VALUES)?;
        for (key, value) in &values {
            if sweep::value_has_ended(key, value, now.wall)? {
                changes.push(Then::Delete(*key).into());
            }
        }
        self.sweep.key = values.last().map(|(key, _)| *key);
        self.metrics.expired += changes.len() as u64;
        self.apply(&changes)?;
        Ok(())
    }

    fn sweep_subject(
        &mut self,
        now: Timestamp,
        subject: &Subject,
        changes: &mut Vec<Change>,
    ) -> Result<(), StorageError> {
        match subject.kind() {
            entry::LOG => {
                let earliest = now.wall.saturating_sub(self.limits.keep);
                let (log, context) = self.log(now, LogId(subject.id()))?;
                if let Some(through) = log.ended(context.storage, earliest)? {
                    changes.push(log.drop_through(context.storage, through)?);
                }
            }
            entry::MAILBOX | entry::SHELF => {
                let ended = self.sweep.ended(&self.storage, subject, now.wall)?;
                if !ended.is_empty() {
                    self.held.mailboxes.forget(&AgentId::from_bytes(subject.id()));
                    self.held.shelves.forget(&AgentId::from_bytes(subject.id()));
                }
                let remove = |sequence| Then::Remove { subject: *subject, sequence };
                changes.extend(ended.into_iter().map(|sequence| remove(sequence).into()));
            }
            entry::PREKEYS | entry::KEY_PACKAGES => {
                let kind = match subject.kind() {
                    entry::PREKEYS => KeyKind::Prekeys,
                    _ => KeyKind::KeyPackages,
                };
                // Not held: others have more use for the room.
                let keys = Keys::read(&self.storage, AgentId::from_bytes(subject.id()), kind)?;
                self.sweep.pool(keys.depth(now.wall).0);
            }
            _ => {}
        }
        Ok(())
    }
}

/// How much one step of a sweep looks at: a second has one, and a hundred thousand mailboxes have
/// had their turn within half an hour.
const SWEPT_SUBJECTS: usize = 64;
const SWEPT_VALUES: usize = 64;
