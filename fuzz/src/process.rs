//! A router as a process has it: with a store, commits that wait for it, and restarts.

use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::time::Timestamp;
use meshwork_router::{
    BatchId, Command, Config, Event, Input, Output, Policy, Request, Router, Stored, Ticket,
};
use meshwork_state::{Batch, MemoryStore, Store};

use crate::agent::{Agent, NOW, PROVIDER, Seeded};

/// A process.
pub(crate) struct Process {
    pub(crate) router: Router,
    pub(crate) now: Timestamp,
    store: Arc<MemoryStore>,
    config: fn() -> Config,
    /// How often it started: each start has randomness of its own.
    starts: u64,
    pending: Vec<(BatchId, Batch)>,
    /// What the router said beside commits, and nobody took.
    said: Vec<Output>,
}

impl Process {
    /// Our agent's, with nothing in its store.
    pub(crate) fn new(config: fn() -> Config) -> Self {
        let store = Arc::new(MemoryStore::new());
        let router = restore(&store, config(), NOW, 0);
        let (pending, said) = (Vec::new(), Vec::new());
        Self { router, now: NOW, store, config, starts: 1, pending, said }
    }

    pub(crate) fn ask(&mut self, request: Request) {
        self.handle(Input::Command(Command { ticket: Ticket(0), request }));
    }

    /// Lets so many seconds pass as the first byte squared says.
    pub(crate) fn wait(&mut self, content: &[u8]) {
        let span = u64::from(content.first().copied().unwrap_or(1));
        self.now = self.now + Duration::from_secs(span * span);
        self.handle(Input::Tick);
    }

    /// Makes everything durable that waits for it.
    pub(crate) fn commit(&mut self) {
        while let Some((last, _)) = self.pending.last() {
            let last = *last;
            for (_, batch) in self.pending.drain(..) {
                self.store.commit(&batch).unwrap();
            }
            self.handle(Input::Committed(last));
        }
    }

    pub(crate) fn fail_commit(&mut self) {
        let Some((first, _)) = self.pending.first() else { return };
        let first = *first;
        self.pending.clear();
        self.handle(Input::CommitFailed(first));
    }

    /// Ends, and begins again with what is durable.
    pub(crate) fn restart(&mut self) {
        self.pending.clear();
        self.said.clear();
        self.router = restore(&self.store, (self.config)(), self.now, self.starts);
        self.starts += 1;
        self.drain();
    }

    pub(crate) fn handle(&mut self, input: Input<'_>) {
        self.router.handle(self.now, input);
        self.drain();
    }

    /// What the router said since it was last asked.
    pub(crate) fn take_said(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.said)
    }

    fn drain(&mut self) {
        while let Some(output) = self.router.poll() {
            match output {
                Output::Commit(id, batch) => self.pending.push((id, batch)),
                Output::Event(Event::StoreFailed { error, .. }) => panic!("{error}"),
                said => self.said.push(said),
            }
        }
    }
}

/// Our agent, which seals for nobody that is away and is in no group.
pub(crate) fn config() -> Config {
    let own = Agent::own();
    Config {
        own: own.id(),
        lineage: own.lineage(),
        restored: false,
        policy: Policy::default(),
        provider: PROVIDER.clone(),
        stored: Stored::None,
        fleet: None,
    }
}

fn restore(store: &Arc<MemoryStore>, config: Config, now: Timestamp, seed: u64) -> Router {
    Router::restore(Box::new(store.clone()), config, Box::new(Seeded::new(seed)), now).unwrap()
}
