//! Rows of groups as each batch of one commit of the disk wrote them. The last change of a row wins
//! on the disk, so that a later batch of the same commit may have taken away what an earlier one had
//! to be durable for: a commit that was offered, and lost before that was released.

use meshwork_protocols::secret::SecretBytes;
use meshwork_state::{Batch, Change, Namespace};

/// What batches wrote, on its way to the disk as they are.
#[derive(Debug, Default)]
pub(super) struct Overtaken {
    ready: Rows,
    under_way: Rows,
    durable: Rows,
}

/// Their keys and what they were to hold.
type Rows = Vec<(Vec<u8>, SecretBytes)>;

impl Overtaken {
    /// A batch is to go to the disk with those that are ready.
    pub(super) fn add(&mut self, batch: &Batch) {
        let of_groups = batch.changes().filter(|(namespace, ..)| *namespace == Namespace::Group);
        self.ready.extend(of_groups.filter_map(|(_, key, change)| match change {
            Change::Put(value) => Some((key.to_vec(), value.clone())),
            Change::Delete => None,
        }));
    }

    /// The disk is given what is ready.
    pub(super) fn begin(&mut self) {
        self.under_way = std::mem::take(&mut self.ready);
    }

    /// The disk is done with it. What one commit brought is released before the next.
    pub(super) fn end(&mut self, durable: bool) {
        let under_way = std::mem::take(&mut self.under_way);
        self.durable = if durable { under_way } else { Vec::new() };
    }

    /// The store is opened again: what waited for the disk is lost.
    pub(super) fn lose(&mut self) {
        *self = Self::default();
    }

    /// What the last commit made durable of rows whose keys begin like this, batch by batch.
    pub(super) fn durable<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = &'a SecretBytes> {
        let is_of = |(key, _): &&(Vec<u8>, SecretBytes)| key.starts_with(prefix);
        self.durable.iter().filter(is_of).map(|(_, value)| value)
    }
}
