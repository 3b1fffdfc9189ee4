//! The relays that an agent uses: what the product's driver does between the router and calls. What
//! is asked, and what an answer means, are the router's own `Errands` and `Mailbox`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::{AgentId, Card};
use meshwork_protocols::relay::{Answer, Append, Entry, Kept, Nudge, Request};
use meshwork_router::{
    AskId, BatchId, Brought, Errand, Errands, Input, Mailbox, Output, RelayFailure, RelayMail,
    RelayNews, Turn,
};

use super::Crash;
use super::process::Process;
use super::surroundings::Surroundings;
use crate::broken::Broken;
use crate::mesh::Agent;
use crate::network::{CallId, Host, Letter};
use crate::note::Decision;

/// The relays in use, and the calls that are under way with them.
#[derive(Debug, Default)]
pub(super) struct AtRelays {
    relays: BTreeMap<AgentId, AtRelay>,
    calls: BTreeMap<CallId, Calling>,
    /// Mail that was handed over, and the batch that has to be durable before it is acknowledged.
    handed: BTreeMap<(AgentId, u64), Option<BatchId>>,
    /// Mail whose batch failed: it is acknowledged where it is handed over again, and not before.
    failed: BTreeSet<(AgentId, u64)>,
}

/// One relay.
#[derive(Debug)]
struct AtRelay {
    host: Host,
    errands: Errands,
    /// Where it keeps our mail.
    mailbox: Option<Mailbox>,
    /// Whether a call about the mailbox is under way.
    fetches: bool,
    /// When the mailbox has its turn, if it rests.
    rests_until: Option<Duration>,
}

/// A call under way.
#[derive(Clone, Copy, Debug)]
struct Calling {
    relay: AgentId,
    about: About,
    /// When it is given up, on the monotonic clock.
    ends: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum About {
    Errand,
    Mailbox,
    Group(AskId),
}

impl AtRelays {
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        let calls = self.calls.values().map(|call| call.ends);
        calls.chain(self.relays.values().filter_map(|relay| relay.rests_until)).min()
    }

    /// A batch comes out of the router: mail that is being handed over hangs on it.
    pub(super) fn batch_comes_out(&mut self, batch: BatchId) {
        for hangs_on in self.handed.values_mut() {
            hangs_on.get_or_insert(batch);
        }
    }

    /// No batch of before is waited for, whether it is there or not.
    pub(super) fn store_was_opened_again(&mut self) {
        self.failed.extend(std::mem::take(&mut self.handed).into_keys());
    }

    fn forget_handed(&mut self, durable: Option<BatchId>) {
        self.handed.retain(|_, hangs_on| hangs_on.is_some() && *hangs_on > durable);
    }
}

impl Process {
    /// Looks into the mailboxes that the card names.
    pub(super) fn begin_at_relays(&mut self, around: &mut Surroundings<'_>) {
        let own = around.mesh.agent(around.host).map(|agent| Arc::clone(agent.card()));
        let Some(card) = own else { return };
        for relay in card.relays() {
            if let Some(at) = self.at_relay(around, relay.agent) {
                at.mailbox = Some(Mailbox::new(card.agent()));
            }
        }
        self.call_relays(around);
    }

    /// Does what the router wants of a relay.
    pub(super) fn run_errand(&mut self, around: &mut Surroundings<'_>, output: Output) {
        let acknowledged = match &output {
            Output::Acknowledge { relay, entry } => Some((*relay, *entry)),
            _ => None,
        };
        let output = match output {
            Output::AskRelay { ask, relay, request } => {
                return self.ask_relay(around, ask, relay.agent, &request);
            }
            output => output,
        };
        let Some((relay, errand)) = Errand::of(output) else { return };
        if let Some(host) = around.mesh.relay_host(&relay.agent) {
            around.decided(&Decision::Errand(host));
        }
        if let Some(handed) = acknowledged {
            self.judge_acknowledgement(around, handed);
        }
        let Some(at) = self.at_relay(around, relay.agent) else { return };
        if let Err(errand) = at.errands.push(errand)
            && let Some(news) = errand.found_no_room(relay.agent)
        {
            self.router.handle(around.read_clock(), Input::Relay(news));
        }
        self.call_relays(around);
    }

