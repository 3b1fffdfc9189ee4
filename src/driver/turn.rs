//! The loop: what happens, in; what is to be done, out.

use std::future;
use std::ops::ControlFlow;
use std::sync::Arc;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::live::{PeerInfo, Role, SessionError};
use meshwork_router::{
    Command, Input, Meeting, Needs, PathChange, PathId, PathKind, PathOpened, PathRenewed,
    RelayMail, RelayNews, Request, Ticket,
};
use meshwork_state::StoreError;
use tokio::time;

use super::carrier::Carries;
use super::happening::Happening;
use super::order::Closed;
use super::session::Session;
use super::{Driver, Order};
use crate::agent::{Event, Stranger, Tally};

/// How many inputs are taken at a time before the disk is given what they led to.
const INPUTS_A_TURN: usize = 256;

/// Why the loop ends.
#[derive(Debug)]
pub(super) enum End {
    /// Somebody asked for it.
    Asked(Closed),
    /// Nobody is left who could.
    Dropped,
    /// The store is lost.
    Store(StoreError),
}

impl Driver {
    /// Runs until it is told to stop, nobody is left who could, or the store is lost.
    pub(super) async fn run(mut self) {
        let end = match self.begin().await {
            Err(error) => End::Store(error),
            Ok(()) => loop {
                match self.turn().await {
                    ControlFlow::Continue(()) => {}
                    ControlFlow::Break(end) => break end,
                }
                self.carry_out();
                if let Err(error) = self.recover().await {
                    break End::Store(error);
                }
            },
        };
        self.end(end).await;
    }

    /// Waits for something to happen, and lets the router decide.
    async fn turn(&mut self) -> ControlFlow<End> {
        self.commits.start();
        let clock = self.shared.clock;
        let wake = self.router.next_timeout().map(|at| clock.instant(at));
        let has_room = !self.router.is_congested();
        tokio::select! {
            finished = self.commits.finished() => {
                let _ = self.committed(&finished);
            }
            order = self.orders.recv() => return self.follow_all(order),
            Some(happening) = self.happenings.recv(), if has_room => self.note_all(happening),
            () = sleep_until(wake) => self.router.handle(clock.now(), Input::Tick),
            due = self.upkeep.due() => self.keep_up(due).await,
            Some(_) = self.tasks.join_next() => {}
            _ = &mut self.lease => return ControlFlow::Break(End::Dropped),
        }
        ControlFlow::Continue(())
    }

    /// Follows an order, and those behind it.
    fn follow_all(&mut self, first: Option<Order>) -> ControlFlow<End> {
        let mut next = first;
        for left in (0..INPUTS_A_TURN).rev() {
            match next {
                Some(Order::Close { answer }) => return ControlFlow::Break(End::Asked(answer)),
                Some(order) => self.follow(order),
                None => break,
            }
            next = if left > 0 { self.orders.try_recv().ok() } else { None };
        }
        ControlFlow::Continue(())
    }

    fn follow(&mut self, order: Order) {
        // Whoever asked may have gone meanwhile.
        match order {
            Order::Request { request, answer } => {
                let ticket = self.command(request);
                self.answers.insert(ticket, answer);
            }
            Order::Explain { peer, answer } => {
                let _ = answer.send(self.router.explain(&peer));
            }
            Order::Status { id, answer } => {
                let _ = answer.send(self.router.status(id));
            }
            Order::Strangers { answer } => {
                let strangers = self.router.strangers();
                let strangers = strangers.map(|(id, messages)| Stranger::new(*id, messages));
                let _ = answer.send(strangers.collect());
            }
            Order::Prekeys { answer } => {
                let _ = answer.send(self.router.prekeys());
            }
            Order::Bundle { answer } => {
                let _ = answer.send(self.router.bundle());
            }
            Order::Groups { answer } => {
                let _ = answer.send(self.router.groups());
            }
            Order::GroupStatus { id, answer } => {
                let _ = answer.send(self.router.group_status(id));
            }
            Order::Invitations { answer } => {
                let _ = answer.send(self.router.invitations());
            }
            Order::TryEntry { group, entry, answer } => {
                let _ = answer.send(self.router.try_entry(group, &entry));
            }
            Order::GroupLog { group, after, answer } => self.read_log(&group, after, answer),
            // Taken out before.
            Order::Close { .. } => {}
        }
    }

