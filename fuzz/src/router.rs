//! What peers can make the router do, and the rows that it reads back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::{AgentId, Transport};
use meshwork_protocols::posture::Posture;
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::Timestamp;
use meshwork_protocols::wire::{MAX_FRAME, MessageId};
use meshwork_router::{
    BatchId, Command, Config, Delivery, Event, Input, Meeting, Outgoing, Output, PathChange,
    PathId, PathKind, PathOpened, PeerFacts, Policy, Request, Router, Standing, Stored, Ticket,
};
use meshwork_state::{Batch, MemoryStore, Store};

use crate::agent::{Agent, NOW, PROVIDER, Seeded};

/// A peer's row that was read is written in a way that reads back as the same.
pub fn peer_facts(data: &[u8]) {
    let Ok(facts) = PeerFacts::decode(&SecretBytes::new(data.to_vec())) else { return };
    let again = SecretBytes::new(postcard::to_allocvec(&facts).unwrap());
    assert_eq!(PeerFacts::decode(&again), Ok(facts));
}

/// An inbox row that was read is written in a way that reads back as the same.
pub fn delivery(data: &[u8]) {
    let Ok(delivery) = Delivery::decode(&SecretBytes::new(data.to_vec())) else { return };
    let again = SecretBytes::new(postcard::to_allocvec(&delivery).unwrap());
    assert_eq!(Delivery::decode(&again), Ok(delivery));
}

/// A known peer and a stranger say what they like while commits succeed and fail, time passes and
/// the process restarts: data is a list of steps, each a kind, a length and so many bytes. No
/// message is announced as new twice, and what is durable can always be read back.
pub fn router(data: &[u8]) {
    let mut node = Node::new();
    let mut rest = data;
    while let [kind, length, behind @ ..] = rest {
        let (content, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        node.step(kind % 8, content);
        rest = behind;
    }
    node.commit();
    node.restart();
}

/// A router with a store, two sessions and what its driver remembers.
struct Node {
    store: Arc<MemoryStore>,
    router: Router,
    now: Timestamp,
    /// How often the process started: each start has randomness of its own.
    starts: u64,
    pending: Vec<(BatchId, Batch)>,
    announced: BTreeSet<(AgentId, MessageId)>,
}

impl Node {
    fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let router = restore(&store, NOW, 0);
        let (pending, announced) = (Vec::new(), BTreeSet::new());
        let mut node = Self { store, router, now: NOW, starts: 1, pending, announced };
        let card = Agent::peer().card().clone();
        let meeting = Meeting { standing: Some(Standing::Known), ..Meeting::default() };
        node.ask(Request::Meet { card, meeting });
        node.commit();
        node.open_paths();
        node
    }

    fn step(&mut self, kind: u8, content: &[u8]) {
        match kind {
            0 => self.handle(Input::Received { path: PEER, frame: content }),
            1 => self.handle(Input::Received { path: STRANGER, frame: content }),
            2 => self.commit(),
            3 => self.fail_commit(),
            4 => {
                let span = u64::from(content.first().copied().unwrap_or(1));
                self.now = self.now + Duration::from_secs(span * span);
                self.handle(Input::Tick);
            }
            5 => self.send(content),
            6 => {
                self.commit();
                self.restart();
                self.open_paths();
            }
            _ => {
                self.handle(Input::PathChanged(PathChange::Closed(PEER)));
                self.open_paths();
            }
        }
    }

    fn send(&mut self, body: &[u8]) {
        self.ask(Request::Send(Outgoing {
            to: Agent::peer().id(),
            id: None,
            content_type: "text/plain".parse().unwrap(),
            body: body.to_vec(),
            lifetime: Duration::from_secs(3_600),
            ordered: body.first().is_some_and(|byte| byte % 2 == 0),
        }));
    }

    fn ask(&mut self, request: Request) {
        self.handle(Input::Command(Command { ticket: Ticket(0), request }));
    }

    /// Makes everything durable that waits for it.
    fn commit(&mut self) {
        while let Some((last, _)) = self.pending.last() {
            let last = *last;
            for (_, batch) in self.pending.drain(..) {
                self.store.commit(&batch).unwrap();
            }
            self.handle(Input::Committed(last));
        }
    }

    fn fail_commit(&mut self) {
        let Some((first, _)) = self.pending.first() else { return };
        let first = *first;
        self.pending.clear();
        self.handle(Input::CommitFailed(first));
    }

    fn restart(&mut self) {
        self.pending.clear();
        self.router = restore(&self.store, self.now, self.starts);
        self.starts += 1;
        self.drain();
    }

    fn open_paths(&mut self) {
        for (path, agent) in [(PEER, Agent::peer()), (STRANGER, Agent::stranger())] {
            let kind = PathKind::Live {
                transport: Transport::Tcp,
                largest_frame: MAX_FRAME,
                initiated: path == PEER,
                posture: Posture::HYBRID,
                card: agent.card().clone(),
                lineage: agent.lineage(),
                remembered: None,
            };
            let opened = PathOpened { path, peer: agent.id(), kind };
            self.handle(Input::PathChanged(PathChange::Opened(opened)));
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.router.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.router.poll() {
            match output {
                Output::Commit(id, batch) => self.pending.push((id, batch)),
                Output::Event(Event::Arrived { sender, id, repeat, .. }) => {
                    let new = self.announced.insert((sender, id));
                    assert!(new || repeat, "a message announced as new twice");
                }
                Output::Event(Event::StoreFailed { error, .. }) => panic!("{error}"),
                Output::Event(_)
                | Output::Transmit { .. }
                | Output::Dial { .. }
                | Output::Close { .. }
                | Output::Deposit { .. }
                | Output::TakePrekeys { .. }
                | Output::Acknowledge { .. }
                | Output::Publish { .. }
                | Output::SetRules { .. }
                | Output::AskRelay { .. } => {}
            }
        }
    }
}

fn restore(store: &Arc<MemoryStore>, now: Timestamp, seed: u64) -> Router {
    let own = Agent::own();
    let config = Config {
        own: own.id(),
        lineage: own.lineage(),
        restored: false,
        policy: Policy::default(),
        provider: PROVIDER.clone(),
        stored: Stored::None,
        fleet: None,
    };
    Router::restore(Box::new(store.clone()), config, Box::new(Seeded::new(seed)), now).unwrap()
}

const PEER: PathId = PathId(1);
const STRANGER: PathId = PathId(2);
