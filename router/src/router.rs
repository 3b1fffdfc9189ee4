//! The three verbs.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::{AgentId, Relay};
use meshwork_protocols::random::Random;
use meshwork_protocols::relay::{Entry, LogId};
use meshwork_protocols::time::Timestamp;
use meshwork_protocols::wire::MessageId;
use meshwork_state::{Rows, StoreError};

use crate::choice::{Choice, Situation, choose};
use crate::command::{Answer, Command, CommandError, Request, Ticket};
use crate::deferred::{Deferred, PrekeyStatus};
use crate::desk::{Config, Desk};
use crate::event::{Event, Level};
use crate::fleet::SentToGroupRow;
use crate::fleets::{GroupStatus, GroupSummary, InvitationSummary, Trial};
use crate::input::{Input, PathChange};
use crate::ledger::Ledger;
use crate::output::{BatchId, CloseReason, Output};
use crate::peer::Standing;
use crate::sent::{SentRow, Status};
use crate::transition::{Finished, Transition};

/// The state machine. Whoever drives it calls [`Router::handle`] for everything that happens, does
/// what [`Router::poll`] hands out, and calls `handle` with [`Input::Tick`] when
/// [`Router::next_timeout`] has come. Polling late loses nothing: each `handle` finishes its
/// transition before it returns.
#[derive(Debug)]
pub struct Router {
    ledger: Ledger,
    desk: Desk,
    outputs: VecDeque<Output>,
    /// A row could not be read, so that memory may not fit the rows until they are loaded again.
    failed: bool,
    /// Changes of paths that came meanwhile: no row says which paths stand.
    missed: Vec<PathChange>,
    /// Requests that rolled back batches would have answered.
    unanswered: Vec<Output>,
    /// The batch that gives up the sending sessions of a restored state, until it is durable.
    archive: Option<BatchId>,
    now: Timestamp,
}

/// How a message to a peer would go now, and what is known of the ways to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// What is chosen, and why.
    pub choice: Choice,
    /// What is known of the ways.
    pub situation: Situation,
    /// How the peer stands with the owner; `None` for one that is not known.
    pub standing: Option<Standing>,
    /// How many messages to it are not settled.
    pub waiting: usize,
}

impl Router {
    /// Rebuilds the state machine from what is durable.
    pub fn restore(
        rows: Box<dyn Rows>,
        config: Config,
        random: Box<dyn Random>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let archive = config.restored.then_some(BatchId(0));
        let ledger = Ledger::new(rows);
        let desk = Desk::new(config, random);
        let mut this = Self {
            ledger,
            desk,
            outputs: VecDeque::new(),
            failed: false,
            missed: Vec::new(),
            unanswered: Vec::new(),
            archive,
            now,
        };
        this.load()?;
        Ok(this)
    }

    /// Takes what happened and finishes the transition it leads to.
    pub fn handle(&mut self, now: Timestamp, input: Input<'_>) {
        self.now = now;
        match input {
            Input::Committed(id) => {
                self.archive = self.archive.filter(|archive| *archive > id);
                let released = self.ledger.committed(id);
                self.release(released);
            }
            Input::CommitFailed(_) => self.roll_back(now),
            Input::Command(command) => self.command(now, command),
            Input::PathChanged(change) => self.path_changed(now, change),
            Input::CardRenewed(card) => self.desk.show_card(&card),
            Input::Welcome { strangers } => self.desk.strangers.welcome(strangers),
            _ if self.failed => {}
            Input::Received { path, frame } => {
                let congested = self.ledger.is_congested();
                self.step(now, |desk, step| desk.received(step, path, frame, congested));
            }
            Input::Relay(news) => {
                let congested = self.ledger.is_congested();
                self.step(now, |desk, step| desk.relay_news(step, news, congested));
            }
            Input::Tick => self.step(now, Desk::tick),
        }
    }

