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

use meshwork_protocols::identity::{AgentId, Relay};
use meshwork_router::{Input, Output, RelayFailure, RelayNews};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::client::Client;
use self::errand::Errand;
use super::Driver;
use super::lines::Lines;

/// How many errands may wait for one relay: with the largest frames a gigabyte would, with usual
/// ones a few megabytes. Beyond it a relay counts as one that takes no more now.
const ERRANDS: usize = 1_024;

/// When an errand that found no room is tried again.
const NO_ROOM: RelayFailure =
    RelayFailure::NotNow { retry_after: std::time::Duration::from_secs(5) };

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
        let (relay, errand) = match output {
            Output::Deposit { deposit, relay, to, expires, frame } => {
                (relay, Errand::Deposit { deposit, to, expires, frame })
            }
            Output::TakePrekeys { request, relay, of } => (relay, Errand::Take { request, of }),
            Output::Acknowledge { relay, entry } => (named(relay), Errand::Acknowledge(entry)),
            Output::Publish { relay, bundle, pool } => {
                (named(relay), Errand::Publish { bundle, pool })
            }
            _ => return,
        };
        let agent = relay.agent;
        let in_use = self.relay(relay);
        // What is lost here is said to be, or comes again.
        let Err(errand) = in_use.errands.try_send(errand) else { return };
        if let Some(news) = not_now(agent, &errand.into_inner()) {
            self.router.handle(self.shared.clock.now(), Input::Relay(news));
        }
    }

    /// Keeps a session to each relay that the agent's card names, and fetches the mail there.
    pub(super) fn fetch_mail(&mut self) {
        let card = Arc::clone(self.shared.identity.local().card());
        for relay in card.relays() {
            let lines = self.lines.clone();
            let in_use = self.relay(relay.clone());
            if !mem::replace(&mut in_use.fetches, true) {
                let client = Arc::clone(&in_use.client);
                self.tasks.spawn(mailbox::fetch(client, lines));
            }
        }
    }

    fn relay(&mut self, relay: Relay) -> &mut InUse {
        let Self { relays: Relays { by_agent, running }, lines, .. } = self;
        let in_use = by_agent.entry(relay.agent).or_insert_with(|| {
            let client = Arc::new(Client::new(relay.clone()));
            lines.shared.relays.uses(relay.agent);
            let (errands, waiting) = mpsc::channel(ERRANDS);
            running.spawn(run(Arc::clone(&client), waiting, lines.clone()));
            InUse { client, errands, fetches: false }
        });
        in_use.client.is_at(relay);
        in_use
    }
}

/// Runs errands until no more come.
async fn run(client: Arc<Client>, mut errands: mpsc::Receiver<Errand>, lines: Lines) {
    while let Some(first) = errands.recv().await {
        let mut waiting = vec![first];
        while waiting.len() < errand::TOGETHER
            && let Ok(next) = errands.try_recv()
        {
            waiting.push(next);
        }
        errand::run(&client, &lines, waiting).await;
    }
}

/// A relay of which only the id is known here: its task is there, or knows no address.
fn named(agent: AgentId) -> Relay {
    Relay { agent, addresses: Vec::new() }
}

/// What an errand that found no room came to; `None` for one that comes again by itself.
fn not_now(relay: AgentId, errand: &Errand) -> Option<RelayNews<'static>> {
    match *errand {
        Errand::Deposit { deposit, .. } => Some(RelayNews::NotDeposited { deposit, why: NO_ROOM }),
        Errand::Take { of, .. } => Some(RelayNews::Taken { relay, of, prekeys: Err(NO_ROOM) }),
        Errand::Acknowledge(_) | Errand::Publish { .. } => None,
    }
}
