//! Putting a driver together.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use meshwork_router::{Limits, Router};
use meshwork_state::RestoreEvidence;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use super::group_commit::GroupCommit;
use super::{Arrivals, Clock, Driver, Identity, Notices, PeerIndex, Shared, Vault};
use crate::agent::{Agent, Event, Lease, Tally};
use crate::own::{Own, OwnError, Presence};

/// How many orders may wait for the driver: with the largest bodies 64 MiB, whose senders wait.
const ORDERS: usize = 64;

/// What a driver is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) clock: Clock,
    pub(crate) vault: Arc<Vault>,
    pub(crate) own: Own,
    pub(crate) presence: Presence,
    pub(crate) peers: Arc<PeerIndex>,
    pub(crate) router: Router,
    pub(crate) restored: Option<RestoreEvidence>,
    pub(crate) limits: Limits,
    pub(crate) listening: Vec<SocketAddr>,
}

impl Driver {
    /// Starts a driver on the runtime of the caller.
    pub(crate) fn start(parts: Parts) -> Result<Agent, OwnError> {
        let Parts { clock, vault, own, presence, peers, router, restored, limits: _, listening } =
            parts;
        let (orders, orders_in) = mpsc::channel(ORDERS);
        let (held, lease) = oneshot::channel();
        let (arrivals, arrivals_seen) = watch::channel(Arrivals::default());
        let shared = Arc::new(Shared {
            id: own.agent(),
            runtime: Handle::current(),
            clock,
            vault: Arc::clone(&vault),
            identity: Identity::new(own.local()?),
            peers,
            notices: Notices::new(),
            tally: Tally::default(),
            arrivals: arrivals_seen,
            orders,
            listening,
            restored,
        });
        if let Some(evidence) = restored {
            shared.notices.tell_everybody(Event::Restored(evidence));
        }
        let driver = Self {
            shared: Arc::clone(&shared),
            router,
            commits: GroupCommit::new(vault),
            orders: orders_in,
            lease,
            answers: HashMap::new(),
            next_ticket: 0,
            arrivals,
            own,
            presence,
            next_card: None,
        };
        tokio::spawn(driver.run());
        Ok(Agent { shared, _lease: Arc::new(Lease { _held: held }) })
    }
}
