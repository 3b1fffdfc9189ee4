//! The only place that sees router, transports and state together.
//!
//! One task owns the [`Router`]: it gathers what happens, lets the router decide, makes its batches
//! durable in groups, and only then does what waited for them. It decides nothing about messages.
//!
//! - [`turn`](self) is the loop, `commands` what handles ask, `outputs` what the router wants done.
//! - `commits` makes batches durable; `recovery` follows where that fails.
//! - `accept` and `dial` open sessions, each in a task of its own; a `line` runs one over its
//!   `carrier`, and gives each frame to whom it is for.
//! - `relays` runs what the router wants of relays, and fetches the mail that they keep.
//! - `upkeep` is what time asks for, `closing` the end.

mod accept;
mod arrivals;
mod carrier;
mod clock;
mod closing;
mod commits;
mod dial;
mod directory;
mod gate;
mod happening;
mod identity;
mod line;
mod lines;
mod notices;
mod order;
mod outbound;
mod outputs;
mod reach;
mod recovery;
mod relays;
mod services;
mod session;
mod sessions;
mod shared;
mod sockets;
mod start;
mod turn;
mod udp_port;
mod upkeep;
mod vault;

pub(crate) use arrivals::Arrivals;
pub(crate) use carrier::randomness;
pub(crate) use clock::Clock;
pub(crate) use dial::fetch_card;
pub(crate) use directory::PeerIndex;
pub(crate) use identity::Identity;
pub(crate) use notices::Notices;
pub(crate) use order::Order;
pub(crate) use relays::RelayBook;
pub use relays::RelayState;
pub(crate) use services::{Handler, NotRegistered, Registration, Services};
pub(crate) use session::{CallNotBegun, DatagramNotSent, Session};
pub(crate) use sessions::Sessions;
pub(crate) use shared::Shared;
pub(crate) use sockets::Sockets;
pub(crate) use start::{Doors, Parts};
pub(crate) use vault::Vault;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use meshwork_protocols::identity::AgentId;
use meshwork_router::{Needs, PathId, Router, Ticket};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use self::commits::Commits;
use self::happening::Happening;
use self::lines::Lines;
use self::recovery::Recovery;
use self::relays::Relays;
use self::upkeep::Upkeep;
use crate::agent::Answered;
use crate::own::{NextCard, Own, Presence};

/// The task that owns the router.
#[derive(Debug)]
pub(crate) struct Driver {
    shared: Arc<Shared>,
    router: Router,
    commits: Commits,
    recovery: Recovery,
    upkeep: Upkeep,
    // What comes in.
    orders: mpsc::Receiver<Order>,
    happenings: mpsc::Receiver<Happening>,
    /// Ends when the last handle is dropped.
    lease: oneshot::Receiver<()>,
    // What goes out.
    /// Who waits for which answer.
    answers: HashMap<Ticket, oneshot::Sender<Answered>>,
    next_ticket: u64,
    arrivals: watch::Sender<Arrivals>,
    paths: HashMap<PathId, Arc<Session>>,
    // What runs beside it.
    lines: Lines,
    /// The relays in use.
    relays: Relays,
    close_lines: watch::Sender<bool>,
    /// Listeners and dialled sessions.
    tasks: JoinSet<()>,
    /// How many strangers the router was told to let in.
    welcome: usize,
    /// The peers that are being looked for.
    dialling: HashSet<(AgentId, Needs)>,
    // Who the agent is.
    own: Own,
    presence: Presence,
    /// A card whose batch is not yet durable.
    next_card: Option<NextCard>,
}
