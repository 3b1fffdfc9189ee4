//! Batches on their way to the disk: gathered while a commit is under way, then committed together.
//!
//! It decides what goes into one durable transaction and what the router is told of it. It
//! performs nothing: whoever drives it commits, opens the store again after a failure, and hands
//! the answer to the router. Knows nothing of disks, rows or time.

use meshwork_router::{BatchId, Input};
use meshwork_state::Batch;

/// Batches on their way to the disk.
#[derive(Debug, Default)]
pub struct GroupCommit {
    /// What the next commit will hold.
    ready: Option<Group>,
    /// The first and the last batch of the commit under way.
    under_way: Option<(BatchId, BatchId)>,
    /// The store failed: the first batch that is lost.
    lost_from: Option<BatchId>,
}

#[derive(Debug)]
struct Group {
    first: BatchId,
    last: BatchId,
    batch: Batch,
}

impl GroupCommit {
    /// Nothing is on its way.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a batch from the router, in the order in which they come out. One that comes between
    /// a failure and [`GroupCommit::reopened`] is lost with the others.
    pub fn add(&mut self, id: BatchId, batch: Batch) {
        if self.lost_from.is_some() {
            return;
        }
        match &mut self.ready {
            Some(group) => {
                group.last = id;
                group.batch.merge(batch);
            }
            None => self.ready = Some(Group { first: id, last: id, batch }),
        }
    }

    /// The router could not read: every batch from this one on is lost once the commit that is
    /// under way has ended.
    pub fn lose_from(&mut self, id: BatchId) {
        self.lost_from = Some(self.lost_from.map_or(id, |before| before.min(id)));
        self.ready = None;
    }

    /// Everything that is ready, to be made durable as one transaction; nothing while a commit is
    /// under way or the store is to be opened again. [`GroupCommit::ended`] is to follow.
    pub fn begin(&mut self) -> Option<Batch> {
        if self.under_way.is_some() || self.lost_from.is_some() {
            return None;
        }
        let Group { first, last, batch } = self.ready.take()?;
        self.under_way = Some((first, last));
        Some(batch)
    }

    /// The commit under way has ended. A success is what the router is told; after a failure
    /// [`GroupCommit::is_broken`] holds.
    pub fn ended(&mut self, committed: bool) -> Option<Input<'static>> {
        let (first, last) = self.under_way.take()?;
        if committed {
            return Some(Input::Committed(last));
        }
        self.lose_from(first);
        None
    }

    /// Whether the store is to be opened again before anything else, and can be: no commit is
    /// under way.
    pub const fn is_broken(&self) -> bool {
        self.lost_from.is_some() && self.under_way.is_none()
    }

    /// The store stands open again: what the router is told.
    pub fn reopened(&mut self) -> Option<Input<'static>> {
        self.lost_from.take().map(Input::CommitFailed)
    }

    /// Whether a commit is under way.
    pub const fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }
}

#[cfg(test)]
mod tests {
    use meshwork_protocols::secret::SecretBytes;
    use meshwork_state::{Change, Namespace};

    use super::*;

    fn batch(key: u8, value: u8) -> Batch {
        let mut batch = Batch::new();
        batch.put(Namespace::Own, vec![key], SecretBytes::new(vec![value]));
        batch
    }

    #[test]
    fn what_gathers_during_a_commit_goes_into_the_next_one_and_the_last_change_of_a_row_wins() {
        let mut group = GroupCommit::new();
        assert!(group.begin().is_none());
        group.add(BatchId(0), batch(1, 1));
        assert_eq!(group.begin(), Some(batch(1, 1)));
        group.add(BatchId(1), batch(2, 1));
        group.add(BatchId(2), batch(2, 2));
        assert!(group.begin().is_none(), "one commit at a time");
        assert!(matches!(group.ended(true), Some(Input::Committed(BatchId(0)))));
        let second = group.begin().unwrap();
        assert_eq!(second.len(), 1);
        let written = second.change(Namespace::Own, &[2]);
        assert_eq!(written, Some(&Change::Put(SecretBytes::new(vec![2]))));
        assert!(matches!(group.ended(true), Some(Input::Committed(BatchId(2)))));
    }

    #[test]
    fn a_failed_commit_takes_with_it_what_was_ready_and_names_the_first() {
        let mut group = GroupCommit::new();
        group.add(BatchId(3), batch(1, 1));
        group.begin();
        group.add(BatchId(4), batch(2, 1));
        assert!(group.ended(false).is_none());
        assert!(group.is_broken() && group.begin().is_none());
        assert!(matches!(group.reopened(), Some(Input::CommitFailed(BatchId(3)))));
        assert!(!group.is_broken() && group.begin().is_none());
    }

    #[test]
    fn after_a_failed_read_the_commit_under_way_still_ends_first() {
        let mut group = GroupCommit::new();
        group.add(BatchId(0), batch(1, 1));
        group.begin();
        group.add(BatchId(1), batch(2, 1));
        group.lose_from(BatchId(0));
        assert!(!group.is_broken());
        assert!(matches!(group.ended(true), Some(Input::Committed(BatchId(0)))));
        assert!(group.is_broken());
        assert!(matches!(group.reopened(), Some(Input::CommitFailed(BatchId(0)))));
    }
}
