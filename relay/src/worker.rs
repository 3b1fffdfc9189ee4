//! A thread that serves a relay, so that nobody else waits for its disk.
//!
//! Requests gather while the disk works; the next batch takes them in turns of their callers. Who
//! waits for mail or entries is answered when some come, or when its time is over.
//!
//! Where the storage fails, who asked gets no answer, since what became of it is not known; who asks
//! until the storage is open again is told to come later. Knows neither sessions nor the runtime:
//! who asks gives a [`Reply`], and nudges go to a function.

mod desk;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Answer, Nudge, Refusal, Request};
use meshwork_protocols::time::Timestamp;

use self::desk::Desk;
use crate::metrics::Metrics;
use crate::relay::{Asked, Relay};
use crate::storage::{Storage, StorageError};

/// Gives the answer back: called once, from the worker's thread, and not at all where the storage
/// failed: then nobody knows what became of the request, and its caller repeats it.
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
    overfull: AtomicUsize,
    metrics: Mutex<Metrics>,
    failed: Mutex<Option<StorageError>>,
}

struct Job {
    asked: Asked,
    answering: Answering,
}

/// How a job is answered.
struct Answering {
    place: Place,
    reply: Reply,
    /// When it is answered with what there is; set by the first attempt.
    deadline: Option<Duration>,
}

/// What a job takes of the queue, until it is dropped.
struct Place {
    shared: Arc<Shared>,
    bytes: usize,
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
        let desk = Desk::new(relay, surroundings, queue, Arc::clone(&shared));
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
        let Some(place) = Place::of(&self.shared, body.len()) else {
            self.shared.overfull.fetch_add(1, Ordering::Relaxed);
            return reply(Answer::Refused(FULL).encode());
        };
        let answering = Answering { place, reply, deadline: None };
        let job = Job { asked: Asked { caller, request }, answering };
        if let Some(jobs) = &self.jobs {
            // A relay that failed for good drops the reply, by which the caller learns it.
            let _failed = jobs.send(job);
        }
    }

    /// What was done, as of the last batch.
    pub fn metrics(&self) -> Metrics {
        lock(&self.shared.metrics).clone()
    }

    /// Why it does not serve, until its storage is open again; for good where that is damaged.
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

impl Place {
    /// A place for a job of so many bytes, if there is one.
    fn of(shared: &Arc<Shared>, bytes: usize) -> Option<Self> {
        let waiting = shared.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting_bytes = shared.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let place = Self { shared: Arc::clone(shared), bytes };
        (waiting < MAX_WAITING && waiting_bytes < MAX_WAITING_BYTES).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
        self.shared.waiting_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Answering {
    fn give(self, answer: &Answer) {
        // Who hears the answer may ask again at once.
        drop(self.place);
        (self.reply)(answer.encode());
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

/// What those hear for whom there is no place.
const FULL: Refusal = Refusal::NotNow { retry_after: 1 };