    /// A letter came from a relay.
    pub(super) fn letter(
        &mut self,
        around: &mut Surroundings<'_>,
        from: Host,
        letter: Letter,
    ) -> Result<(), Crash> {
        match letter {
            Letter::Answer(call, answer) => {
                let answer = Answer::decode(&answer).map_err(|_| RelayFailure::Refused);
                self.call_ended(around, call, answer)?;
            }
            Letter::Nudge(nudge) => {
                let at = self.at_relays.relays.values_mut().find(|at| at.host == from);
                if let (Some(at), Ok(nudge)) = (at, Nudge::decode(&nudge))
                    && let Some(mailbox) = &mut at.mailbox
                {
                    mailbox.nudged(nudge);
                    at.rests_until = None;
                }
            }
            // An agent keeps nothing for others.
            Letter::Request(..) => {}
        }
        self.call_relays(around);
        Ok(())
    }

    /// Calls that were not answered in time are given up, and rests end.
    pub(super) fn relays_timeout(&mut self, around: &mut Surroundings<'_>) -> Result<(), Crash> {
        let now = around.read_clock().monotonic;
        let late: Vec<_> = self
            .at_relays
            .calls
            .iter()
            .filter(|(_, calling)| calling.ends <= now)
            .map(|(call, _)| *call)
            .collect();
        for call in late {
            self.call_ended(around, call, Err(RelayFailure::Gone))?;
        }
        self.call_relays(around);
        Ok(())
    }

    /// All batches up to this one are durable.
    pub(super) fn mail_is_durable(&mut self, batch: BatchId) {
        self.at_relays.forget_handed(Some(batch));
    }

    fn call_ended(
        &mut self,
        around: &mut Surroundings<'_>,
        call: CallId,
        answer: Result<Answer, RelayFailure>,
    ) -> Result<(), Crash> {
        let Some(Calling { relay, about, .. }) = self.at_relays.calls.remove(&call) else {
            return Ok(());
        };
        // What a group asked for takes a refusal as an answer.
        if let About::Group(ask) = about {
            return self.handle(around, Input::Relay(RelayNews::Answered { ask, answer }));
        }
        let answer = match answer {
            Ok(Answer::Refused(refusal)) => Err(refusal.into()),
            answer => answer,
        };
        let now = around.read_clock().monotonic;
        let Some(at) = self.at_relays.relays.get_mut(&relay) else { return Ok(()) };
        match (about, &mut at.mailbox) {
            (About::Errand, _) => {
                for news in at.errands.answered(answer) {
                    self.handle(around, Input::Relay(news))?;
                }
                Ok(())
            }
            (About::Mailbox, Some(mailbox)) => {
                at.fetches = false;
                let brought = mailbox.answered(now, answer);
                self.take_brought(around, relay, brought)
            }
            (About::Mailbox, None) | (About::Group(_), _) => Ok(()),
        }
    }

    fn take_brought(
        &mut self,
        around: &mut Surroundings<'_>,
        relay: AgentId,
        brought: Brought,
    ) -> Result<(), Crash> {
        if let Some(depth) = brought.depth {
            let count = |count| usize::try_from(count).unwrap_or(usize::MAX);
            let (depth, offers) = (count(depth.prekeys), count(depth.packages));
            let met = RelayNews::Met { relay, depth, offers, is_back: brought.is_back };
            self.handle(around, Input::Relay(met))?;
        }
        brought.mail.into_iter().try_for_each(|kept| self.hand_over(around, relay, &kept))
    }

    fn hand_over(
        &mut self,
        around: &mut Surroundings<'_>,
        relay: AgentId,
        kept: &Kept,
    ) -> Result<(), Crash> {
        let (entry, from, frame) = (kept.number.0, kept.sender, kept.packet.as_ref());
        // One that came before and waits to be acknowledged hangs on what it brought then.
        self.at_relays.handed.entry((relay, entry)).or_insert(None);
        self.at_relays.failed.remove(&(relay, entry));
        let mail = RelayMail { relay, entry, from, frame };
        self.handle(around, Input::Relay(RelayNews::Mail(mail)))?;
        // What brought no batch hangs on none.
        self.at_relays.handed.retain(|_, hangs_on| hangs_on.is_some());
        if self.habits.broken == Some(Broken::AcknowledgesMailAtOnce) {
            self.run_errand(around, Output::Acknowledge { relay, entry });
        }
        Ok(())
    }

