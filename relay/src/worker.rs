//! A thread that serves a relay, so that nobody else waits for its disk.
//!
//! Requests gather while the disk works; the next batch takes them in turns of their callers. Who
//! waits for mail or entries is answered when some come, or when its time is over. Knows neither
//! sessions nor the runtime: who asks gives a [`Reply`], and nudges go to a function.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Answer, Nudge, Refusal, Request};
use meshwork_protocols::time::Timestamp;

use crate::fair::Fair;
use crate::metrics::Metrics;
use crate::relay::{Asked, Outcome, Relay, Waiting};
use crate::storage::{Storage, StorageError, Subject};

/// Gives the answer back: called once, from the worker's thread, and not at all where the relay
/// failed.
pub type Reply = Box<dyn FnOnce(Vec<u8>) + Send>;

/// What a worker needs of its surroundings.
pub struct Surroundings {
    /// Reads the clock.
    pub clock: Box<dyn Fn() -> Timestamp + Send>,
    /// Tells an agent, if it is connected, that something waits.
    pub nudge: Box<dyn Fn(AgentId, Nudge) + Send>,
}

/// A relay in a thread of its own. Dropped, it serves what was asked and ends.
#[derive(Debug)]
pub struct Worker {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

/// What the thread and who asks both see.
#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
    malformed: AtomicUsize,
    metrics: Mutex<Metrics>,
    failed: Mutex<Option<StorageError>>,
}

struct Job {
    asked: Asked,
    bytes: usize,
    reply: Reply,
    /// When it is answered with what there is; set by the first attempt.
    deadline: Option<Duration>,
}

/// Why there is no worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The system gives no thread.
    #[error("the relay's thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl Worker {
    /// Starts serving.
    pub fn start<S: Storage + 'static>(
        relay: Relay<S>,
        surroundings: Surroundings,
    ) -> Result<Self, WorkerError> {
        let (jobs, queue) = channel();
        let shared = Arc::new(Shared::default());
        let desk = Desk {
            relay,
            surroundings,
            queue,
            shared: Arc::clone(&shared),
            fair: Fair::new(),
            waiting: HashMap::new(),
            swept: Duration::ZERO,
        };
        let thread = std::thread::Builder::new().name("relay".into()).spawn(move || desk.run())?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), shared })
    }

    /// Puts a request into the queue. It is answered at once where it cannot be read, or where more
    /// wait than may.
    pub fn ask(&self, caller: AgentId, body: &[u8], reply: Reply) {
        let Ok(request) = Request::decode(body) else {
            self.shared.malformed.fetch_add(1, Ordering::Relaxed);
            return reply(Answer::Refused(Refusal::Malformed).encode());
        };
        let waiting = self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        let bytes = self.shared.waiting_bytes.fetch_add(body.len(), Ordering::Relaxed);
        let job =
            Job { asked: Asked { caller, request }, bytes: body.len(), reply, deadline: None };
        if waiting >= MAX_WAITING || bytes >= MAX_WAITING_BYTES {
            self.shared.finish(&job);
            return (job.reply)(Answer::Refused(Refusal::NotNow { retry_after: 1 }).encode());
        }
        if let Some(jobs) = &self.jobs {
            // A relay that failed drops the reply, by which the caller learns it.
            let _failed = jobs.send(job);
        }
    }

    /// What was done, as of the last batch.
    pub fn metrics(&self) -> Metrics {
        lock(&self.shared.metrics).clone()
    }

    /// Why it serves no more, where its storage failed.
    pub fn failure(&self) -> Option<StorageError> {
        *lock(&self.shared.failed)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, nothing is left to be done.
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn finish(&self, job: &Job) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.waiting_bytes.fetch_sub(job.bytes, Ordering::Relaxed);
    }
}

/// The thread's side.
struct Desk<S> {
    relay: Relay<S>,
    surroundings: Surroundings,
    queue: Receiver<Job>,
    shared: Arc<Shared>,
    fair: Fair<Job>,
    /// Who waits for something to be appended.
    waiting: HashMap<Subject, Vec<Job>>,
    swept: Duration,
}

