//! Finding a peer: every address of its card, and where it was met, in a staggered race.

mod attempt;
mod held;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::{Address, AgentId, Card, Contact, Relay, Transport};
use meshwork_protocols::live::SessionError;
use meshwork_protocols::live::handshake::HandshakeError;
use meshwork_router::Needs;
use meshwork_transports::race;
use tokio::time::timeout;

use self::attempt::{Found, fetch_from, open_session};
use self::held::{Held, addresses, met_at};
use super::Shared;
use super::happening::Happening;
use super::line::Line;
use super::lines::Lines;
use crate::agent::FetchError;

/// How long one address gets before the next is tried too.
const STAGGER: Duration = Duration::from_millis(250);

/// How long a search may take: the router gives a search 30 s, and wants to hear the end of it.
const SEARCH: Duration = Duration::from_secs(25);

/// Looks for a peer, and carries the session that is found until it is over.
pub(crate) async fn dial(peer: AgentId, needs: Needs, lines: Lines) {
    let searching = async {
        let _turn = lines.turn_to_search().await;
        timeout(SEARCH, search(peer, needs, &lines)).await
    };
    let searched = tokio::select! {
        searched = searching => searched,
        () = lines.closing() => return,
    };
    let timed_out = Err(FetchError::Unreachable(io::ErrorKind::TimedOut));
    match searched.unwrap_or(timed_out) {
        Ok(Found { carrier, peer, ours }) => Line::carry(lines, carrier, peer, ours).await,
        Err(why) => {
            if let FetchError::Session(error) = why {
                lines.contradicted(error).await;
            }
            lines.tell(Happening::DialFailed { peer, needs, why }).await;
        }
    }
}

/// A session with a relay, by the card that is known of it or the one that it has now; with the
/// card.
pub(super) async fn dial_relay(
    relay: &Relay,
    known: Option<Arc<Card>>,
    needs: Needs,
    lines: &Lines,
) -> Result<(Found, Arc<Card>), FetchError> {
    let shared = &lines.shared;
    let searching = async {
        let _turn = lines.turn_to_search().await;
        let addresses = relay_addresses(shared, relay);
        let is_known = known.is_some();
        let card = match known {
            Some(card) => card,
            None => fetch(shared, relay.agent, &addresses).await?,
        };
        match race_sessions(shared, Arc::clone(&card), &addresses, needs).await {
            Err(error) if is_known && is_outdated(error) => {
                let card = fetch(shared, relay.agent, &addresses).await?;
                let found = race_sessions(shared, Arc::clone(&card), &addresses, needs).await?;
                Ok((found, card))
            }
            found => Ok((found?, card)),
        }
    };
    let timed_out = Err(FetchError::Unreachable(io::ErrorKind::TimedOut));
    timeout(SEARCH, searching).await.unwrap_or(timed_out)
}

/// Where a relay is dialled: by TCP where that is spoken, for a relay that is gone refuses a
/// connection at once, and by what else there is where it is not.
fn relay_addresses(shared: &Shared, relay: &Relay) -> Vec<Address> {
    let spoken = relay.addresses.iter().filter(|it| shared.transports.speak(it.transport));
    let (tcp, others): (Vec<_>, Vec<_>) =
        spoken.cloned().partition(|address| address.transport == Transport::Tcp);
    if tcp.is_empty() { others } else { tcp }
}

/// Fetches the card of who is at a contact.
pub(crate) async fn fetch_card(
    shared: &Arc<Shared>,
    contact: &Contact,
) -> Result<Arc<Card>, FetchError> {
    let fetched = timeout(SEARCH, fetch(shared, contact.agent, &met_at(shared, contact))).await;
    fetched.unwrap_or(Err(FetchError::Unreachable(io::ErrorKind::TimedOut)))
}

async fn search(peer: AgentId, needs: Needs, lines: &Lines) -> Result<Found, FetchError> {
    let shared = &lines.shared;
    let held = Held::read(shared, peer).await?;
    let first = match held.card {
        Ok(card) => race_sessions(shared, card, &held.addresses, needs).await,
        Err(error) => Err(FetchError::Card(error)),
    };
    match first {
        Err(error) if is_outdated(error) => {
            let card = match fetch(shared, peer, &held.addresses).await {
                Ok(card) => card,
                // What was wrong first says more.
                Err(_) => return Err(error),
            };
            lines.tell(Happening::Learned(Arc::clone(&card))).await;
            let addresses = addresses(shared, &card, held.contact.as_ref());
            race_sessions(shared, card, &addresses, needs).await
        }
        found => found,
    }
}

/// Whether a newer card may do.
fn is_outdated(error: FetchError) -> bool {
    matches!(
        error,
        FetchError::Card(_)
            | FetchError::Session(
                SessionError::Handshake(HandshakeError::KeyNotInCard)
                    | SessionError::DialledCard(_)
                    | SessionError::NoCommonSuite
            )
    )
}

async fn race_sessions(
    shared: &Arc<Shared>,
    card: Arc<Card>,
    addresses: &[Address],
    needs: Needs,
) -> Result<Found, FetchError> {
    let ways: Vec<_> = addresses
        .iter()
        .filter(|address| needs.allow(address.transport))
        .map(|address| {
            let (shared, card, address) = (Arc::clone(shared), Arc::clone(&card), address.clone());
            async move { open_session(&shared, card, &address).await }
        })
        .collect();
    race(ways, STAGGER).await.map_err(|errors| most_telling(&errors))
}

async fn fetch(
    shared: &Arc<Shared>,
    agent: AgentId,
    addresses: &[Address],
) -> Result<Arc<Card>, FetchError> {
    // UDP gives no cards.
    let ways: Vec<_> = addresses
        .iter()
        .filter(|address| address.transport != Transport::Udp)
        .map(|address| {
            let (shared, address) = (Arc::clone(shared), address.clone());
            async move { fetch_from(&shared, agent, &address).await }
        })
        .collect();
    race(ways, STAGGER).await.map_err(|errors| most_telling(&errors))
}

/// What answered says more than what did not.
fn most_telling(errors: &[FetchError]) -> FetchError {
    let silent = |error: &&FetchError| {
        matches!(
            error,
            FetchError::NoAddress | FetchError::UnknownHost | FetchError::Unreachable(_)
        )
    };
    let answered = errors.iter().find(|error| !silent(error));
    answered.or(errors.last()).copied().unwrap_or(FetchError::NoAddress)
}
