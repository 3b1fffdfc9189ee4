//! How an agent starts: its state, its sockets, its identity, its router, and then the driver.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::{Address, Contact, Endpoint, Relay, Root, Transport};
use meshwork_protocols::live::quic::{NoiseServer, QUIC_VERSION};
use meshwork_protocols::live::{Local, Suite};
use meshwork_protocols::provider::FleetProvider;
use meshwork_router::{Config, Limits, Needs, Policy, PrekeySettings, Router, Stored};
use meshwork_state::{Opened, State};
use meshwork_transports::{Datagrams, Listener, Port, QuicEndpoint, QuicKeys};

use super::hardware::has_aes;
use super::open::Opening;
use super::{Builder, StartError, Transports};
use crate::agent::Agent;
use crate::driver::{Clock, Doors, Driver, Parts, PeerIndex, Vault, randomness};
use crate::own::{Own, OwnError, Presence, Rotation};

/// How many ports are tried where any will do.
const PORT_TRIES: usize = 16;

pub(super) async fn start(mut builder: Builder) -> Result<Agent, StartError> {
    let setup = Setup::of(&mut builder)?;
    let opening = Opening { provider: Arc::clone(&setup.provider), now: setup.clock.now().wall };
    let state = blocking(move || opening.open(&builder)).await?;
    start_on(state, setup).await
}

/// What an agent is started with beside its state.
#[derive(Debug)]
pub(crate) struct Setup {
    provider: Arc<dyn FleetProvider>,
    clock: Clock,
    root: Option<Root>,
    fresh_card: bool,
    listen: Vec<SocketAddr>,
    advertise: Vec<Address>,
    relays: Vec<Contact>,
    suites: Vec<Suite>,
    policy: Policy,
    limits: Limits,
    transports: Transports,
    prekeys: PrekeySettings,
    heartbeat: Option<Duration>,
}

impl Setup {
    /// Takes what the caller said out of a builder.
    pub(crate) fn of(builder: &mut Builder) -> Result<Self, StartError> {
        let provider = builder.provider.clone().or_else(default_provider);
        let listen: Result<_, _> = mem::take(&mut builder.listen).into_iter().collect();
        Ok(Self {
            provider: provider.ok_or(StartError::NoProvider)?,
            clock: Clock::start(),
            root: builder.root.take(),
            fresh_card: builder.fresh_card,
            listen: listen?,
            advertise: mem::take(&mut builder.advertise),
            relays: mem::take(&mut builder.relays),
            suites: suites_of(mem::take(&mut builder.suites)),
            policy: builder.policy,
            limits: builder.limits,
            transports: mem::take(&mut builder.transports),
            prekeys: builder.prekeys,
            heartbeat: builder.heartbeat.0,
        })
    }
}

/// Starts an agent on a state that is open.
pub(crate) async fn start_on(state: State, mut setup: Setup) -> Result<Agent, StartError> {
    // 1. The sockets, whose addresses stand in the card.
    let open = listen(&setup.listen, &setup.transports).await?;
    let listening: Vec<_> = open.iter().map(|door| door.address).collect();
    let advertise = mem::take(&mut setup.advertise);
    let addresses = addresses_of(advertise, &listening, &setup.transports);
    let suites = Some(mem::take(&mut setup.suites));
    let relays = relays_of(&setup.relays, &setup.transports)?;
    let presence = Presence { addresses, transports: setup.transports.clone(), relays, suites };
    // 2. The identity and the router.
    let parts = blocking(move || assemble(state, setup, presence, listening)).await?;
    // 3. What drives them.
    let local = Arc::new(parts.own.local()?);
    let mut doors = Doors::default();
    for Door { address, listener, port } in open {
        doors.listeners.extend(listener);
        let served = port.map(|port| serve(port, &local)).transpose();
        doors.ports.extend(served.map_err(|error| StartError::listen(address, &error))?);
    }
    Ok(Driver::start(parts, doors)?)
}

fn assemble(
    state: State,
    mut setup: Setup,
    presence: Presence,
    listening: Vec<SocketAddr>,
) -> Result<Parts, StartError> {
    let own = identify(&state, &mut setup, &presence)?;
    let fleet = own.fleet()?.map(Box::new);
    let deferred = own.deferred(setup.prekeys)?.map(|it| it.with_heartbeat(setup.heartbeat));
    let Setup { provider, clock, policy, limits, transports, .. } = setup;
    let Opened { restored, lineage } = state.opening();
    let config = Config {
        own: own.agent(),
        lineage,
        restored: restored.is_some(),
        policy,
        provider: provider.clone(),
        fleet,
        stored: deferred.map_or(Stored::None, |it| Stored::Deferred(Box::new(it))),
    };
    let vault = Arc::new(Vault::new(state));
    let peers = Arc::new(PeerIndex::load(Arc::clone(&vault))?);
    let rows = Box::new(Arc::clone(&vault));
    let router = Router::restore(rows, config, provider.random(), clock.now())?;
    Ok(Parts {
        clock,
        vault,
        own,
        presence,
        peers,
        router,
        restored,
        limits,
        listening,
        transports,
    })
}

/// One address, open for the transports of the agent.
struct Door {
    address: SocketAddr,
    listener: Option<Listener>,
    port: Option<Port>,
}

