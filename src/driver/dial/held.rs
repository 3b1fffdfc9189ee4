//! What the rows say of where a peer is.

use std::sync::Arc;

use meshwork_protocols::identity::{Address, AgentId, Card, CardError, Contact, Unverified};
use meshwork_protocols::live::Directory;
use meshwork_router::PeerFacts;
use meshwork_state::{Namespace, Rows};

use crate::agent::FetchError;
use crate::driver::Shared;

/// What the row of a peer says.
pub(super) struct Held {
    /// Its card, if that counts now.
    pub(super) card: Result<Arc<Card>, CardError>,
    /// Where it may be.
    pub(super) addresses: Vec<Address>,
    /// Where it was met.
    pub(super) contact: Option<Contact>,
}

impl Held {
    pub(super) async fn read(shared: &Arc<Shared>, peer: AgentId) -> Result<Self, FetchError> {
        let row = shared.read(move |rows: &dyn Rows| rows.get(Namespace::Peer, peer.as_bytes()));
        let row = row.await.map_err(|_| FetchError::NoAddress)?.map_err(FetchError::Store)?;
        let row = row.ok_or(FetchError::NoAddress)?;
        let facts = PeerFacts::decode(&row).map_err(FetchError::Store)?;
        let contact: Option<Contact> = facts.contact.as_deref().and_then(|text| text.parse().ok());
        let card = verified(shared, &facts.card)?;
        // A card that ended may still say where its agent is.
        let addresses = addresses(shared, &card, contact.as_ref());
        let card = card.check_validity(shared.clock.now().wall).map(|()| card);
        Ok(Self { card, addresses, contact })
    }
}

/// The card of a row, as of the last moment at which it counted.
fn verified(shared: &Shared, bytes: &[u8]) -> Result<Arc<Card>, FetchError> {
    let (provider, now) = (shared.provider(), shared.clock.now().wall);
    let parse = || Unverified::<Card>::parse(bytes).map_err(FetchError::Card);
    if let Some(card) = shared.peers.card(&parse()?.hash(&*provider)) {
        return Ok(card);
    }
    let card = match parse()?.verify(&*provider, now) {
        Err(CardError::Expired(at) | CardError::NotYetValid(at)) => parse()?.verify(&*provider, at),
        card => card,
    };
    let card = Arc::new(card.map_err(FetchError::Card)?);
    shared.peers.keep(&card);
    Ok(card)
}

/// Where a peer may be: what its card says, then where it was met; over the transport that led to
/// it last, and then over the others in their order.
pub(super) fn addresses(shared: &Shared, card: &Card, contact: Option<&Contact>) -> Vec<Address> {
    let transports = &shared.transports;
    let mut addresses = card.addresses().to_vec();
    if let Some(contact) = contact {
        let met = met_at(shared, contact);
        addresses.extend(met.into_iter().filter(|address| !card.addresses().contains(address)));
    }
    addresses.retain(|address| transports.speak(address.transport));
    let last = shared.peers.reached_over(&card.agent());
    addresses.sort_by_key(|address| {
        (Some(address.transport) != last, transports.place(address.transport))
    });
    addresses
}

/// Where somebody may be who was met at a contact, which says no transport.
pub(super) fn met_at(shared: &Shared, contact: &Contact) -> Vec<Address> {
    contact.addresses(shared.transports.iter())
}
