//! The thread's side: batches, waits, nudges, and what follows where the storage fails.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use meshwork_protocols::relay::{Answer, Nudge, Refusal};
use meshwork_protocols::time::Timestamp;

use super::{FULL, Job, Shared, Surroundings, lock};
use crate::fair::Fair;
use crate::relay::{Outcome, Relay, Waiting};
use crate::storage::{Storage, StorageError, Subject};

/// The thread's side.
pub(super) struct Desk<S> {
    relay: Relay<S>,
    surroundings: Surroundings,
    queue: Receiver<Job>,
    shared: Arc<Shared>,
    fair: Fair<Job>,
    /// Who waits for something to be appended.
    waiting: HashMap<Subject, Vec<Job>>,
    /// When it was last looked whose wait is over.
    looked: Duration,
    swept: Duration,
    /// How often the storage failed in a row.
    failures: u32,
}

impl<S: Storage> Desk<S> {
    pub(super) fn new(
        relay: Relay<S>,
        surroundings: Surroundings,
        queue: Receiver<Job>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            relay,
            surroundings,
            queue,
            shared,
            fair: Fair::new(),
            waiting: HashMap::new(),
            looked: Duration::ZERO,
            swept: Duration::ZERO,
            failures: 0,
        }
    }

    pub(super) fn run(mut self) {
        while let Err(error) = self.serve_until_closed() {
            if !self.recover(error) {
                break;
            }
        }
    }

    /// Opens the storage again, now or in a while; whether the relay goes on.
    fn recover(&mut self, mut error: StorageError) -> bool {
        loop {
            *lock(&self.shared.failed) = Some(error);
            if !is_passing(error) || !self.refuse_for(self.rest()) {
                return false;
            }
            self.failures = self.failures.saturating_add(1);
            match self.relay.reopen() {
                Ok(()) => break,
                Err(again) => error = again,
            }
        }
        *lock(&self.shared.failed) = None;
        // What they wait for may have come with the batch that failed.
        for job in self.waiting.drain().flat_map(|(_, jobs)| jobs) {
            self.fair.push(job.asked.caller, job);
        }
        true
    }

    /// The wait before the storage is opened again: a full disk is not tried in a loop.
    fn rest(&self) -> Duration {
        FIRST_REST.saturating_mul(1 << self.failures.min(16)).min(LONGEST_REST)
    }

    /// Tells all who ask meanwhile to come later. False once nobody can ask any more.
    fn refuse_for(&mut self, rest: Duration) -> bool {
        let until = Instant::now() + rest;
        loop {
            self.take_all();
            while let Some(job) = self.fair.pop() {
                self.relay.count_refused(FAILING);
                job.answering.give(&Answer::Refused(FAILING));
            }
            self.publish_metrics();
            match self.queue.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(job) => self.fair.push(job.asked.caller, job),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn serve_until_closed(&mut self) -> Result<(), StorageError> {
        self.publish_metrics();
        loop {
            let open = self.gather();
            let now = (self.surroundings.clock)();
            if now.monotonic >= self.looked + TICK {
                self.looked = now.monotonic;
                self.end_waits(now);
            }
            if !open && self.fair.is_empty() {
                return Ok(());
            }
            if !self.fair.is_empty() {
                let batch = self.batch();
                self.serve(now, batch)?;
            }
            if now.monotonic >= self.swept + SWEEP_EVERY {
                self.swept = now.monotonic;
                self.relay.sweep(now)?;
                self.publish_metrics();
            }
        }
    }

    /// Waits for a request where none is there, and takes all that are. False once nobody can ask
    /// any more.
    fn gather(&mut self) -> bool {
        if !self.fair.is_empty() {
            self.take_all();
            return true;
        }
        let open = match self.queue.recv_timeout(TICK) {
            Ok(job) => {
                self.fair.push(job.asked.caller, job);
                true
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        };
        self.take_all();
        open
    }

    fn take_all(&mut self) {
        while let Ok(job) = self.queue.try_recv() {
            self.fair.push(job.asked.caller, job);
        }
    }

    fn batch(&mut self) -> Vec<Job> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
            let Some(job) = self.fair.pop() else { break };
            bytes += job.answering.place.bytes;
            batch.push(job);
        }
        batch
    }

    fn serve(&mut self, now: Timestamp, batch: Vec<Job>) -> Result<(), StorageError> {
        let (asked, answering): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|job| (job.asked, job.answering)).unzip();
        let outcomes = self.relay.serve(now, &asked)?;
        self.failures = 0;
        for (outcome, (asked, answering)) in
            outcomes.into_iter().zip(asked.into_iter().zip(answering))
        {
            match outcome {
                Outcome::Answer(answer) => answering.give(&answer),
                Outcome::Wait(waiting) => self.wait(now, Job { asked, answering }, waiting),
            }
        }
        self.wake();
        self.publish_metrics();
        Ok(())
    }

    fn wait(&mut self, now: Timestamp, mut job: Job, waiting: Waiting) {
        let until = now.monotonic + Duration::from_millis(waiting.millis.into());
        job.answering.deadline.get_or_insert(until);
        self.waiting.entry(waiting.subject).or_default().push(job);
    }

    /// Lets those ask again who waited for what the batch appended, and nudges the others.
    fn wake(&mut self) {
        let mut woken = HashSet::new();
        for subject in self.relay.take_appended() {
            for job in self.waiting.remove(&subject).unwrap_or_default() {
                woken.insert(job.asked.caller);
                self.fair.push(job.asked.caller, job);
            }
        }
        for (agent, nudge) in self.relay.take_nudges() {
            // Who waits gets the mail itself.
            if nudge != Nudge::Mail || !woken.contains(&agent) {
                (self.surroundings.nudge)(agent, nudge);
            }
        }
    }

    /// Lets those whose time is over ask once more, without waiting.
    fn end_waits(&mut self, now: Timestamp) {
        let is_over =
            |job: &mut Job| job.answering.deadline.is_some_and(|until| until <= now.monotonic);
        for jobs in self.waiting.values_mut() {
            for mut job in jobs.extract_if(.., is_over) {
                job.asked.request.has_waited();
                self.fair.push(job.asked.caller, job);
            }
        }
        self.waiting.retain(|_, jobs| !jobs.is_empty());
    }

    fn publish_metrics(&mut self) {
        for _ in 0..self.shared.malformed.swap(0, Ordering::Relaxed) {
            self.relay.count_refused(Refusal::Malformed);
        }
        for _ in 0..self.shared.overfull.swap(0, Ordering::Relaxed) {
            self.relay.count_refused(FULL);
        }
        *lock(&self.shared.metrics) = self.relay.metrics();
    }
}

/// Whether another try may find the storage as it should be.
fn is_passing(error: StorageError) -> bool {
    matches!(error, StorageError::Disk(_) | StorageError::Poisoned)
}

/// Requests of one batch: what a disk makes durable in some milliseconds.
const MAX_BATCH: usize = 1_024;

/// Bytes of the same.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// What those hear who ask while the storage is not open.
const FAILING: Refusal = Refusal::NotNow { retry_after: 5 };

/// The first wait before the storage is opened again; it doubles with each failure in a row.
const FIRST_REST: Duration = Duration::from_millis(20);

/// The longest.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// How often it is looked whose wait is over, also where many ask.
const TICK: Duration = Duration::from_millis(100);

/// How often something is looked for whose time has passed, and metrics are renewed.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