async fn listen(
    addresses: &[SocketAddr],
    transports: &Transports,
) -> Result<Vec<Door>, StartError> {
    let mut doors = Vec::new();
    for &address in addresses {
        let door = open_door(address, transports).await;
        doors.push(door.map_err(|error| StartError::listen(address, &error))?);
    }
    Ok(doors)
}

/// Opens TCP, and UDP at the same port. One that is free for the first may be taken for the other.
async fn open_door(wanted: SocketAddr, transports: &Transports) -> io::Result<Door> {
    let [tcp, quic, udp] =
        [Transport::Tcp, Transport::Quic, Transport::Udp].map(|it| transports.speak(it));
    let datagrams = quic || udp;
    if !tcp && !datagrams {
        return Err(io::ErrorKind::Unsupported.into());
    }
    if !tcp {
        let port = Port::open(wanted)?;
        return Ok(Door { address: port.address()?, listener: None, port: Some(port) });
    }
    let tries = if wanted.port() == 0 { PORT_TRIES } else { 1 };
    let mut taken = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..tries {
        let listener = Listener::tcp(wanted).await?;
        let address = listener.address()?;
        let port = datagrams.then(|| Port::open(address)).transpose();
        match port {
            Ok(port) => return Ok(Door { address, listener: Some(listener), port }),
            Err(error) => taken = error,
        }
    }
    Err(taken)
}

/// Reads a port. Each who comes is answered with keys of its own; these only tell who speaks our
/// QUIC.
fn serve(port: Port, local: &Arc<Local>) -> io::Result<(QuicEndpoint, Datagrams)> {
    let server = NoiseServer::new(Arc::clone(local), randomness(local));
    let server = server.map_err(|_| io::Error::from(io::ErrorKind::Unsupported))?;
    let reset = *local.secret_for("quic-reset").expose();
    port.serve(QuicKeys { version: QUIC_VERSION, server: Some(Arc::new(server)), reset })
}

/// Reads the agent's identity, or makes one; in any case with a card that says where it is now, if
/// its root is here.
fn identify(state: &State, setup: &mut Setup, presence: &Presence) -> Result<Own, StartError> {
    let (provider, root) = (Arc::clone(&setup.provider), setup.root.take());
    let (fresh_card, now) = (setup.fresh_card, setup.clock.now().wall);
    // An agent is in one batch with its card: where there is no card, there is no agent.
    if Own::is_missing(state)? {
        let (own, batch) = Own::create(provider, root, presence, now)?;
        state.commit(&batch)?;
        return Ok(own);
    }
    let missing = Own::complete(state, &*provider)?;
    if !missing.is_empty() {
        state.commit(&missing)?;
    }
    let mut own = Own::load(state, provider, root, now)?;
    if fresh_card && !own.can_sign() {
        return Err(OwnError::NoRoot.into());
    }
    if state.opening().restored.is_some() {
        state.commit(&own.fall_behind())?;
    }
    let rotation = if fresh_card { Rotation::Now } else { Rotation::WhenDue };
    if (fresh_card || own.wants_card(presence, now))
        && let Some(next) = own.next_card(presence, rotation, now)?
    {
        state.commit(&next.batch)?;
        own.adopt(next);
    }
    Ok(own)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StartError> + Send + 'static,
) -> Result<T, StartError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StartError::Cancelled))
}

/// What the card is to list: what the caller named, or what suits the machine.
fn suites_of(named: Vec<Suite>) -> Vec<Suite> {
    if named.is_empty() { Suite::best_first(has_aes()).to_vec() } else { named }
}

/// What the card is to say of where the agent is. A start that says nothing of it, as one that
/// only sends, leaves the card as it is.
fn addresses_of(
    advertise: Vec<Address>,
    listening: &[SocketAddr],
    transports: &Transports,
) -> Option<Vec<Address>> {
    match (advertise.is_empty(), listening.is_empty()) {
        (false, _) => Some(advertise),
        (true, false) => Some(reachable(listening, transports)),
        (true, true) => None,
    }
}

/// What the card is to say of who keeps the agent's mail. A contact says no transport: those are
/// named that carry requests of every size.
fn relays_of(named: &[Contact], transports: &Transports) -> Result<Option<Vec<Relay>>, StartError> {
    if named.is_empty() {
        return Ok(None);
    }
    let usable: Vec<_> = transports.iter().filter(|it| Needs::Bulk.allow(*it)).collect();
    if usable.is_empty() {
        return Err(StartError::RelayTransport);
    }
    let relay = |contact: &Contact| {
        let addresses = contact.addresses(usable.iter().copied());
        Relay { agent: contact.agent, addresses }
    };
    Ok(Some(named.iter().map(relay).collect()))
}

/// The addresses that others can dial; one that stands for all interfaces is none.
fn reachable(listening: &[SocketAddr], transports: &Transports) -> Vec<Address> {
    let specified = listening.iter().filter(|address| !address.ip().is_unspecified());
    let endpoints: Vec<_> =
        specified.filter_map(|address| Endpoint::try_from(*address).ok()).collect();
    // Each transport at each endpoint, the best transport first.
    transports
        .iter()
        .flat_map(|transport| {
            endpoints.iter().map(move |endpoint| Address { transport, endpoint: endpoint.clone() })
        })
        .collect()
}

fn default_provider() -> Option<Arc<dyn FleetProvider>> {
    #[cfg(feature = "aws-lc-rs")]
    return Some(Arc::new(meshwork_protocols::provider::aws::AwsLc));
    #[cfg(not(feature = "aws-lc-rs"))]
    return None;
}
