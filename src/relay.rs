//! A relay, run by this agent for others: the service of [`meshwork_relay`] over live sessions.
//!
//! Owns how its calls come in and how who is connected is told that something waits. Any agent may
//! call it, known or not, once its session proved who it is; every other service stays closed to
//! strangers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::live::call::Refusal;
use meshwork_protocols::provider::Provider;
use meshwork_protocols::relay::{MAIL_SERVICE, Nudge, SERVICE};
use meshwork_relay::storage::{RedbStorage, StorageError};
use meshwork_relay::{Limits, Metrics, Relay, Surroundings, Worker, WorkerError};
use meshwork_router::Needs;
use tokio::sync::oneshot;

use crate::agent::Agent;
use crate::driver::{Handler, Registration, Shared};

/// How much of the file is kept in memory, unless settings say otherwise.
const CACHE: usize = 64 << 20;

/// How many agents that are not known may be connected at once, unless settings say otherwise: with
/// 10 KiB each, and files that the system lets one process have, what a small machine holds.
const CONNECTED: usize = 16_384;

/// How long a nudge may take: one that is lost loses nothing.
const NUDGE_PATIENCE: Duration = Duration::from_secs(10);

/// Where a relay keeps what it is given, and how much.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RelaySettings {
    /// The file; it is made where there is none.
    pub file: PathBuf,
    /// Quotas and rates.
    pub limits: Limits,
    /// Bytes of the file that are kept in memory.
    pub cache: usize,
    /// Agents that are connected at once and that the owner of this agent does not know.
    pub connected: usize,
}

impl RelaySettings {
    /// The defaults, over a file.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        let (limits, cache, connected) = (Limits::default(), CACHE, CONNECTED);
        Self { file: file.into(), limits, cache, connected }
    }
}

/// The relay that this agent is, while it is one.
#[derive(Debug, Default)]
pub(crate) struct OwnRelay(Mutex<Weak<Worker>>);

impl OwnRelay {
    /// What it did since it started, and why it does not serve now, if so.
    pub(crate) fn figures(&self) -> Option<(Metrics, Option<StorageError>)> {
        let worker = self.lock().upgrade()?;
        Some((worker.metrics(), worker.failure()))
    }

    fn set(&self, worker: &Arc<Worker>) {
        *self.lock() = Arc::downgrade(worker);
    }

    fn lock(&self) -> MutexGuard<'_, Weak<Worker>> {
        // It holds one value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A relay that is offered until this is dropped.
#[must_use = "dropped, the relay is offered no more"]
pub struct Relaying {
    shared: Weak<Shared>,
    registration: Registration,
    worker: Arc<Worker>,
    file: PathBuf,
}

impl Relaying {
    /// What it did since it started, and what it keeps.
    pub fn metrics(&self) -> Metrics {
        self.worker.metrics()
    }

    /// Why it does not serve now, where its disk failed: until that is open again.
    pub fn failure(&self) -> Option<StorageError> {
        self.worker.failure()
    }

    /// The file that it keeps things in.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl Drop for Relaying {
    fn drop(&mut self) {
        if let (Some(shared), Ok(name)) = (self.shared.upgrade(), SERVICE.parse()) {
            shared.services.remove(&name, self.registration);
        }
    }
}

impl fmt::Debug for Relaying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relaying").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Why no relay is offered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayStartError {
    /// Its file could not be opened.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It has no thread.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// This agent is a relay already.
    #[error("this agent is a relay already")]
    Already,
    /// The agent has stopped.
    #[error("the agent has stopped")]
    Stopped,
}

/// Opens the relay's file and offers its service.
pub(crate) fn offer(agent: &Agent, settings: RelaySettings) -> Result<Relaying, RelayStartError> {
    let storage = RedbStorage::open(&settings.file, settings.cache)?;
    let provider: Arc<dyn Provider> = agent.shared.provider();
    let relay = Relay::new(storage, provider, settings.limits);
    let worker = Arc::new(Worker::start(relay, surroundings(&agent.shared))?);
    let name = SERVICE.parse().map_err(|_| RelayStartError::Already)?;
    let registered =
        agent.shared.services.register_open(name, handler(&worker), settings.connected);
    let registration = registered.map_err(|_| RelayStartError::Already)?;
    agent.shared.own_relay.set(&worker);
    let shared = Arc::downgrade(&agent.shared);
    Ok(Relaying { shared, registration, worker, file: settings.file })
}

/// Puts a call to the worker, and answers it when what it says is durable.
fn handler(worker: &Arc<Worker>) -> Handler {
    let worker = Arc::downgrade(worker);
    Arc::new(move |asked| {
        let (answer, answered) = oneshot::channel();
        if let Some(worker) = worker.upgrade() {
            let reply = Box::new(move |bytes| {
                // Who asked may have gone meanwhile.
                let _gone = answer.send(bytes);
            });
            worker.ask(asked.caller, &asked.body, reply);
        }
        Box::pin(async move { answered.await.map_err(|_| Refusal::HandlerFailed) })
    })
}

fn surroundings(shared: &Arc<Shared>) -> Surroundings {
    let clock = shared.clock;
    let shared = Arc::downgrade(shared);
    Surroundings {
        clock: Box::new(move || clock.now()),
        nudge: Box::new(move |agent, nudge| {
            if let Some(shared) = shared.upgrade() {
                push(&shared, agent, nudge);
            }
        }),
    }
}

/// Tells an agent that is connected, and nobody else.
fn push(shared: &Arc<Shared>, agent: AgentId, nudge: Nudge) {
    let Some(session) = shared.sessions.current(&agent, Needs::Any) else { return };
    let Ok(service) = MAIL_SERVICE.parse() else { return };
    let call = session.call(shared.clock.now(), service, &nudge.encode(), NUDGE_PATIENCE);
    if let Ok(pending) = call {
        // The answer says nothing; an agent without the service asks by itself.
        shared.runtime.spawn(async move {
            let _answered = pending.await;
        });
    }
}
