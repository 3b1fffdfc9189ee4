//! What a process does with its disk: one commit after the other, each for everything that is
//! ready; the store opened again after a failure; the witness told.

use std::time::Duration;

use meshwork_protocols::time::Timestamp;
use meshwork_router::{BatchId, Group, GroupCommit, Input};
use meshwork_state::Batch;

use super::overtaken::Overtaken;
use super::process::Process;
use super::surroundings::Surroundings;
use super::{Crash, DiskFate};
use crate::broken::Broken;
use crate::disk::Disk;
use crate::happening::Happening;
use crate::note::{Decision, Deed};

/// What is on its way to the disk.
#[derive(Debug)]
pub(super) struct DiskWork {
    pub(super) group: GroupCommit,
    pub(super) overtaken: Overtaken,
    /// The commit under way, until the disk is done with it.
    writing: Option<Group>,
    /// How the disk was done with it, until the driver hears of it.
    done: Option<bool>,
    /// Whether a restore is to be accepted once what it asked for is durable.
    accepts_restore: bool,
    /// Whether commits became durable that the witness does not know of.
    witness_lags: bool,
    /// When the witness may be told of them.
    witness_rests: Option<Duration>,
}

impl DiskWork {
    pub(super) fn new(restored: bool) -> Self {
        Self {
            group: GroupCommit::new(),
            overtaken: Overtaken::default(),
            writing: None,
            done: None,
            accepts_restore: restored,
            witness_lags: true,
            witness_rests: None,
        }
    }

    pub(super) const fn next_timeout(&self) -> Option<Duration> {
        self.witness_rests
    }

    /// Takes a batch of the router's.
    pub(super) fn add(&mut self, id: BatchId, batch: Batch) {
        self.overtaken.add(&batch);
        self.group.add(id, batch);
    }
}

impl Process {
    /// Gives the disk everything that is ready, unless it is at work.
    pub(super) fn begin_commit(&mut self, around: &mut Surroundings<'_>) {
        let Some(group) = self.disk_work.group.begin() else { return };
        self.disk_work.writing = Some(group);
        self.disk_work.overtaken.begin();
        let least = self.habits.disk.least_latency;
        let takes = self.random.span(least, self.habits.disk.most_latency.max(least));
        around.later(takes, Happening::DiskDone(around.host, self.start));
    }

    /// The disk is done with what it was given, in one way or another.
    pub(super) fn disk_done(
        &mut self,
        around: &mut Surroundings<'_>,
        disk: &mut Disk,
        fate: DiskFate,
    ) -> Result<(), Crash> {
        let Some(group) = self.disk_work.writing.take() else { return Ok(()) };
        match fate {
            DiskFate::DiesBefore => return Err(Crash::PowerLost),
            DiskFate::DiesWithin => disk.cut_power_soon(),
            DiskFate::IsFull => disk.fill_up(),
            DiskFate::Fails => disk.fail_next_sync(),
            DiskFate::Works | DiskFate::DiesAfter | DiskFate::DiesUntold => {}
        }
        let batch = group.batch();
        let durable = self.state.commit(batch).is_ok();
        self.disk_work.witness_lags |= durable;
        self.disk_work.overtaken.end(durable);
        around.did(&Deed::Committed { rows: batch.len(), durable });
        around.checker.committed(around.host, durable, fate);
        match fate {
            DiskFate::DiesWithin | DiskFate::DiesAfter => return Err(Crash::PowerLost),
            DiskFate::DiesUntold => {
                let outputs = self.random.below(4);
                self.die_after(outputs);
            }
            _ => {}
        }
        self.disk_work.done = Some(durable);
        let delay = self.random.span(Duration::ZERO, HEARD_WITHIN);
        around.later(delay, Happening::DiskHeard(around.host, self.start));
        Ok(())
    }

    /// The driver hears what the disk did.
    pub(super) fn disk_heard(&mut self, around: &mut Surroundings<'_>) -> Result<(), Crash> {
        let Some(durable) = self.disk_work.done.take() else { return Ok(()) };
        let told = durable || self.habits.broken == Some(Broken::IgnoresFailedCommits);
        if !durable && told {
            self.reopen(around)?;
        }
        if let Some(input) = self.disk_work.group.ended(told) {
            if let (true, Input::Committed(batch)) = (durable, &input) {
                self.mail_is_durable(*batch);
            }
            self.router.handle(around.read_clock(), input);
            if self.habits.broken == Some(Broken::DropsOutputs) && self.random.chance(30) {
                while let Some(output) = self.router.poll() {
                    if let meshwork_router::Output::Commit(id, batch) = output {
                        around.decided(&Decision::Commit(batch.len()));
                        self.disk_work.add(id, batch);
                    }
                }
            }
            self.accept_restore()?;
        }
        self.testify(around.read_clock());
        self.settle(around)
    }

    /// After a failed commit or read: opens the store again and tells the router what is lost.
    /// Whether there was anything to do.
    pub(super) fn repair(&mut self, around: &mut Surroundings<'_>) -> Result<bool, Crash> {
        if !self.disk_work.group.is_broken() {
            return Ok(false);
        }
        self.reopen(around)?;
        self.disk_work.overtaken.lose();
        self.at_relays.store_was_opened_again();
        if let Some(input) = self.disk_work.group.reopened() {
            self.router.handle(around.read_clock(), input);
        }
        Ok(true)
    }

    /// A state that was restored counts as this agent's again once what that asked for is durable:
    /// after the first commit, or where there was none to make.
    pub(super) fn accept_restore(&mut self) -> Result<(), Crash> {
        if self.disk_work.accepts_restore && !self.disk_work.group.is_under_way() {
            self.state.accept_restore().map_err(|_| Crash::Stopped)?;
            self.disk_work.accepts_restore = false;
        }
        Ok(())
    }

    /// Whether a restore that this start was told of is dealt with, or there was none.
    pub(super) const fn accepted_restore(&self) -> bool {
        !self.disk_work.accepts_restore
    }

    /// Whether a sync failed and the store was not opened again since.
    pub(super) fn has_unrepaired_disk(&self) -> bool {
        self.disk_work.done == Some(false) || self.disk_work.group.is_broken()
    }

    /// Tells the witness, if it is time.
    pub(super) fn testify(&mut self, now: Timestamp) {
        if self.habits.broken == Some(Broken::TellsNoWitness) {
            return;
        }
        self.disk_work.witness_rests = None;
        if self.state.witness_due(now) {
            // A witness in memory takes everything.
            let _ = self.state.write_witness(now);
            self.disk_work.witness_lags = false;
        } else if self.disk_work.witness_lags {
            self.disk_work.witness_rests = Some(now.monotonic + WITNESS_RESTS);
        }
    }

    /// The owner's daily task, between two commits.
    pub(super) fn rotate_session_key(
        &mut self,
        around: &mut Surroundings<'_>,
    ) -> Result<(), Crash> {
        if self.disk_work.group.is_under_way() {
            return Ok(());
        }
        self.state.rotate_session_key(around.read_clock().wall).map_err(|_| Crash::Stopped)?;
        around.did(&Deed::KeyRotated);
        Ok(())
    }

    fn reopen(&self, around: &mut Surroundings<'_>) -> Result<(), Crash> {
        self.state.reopen().map_err(|_| Crash::Stopped)?;
        around.did(&Deed::Reopened);
        Ok(())
    }
}

/// How long it takes until a driver hears that the disk is done.
const HEARD_WITHIN: Duration = Duration::from_millis(2);

/// How long the witness rests between two writes.
const WITNESS_RESTS: Duration = Duration::from_millis(500);
