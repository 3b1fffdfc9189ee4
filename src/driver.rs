//! The only place that sees router, transports and state together.
//!
//! One task owns the [`Router`]: it gathers what happens, lets the router decide, makes its batches
//! durable in groups, and only then does what waited for them. It decides nothing about messages.

mod arrivals;
mod clock;
mod dial;
mod directory;
mod group_commit;
mod identity;
mod notices;
mod order;
mod shared;
mod start;
mod turn;
mod vault;

pub(crate) use arrivals::Arrivals;
pub(crate) use clock::Clock;
pub(crate) use dial::fetch_card;
pub(crate) use directory::PeerIndex;
pub(crate) use identity::Identity;
pub(crate) use notices::Notices;
pub(crate) use order::Order;
pub(crate) use shared::Shared;
pub(crate) use start::Parts;
pub(crate) use vault::Vault;

use std::collections::HashMap;
use std::sync::Arc;

use meshwork_router::{Router, Ticket};
use tokio::sync::{mpsc, oneshot, watch};

use self::group_commit::GroupCommit;
use crate::agent::Answered;
use crate::own::{NextCard, Own, Presence};

/// The task that owns the router.
#[derive(Debug)]
pub(crate) struct Driver {
    shared: Arc<Shared>,
    router: Router,
    commits: GroupCommit,
    orders: mpsc::Receiver<Order>,
    /// Ends when the last handle is dropped.
    lease: oneshot::Receiver<()>,
    /// Who waits for which answer.
    answers: HashMap<Ticket, oneshot::Sender<Answered>>,
    next_ticket: u64,
    arrivals: watch::Sender<Arrivals>,
    own: Own,
    presence: Presence,
    /// A card whose batch is not yet durable.
    next_card: Option<NextCard>,
}