    /// The next thing to do, if any.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When time itself will matter: then [`Router::handle`] wants [`Input::Tick`].
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let at = self.desk.next_timeout(self.now).filter(|_| !self.failed)?;
        Some(self.now + at.saturating_sub(self.now.monotonic))
    }

    /// Whether so much waits for the disk that paths should not be read for a while.
    pub fn is_congested(&self) -> bool {
        self.ledger.is_congested()
    }

    /// How a small message to this peer would go now.
    pub fn explain(&self, peer: &AgentId) -> Explanation {
        let step = Transition::new(&self.ledger, self.now);
        // A row that cannot be read now is told of by the next step that needs it.
        let situation = self.desk.situation(&step.view(), peer, 0).unwrap_or_default();
        Explanation {
            choice: choose(&situation).choice,
            situation,
            standing: self.desk.peers.standing(peer),
            waiting: self.desk.outbox.depth(peer),
        }
    }

    /// How far a message of ours got.
    pub fn status(&self, id: MessageId) -> Result<Option<Status>, StoreError> {
        let step = Transition::new(&self.ledger, self.now);
        let row = SentRow::read(&step, id)?;
        if let Some(entry) = self.desk.outbox.entry(id) {
            // What became of it so far: durable at a relay, or nothing.
            if let Some(row) = row {
                return Ok(Some(Status { to: row.to, level: row.level, choice: row.choice }));
            }
            let sent = self.desk.outbox.is_on_its_way(id);
            let level = if sent { Level::Sent } else { Level::Queued };
            let choice = if sent {
                entry.choice
            } else {
                self.desk.choice(&step.view(), &entry.to, entry.frame)?
            };
            return Ok(Some(Status { to: entry.to, level, choice }));
        }
        Ok(row.map(|row| Status { to: row.to, level: row.level, choice: row.choice }))
    }

    /// How far a message of ours to a group got.
    pub fn group_status(&self, id: MessageId) -> Result<Option<GroupStatus>, StoreError> {
        let step = Transition::new(&self.ledger, self.now);
        self.desk.group_status(&step, id)
    }

    /// The strangers that wrote, and how many of their messages are held.
    pub fn strangers(&self) -> impl Iterator<Item = (&AgentId, usize)> {
        self.desk.held.strangers()
    }

    /// The agent's prekeys; `None` where it has none.
    pub fn prekeys(&self) -> Result<Option<PrekeyStatus>, StoreError> {
        let step = Transition::new(&self.ledger, self.now);
        match self.desk.config.stored.deferred() {
            Some(deferred) => deferred.status(&step.view(), &self.ledger),
            None => Ok(None),
        }
    }

    /// The agent's newest bundle, signed and without one-time keys, for others to import.
    pub fn bundle(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let step = Transition::new(&self.ledger, self.now);
        let bundle = Deferred::export(&step.view())?;
        Ok(bundle.map(|bundle| bundle.expose().to_vec()))
    }

    /// The groups that this agent is in.
    pub fn groups(&mut self) -> Result<Vec<GroupSummary>, StoreError> {
        let mut step = Transition::new(&self.ledger, self.now);
        self.desk.groups(&mut step)
    }

    /// What an entry of a group's log would come to with the keys that are here. Nothing changes.
    pub fn try_entry(
        &mut self,
        group: GroupId,
        entry: &Entry,
    ) -> Result<Result<Trial, CommandError>, StoreError> {
        let mut step = Transition::new(&self.ledger, self.now);
        self.desk.try_entry(&mut step, group, entry)
    }

    /// Who holds the log of a group that this agent is in, and what it is called there.
    pub fn log_of(&self, group: &GroupId) -> Option<(&Relay, LogId)> {
        self.desk.log(group)
    }

    /// The groups that this agent is invited to.
    pub fn invitations(&self) -> Result<Vec<InvitationSummary>, StoreError> {
        let step = Transition::new(&self.ledger, self.now);
        self.desk.invitations(&step)
    }

    /// A path came or went. Where a row that this needs cannot be read, it is taken again later.
    fn path_changed(&mut self, now: Timestamp, change: PathChange) {
        if !self.failed {
            self.step(now, |desk, step| desk.path_changed(step, &change));
        }
        if self.failed {
            self.missed.push(change);
        }
    }

    /// One transition. What waits for no row comes out even where another row cannot be read: the
    /// paths that it is about are in memory alone, and are not loaded again.
    fn step(
        &mut self,
        now: Timestamp,
        act: impl FnOnce(&mut Desk, &mut Transition<'_>) -> Result<(), StoreError>,
    ) {
        let mut step = Transition::new(&self.ledger, now);
        let done = act(&mut self.desk, &mut step).and_then(|()| self.desk.pump(&mut step));
        let finished = step.finish();
        match done {
            Ok(()) => self.adopt(finished),
            Err(error) => {
                self.outputs.extend(finished.free);
                self.store_failed(error);
            }
        }
    }

    fn command(&mut self, now: Timestamp, command: Command) {
        let Command { ticket, request } = command;
        let error = match self.try_command(now, ticket, request) {
            Ok(()) => return,
            Err(error) => error,
        };
        self.outputs.push_back(Output::Event(Event::Answered { ticket, answer: Err(error) }));
        if let CommandError::Store(error) = error {
            self.store_failed(error);
        }
    }

    fn try_command(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        request: Request,
    ) -> Result<(), CommandError> {
        if self.failed {
            return Err(CommandError::CommitFailed);
        }
        let congested = self.ledger.is_congested();
        let mut step = Transition::new(&self.ledger, now);
        let answer = perform(&mut self.desk, &mut step, ticket, request, congested)?;
        if let Err(error) = self.desk.pump(&mut step) {
            self.desk.reaches.withdraw(ticket);
            self.outputs.extend(step.finish().free);
            return Err(CommandError::Store(error));
        }
        let event = |answer| Event::Answered { ticket, answer: Ok(answer) };
        match answer {
            // No row depends on a session.
            Some(answer @ Answer::Reached(_)) => step.tell_now(event(answer)),
            Some(answer) => step.tell(event(answer)),
            // It is answered when a session opens, or none is found.
            None => {}
        }
        let finished = step.finish();
        self.adopt(finished);
        Ok(())
    }

    fn adopt(&mut self, finished: Finished) {
        let Finished { batch, held, free } = finished;
        self.outputs.extend(free);
        let (commit, released) = self.ledger.adopt(batch, held);
        self.outputs.extend(commit.map(|(id, batch)| Output::Commit(id, batch)));
        self.release(released);
    }

    /// What waited for nothing else comes out.
    fn release(&mut self, released: Vec<Output>) {
        for output in &released {
            if let Output::Event(Event::Arrived { arrival, .. }) = output {
                self.desk.announced = arrival + 1;
            }
        }
        self.outputs.extend(released);
    }

    /// Rebuilds memory from the rows, and begins what they ask for.
    fn load(&mut self) -> Result<(), StoreError> {
        let mut step = Transition::new(&self.ledger, self.now);
        if self.archive.is_some() {
            self.desk.archive(&self.ledger, &mut step)?;
            self.archive = Some(self.ledger.first_pending());
        }
        self.desk.load(&self.ledger, &mut step)?;
        self.desk.pump(&mut step)?;
        let finished = step.finish();
        if finished.batch.is_empty() {
            self.archive = None;
        }
        self.adopt(finished);
        Ok(())
    }

    /// Memory may not fit the rows any more: nothing is done until they are loaded again.
    fn store_failed(&mut self, error: StoreError) {
        self.failed = true;
        let lost_from = self.ledger.first_pending();
        self.outputs.push_back(Output::Event(Event::StoreFailed { lost_from, error }));
    }

    /// Nothing that is pending will be durable: back to the rows. A batch whose commit failed can
    /// still be there, whole; what it accepted is then answered as accepted.
    fn roll_back(&mut self, now: Timestamp) {
        self.unanswered.extend(self.ledger.roll_back());
        self.outputs.retain(|output| !matches!(output, Output::Commit(..)));
        match self.load() {
            Ok(()) => {
                self.failed = false;
                self.answer_dropped();
                for change in mem::take(&mut self.missed) {
                    self.path_changed(now, change);
                }
            }
            Err(error) => self.store_failed(error),
        }
    }

    /// Whether the rows have a message of ours. One that cannot be read is told of by the next step
    /// that needs it.
    fn is_taken_on(&self, id: MessageId) -> bool {
        let step = Transition::new(&self.ledger, self.now);
        self.desk.outbox.entry(id).is_some()
            || SentToGroupRow::read(&step, id).is_ok_and(|row| row.is_some())
    }

    fn answer_dropped(&mut self) {
        for output in mem::take(&mut self.unanswered) {
            let Output::Event(Event::Answered { ticket, answer }) = output else { continue };
            let answer = match answer {
                Ok(Answer::Accepted(id)) if self.is_taken_on(id) => answer,
                _ => Err(CommandError::CommitFailed),
            };
            self.outputs.push_back(Output::Event(Event::Answered { ticket, answer }));
        }
    }
}

