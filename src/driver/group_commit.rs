//! Makes batches durable in groups: while one transaction is on its way to the disk, whatever
//! comes gathers for the next, so that a hundred senders share one sync.

use std::future;
use std::sync::Arc;

use meshwork_router::BatchId;
use meshwork_state::{Batch, StoreError};
use tokio::task::JoinHandle;

use super::Vault;

/// The batches that are not yet durable.
#[derive(Debug)]
pub(crate) struct GroupCommit {
    vault: Arc<Vault>,
    gathered: Group,
    running: Option<Running>,
}

/// Batches that become durable together.
#[derive(Debug, Default)]
struct Group {
    batch: Batch,
    /// The first and the last of the router's.
    ids: Option<(BatchId, BatchId)>,
    /// Whether the driver's own batch is among them.
    own: bool,
}

#[derive(Debug)]
struct Running {
    group: Arc<Group>,
    task: JoinHandle<Result<(), StoreError>>,
}

/// A transaction that came to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    group: Arc<Group>,
    /// Whether it is durable.
    pub(crate) result: Result<(), StoreError>,
}

impl Finished {
    /// What it changed.
    pub(crate) fn batch(&self) -> &Batch {
        &self.group.batch
    }

    /// The first and the last of the router's batches in it.
    pub(crate) fn ids(&self) -> Option<(BatchId, BatchId)> {
        self.group.ids
    }

    /// Whether the driver's own batch was in it.
    pub(crate) fn has_own(&self) -> bool {
        self.group.own
    }
}

impl GroupCommit {
    pub(crate) fn new(vault: Arc<Vault>) -> Self {
        Self { vault, gathered: Group::default(), running: None }
    }

    /// Adds a batch of the router's, in the order in which they were made.
    pub(crate) fn gather(&mut self, id: BatchId, batch: Batch) {
        self.gathered.batch.merge(batch);
        let first = self.gathered.ids.map_or(id, |(first, _)| first);
        self.gathered.ids = Some((first, id));
    }

    /// Adds a batch of the driver's own.
    pub(crate) fn gather_own(&mut self, batch: Batch) {
        self.gathered.batch.merge(batch);
        self.gathered.own = true;
    }

    /// Forgets what gathered, since a batch before it failed; says which was the first of it.
    pub(crate) fn forget_gathered(&mut self) -> Option<BatchId> {
        std::mem::take(&mut self.gathered).ids.map(|(first, _)| first)
    }

    /// Whether nothing is on its way to the disk.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_none()
    }

    /// Sends what gathered to the disk, unless something is on its way.
    pub(crate) fn start(&mut self) {
        if self.running.is_some() || self.gathered.batch.is_empty() {
            return;
        }
        let group = Arc::new(std::mem::take(&mut self.gathered));
        let (vault, committed) = (Arc::clone(&self.vault), Arc::clone(&group));
        let task = tokio::task::spawn_blocking(move || {
            vault.with(|state| state.commit(&committed.batch)).map(drop)
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
