//! What the holder of a group's log can make a member do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::fleet::{Asks, GroupId};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::relay::{
    Answer as Said, Commit, Entry, EntryIndex, LogChain, Logged, Opaque, Statement, StatementKind,
};
use meshwork_router::{
    Answer, AskId, Config, Event, Fleet, GroupRequest, Input, Output, RelayFailure, RelayNews,
    Request,
};

use crate::agent::{Agent, NOW};
use crate::fleet;
use crate::process::{self, Process};

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
    node.process.commit();
    node.restart();
    assert_eq!(node.process.router.groups().unwrap().len(), 1, "who founded a group is in it");
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
        said(StatementKind::PutsBack),
        Entry::Message(vec![7; 40].into()),
    ];
    let logged = (2..).zip(entries).map(|(index, entry)| Logged {
        index: EntryIndex(index),
        author: Agent::peer().id(),
        since: NOW.wall,
        entry,
    });
    let entries = logged.collect();
    let (first, last) = (EntryIndex(1), EntryIndex(6));
    let read = Said::Entries { first, last, chain: LogChain::START, entries };
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

/// A member, and what it asked of the log's holder.
struct Node {
    process: Process,
    asked: VecDeque<AskId>,
    group: GroupId,
}

impl Node {
    /// An agent that founded a group, whose log stands.
    fn new() -> Self {
        let (asked, group) = (VecDeque::new(), GroupId::from_bytes([0; 32]));
        let mut node = Self { process: Process::new(config), asked, group };
        let holder = Some(meshwork_protocols::identity::Relay {
            agent: AgentId::from_bytes([9; 32]),
            addresses: Vec::new(),
        });
        node.ask(GroupRequest::Create { name: "crew".into(), holder });
        node.process.commit();
        node.look();
        node.answer(Ok(Said::Appended(EntryIndex(1))));
        node.process.commit();
        node.look();
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
            2 => self.process.commit(),
            3 => self.process.fail_commit(),
            4 => self.process.wait(content),
            5 => self.ask(GroupRequest::Send {
                group: self.group,
                id: None,
                content_type: "text/plain".parse().unwrap(),
                body: content.to_vec(),
                lifetime: Duration::from_secs(3_600),
                asks: asks(content),
            }),
            6 => {
                self.process.commit();
                self.restart();
            }
            _ => self.ask(GroupRequest::Rotate(self.group)),
        }
        self.look();
    }

    fn ask(&mut self, request: GroupRequest) {
        self.process.ask(Request::Group(request));
    }

    /// Answers what was asked first.
    fn answer(&mut self, answer: Result<Said, RelayFailure>) {
        let Some(ask) = self.asked.pop_front() else { return };
        self.process.handle(Input::Relay(RelayNews::Answered { ask, answer }));
    }

    fn restart(&mut self) {
        self.asked.clear();
        self.process.restart();
    }

    /// What was asked, and founded, since the last look.
    fn look(&mut self) {
        for said in self.process.take_said() {
            match said {
                Output::AskRelay { ask, .. } => self.asked.push_back(ask),
                Output::Event(Event::Answered { answer: Ok(Answer::Group(group)), .. }) => {
                    self.group = group;
                }
                _ => {}
            }
        }
    }
}

fn config() -> Config {
    let (card, key, pair) = fleet::founder();
    let fleet = Fleet::new(Arc::new(Pure), key, pair, Arc::new(card)).expect("the card names both");
    Config { fleet: Some(Box::new(fleet)), ..process::config() }
}

/// What a message asks for, by its first byte.
fn asks(content: &[u8]) -> Asks {
    match content.first().map_or(0, |byte| byte % 3) {
        0 => Asks::Nothing,
        1 => Asks::Delivered,
        _ => Asks::Processed,
    }
}
