//! One attempt at one address.

use std::sync::Arc;

use meshwork_protocols::identity::{Address, AgentId, Card};
use meshwork_protocols::live::{Dial, Local, PeerInfo, SessionError, SessionEvent, Suite};

use crate::agent::FetchError;
use crate::driver::Shared;
use crate::driver::carrier::Carrier;

/// How often a session is tried at one address: again where the peer asks for our card.
const TRIES: usize = 2;

/// A session with a peer that was dialled.
pub(in crate::driver) struct Found {
    pub(in crate::driver) carrier: Carrier,
    pub(in crate::driver) peer: Box<PeerInfo>,
    /// What it was opened with.
    pub(in crate::driver) ours: Arc<Local>,
}

/// Opens a session with the agent of a card. One that no longer holds our card gets it.
pub(super) async fn open_session(
    shared: &Arc<Shared>,
    card: Arc<Card>,
    address: &Address,
) -> Result<Found, FetchError> {
    let agent = card.agent();
    for _ in 0..TRIES {
        let ours = shared.identity.local();
        let (carrier, event) =
            open(shared, Arc::clone(&ours), Dial::Session(Arc::clone(&card)), address).await?;
        match event {
            SessionEvent::Established(peer) => {
                shared.peers.was_reached(agent, address.transport);
                return Ok(Found { carrier, peer, ours });
            }
            SessionEvent::CardWanted => shared.peers.lacks(&agent),
            _ => break,
        }
    }
    Err(FetchError::Closed)
}

/// Fetches a card from one address. Which suites the agent takes only its card tells.
pub(super) async fn fetch_from(
    shared: &Arc<Shared>,
    agent: AgentId,
    address: &Address,
) -> Result<Arc<Card>, FetchError> {
    let mut refused = FetchError::Closed;
    for suite in Suite::ALL {
        let ours = shared.identity.local();
        match open(shared, ours, Dial::CardFetch { agent, suite }, address).await {
            Ok((carrier, SessionEvent::CardFetched(card))) => {
                shared.runtime.spawn(carrier.end());
                return Ok(card);
            }
            Ok(_) => refused = FetchError::Closed,
            // Silence: another suite may do.
            Err(error @ FetchError::Session(SessionError::Truncated)) => refused = error,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

async fn open(
    shared: &Arc<Shared>,
    ours: Arc<Local>,
    dial: Dial,
    address: &Address,
) -> Result<(Carrier, SessionEvent), FetchError> {
    let mut carrier = Carrier::dial(shared, ours, dial, address).await?;
    match carrier.open(None).await {
        Ok(event) => Ok((carrier, event)),
        Err(error) => Err(FetchError::Session(error.into())),
    }
}