/// Does what the application or the operator asks for; `None` where the answer comes later.
fn perform(
    desk: &mut Desk,
    step: &mut Transition<'_>,
    ticket: Ticket,
    request: Request,
    congested: bool,
) -> Result<Option<Answer>, CommandError> {
    match request {
        Request::Send(outgoing) => return desk.send(step, outgoing, congested).map(Some),
        Request::Reach { peer, needs } => return desk.reach(step, peer, needs, ticket),
        Request::Process { sender, id } => desk.process(step, sender, id)?,
        Request::Meet { card, meeting } => desk.meet(step, &card, meeting)?,
        Request::Revoke { peer, number } => {
            desk.peers.revoke(step, peer, number)?;
            desk.close_all(step, &peer, CloseReason::CardRefused);
            desk.revoked_in_groups(step, peer)?;
        }
        Request::Stand { peer, standing } => {
            desk.peers.stand(step, peer, standing)?;
            desk.stands_now(step, &peer, standing)?;
        }
        Request::Name { peer, name } => desk.peers.name(step, peer, name)?,
        Request::Forget(peer) => desk.forget(step, &peer)?,
        Request::RotatePrekeys => desk.rotate_prekeys(step)?,
        Request::PublishPrekeys => desk.publish_prekeys(step)?,
        Request::Group(request) => return desk.group_request(step, ticket, request, congested),
        Request::ImportBundle(bundle) => return desk.import_bundle(step, &bundle).map(Some),
    }
    Ok(Some(Answer::Done))
}
