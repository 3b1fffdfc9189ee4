//! The states that are held, and how one is had: from memory, or folded from its log.

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::Provider;
use meshwork_protocols::relay::{KeyKind, LogId};
use meshwork_protocols::time::Timestamp;

use super::Relay;
use crate::blobs::Shelf;
use crate::entry;
use crate::folds::Folds;
use crate::limits::Limits;
use crate::log::Log;
use crate::mailbox::{Context, Mailbox};
use crate::pools::Keys;
use crate::storage::{Change, Condition, Storage, StorageError};

/// States that were read.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) mailboxes: Folds<AgentId, Mailbox>,
    pub(super) pools: Folds<(AgentId, KeyKind), Keys>,
    pub(super) logs: Folds<LogId, Log>,
    pub(super) shelves: Folds<AgentId, Shelf>,
}

impl Held {
    pub(super) fn new(most: usize) -> Self {
        Self {
            mailboxes: Folds::new(most),
            pools: Folds::new(most / 8),
            logs: Folds::new(most / 8),
            shelves: Folds::new(most / 8),
        }
    }

    pub(super) fn trim(&mut self) {
        self.mailboxes.trim();
        self.pools.trim();
        self.logs.trim();
        self.shelves.trim();
    }

    /// Forgets what a change that was not done had adopted.
    pub(super) fn forget(&mut self, change: &Change) {
        let Some(Condition::Append { subject, .. }) = &change.condition else {
            return;
        };
        let agent = AgentId::from_bytes(subject.id());
        match subject.kind() {
            entry::PREKEYS => self.pools.forget(&(agent, KeyKind::Prekeys)),
            entry::KEY_PACKAGES => self.pools.forget(&(agent, KeyKind::KeyPackages)),
            entry::LOG => self.logs.forget(&LogId(subject.id())),
            entry::SHELF => self.shelves.forget(&agent),
            // Mail, rules and cards are all of the mailbox's state.
            _ => self.mailboxes.forget(&agent),
        }
    }
}

impl<S: Storage> Relay<S> {
    pub(super) fn mailbox(
        &mut self,
        now: Timestamp,
        owner: AgentId,
    ) -> Result<(&mut Mailbox, Context<'_>), StorageError> {
        let context = context(&self.storage, &*self.provider, &self.limits, now);
        let read = || Mailbox::read(context.storage, context.provider, owner);
        Ok((self.held.mailboxes.of(owner, read)?, context))
    }

    pub(super) fn keys(
        &mut self,
        now: Timestamp,
        owner: AgentId,
        kind: KeyKind,
    ) -> Result<(&mut Keys, Context<'_>), StorageError> {
        let context = context(&self.storage, &*self.provider, &self.limits, now);
        let read = || Keys::read(context.storage, owner, kind);
        Ok((self.held.pools.of((owner, kind), read)?, context))
    }

    pub(super) fn log(
        &mut self,
        now: Timestamp,
        id: LogId,
    ) -> Result<(&mut Log, Context<'_>), StorageError> {
        let context = context(&self.storage, &*self.provider, &self.limits, now);
        let read = || Log::read(context.storage, id);
        Ok((self.held.logs.of(id, read)?, context))
    }
}

pub(super) fn context<'a>(
    storage: &'a dyn Storage,
    provider: &'a dyn Provider,
    limits: &'a Limits,
    now: Timestamp,
) -> Context<'a> {
    Context { storage, provider, limits, now }
}
