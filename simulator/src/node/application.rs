//! What runs on an agent: it sends, hears of messages, and deals with them some time later. What it
//! knows dies with the process; the checker alone remembers everything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::wire::MessageId;
use meshwork_router::{Answer, Command, CommandError, Event, Input, Outgoing, Request, Ticket};

use super::Crash;
use super::process::Process;
use super::surroundings::Surroundings;
use crate::happening::{GroupAct, Happening, Sending};
use crate::mesh::Agent;

/// What an application knows.
#[derive(Debug, Default)]
pub(super) struct Application {
    next_ticket: u64,
    /// What it waits to hear.
    asked: BTreeMap<Ticket, Asked>,
    /// What it has heard of and not yet dealt with.
    unread: BTreeSet<(AgentId, MessageId)>,
    /// Up to which epoch of the group it draws new keys in each.
    pub(super) rotates_until: u64,
}

/// What a ticket was for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    Send(Sending),
    Process(AgentId, MessageId),
    /// In which epoch.
    Group(GroupAct, u64),
    Other,
}

impl Process {
    /// The application or the owner asks for something.
    pub(super) fn ask(
        &mut self,
        around: &mut Surroundings<'_>,
        request: Request,
    ) -> Result<(), Crash> {
        let asked = match &request {
            Request::Process { sender, id } => Asked::Process(*sender, *id),
            _ => Asked::Other,
        };
        self.submit(around, request, asked)
    }

    /// The application sends a message.
    pub(super) fn send(
        &mut self,
        around: &mut Surroundings<'_>,
        sending: Sending,
    ) -> Result<(), Crash> {
        let Some(to) = around.mesh.agent(sending.to).map(Agent::id) else {
            return Ok(());
        };
        let outgoing = Outgoing {
            to,
            id: sending.id,
            content_type: "text/plain".parse().unwrap_or_default(),
            body: sending.body(),
            lifetime: sending.lifetime,
            ordered: sending.ordered,
        };
        around.checker.submitted(&sending);
        self.submit(around, Request::Send(outgoing), Asked::Send(sending))
    }

    /// What the application has heard of and not dealt with.
    pub(super) fn unread(&self) -> impl Iterator<Item = (AgentId, MessageId)> {
        self.application.unread.iter().copied()
    }

    /// The application is told.
    pub(super) fn told(&mut self, around: &mut Surroundings<'_>, event: Event) {
        around.decided_event(&event);
        match event {
            Event::Answered { ticket, answer } => {
                let asked = self.application.asked.remove(&ticket).unwrap_or(Asked::Other);
                match (asked, answer) {
                    (Asked::Send(sending), answer) => self.send_answered(around, sending, answer),
                    (Asked::Process(sender, id), Ok(_)) => {
                        self.application.unread.remove(&(sender, id));
                        around.checker.processed(around.host, around.mesh, &sender, id);
                    }
                    (Asked::Process(sender, id), Err(_)) => {
                        if self.application.unread.contains(&(sender, id)) {
                            let host = around.host;
                            around.later(A_SECOND, Happening::Read { host, sender, id });
                        }
                    }
                    (Asked::Group(act, epoch), answer) => {
                        self.group_answered(around, (act, epoch), answer);
                    }
                    (Asked::Other, _) => {}
                }
            }
            Event::Arrived { arrival, sender, id, repeat } => {
                self.application.unread.insert((sender, id));
                let arrived = (arrival, sender, id, repeat);
                around.checker.arrived(around.host, around.mesh, &self.state, arrived);
                if let Some(delay) = self.habits.reads_after(around.is_calm, &mut self.random) {
                    let host = around.host;
                    around.later(delay, Happening::Read { host, sender, id });
                }
            }
            Event::Moved { id, to, level, .. } => {
                around.checker.moved(around.host, around.mesh, id, &to, level);
            }
            Event::Lineage { peer, suspicion } => {
                around.checker.suspected(around.host, around.mesh, &peer, suspicion);
            }
            Event::Group { what, .. } => self.told_of_group(around, what),
            Event::StoreFailed { lost_from, .. } => self.disk_work.group.lose_from(lost_from),
            _ => {}
        }
    }

    fn send_answered(
        &mut self,
        around: &mut Surroundings<'_>,
        sending: Sending,
        answer: Result<Answer, CommandError>,
    ) {
        match answer {
            Ok(Answer::Accepted(id)) => {
                around.checker.accepted(&sending, id, around.true_time());
            }
            // The same id makes it safe to ask again.
            Err(error) if error.is_worth_a_retry() && sending.id.is_some() => {
                around.later(A_SECOND, Happening::Send(sending));
            }
            _ => {}
        }
    }

    pub(super) fn submit(
        &mut self,
        around: &mut Surroundings<'_>,
        request: Request,
        asked: Asked,
    ) -> Result<(), Crash> {
        let ticket = Ticket(self.application.next_ticket);
        self.application.next_ticket += 1;
        self.application.asked.insert(ticket, asked);
        self.handle(around, Input::Command(Command { ticket, request }))
    }
}

/// How long an application waits before it asks again.
const A_SECOND: Duration = Duration::from_secs(1);
