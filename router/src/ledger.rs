//! What the router believes of its rows, and the one place that keeps the invariant.
//!
//! Reads see the changes that are not yet durable first, then the store. Every transition makes
//! at most one batch, and an output that must wait is released only when every batch made before
//! it is durable. Knows nothing of what rows or outputs mean.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use meshwork_protocols::secret::SecretBytes;
use meshwork_state::{Batch, Change, Namespace, Row, Rows, StoreError};

use crate::output::{BatchId, Output};

/// The most batches that may wait for the disk. Beyond it the application is told `Busy` and a
/// path should not be read: about what a slow disk takes a second for, in groups.
pub(crate) const PENDING_BATCHES: usize = 16_384;

/// The most bytes that may wait for the disk, so that memory stays bounded whatever the batches.
pub(crate) const PENDING_BYTES: usize = 64 << 20;

/// How many rows a scan takes at a time, so that memory is bounded by the largest rows.
pub(crate) const SCAN: usize = 256;

/// Rows under changes that are on their way to the disk.
#[derive(Debug)]
pub(crate) struct Ledger {
    rows: Box<dyn Rows>,
    overlay: BTreeMap<(Namespace, Vec<u8>), (BatchId, Change)>,
    pending: VecDeque<Pending>,
    pending_bytes: usize,
    next: BatchId,
}

/// A batch that is not known to be durable, and what waits for it.
#[derive(Debug)]
struct Pending {
    id: BatchId,
    keys: Vec<(Namespace, Vec<u8>)>,
    bytes: usize,
    held: Vec<Output>,
}

impl Ledger {
    pub(crate) fn new(rows: Box<dyn Rows>) -> Self {
        Self {
            rows,
            overlay: BTreeMap::new(),
            pending: VecDeque::new(),
            pending_bytes: 0,
            next: BatchId(0),
        }
    }

    /// One row, as it will be once everything pending is durable.
    pub(crate) fn get(
        &self,
        namespace: Namespace,
        key: &[u8],
    ) -> Result<Option<SecretBytes>, StoreError> {
        match self.overlay.get(&(namespace, key.to_vec())) {
            Some((_, Change::Put(value))) => Ok(Some(value.clone())),
            Some((_, Change::Delete)) => Ok(None),
            None => self.rows.get(namespace, key),
        }
    }

    /// Durable rows after `after`. What is pending is not among them: callers that scan either do
    /// so at a start, or look again with [`Ledger::get`].
    pub(crate) fn scan(
        &self,
        namespace: Namespace,
        after: Option<&[u8]>,
    ) -> Result<Vec<Row>, StoreError> {
        self.rows.scan(namespace, &[], after, SCAN)
    }

    /// Every durable row of a namespace, a few at a time.
    pub(crate) fn each(
        &self,
        namespace: Namespace,
        mut visit: impl FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let rows = self.rows.scan(namespace, &[], after.as_deref(), SCAN)?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            after = Some(last.clone());
            rows.into_iter().try_for_each(&mut visit)?;
        }
    }

    /// Adopts a batch and names it; `held` waits for it. Without a change, `held` waits for the
    /// batches made before, and is handed back where there is none.
    pub(crate) fn adopt(
        &mut self,
        batch: Batch,
        mut held: Vec<Output>,
    ) -> (Option<(BatchId, Batch)>, Vec<Output>) {
        if batch.is_empty() {
            return match self.pending.back_mut() {
                Some(last) => {
                    last.held.append(&mut held);
                    (None, Vec::new())
                }
                None => (None, held),
            };
        }
        let id = self.next;
        self.next = BatchId(id.0 + 1);
        let mut keys = Vec::with_capacity(batch.len());
        let mut bytes = 0;
        for (namespace, key, change) in batch.changes() {
            bytes += key.len() + if let Change::Put(value) = change { value.len() } else { 0 };
            keys.push((namespace, key.to_vec()));
            self.overlay.insert((namespace, key.to_vec()), (id, change.clone()));
        }
        self.pending_bytes += bytes;
        self.pending.push_back(Pending { id, keys, bytes, held });
        (Some((id, batch)), Vec::new())
    }

    /// Everything up to `id` is durable: what waited for it comes out, in order.
    pub(crate) fn committed(&mut self, id: BatchId) -> Vec<Output> {
        let mut released = Vec::new();
        while self.pending.front().is_some_and(|batch| batch.id <= id)
            && let Some(batch) = self.pending.pop_front()
        {
            self.pending_bytes -= batch.bytes;
            for key in batch.keys {
                if self.overlay.get(&key).is_some_and(|(owner, _)| *owner == batch.id) {
                    self.overlay.remove(&key);
                }
            }
            released.extend(batch.held);
        }
        released
    }

    /// Nothing that is pending will be durable. Hands back what waited, which must not come out.
    pub(crate) fn roll_back(&mut self) -> Vec<Output> {
        self.overlay.clear();
        self.pending_bytes = 0;
        self.pending.drain(..).flat_map(|batch| batch.held).collect()
    }

    /// The first batch that is not known to be durable, or the next one.
    pub(crate) fn first_pending(&self) -> BatchId {
        self.pending.front().map_or(self.next, |batch| batch.id)
    }

    /// Whether more should not be taken on before the disk has caught up.
    pub(crate) fn is_congested(&self) -> bool {
        self.pending.len() >= PENDING_BATCHES || self.pending_bytes >= PENDING_BYTES
    }
}
