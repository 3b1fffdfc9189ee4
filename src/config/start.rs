//! How an agent starts: its state, its sockets, its identity, its router, and then the driver.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;

use meshwork_protocols::identity::{Address, Endpoint, Root, Transport};
use meshwork_protocols::provider::Provider;
use meshwork_router::{Config, Limits, Policy, Router};
use meshwork_state::{Opened, State};
use meshwork_transports::Listener;

use super::open::Opening;
use super::{Builder, StartError};
use crate::agent::Agent;
use crate::driver::{Clock, Driver, Parts, PeerIndex, Vault};
use crate::own::{Own, OwnError, Presence, Rotation};

pub(super) async fn start(mut builder: Builder) -> Result<Agent, StartError> {
    let setup = Setup::of(&mut builder)?;
    let opening = Opening { provider: Arc::clone(&setup.provider), now: setup.clock.now().wall };
    let state = blocking(move || opening.open(&builder)).await?;
    start_on(state, setup).await
}

/// What an agent is started with beside its state.
#[derive(Debug)]
pub(crate) struct Setup {
    provider: Arc<dyn Provider>,
    clock: Clock,
    root: Option<Root>,
    fresh_card: bool,
    listen: Vec<SocketAddr>,
    advertise: Vec<Address>,
    policy: Policy,
    limits: Limits,
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
            policy: builder.policy,
            limits: builder.limits,
        })
    }
}

/// Starts an agent on a state that is open.
pub(crate) async fn start_on(state: State, mut setup: Setup) -> Result<Agent, StartError> {
    // 1. The sockets, whose addresses stand in the card.
    let (listeners, listening) = listen(&setup.listen).await?;
    let advertise = mem::take(&mut setup.advertise);
    let presence = Presence { addresses: addresses_of(advertise, &listening) };
    // 2. The identity and the router.
    let parts = blocking(move || assemble(state, setup, presence, listening)).await?;
    // 3. What drives them.
    Ok(Driver::start(parts, listeners)?)
}

fn assemble(
    state: State,
    mut setup: Setup,
    presence: Presence,
    listening: Vec<SocketAddr>,
) -> Result<Parts, StartError> {
    let own = identify(&state, &mut setup, &presence)?;
    let Setup { provider, clock, policy, limits, .. } = setup;
    let Opened { restored, lineage } = state.opening();
    let config = Config {
        own: own.agent(),
        lineage,
        restored: restored.is_some(),
        policy,
        provider: Arc::clone(&provider),
        stored: None,
    };
    let vault = Arc::new(Vault::new(state));
    let peers = Arc::new(PeerIndex::load(Arc::clone(&vault))?);
    let rows = Box::new(Arc::clone(&vault));
    let router = Router::restore(rows, config, provider.random(), clock.now())?;
    Ok(Parts { clock, vault, own, presence, peers, router, restored, limits, listening })
}

async fn listen(addresses: &[SocketAddr]) -> Result<(Vec<Listener>, Vec<SocketAddr>), StartError> {
    let (mut listeners, mut listening) = (Vec::new(), Vec::new());
    for &address in addresses {
        let failed = |error: io::Error| StartError::Listen { address, error: error.kind() };
        let listener = Listener::tcp(address).await.map_err(failed)?;
        listening.push(listener.address().map_err(failed)?);
        listeners.push(listener);
    }
    Ok((listeners, listening))
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

/// What the card is to say of where the agent is. A start that says nothing of it, as one that
/// only sends, leaves the card as it is.
fn addresses_of(advertise: Vec<Address>, listening: &[SocketAddr]) -> Option<Vec<Address>> {
    match (advertise.is_empty(), listening.is_empty()) {
        (false, _) => Some(advertise),
        (true, false) => Some(reachable(listening)),
        (true, true) => None,
    }
}

/// The addresses that others can dial; one that stands for all interfaces is none.
fn reachable(listening: &[SocketAddr]) -> Vec<Address> {
    let specified = listening.iter().filter(|address| !address.ip().is_unspecified());
    let endpoints = specified.filter_map(|address| Endpoint::try_from(*address).ok());
    endpoints.map(|endpoint| Address { transport: Transport::Tcp, endpoint }).collect()
}

fn default_provider() -> Option<Arc<dyn Provider>> {
    #[cfg(feature = "aws-lc-rs")]
    return Some(Arc::new(meshwork_protocols::provider::aws::AwsLc));
    #[cfg(not(feature = "aws-lc-rs"))]
    return None;
}
