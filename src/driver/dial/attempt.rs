//! One attempt at one address.

use std::sync::Arc;

use meshwork_protocols::identity::{Address, AgentId, Card};
use meshwork_protocols::live::{
    Dial, Directory, Local, PeerInfo, SessionError, SessionEvent, Suite, TcpSession,
};

use crate::agent::FetchError;
use crate::driver::Shared;
use crate::driver::wire::{Wire, WireError};

/// How often a session is tried at one address: again where the peer asks for our card.
const TRIES: usize = 2;

/// A session with a peer that was dialled.
pub(super) struct Found {
    pub(super) wire: Wire,
    pub(super) peer: Box<PeerInfo>,
    /// What it was opened with.
    pub(super) ours: Arc<Local>,
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
        let (wire, event) =
            open(shared, Arc::clone(&ours), Dial::Session(Arc::clone(&card)), address).await?;
        match event {
            SessionEvent::Established(peer) => return Ok(Found { wire, peer, ours }),
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
            Ok((wire, SessionEvent::CardFetched(card))) => {
                shared.runtime.spawn(wire.end());
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
) -> Result<(Wire, SessionEvent), FetchError> {
    let connection = meshwork_transports::dial(address).await?;
    let directory: Arc<dyn Directory> = Arc::clone(&shared.peers) as _;
    let (now, random) = (shared.clock.now(), ours.provider().random());
    let session = TcpSession::initiate(ours, directory, dial, now, random);
    let session = session.map_err(FetchError::Session)?;
    let mut wire = Wire::new(session, connection, shared.clock);
    match wire.open(None).await {
        Ok(event) => Ok((wire, event)),
        Err(WireError::Session(error)) => Err(FetchError::Session(error)),
        Err(WireError::Connection(_) | WireError::TurnedOut) => {
            Err(FetchError::Session(SessionError::Truncated))
        }
    }
}
