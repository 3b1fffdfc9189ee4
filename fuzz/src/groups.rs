//! What the holder of a group's log can make a member do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::relay::{
    Answer as Said, Commit, Entry, EntryIndex, Logged, Opaque, Statement, StatementKind,
};
use meshwork_protocols::time::Timestamp;
use meshwork_router::{
    Answer, AskId, BatchId, Command, Config, Event, Fleet, GroupRequest, Input, Output, Policy,
    RelayFailure, RelayNews, Request, Router, Stored, Ticket,
};
use meshwork_state::{Batch, MemoryStore, Store};

use crate::agent::{Agent, NOW, PROVIDER, Seeded};
use crate::fleet;

/// The holder of a log says what it likes while commits succeed and fail, time passes and the
/// process restarts: data is a list of steps, each a kind, a length in two bytes and so many bytes.
/// What is durable can always be read back, and the group stays usable.
pub fn groups(data: &[u8]) {
    let mut node = Node::new();
    let mut rest = data;
    while let [kind, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (content, behind) = behind.split_at(length.min(behind.len()));
        node.step(kind % 8, content);
        rest = behind;
    }
    node.commit();
    node.restart();
    assert_eq!(node.router.groups().unwrap().len(), 1, "who founded a group is in it");
}

/// Seeds, each under its name.
pub(crate) fn stories() -> Vec<(&'static str, Vec<u8>)> {
    let commit = Commit {
        epoch: 1,
        builds_on: Some(EntryIndex(1)),
        admitted: Vec::new(),
        removed: Vec::new(),
        bytes: fleet::posting().into(),
    };
    let on = EntryIndex(2);
    let said = |kind| Entry::Statement(Statement { on, kind, bytes: Opaque::default() });
    let entries = [
        Entry::Commit(commit),
        said(StatementKind::CannotProcess),
        said(StatementKind::Confirmed),
        Entry::Message(vec![7; 40].into()),
    ];
    let logged = (2..).zip(entries).map(|(index, entry)| Logged {
        index: EntryIndex(index),
        author: Agent::peer().id(),
        since: NOW.wall,
        entry,
    });
    let entries = logged.collect();
    let read = Said::Entries { first: EntryIndex(1), last: EntryIndex(5), entries };
    let appended = Said::Appended(EntryIndex(2));
    let answer = |said: &Said| step(0, &said.encode());
    // Long enough that not each bit is flipped under `cargo test`: every step here is MLS.
    let long = [7; 250];
    vec![
        ("read", [answer(&read), step(2, &[]), step(4, &[9]), step(6, &[])].concat()),
        ("sent", [step(5, &long), step(2, &[]), answer(&appended), step(1, &[])].concat()),
        ("rotated", [step(7, &[]), step(2, &long), step(3, &[]), answer(&appended)].concat()),
    ]
}

fn step(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a short one");
    [&[kind], length.to_be_bytes().as_slice(), content].concat()
}

/// A router with a store, and what it asked of the log's holder.
struct Node {
    store: Arc<MemoryStore>,
    router: Router,
    now: Timestamp,
    /// How often the process started: each start has randomness of its own.
    starts: u64,
    pending: Vec<(BatchId, Batch)>,
    asked: VecDeque<AskId>,
    group: GroupId,
}

impl Node {
    /// An agent that founded a group, whose log stands.
    fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let router = restore(&store, NOW, 0);
        let group = GroupId::from_bytes([0; 32]);
        let (pending, asked) = (Vec::new(), VecDeque::new());
        let mut node = Self { store, router, now: NOW, starts: 1, pending, asked, group };
        let holder = Some(meshwork_protocols::identity::Relay {
            agent: AgentId::from_bytes([9; 32]),
            addresses: Vec::new(),
        });
        node.ask(GroupRequest::Create { name: "crew".into(), holder });
        node.commit();
        node.answer(Ok(Said::Appended(EntryIndex(1))));
        node.commit();
        node
    }

    fn step(&mut self, kind: u8, content: &[u8]) {
        match kind {
            0 => {
                if let Ok(said) = Said::decode(content) {
                    self.answer(Ok(said));
                }
            }
            1 => self.answer(Err(RelayFailure::Gone)),
            2 => self.commit(),
            3 => self.fail_commit(),
            4 => {
                let span = u64::from(content.first().copied().unwrap_or(1));
                self.now = self.now + Duration::from_secs(span * span);
                self.handle(Input::Tick);
            }
            5 => self.ask(GroupRequest::Send {
                group: self.group,
                content_type: "text/plain".parse().unwrap(),
                body: content.to_vec(),
                lifetime: Duration::from_secs(3_600),
            }),
            6 => {
                self.commit();
                self.restart();
            }
            _ => self.ask(GroupRequest::Rotate(self.group)),
        }
    }

    fn ask(&mut self, request: GroupRequest) {
        let request = Request::Group(request);
        self.handle(Input::Command(Command { ticket: Ticket(0), request }));
    }

    /// Answers what was asked first.
    fn answer(&mut self, answer: Result<Said, RelayFailure>) {
        let Some(ask) = self.asked.pop_front() else { return };
        self.handle(Input::Relay(RelayNews::Answered { ask, answer }));
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
        self.asked.clear();
        self.router = restore(&self.store, self.now, self.starts);
        self.starts += 1;
        self.drain();
    }

    fn handle(&mut self, input: Input<'_>) {
        self.router.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.router.poll() {
            match output {
                Output::Commit(id, batch) => self.pending.push((id, batch)),
                Output::AskRelay { ask, .. } => self.asked.push_back(ask),
                Output::Event(Event::Answered { answer: Ok(Answer::Group(group)), .. }) => {
                    self.group = group;
                }
                Output::Event(Event::StoreFailed { error, .. }) => panic!("{error}"),
                _ => {}
            }
        }
    }
}

fn restore(store: &Arc<MemoryStore>, now: Timestamp, seed: u64) -> Router {
    let own = Agent::own();
    let (card, key, pair) = fleet::founder();
    let fleet = Fleet::new(Arc::new(Pure), key, pair, Arc::new(card)).expect("the card names both");
    let config = Config {
        own: own.id(),
        lineage: own.lineage(),
        restored: false,
        policy: Policy::default(),
        provider: PROVIDER.clone(),
        stored: Stored::None,
        fleet: Some(Box::new(fleet)),
    };
    Router::restore(Box::new(store.clone()), config, Box::new(Seeded::new(seed)), now).unwrap()
}
