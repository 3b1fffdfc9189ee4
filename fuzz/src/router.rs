//! What peers can make the router do, and the rows that it reads back.

use std::collections::BTreeSet;
use std::time::Duration;

use meshwork_protocols::identity::{AgentId, Transport};
use meshwork_protocols::posture::Posture;
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::wire::{MAX_FRAME, MessageId};
use meshwork_router::{
    Delivery, Event, Input, Meeting, Outgoing, Output, PathChange, PathId, PathKind, PathOpened,
    PeerFacts, Request, Standing,
};

use crate::agent::Agent;
use crate::process::{Process, config};

/// A peer's row that was read is written in a way that reads back as the same.
pub fn peer_facts(data: &[u8]) {
    let Ok(facts) = PeerFacts::decode(&SecretBytes::new(data.to_vec())) else { return };
    let again = SecretBytes::new(postcard::to_allocvec(&facts).unwrap());
    assert_eq!(PeerFacts::decode(&again), Ok(facts));
}

/// An inbox row that was read is written in a way that reads back as the same.
pub fn delivery(data: &[u8]) {
    let Ok(delivery) = Delivery::decode(&SecretBytes::new(data.to_vec())) else { return };
    assert_eq!(Delivery::decode(&delivery.encode()), Ok(delivery));
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
    node.process.commit();
    node.restart();
}

/// A router with two sessions, and what its driver remembers.
struct Node {
    process: Process,
    announced: BTreeSet<(AgentId, MessageId)>,
}

impl Node {
    fn new() -> Self {
        let mut node = Self { process: Process::new(config), announced: BTreeSet::new() };
        let card = Agent::peer().card().clone();
        let meeting = Meeting { standing: Some(Standing::Known), ..Meeting::default() };
        node.process.ask(Request::Meet { card, meeting });
        node.process.commit();
        node.open_paths();
        node
    }

    fn step(&mut self, kind: u8, content: &[u8]) {
        let process = &mut self.process;
        match kind {
            0 => process.handle(Input::Received { path: PEER, frame: content }),
            1 => process.handle(Input::Received { path: STRANGER, frame: content }),
            2 => process.commit(),
            3 => process.fail_commit(),
            4 => process.wait(content),
            5 => self.send(content),
            6 => {
                process.commit();
                self.restart();
                self.open_paths();
            }
            _ => {
                process.handle(Input::PathChanged(PathChange::Closed(PEER)));
                self.open_paths();
            }
        }
        self.look();
    }

    fn send(&mut self, body: &[u8]) {
        self.process.ask(Request::Send(Outgoing {
            to: Agent::peer().id(),
            id: None,
            content_type: "text/plain".parse().unwrap(),
            body: body.to_vec(),
            lifetime: Duration::from_secs(3_600),
            ordered: body.first().is_some_and(|byte| byte % 2 == 0),
        }));
    }

    fn restart(&mut self) {
        self.look();
        self.process.restart();
        self.look();
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
            self.process.handle(Input::PathChanged(PathChange::Opened(opened)));
        }
    }

    /// What was announced since the last look.
    fn look(&mut self) {
        for said in self.process.take_said() {
            if let Output::Event(Event::Arrived { sender, id, repeat, .. }) = said {
                let new = self.announced.insert((sender, id));
                assert!(new || repeat, "a message announced as new twice");
            }
        }
    }
}

const PEER: PathId = PathId(1);
const STRANGER: PathId = PathId(2);
