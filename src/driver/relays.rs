//! The relays that this agent uses: its own, which keep its mail and hand out its prekeys, and those
//! of its peers, with which mail for them is left.
//!
//! Each relay has a task of its own that runs what the router wants of it, one call after the other,
//! over a session that is opened for it. Decides nothing about messages.

mod client;
mod errand;
mod mailbox;

pub(crate) use self::client::RelayBook;
pub use self::client::RelayState;

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::{AgentId, Relay};
use meshwork_protocols::relay::{Answer as RelayAnswer, EntryIndex, Logged, ReadLog, Request};
use meshwork_router::{AskId, CommandError, ERRANDS, Errand, Input, Output, RelayNews};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use self::client::Client;
use super::Driver;
use super::happening::Happening;

/// How many entries of a log are read at once for who asks.
const LOGGED: u16 = 256;

/// The tasks of the relays in use.
#[derive(Debug, Default)]
pub(super) struct Relays {
    by_agent: HashMap<AgentId, InUse>,
    /// What runs their errands.
    running: JoinSet<()>,
}

impl Relays {
    /// No errand comes any more; the tasks end with those that wait.
    pub(super) fn end(&mut self) -> JoinSet<()> {
        self.by_agent.clear();
        mem::take(&mut self.running)
    }
}

#[derive(Debug)]
struct InUse {
    client: Arc<Client>,
    errands: mpsc::Sender<Errand>,
    /// Whether its task fetches our mail.
    fetches: bool,
}

impl Driver {
    /// Gives a relay what the router wants of it.
    pub(super) fn run_errand(&mut self, output: Output) {
        let Some((relay, errand)) = Errand::of(output) else { return };
        let agent = relay.agent;
        let in_use = self.relay(relay);
        // What is lost here is said to be, or comes again.
        let Err(errand) = in_use.errands.try_send(errand) else { return };
        if let Some(news) = errand.into_inner().found_no_room(agent) {
            self.router.handle(self.shared.clock.now(), Input::Relay(news));
        }
    }

    /// Asks a relay for a group, beside its errands: a log is read until something comes.
    pub(super) fn ask_relay(&mut self, ask: AskId, relay: Relay, request: Request) {
        let client = Arc::clone(&self.relay(relay).client);
        let lines = self.lines.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                answer = client.exchange(&lines, &request) => {
                    lines.tell(Happening::Relay(RelayNews::Answered { ask, answer })).await;
                }
                () = lines.closing() => {}
            }
        });
    }

    /// Reads a group's log for who asks, beside the router's own reading.
    pub(super) fn read_log(
        &mut self,
        group: &GroupId,
        after: u64,
        answer: oneshot::Sender<Result<Vec<Logged>, CommandError>>,
    ) {
        let Some((holder, log)) = self.router.log_of(group) else {
            // Whoever asked may have gone meanwhile.
            let _ = answer.send(Err(CommandError::UnknownGroup));
            return;
        };
        let holder = holder.clone();
        let client = Arc::clone(&self.relay(holder).client);
        let lines = self.lines.clone();
        let read = ReadLog { log, after: EntryIndex(after), most: LOGGED, wait: 0 };
        let request = Request::ReadLog(read);
        self.tasks.spawn(async move {
            let read = tokio::select! {
                read = client.ask(&lines, &request) => read,
                () = lines.closing() => return,
            };
            let entries = match read {
                Ok(RelayAnswer::Entries { entries, .. }) => Ok(entries),
                _ => Err(CommandError::Unreachable),
            };
            let _ = answer.send(entries);
        });
    }

    /// Keeps a session to each relay that the agent's card names, and fetches the mail there.
    pub(super) fn fetch_mail(&mut self) {
        let card = Arc::clone(self.shared.identity.local().card());
        for relay in card.relays() {
            let lines = self.lines.clone();
            let in_use = self.relay(relay.clone());
            if !mem::replace(&mut in_use.fetches, true) {
                let client = Arc::clone(&in_use.client);
                client.is_ours();
                let nudges = lines.shared.relays.nudges_of(relay.agent);
                self.tasks.spawn(mailbox::fetch(client, nudges, lines));
            }
        }
    }

    fn relay(&mut self, relay: Relay) -> &mut InUse {
        let Self { relays: Relays { by_agent, running }, lines, .. } = self;
        let in_use = by_agent.entry(relay.agent).or_insert_with(|| {
            let client = Arc::new(Client::new(relay.clone()));
            lines.shared.relays.uses(relay.agent);
            let (errands, waiting) = mpsc::channel(ERRANDS);
            let (runs, lines) = (Arc::clone(&client), lines.clone());
            running.spawn(async move { errand::run(&runs, waiting, lines).await });
            InUse { client, errands, fetches: false }
        });
        in_use.client.is_at(relay);
        in_use
    }
}
