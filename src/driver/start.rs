//! Putting a driver together.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use meshwork_protocols::identity::Transport;
use meshwork_router::{Limits, Router};
use meshwork_state::RestoreEvidence;
use meshwork_transports::{Datagrams, Listener, QuicEndpoint};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::accept::{accept, accept_quic};
use super::commits::Commits;
use super::gate::Gate;
use super::lines::Lines;
use super::recovery::Recovery;
use super::relays::Relays;
use super::udp_port::UdpPort;
use super::upkeep::Upkeep;
use super::{
    Arrivals, Clock, Driver, Identity, Notices, PeerIndex, RelayBook, Services, Sessions, Shared,
    Sockets, Vault,
};
use crate::agent::{Agent, DealingsBook, Event, Lease, Mailbox, Tally};
use crate::config::Transports;
use crate::own::{Own, OwnError, Presence};
use crate::relay::OwnRelay;

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
    pub(crate) transports: Transports,
}

/// Where others may come in.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    /// TCP.
    pub(crate) listeners: Vec<Listener>,
    /// UDP: QUIC, and what is not.
    pub(crate) ports: Vec<(QuicEndpoint, Datagrams)>,
}

impl Driver {
    /// Starts a driver on the runtime of the caller.
    pub(crate) fn start(parts: Parts, doors: Doors) -> Result<Agent, OwnError> {
        let (orders, orders_in) = mpsc::channel(ORDERS);
        let (held, lease) = oneshot::channel();
        let (arrivals, arrivals_seen) = watch::channel(Arrivals::default());
        let random = parts.own.provider().random();
        let shared = Arc::new(Shared {
            id: parts.own.agent(),
            runtime: Handle::current(),
            clock: parts.clock,
            vault: Arc::clone(&parts.vault),
            identity: Identity::new(parts.own.local()?),
            peers: parts.peers,
            notices: Notices::new(),
            sessions: Sessions::default(),
            relays: RelayBook::default(),
            own_relay: OwnRelay::default(),
            services: Services::default(),
            datagrams: Mailbox::new(),
            dealings: DealingsBook::default(),
            #[cfg(unix)]
            outsourced: Arc::default(),
            tally: Tally::default(),
            arrivals: arrivals_seen,
            streams: Arc::default(),
            orders,
            listening: parts.listening,
            transports: parts.transports,
            sockets: Sockets::new(doors.ports.iter().map(|(quic, _)| quic.clone()).collect()),
            restored: parts.restored,
        });
        if let Some(evidence) = parts.restored {
            shared.notices.tell_everybody(Event::Restored(evidence));
        }
        let gate = Gate::new(parts.limits, random);
        let (lines, happenings, close_lines) = Lines::new(Arc::clone(&shared), gate);
        let mut tasks = JoinSet::new();
        for listener in doors.listeners {
            tasks.spawn(accept(listener, lines.clone()));
        }
        for (endpoint, datagrams) in doors.ports {
            if shared.transports.speak(Transport::Quic) {
                tasks.spawn(accept_quic(endpoint, lines.clone()));
            }
            if shared.transports.speak(Transport::Udp) {
                let port = UdpPort::listening(&shared, &lines.gate);
                tasks.spawn(port.serve(datagrams, Some(lines.clone())));
            }
        }
        let mut driver = Self {
            shared: Arc::clone(&shared),
            router: parts.router,
            commits: Commits::new(parts.vault),
            recovery: Recovery::default(),
            upkeep: Upkeep::new(),
            orders: orders_in,
            happenings,
            lease,
            answers: HashMap::new(),
            next_ticket: 0,
            arrivals,
            paths: HashMap::new(),
            lines,
            relays: Relays::default(),
            close_lines,
            tasks,
            welcome: 0,
            dialling: HashSet::new(),
            own: parts.own,
            presence: parts.presence,
            next_card: None,
        };
        // What is unread is announced before anybody can ask for it.
        driver.carry_out();
        driver.fetch_mail();
        tokio::spawn(driver.run());
        Ok(Agent { shared, _lease: Arc::new(Lease { _held: held }) })
    }
}
