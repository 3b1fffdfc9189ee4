//! How an agent starts: its state, its sockets, its identity, its router, and then the driver.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use meshwork_protocols::identity::{Address, Endpoint, Root, Transport};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::time::WallTime;
use meshwork_router::{Config, Router};
use meshwork_state::State;
use meshwork_transports::Listener;

use super::open::Opening;
use super::{Builder, StartError};
use crate::agent::Agent;
use crate::driver::{Clock, Driver, Parts, PeerIndex, Vault};
use crate::own::{Own, OwnError, Presence, Rotation};

pub(super) async fn start(mut builder: Builder) -> Result<Agent, StartError> {
    let provider = builder.provider.clone().or_else(default_provider);
    let provider = provider.ok_or(StartError::NoProvider)?;
    let clock = Clock::start();
    let addresses: Result<Vec<_>, _> = builder.listen.iter().cloned().collect();
    let addresses = addresses?;
    let (root, advertise) = (builder.root.take(), std::mem::take(&mut builder.advertise));
    // 1. The state, which nobody else may have open.
    let opening = Opening { provider: Arc::clone(&provider), now: clock.now().wall };
    let (state, builder) = blocking(move || {
        let state = opening.open(&builder)?;
        Ok((state, builder))
    })
    .await?;
    // 2. The sockets, whose addresses stand in the card.
    let (listeners, listening) = listen(&addresses).await?;
    let presence = Presence { addresses: addresses_of(advertise, &listening) };
    // 3. The identity and the router.
    let (policy, limits, fresh_card) = (builder.policy, builder.limits, builder.fresh_card);
    let parts = blocking(move || {
        let now = clock.now().wall;
        let provider_of_own = Arc::clone(&provider);
        let identity =
            Identity { provider: provider_of_own, root, presence: &presence, fresh_card, now };
        let own = identify(&state, identity)?;
        let config = Config {
            own: own.agent(),
            lineage: state.opening().lineage,
            restored: state.opening().restored.is_some(),
            policy,
            provider: Arc::clone(&provider),
            stored: None,
        };
        let restored = state.opening().restored;
        let vault = Arc::new(Vault::new(state));
        let peers = Arc::new(PeerIndex::load(Arc::clone(&vault))?);
        let rows = Box::new(Arc::clone(&vault));
        let router = Router::restore(rows, config, provider.random(), clock.now())?;
        Ok(Parts { clock, vault, own, presence, peers, router, restored, limits, listening })
    })
    .await?;
    // 4. What drives them.
    Ok(Driver::start(parts, listeners)?)
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
fn identify(state: &State, start: Identity) -> Result<Own, StartError> {
    let Identity { provider, root, presence, fresh_card, now } = start;
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

/// What an identity is read or made with.
struct Identity<'a> {
    provider: Arc<dyn Provider>,
    root: Option<Root>,
    presence: &'a Presence,
    fresh_card: bool,
    now: WallTime,
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
