//! How an agent is set up and started.

mod error;
mod hardware;
mod open;
mod start;
mod transports;
mod witness;

pub use error::StartError;
#[cfg(test)]
pub(crate) use start::{Setup, start_on};
pub(crate) use transports::Transports;

use std::net::{AddrParseError, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::{Address, Contact, Root, Transport};
use meshwork_protocols::live::Suite;
use meshwork_protocols::provider::FleetProvider;
use meshwork_router::{FirstContact, HEARTBEAT, Limits, Policy, PrekeySettings};
use meshwork_state::Unlock;

use crate::agent::Agent;

/// What an agent is started with.
#[derive(Debug, Default)]
#[must_use = "nothing happens before `start`"]
pub struct Builder {
    place: Place,
    unlock: Option<Unlock>,
    witness: Option<PathBuf>,
    root: Option<Root>,
    listen: Vec<Result<SocketAddr, AddrParseError>>,
    advertise: Vec<Address>,
    relays: Vec<Contact>,
    suites: Vec<Suite>,
    fresh_card: bool,
    policy: Policy,
    limits: Limits,
    transports: Transports,
    prekeys: PrekeySettings,
    heartbeat: Heartbeat,
    provider: Option<Arc<dyn FleetProvider>>,
}

/// How often a conversation is kept moving.
#[derive(Clone, Copy, Debug)]
struct Heartbeat(Option<Duration>);

impl Default for Heartbeat {
    fn default() -> Self {
        Self(Some(HEARTBEAT))
    }
}

/// Where the state is.
#[derive(Debug, Default)]
enum Place {
    #[default]
    Nowhere,
    Folder(PathBuf),
    Memory,
}

impl Builder {
    /// Keeps the state in this folder. Where there is none, a new agent is made.
    pub fn state(self, folder: impl Into<PathBuf>) -> Self {
        Self { place: Place::Folder(folder.into()), ..self }
    }

    /// Keeps the state in memory: a new agent, which is gone when it stops. For tests and examples.
    pub fn in_memory(self) -> Self {
        Self { place: Place::Memory, ..self }
    }

    /// What opens the state. Without it, the key file `key` in the state's folder, which is made
    /// (mode 0600) together with the state.
    pub fn unlock(self, unlock: Unlock) -> Self {
        Self { unlock: Some(unlock), ..self }
    }

    /// Keeps the witness, by which a restored or copied state is recognised, in this folder. It
    /// must not be copied back together with the state. Without it, in the user's data folder.
    pub fn witness(self, folder: impl Into<PathBuf>) -> Self {
        Self { witness: Some(folder.into()), ..self }
    }

    /// The root of the agent, which is kept apart: it signs what has to be signed while this
    /// agent runs, and is not written into the state. Without it, a new agent's root is drawn and
    /// kept in the state.
    pub fn root(self, root: Root) -> Self {
        Self { root: Some(root), ..self }
    }

    /// Listens there, for example on `127.0.0.1:7400`; port 0 takes a free one. May be said more
    /// than once. An agent that listens nowhere dials, and leaves its card as it is.
    pub fn listen(mut self, address: &str) -> Self {
        self.listen.push(address.parse());
        self
    }

    /// Says in the card that the agent is there, instead of where it listens: for an agent behind
    /// an address translation or with a name. May be said more than once, best first.
    pub fn advertise(mut self, address: Address) -> Self {
        self.advertise.push(address);
        self
    }

    /// Names a relay in the card: a node that keeps this agent's mail and hands out its prekeys while
    /// it is away. May be said more than once: mail is left with the first that answers. Without
    /// it, the card stays as it is.
    pub fn relay(mut self, relay: Contact) -> Self {
        self.relays.push(relay);
        self
    }

    /// The live suites that the card lists, best first, instead of all of them by whether this
    /// machine does AES in hardware: a session runs under AESGCM where both cards put it first.
    pub fn suites(self, suites: impl Into<Vec<Suite>>) -> Self {
        Self { suites: suites.into(), ..self }
    }

    /// Signs a new card at the start, whether one is due or not, and brings the next live key into
    /// use. The root must be in the state or be brought.
    pub fn fresh_card(self) -> Self {
        Self { fresh_card: true, ..self }
    }

    /// What becomes of a stranger's first message. Without it, it is held for the owner to decide.
    pub fn first_contact(mut self, first_contact: FirstContact) -> Self {
        self.policy.first_contact = first_contact;
        self
    }

    /// How many connections may be open whose peers have not proved who they are.
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Speaks these transports alone, to listen and to dial, all at the port of each address to
    /// listen on: QUIC, then UDP, then TCP. Without it, QUIC and TCP.
    pub fn transports(self, transports: &[Transport]) -> Self {
        Self { transports: Transports::of(transports), ..self }
    }

    /// How many one-time keys are kept ready for peers that want to write while this agent is away,
    /// and when there are to be new ones.
    pub fn prekeys(self, prekeys: PrekeySettings) -> Self {
        Self { prekeys, ..self }
    }

    /// How often a conversation by stored sessions is kept moving while both agents are here, so that
    /// its post-quantum ratchet turns; `None` for never. Without it, each minute for two hours after
    /// the last message: two commits a minute at each end, and an epoch in about an hour.
    pub fn heartbeat(self, every: Option<Duration>) -> Self {
        Self { heartbeat: Heartbeat(every), ..self }
    }

    /// The crypto provider. Without it, aws-lc, where that is linked.
    pub fn provider(self, provider: Arc<dyn FleetProvider>) -> Self {
        Self { provider: Some(provider), ..self }
    }

    /// Starts the agent on the tokio runtime of the caller. What was accepted before a restart is
    /// delivered from now on.
    ///
    /// Dropped on the way, the state is closed again as after a crash.
    pub async fn start(self) -> Result<Agent, StartError> {
        start::start(self).await
    }
}
