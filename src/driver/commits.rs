//! Makes batches durable in groups: while one transaction is on its way to the disk, whatever
//! comes gathers for the next, so that a hundred senders share one sync. What goes into which, and
//! what the router hears of it, is the router's own [`GroupCommit`].

use std::future;
use std::sync::Arc;

use meshwork_router::{BatchId, Group, GroupCommit, Input};
use meshwork_state::{Batch, StoreError};
use tokio::task::JoinHandle;

use super::Vault;

/// The batches that are not yet durable.
#[derive(Debug)]
pub(crate) struct Commits {
    vault: Arc<Vault>,
    group: GroupCommit,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    group: Arc<Group>,
    task: JoinHandle<Result<(), StoreError>>,
}

/// A transaction that came to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    /// What was to become durable.
    pub(crate) group: Arc<Group>,
    /// Whether it is.
    pub(crate) result: Result<(), StoreError>,
}

impl Commits {
    pub(crate) fn new(vault: Arc<Vault>) -> Self {
        Self { vault, group: GroupCommit::new(), running: None }
    }

    /// Adds a batch of the router's, in the order in which they were made.
    pub(crate) fn gather(&mut self, id: BatchId, batch: Batch) {
        self.group.add(id, batch);
    }

    /// Adds a batch of the driver's own.
    pub(crate) fn gather_own(&mut self, batch: Batch) {
        self.group.add_own(batch);
    }

    /// The router could not read: what it made from this batch on is lost.
    pub(crate) fn lose_from(&mut self, id: BatchId) {
        self.group.lose_from(id);
    }

    /// The store failed at something else.
    pub(crate) fn store_failed(&mut self) {
        self.group.store_failed();
    }

    /// What finished counts as durable or not; what the router is told.
    pub(crate) fn ended(&mut self, committed: bool) -> Option<Input<'static>> {
        self.group.ended(committed)
    }

    /// The store stands open again; what the router is told.
    pub(crate) fn reopened(&mut self) -> Option<Input<'static>> {
        self.group.reopened()
    }

    /// Whether nothing is on its way to the disk.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_none()
    }

    /// Sends what gathered to the disk, unless something is on its way.
    pub(crate) fn start(&mut self) {
        let Some(group) = self.group.begin().map(Arc::new) else { return };
        let (vault, committed) = (Arc::clone(&self.vault), Arc::clone(&group));
        let task = tokio::task::spawn_blocking(move || {
            vault.with(|state| state.commit(committed.batch())).map(drop)
        });
        self.running = Some(Running { group, task });
    }

    /// Waits for what is on its way; for ever where nothing is. Dropping the future loses nothing.
    pub(crate) async fn finished(&mut self) -> Finished {
        let Some(running) = &mut self.running else { return future::pending().await };
        // A commit that panicked or was cancelled may or may not be there, as one that failed.
        let result = (&mut running.task).await.unwrap_or(Err(StoreError::Poisoned));
        let group = Arc::clone(&running.group);
        self.running = None;
        Finished { group, result }
    }
}