impl<S: Storage> Desk<S> {
    fn run(mut self) {
        if let Err(error) = self.serve_until_closed() {
            *lock(&self.shared.failed) = Some(error);
        }
    }

    fn serve_until_closed(&mut self) -> Result<(), StorageError> {
        self.publish_metrics();
        loop {
            let open = self.gather();
            let now = (self.surroundings.clock)();
            self.end_waits(now);
            if !open && self.fair.is_empty() {
                return Ok(());
            }
            while !self.fair.is_empty() {
                let batch = self.batch();
                self.serve(now, batch)?;
                self.take_all();
            }
            if now.monotonic.saturating_sub(self.swept) >= SWEEP_EVERY {
                self.swept = now.monotonic;
                self.relay.sweep(now)?;
                self.publish_metrics();
            }
        }
    }

    /// Waits for a request, and takes all that are there. False once nobody can ask any more.
    fn gather(&mut self) -> bool {
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
            bytes += job.bytes;
            batch.push(job);
        }
        batch
    }

    fn serve(&mut self, now: Timestamp, batch: Vec<Job>) -> Result<(), StorageError> {
        let (asked, rest): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|job| (job.asked, (job.bytes, job.reply, job.deadline))).unzip();
        let outcomes = self.relay.serve(now, &asked)?;
        for (outcome, (asked, (bytes, reply, deadline))) in
            outcomes.into_iter().zip(asked.into_iter().zip(rest))
        {
            let job = Job { asked, bytes, reply, deadline };
            match outcome {
                Outcome::Answer(answer) => {
                    self.shared.finish(&job);
                    (job.reply)(answer.encode());
                }
                Outcome::Wait(waiting) => self.wait(now, job, waiting),
            }
        }
        self.wake();
        self.publish_metrics();
        Ok(())
    }

    fn wait(&mut self, now: Timestamp, mut job: Job, waiting: Waiting) {
        let until = now.monotonic + Duration::from_millis(waiting.millis.into());
        job.deadline = Some(job.deadline.unwrap_or(until));
        self.waiting.entry(waiting.subject).or_default().push(job);
    }

    /// Lets those ask again who waited for what the batch appended, and nudges the others.
    fn wake(&mut self) {
        for subject in self.relay.take_appended() {
            for job in self.waiting.remove(&subject).unwrap_or_default() {
                self.fair.push(job.asked.caller, job);
            }
        }
        for (agent, nudge) in self.relay.take_nudges() {
            (self.surroundings.nudge)(agent, nudge);
        }
    }

    /// Lets those whose time is over ask once more, without waiting.
    fn end_waits(&mut self, now: Timestamp) {
        let is_over = |job: &mut Job| job.deadline.is_some_and(|until| until <= now.monotonic);
        for jobs in self.waiting.values_mut() {
            for mut job in jobs.extract_if(.., is_over) {
                match &mut job.asked.request {
                    Request::Fetch(fetch) => fetch.wait = 0,
                    Request::ReadLog(read) => read.wait = 0,
                    _ => {}
                }
                self.fair.push(job.asked.caller, job);
            }
        }
        self.waiting.retain(|_, jobs| !jobs.is_empty());
    }

    fn publish_metrics(&mut self) {
        for _ in 0..self.shared.malformed.swap(0, Ordering::Relaxed) {
            self.relay.count_malformed();
        }
        *lock(&self.shared.metrics) = self.relay.metrics();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing panics between two halves of a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// Requests that wait at once, long polls among them: each idle agent has one.
const MAX_WAITING: usize = 65_536;

/// Bytes of the same.
const MAX_WAITING_BYTES: usize = 256 << 20;

/// Requests of one batch: what a disk makes durable in some milliseconds.
const MAX_BATCH: usize = 1_024;

/// Bytes of the same.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// How often the thread looks at the clock when nobody asks.
const TICK: Duration = Duration::from_millis(100);

/// How often something is looked for whose time has passed, and metrics are renewed.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
