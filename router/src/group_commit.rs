//! Batches on their way to the disk: gathered while a commit is under way, then committed together.
//!
//! It decides what goes into one durable transaction and what the router is told of it. It
//! performs nothing: whoever drives the router commits, opens the store again after a failure, and
//! hands the answer to the router. Knows nothing of disks, rows or time.

use meshwork_state::Batch;

use crate::input::Input;
use crate::output::BatchId;

/// Batches on their way to the disk.
#[derive(Debug, Default)]
pub struct GroupCommit {
    /// What the next commit will hold.
    ready: Group,
    /// The router's batches in the commit under way.
    under_way: Option<Range>,
    /// The store failed, and is to be opened again.
    failed: bool,
    /// The first of the router's batches that is lost by that.
    lost_from: Option<BatchId>,
}

/// Batches that become durable together.
#[derive(Debug, Default)]
pub struct Group {
    batch: Batch,
    range: Range,
    has_own: bool,
}

/// The first and the last of the router's batches, if any is among them.
type Range = Option<(BatchId, BatchId)>;

impl Group {
    /// What it changes. The last change of a row wins.
    pub const fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Whether the driver's own changes are among it.
    pub const fn has_own(&self) -> bool {
        self.has_own
    }
}

impl GroupCommit {
    /// Nothing is on its way.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a batch from the router, in the order in which they come out. One that comes between
    /// a failure and [`GroupCommit::reopened`] is lost with the others.
    pub fn add(&mut self, id: BatchId, batch: Batch) {
        if self.failed {
            self.lost_from.get_or_insert(id);
            return;
        }
        self.ready.batch.merge(batch);
        let first = self.ready.range.map_or(id, |(first, _)| first);
        self.ready.range = Some((first, id));
    }

    /// Takes changes of the driver's own, of which the router knows nothing.
    pub fn add_own(&mut self, batch: Batch) {
        if !self.failed {
            self.ready.batch.merge(batch);
            self.ready.has_own = true;
        }
    }

    /// The router could not read: every batch from this one on is lost once the commit that is
    /// under way has ended.
    pub fn lose_from(&mut self, id: BatchId) {
        self.fail(Some(id));
    }

    /// The store failed at something else than a commit or a read of the router's.
    pub fn store_failed(&mut self) {
        self.fail(None);
    }

    /// Everything that is ready, to be made durable as one transaction; nothing while a commit is
    /// under way or the store is to be opened again. [`GroupCommit::ended`] is to follow.
    pub fn begin(&mut self) -> Option<Group> {
        if self.under_way.is_some() || self.failed || self.ready.batch.is_empty() {
            return None;
        }
        let group = core::mem::take(&mut self.ready);
        self.under_way = Some(group.range);
        Some(group)
    }

    /// The commit under way has ended. A success is what the router is told; after a failure
    /// [`GroupCommit::is_broken`] holds.
    pub fn ended(&mut self, committed: bool) -> Option<Input<'static>> {
        let range = self.under_way.take()?;
        if committed {
            return range.map(|(_, last)| Input::Committed(last));
        }
        self.fail(range.map(|(first, _)| first));
        None
    }

    /// Whether the store is to be opened again before anything else, and can be: no commit is
    /// under way.
    pub const fn is_broken(&self) -> bool {
        self.failed && self.under_way.is_none()
    }

    /// The store stands open again: what the router is told, if any of its batches is lost.
    pub fn reopened(&mut self) -> Option<Input<'static>> {
        self.failed = false;
        self.lost_from.take().map(Input::CommitFailed)
    }

    /// Whether a commit is under way.
    pub const fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// What is ready is lost with what failed before it.
    fn fail(&mut self, from: Option<BatchId>) {
        let ready = core::mem::take(&mut self.ready).range.map(|(first, _)| first);
        self.failed = true;
        self.lost_from = [self.lost_from, from, ready].into_iter().flatten().min();
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

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
        assert_eq!(*group.begin().unwrap().batch(), batch(1, 1));
        group.add(BatchId(1), batch(2, 1));
        group.add(BatchId(2), batch(2, 2));
        assert!(group.begin().is_none(), "one commit at a time");
        assert!(matches!(group.ended(true), Some(Input::Committed(BatchId(0)))));
        let second = group.begin().unwrap();
        assert_eq!(second.batch().len(), 1);
        let written = second.batch().change(Namespace::Own, &[2]);
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
        group.add(BatchId(5), batch(2, 1));
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

    #[test]
    fn of_changes_of_the_drivers_own_the_router_hears_only_what_is_lost_with_them() {
        let mut group = GroupCommit::new();
        group.add_own(batch(1, 1));
        assert!(group.begin().unwrap().has_own());
        assert!(group.ended(true).is_none());
        for behind_it in [None, Some(BatchId(7))] {
            group.add_own(batch(1, 2));
            group.begin();
            if let Some(id) = behind_it {
                group.add(id, batch(2, 1));
            }
            assert!(group.ended(false).is_none());
            assert!(group.is_broken());
            let told = match group.reopened() {
                Some(Input::CommitFailed(id)) => Some(id),
                _ => None,
            };
            assert_eq!(told, behind_it);
            assert!(!group.is_broken());
        }
    }
}