    /// Gives the router a request; the answer comes under the ticket.
    fn command(&mut self, request: Request) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let command = Command { ticket, request };
        self.router.handle(self.shared.clock.now(), Input::Command(command));
        ticket
    }

    /// Takes note of what happened, and of what happened behind it.
    fn note_all(&mut self, first: Happening) {
        let mut next = Some(first);
        for left in (0..INPUTS_A_TURN).rev() {
            let Some(happening) = next else { break };
            self.note(happening);
            let has_room = left > 0 && !self.router.is_congested();
            next = if has_room { self.happenings.try_recv().ok() } else { None };
        }
    }

    pub(super) fn note(&mut self, happening: Happening) {
        let now = self.shared.clock.now();
        match happening {
            Happening::Frames { path, frames, .. } => {
                for frame in &frames {
                    self.router.handle(now, Input::Received { path, frame });
                }
            }
            Happening::Opened { session, peer } => {
                let transport = session.carries.transport;
                let met = |(agent, needs): &(AgentId, Needs)| {
                    *agent == peer.agent && needs.allow(transport)
                };
                self.dialling.retain(|search| !met(search));
                self.welcome_strangers();
                let change = PathChange::Opened(opened(&session, *peer));
                self.paths.insert(session.path, Arc::clone(&session));
                self.shared.sessions.insert(Arc::clone(&session));
                self.router.handle(now, Input::PathChanged(change));
                self.prefer_session(session.peer);
            }
            Happening::Renewed { path, peer } => {
                let PeerInfo { card, lineage, remembered, .. } = *peer;
                let renewed = PathRenewed { path, card, lineage, remembered };
                self.router.handle(now, Input::PathChanged(PathChange::Renewed(renewed)));
            }
            Happening::Used(path) => {
                self.router.handle(now, Input::PathChanged(PathChange::Used(path)));
            }
            Happening::Relay(news) => self.router.handle(now, Input::Relay(news)),
            Happening::Mail { relay, kept, .. } => {
                let (entry, from, frame) = (kept.number.0, kept.sender, kept.packet.as_ref());
                let mail = RelayMail { relay, entry, from, frame };
                self.router.handle(now, Input::Relay(RelayNews::Mail(mail)));
            }
            Happening::Closed { path, why } => self.closed(path, why),
            Happening::DialFailed { peer, needs, why } => {
                self.dialling.remove(&(peer, needs));
                self.shared.notices.tell(Event::Unreachable { peer, why });
                let change = PathChange::DialFailed { peer, needs };
                self.router.handle(now, Input::PathChanged(change));
            }
            // Nobody waits for these answers: what they change is told.
            Happening::Learned(card) => {
                self.command(Request::Meet { card, meeting: Meeting::default() });
            }
            Happening::Contradicted { agent, number } => {
                self.shared.notices.tell(Event::Equivocation(agent));
                self.command(Request::Revoke { peer: agent, number });
            }
        }
    }
}

impl Driver {
    fn closed(&mut self, path: PathId, why: Option<SessionError>) {
        let session = self.paths.remove(&path);
        self.shared.sessions.remove(path);
        let now = self.shared.clock.now();
        self.router.handle(now, Input::PathChanged(PathChange::Closed(path)));
        let Some(session) = session else { return };
        self.prefer_session(session.peer);
        if let Some(why) = why {
            Tally::count(&self.shared.tally.broken);
            self.shared.notices.tell(Event::Broken { peer: session.peer, why });
        }
    }

    /// Lets the router know how many strangers what is offered to them is for.
    fn welcome_strangers(&mut self) {
        let strangers = self.shared.services.strangers();
        if self.welcome != strangers {
            self.welcome = strangers;
            self.router.handle(self.shared.clock.now(), Input::Welcome { strangers });
        }
    }

    /// Lets handles use the session that the router uses.
    fn prefer_session(&self, peer: AgentId) {
        self.shared.sessions.prefer(peer, self.router.explain(&peer).situation.live);
    }
}

fn opened(session: &Session, peer: PeerInfo) -> PathOpened {
    let initiated = peer.role == Role::Initiator;
    let PeerInfo { agent, card, posture, lineage, remembered, .. } = peer;
    let Carries { transport, max_frame: largest_frame, .. } = session.carries;
    let kind =
        PathKind::Live { transport, largest_frame, initiated, posture, card, lineage, remembered };
    PathOpened { path: session.path, peer: agent, kind }
}

async fn sleep_until(at: Option<time::Instant>) {
    match at {
        Some(at) => time::sleep_until(at).await,
        None => future::pending().await,
    }
}