    /// What a piece of mail brought must be durable before its relay may forget it.
    fn judge_acknowledgement(
        &mut self,
        around: &mut Surroundings<'_>,
        (relay, entry): (AgentId, u64),
    ) {
        // Those whose batch is durable are forgotten by then.
        let hangs_on = self.at_relays.handed.remove(&(relay, entry)).flatten();
        if (hangs_on.is_some() || self.at_relays.failed.contains(&(relay, entry)))
            && let Some(relay) = around.mesh.relay_host(&relay)
        {
            around.checker.mail_acknowledged_early(around.host, relay);
        }
    }

    /// Asks a relay for a group, beside its errands.
    fn ask_relay(
        &mut self,
        around: &mut Surroundings<'_>,
        ask: AskId,
        relay: AgentId,
        request: &Request,
    ) {
        self.judge_append(around, request);
        let Some(host) = around.mesh.relay_host(&relay) else { return };
        around.decided(&Decision::Asks(host, name_of(request)));
        self.call_relay(around, (relay, host), About::Group(ask), request);
    }

    /// Makes the calls that are due: of each relay one about errands and one about the mailbox.
    fn call_relays(&mut self, around: &mut Surroundings<'_>) {
        let Some(card) = around.mesh.agent(around.host).map(Agent::card) else { return };
        let now = around.read_clock().monotonic;
        let mut begun = Vec::new();
        for (relay, at) in &mut self.at_relays.relays {
            if let Some(request) = at.errands.next_request() {
                begun.push((*relay, at.host, About::Errand, request));
            }
            if let Some(request) = at.fetch(now, card) {
                begun.push((*relay, at.host, About::Mailbox, request));
            }
        }
        for (relay, host, about, request) in begun {
            self.call_relay(around, (relay, host), about, &request);
        }
    }

    /// Asks a relay, which has a while to answer.
    fn call_relay(
        &mut self,
        around: &mut Surroundings<'_>,
        (relay, host): (AgentId, Host),
        about: About,
        request: &Request,
    ) {
        let (call, now) = (around.network.next_call(), around.read_clock().monotonic);
        let ends = now + PATIENCE + request.wait();
        self.at_relays.calls.insert(call, Calling { relay, about, ends });
        let is_lost = self.habits.broken == Some(Broken::PutsNoCommitBack)
            && around.checker.fleets.is_put_back(request);
        if !is_lost {
            let letter = Letter::Request(call, request.encode());
            around.network.send_letter(around.host, host, &letter, around.queue);
        }
    }

    fn at_relay(&mut self, around: &Surroundings<'_>, relay: AgentId) -> Option<&mut AtRelay> {
        let host = around.mesh.relay_host(&relay)?;
        let own = around.mesh.agent(around.host)?.id();
        Some(self.at_relays.relays.entry(relay).or_insert_with(|| AtRelay {
            host,
            errands: Errands::new(own, relay),
            mailbox: None,
            fetches: false,
            rests_until: None,
        }))
    }
}

impl AtRelay {
    /// What the mailbox asks for, unless it rests or waits for an answer.
    fn fetch(&mut self, now: Duration, card: &Card) -> Option<Request> {
        let mailbox = self.mailbox.as_mut().filter(|_| !self.fetches)?;
        match mailbox.turn(now, card) {
            Turn::Ask(request) => {
                (self.fetches, self.rests_until) = (true, None);
                Some(request)
            }
            Turn::RestUntil(until) => {
                self.rests_until = Some(until);
                None
            }
        }
    }
}

/// What is asked for a group.
const fn name_of(request: &Request) -> &'static str {
    match request {
        Request::Append(Append { entry: Entry::Commit(_), .. }) => "append a commit",
        Request::Append(Append { entry: Entry::Message(_), .. }) => "append a message",
        Request::Append(_) => "append a statement",
        Request::ReadLog(_) => "read on",
        Request::PassedLog { .. } => "read so far",
        Request::PutBlob { .. } => "keep a blob",
        Request::GetBlob(_) => "give a blob",
        Request::GetCard(_) => "give a card",
        Request::Take { .. } => "give an offer",
        Request::Publish(_) => "keep offers",
        _ => "something else",
    }
}

/// How long a relay has to answer, beyond what it was asked to wait: as in the product.
const PATIENCE: Duration = Duration::from_secs(20);
