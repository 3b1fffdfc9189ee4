//! What a process can reach at one moment: clocks, network, the queue, and who watches.

use std::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::time::{Timestamp, WallTime};
use meshwork_router::{Answer, Event};

use crate::checker::Checker;
use crate::clock::{Clock, EPOCH};
use crate::happening::Happening;
use crate::mesh::Mesh;
use crate::network::{Host, Network};
use crate::note::{Decision, Deed, FrameKind};
use crate::queue::Queue;
use crate::trace::{Note, Trace};

/// What a process can reach at one moment.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) host: Host,
    pub(crate) clock: Clock,
    pub(crate) is_calm: bool,
    pub(crate) mesh: &'a Mesh,
    pub(crate) network: &'a mut Network,
    pub(crate) queue: &'a mut Queue<Happening>,
    pub(crate) trace: &'a mut Trace,
    pub(crate) checker: &'a mut Checker,
}

impl Surroundings<'_> {
    /// Both clocks of the machine.
    pub(crate) fn read_clock(&self) -> Timestamp {
        self.clock.read(self.queue.now())
    }

    /// The time that no machine reads.
    pub(crate) fn true_time(&self) -> WallTime {
        EPOCH + self.queue.now()
    }

    /// Something happens after `delay`.
    pub(crate) fn later(&mut self, delay: Duration, happening: Happening) {
        self.queue.put(self.queue.now() + delay, happening);
    }

    /// Takes a note of what the world did here.
    pub(crate) fn did(&mut self, deed: &Deed) {
        self.note(deed);
    }

    /// Takes a note of what the router decided.
    pub(crate) fn decided(&mut self, decision: &Decision) {
        self.note(decision);
    }

    /// Takes a note of a frame that came from an agent.
    pub(crate) fn note_received(&mut self, kind: FrameKind, peer: &AgentId) {
        if let Some(from) = self.mesh.host(peer) {
            self.did(&Deed::Received(kind, from));
        }
    }

    /// Takes a note of what the application is told.
    pub(crate) fn decided_event(&mut self, event: &Event) {
        let host = |agent: &AgentId| self.mesh.host(agent);
        let decision = match *event {
            Event::Answered { answer, .. } => Some(Decision::Answered(match answer {
                Ok(Answer::Accepted(id)) => Ok(Some(id)),
                Ok(_) => Ok(None),
                Err(error) => Err(error.to_string()),
            })),
            Event::Moved { id, to, level, choice } => {
                host(&to).map(|to| Decision::Moved { id, to, level, choice })
            }
            Event::Arrived { arrival, sender, id, repeat } => {
                host(&sender).map(|sender| Decision::Arrived { arrival, sender, id, repeat })
            }
            Event::FirstContact(of) => host(&of).map(Decision::FirstContact),
            Event::Connected(to) => host(&to).map(Decision::Connected),
            Event::Disconnected(from) => host(&from).map(Decision::Disconnected),
            Event::Lineage { peer, suspicion } => {
                host(&peer).map(|peer| Decision::Suspicious(peer, suspicion))
            }
            Event::Equivocation(of) => host(&of).map(Decision::Equivocation),
            Event::Misbehaved { peer, how } => {
                host(&peer).map(|peer| Decision::Misbehaved(peer, how))
            }
            Event::Group { what, .. } => Some(Decision::Group(what.to_string())),
            Event::StoreFailed { .. } => Some(Decision::StoreFailed),
            _ => None,
        };
        if let Some(decision) = decision {
            self.decided(&decision);
        }
    }

    fn note<N: Note>(&mut self, note: &N) {
        self.trace.note(self.queue.now(), self.host, note);
    }
}
