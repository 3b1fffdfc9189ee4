//! The peers as an application sees them.

use meshwork_protocols::identity::{AgentId, Card, CardError, Newest, Sequence, Unverified};
use meshwork_router::{PeerFacts, Standing};
use meshwork_state::{Namespace, Row, StoreError};

use super::{Addressee, Dealings, PeerError};
use crate::driver::Shared;

/// How many rows are read at a time: a card's length each.
const SLICE: usize = 64;

/// A peer that is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Peer {
    /// Who it is.
    pub id: AgentId,
    /// How it stands with this agent.
    pub standing: Standing,
    /// Its local name.
    pub name: Option<String>,
    /// Where it was met.
    pub contact: Option<String>,
    /// The number of its newest card; `None` where that was revoked or contradicted.
    pub card: Option<Sequence>,
    /// What went between it and this agent since the start.
    pub dealings: Dealings,
}

/// A stranger that wrote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stranger {
    /// Who it is, proved.
    pub id: AgentId,
    /// How many of its messages are held.
    pub messages: usize,
}

impl Stranger {
    pub(crate) fn new(id: AgentId, messages: usize) -> Self {
        Self { id, messages }
    }
}

impl Peer {
    fn read((key, value): &Row) -> Result<Self, StoreError> {
        let id: [u8; 32] = key.as_slice().try_into().map_err(|_| StoreError::Damaged)?;
        let PeerFacts { standing, name, contact, newest, .. } = PeerFacts::decode(value)?;
        let card = match newest {
            Newest::Card(mark) => Some(mark.sequence),
            Newest::Refused(_) => None,
        };
        let dealings = Dealings::default();
        Ok(Self { id: AgentId::from_bytes(id), standing, name, contact, card, dealings })
    }
}

/// One of them.
pub(super) async fn one(shared: &Shared, peer: &Addressee) -> Result<Option<Peer>, PeerError> {
    let Some(id) = shared.find(peer) else { return Ok(None) };
    let peer = shared.read(move |rows| {
        let row = rows.get(Namespace::Peer, id.as_bytes())?;
        row.map(|value| Peer::read(&(id.as_bytes().to_vec(), value))).transpose()
    });
    Ok(peer.await??.map(|peer| with_dealings(shared, peer)))
}

fn with_dealings(shared: &Shared, peer: Peer) -> Peer {
    let dealings = shared.dealings.with(&peer.id, shared.sessions.standing(&peer.id));
    Peer { dealings, ..peer }
}

/// All of them.
pub(super) async fn all(shared: &Shared) -> Result<Vec<Peer>, PeerError> {
    let slices = shared.read(|rows| {
        let mut peers: Vec<Peer> = Vec::new();
        loop {
            let last = peers.last().map(|peer| *peer.id.as_bytes());
            let after = last.as_ref().map(<[u8; 32]>::as_slice);
            let slice = rows.scan(Namespace::Peer, &[], after, SLICE)?;
            if slice.is_empty() {
                return Ok(peers);
            }
            for row in &slice {
                peers.push(Peer::read(row)?);
            }
        }
    });
    let peers = slices.await??.into_iter();
    Ok(peers.map(|peer| with_dealings(shared, peer)).collect())
}

/// The card of one of them, as of the last moment at which it counted.
pub(super) async fn card(shared: &Shared, peer: &Addressee) -> Result<Option<Card>, PeerError> {
    let Some(peer) = shared.find(peer) else { return Ok(None) };
    let provider = shared.provider();
    let now = shared.clock.now().wall;
    let card = shared.read(move |rows| {
        let Some(row) = rows.get(Namespace::Peer, peer.as_bytes())? else { return Ok(None) };
        let facts = PeerFacts::decode(&row)?;
        let parse = || Unverified::<Card>::parse(&facts.card);
        let card = match parse().and_then(|card| card.verify(&*provider, now)) {
            Err(CardError::Expired(at) | CardError::NotYetValid(at)) => {
                parse().and_then(|card| card.verify(&*provider, at))
            }
            card => card,
        };
        card.map(Some).map_err(|_| StoreError::Damaged)
    });
    Ok(card.await??)
}
