//! The peers that are known: their cards, how they stand with the owner, and what is remembered
//! of their states.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::{
    AgentId, Card, Newest, Relay, Sequence, Supersession, Transport, Unverified, supersede,
};
use meshwork_protocols::lineage::Lineage;
use meshwork_protocols::secret::SecretBytes;
use meshwork_state::{Namespace, Row, StoreError};
use serde::{Deserialize, Serialize};

use crate::command::CommandError;
use crate::lineage::is_stale;
use crate::row;
use crate::transition::Transition;

/// The most peers that are kept; a card is about 8 KiB, so this is under a gigabyte on disk.
pub(crate) const PEERS: usize = 100_000;

/// How a peer stands with the owner.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Its messages are put into the inbox and answered with receipts.
    Known,
    /// It wrote without being known: held for the owner to decide, and not answered.
    Stranger,
    /// Nothing of it is wanted.
    Blocked,
}

/// What the owner says of a peer when a card is learned.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Meeting {
    /// The standing to give; `None` leaves a known peer as it is and makes a new one known.
    pub standing: Option<Standing>,
    /// A local name, unique among the peers; `None` leaves the one it has.
    pub name: Option<String>,
    /// Where it was reached, as the owner writes addresses; `None` leaves what is there.
    pub contact: Option<String>,
}

impl Meeting {
    pub(crate) fn of(standing: Standing) -> Self {
        Self { standing: Some(standing), ..Self::default() }
    }
}

/// What is kept of a peer, as its row holds it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PeerFacts {
    /// How it stands with the owner.
    pub standing: Standing,
    /// A local name.
    pub name: Option<String>,
    /// Where it was reached by the owner, as the owner wrote it.
    pub contact: Option<String>,
    /// The bytes of the newest card that was not refused.
    pub card: Vec<u8>,
    /// The newest card's number, and whether cards up to one are refused.
    pub newest: Newest,
    /// What its last Hello said of its state.
    pub remembered: Option<Lineage>,
}

impl PeerFacts {
    /// Reads a row of [`Namespace::Peer`].
    pub fn decode(value: &SecretBytes) -> Result<Self, StoreError> {
        row::decode(value)
    }
}

/// What is needed of a peer at each step; the rest stays in its row.
#[derive(Debug)]
struct Peer {
    standing: Standing,
    name: Option<String>,
    /// Those that its card names, in their order.
    relays: Arc<[Relay]>,
}

/// All peers.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    peers: BTreeMap<AgentId, Peer>,
    /// When a Hello of each was last believed, while this process runs.
    greeted: BTreeMap<AgentId, Duration>,
    /// How often another agent became known, or one is known no more.
    changes: u64,
}

/// How long a Hello may be on its way until its session stands, where datagrams carry it: as long as
/// an opening may take.
const LATE: Duration = Duration::from_secs(60);

/// What a card that was shown does to the one that is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shown {
    /// It is the one that is used from now on.
    Usable,
    /// Of the same number, with other content: neither is used.
    Contradicted,
    /// Older than the one that is held, contradicted or revoked.
    Refused,
}

impl Peers {
    /// Takes a row at a start.
    pub(crate) fn load(&mut self, (key, value): &Row) -> Result<(), StoreError> {
        let facts = PeerFacts::decode(value)?;
        let id: [u8; 32] = key.as_slice().try_into().map_err(|_| StoreError::Damaged)?;
        self.peers.insert(AgentId::from_bytes(id), Peer::of(&facts)?);
        Ok(())
    }

    /// How a peer stands; `None` for one that nobody has heard of.
    pub(crate) fn standing(&self, peer: &AgentId) -> Option<Standing> {
        self.peers.get(peer).map(|peer| peer.standing)
    }

    /// The relays that keep its mail, in the order of its card.
    pub(crate) fn relays(&self, peer: &AgentId) -> Arc<[Relay]> {
        self.peers.get(peer).map(|peer| Arc::clone(&peer.relays)).unwrap_or_default()
    }

    /// Those to whom receipts go.
    pub(crate) fn known(&self) -> impl Iterator<Item = &AgentId> {
        let known = self.peers.iter().filter(|(_, peer)| peer.standing == Standing::Known);
        known.map(|(id, _)| id)
    }

    /// Differs where [`Peers::known`] may.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether receipts go to it.
    pub(crate) fn is_known(&self, peer: &AgentId) -> bool {
        self.standing(peer) == Some(Standing::Known)
    }

    /// The row of a peer.
    pub(crate) fn facts(
        step: &Transition<'_>,
        peer: &AgentId,
    ) -> Result<Option<PeerFacts>, StoreError> {
        step.get(Namespace::Peer, peer.as_bytes())?.as_ref().map(PeerFacts::decode).transpose()
    }

    /// Learns a card, and what the owner says of its holder.
    pub(crate) fn meet(
        &mut self,
        step: &mut Transition<'_>,
        card: &Card,
        meeting: Meeting,
    ) -> Result<Shown, CommandError> {
        let Meeting { standing, name, contact } = meeting;
        let id = card.agent();
        self.check_name(&id, name.as_ref())?;
        let held = Self::facts(step, &id)?;
        if held.is_none() && self.peers.len() >= PEERS {
            return Err(CommandError::Busy);
        }
        let mut facts = held.unwrap_or_else(|| first(card));
        let shown = show(&mut facts, card);
        facts.standing = standing.unwrap_or(facts.standing);
        facts.name = name.or(facts.name);
        facts.contact = contact.or(facts.contact);
        self.write(step, id, &facts);
        Ok(shown)
    }

    /// Takes what a Hello said, over this transport, and returns what to compare it with. A peer that
    /// nobody knows leaves no row.
    pub(crate) fn greet(
        &mut self,
        step: &mut Transition<'_>,
        card: &Card,
        lineage: Lineage,
        transport: Transport,
    ) -> Result<(Shown, Option<Lineage>), StoreError> {
        if !self.peers.contains_key(&card.agent()) {
            return Ok((Shown::Usable, None));
        }
        let Some(mut facts) = Self::facts(step, &card.agent())? else {
            return Ok((Shown::Usable, None));
        };
        let before = facts.clone();
        let shown = show(&mut facts, card);
        let (peer, now, mut remembered) = (card.agent(), step.now.monotonic, facts.remembered);
        let is_lower = remembered.is_some_and(|remembered| lineage.number < remembered.number);
        let lately = self.greeted.get(&peer).is_some_and(|at| now < *at + LATE);
        if is_lower && lately && !transport.is_reliable() {
            // It may have been overtaken by what several starts said since: it proves nothing.
            remembered = None;
        } else if !remembered.is_some_and(|remembered| is_stale(&remembered, &lineage)) {
            facts.remembered = Some(lineage);
            self.greeted.insert(peer, now);
        }
        if facts != before {
            self.write(step, peer, &facts);
        }
        Ok((shown, remembered))
    }

    /// Cards of this peer up to `number` are revoked.
    pub(crate) fn revoke(
        &mut self,
        step: &mut Transition<'_>,
        peer: AgentId,
        number: Sequence,
    ) -> Result<(), CommandError> {
        let mut facts = Self::facts(step, &peer)?.ok_or(CommandError::UnknownPeer)?;
        facts.newest = match facts.newest {
            Newest::Card(mark) if mark.sequence > number => facts.newest,
            Newest::Refused(before) => Newest::Refused(before.max(number)),
            Newest::Card(_) => Newest::Refused(number),
        };
        self.write(step, peer, &facts);
        Ok(())
    }

    /// Changes how a peer stands.
    pub(crate) fn stand(
        &mut self,
        step: &mut Transition<'_>,
        peer: AgentId,
        standing: Standing,
    ) -> Result<(), CommandError> {
        let mut facts = Self::facts(step, &peer)?.ok_or(CommandError::UnknownPeer)?;
        facts.standing = standing;
        self.write(step, peer, &facts);
        Ok(())
    }

    /// Gives a peer another local name, or none.
    pub(crate) fn name(
        &mut self,
        step: &mut Transition<'_>,
        peer: AgentId,
        name: Option<String>,
    ) -> Result<(), CommandError> {
        self.check_name(&peer, name.as_ref())?;
        let mut facts = Self::facts(step, &peer)?.ok_or(CommandError::UnknownPeer)?;
        facts.name = name;
        self.write(step, peer, &facts);
        Ok(())
    }

    /// Forgets a peer.
    pub(crate) fn forget(&mut self, step: &mut Transition<'_>, peer: &AgentId) -> bool {
        step.delete(Namespace::Peer, peer.as_bytes().to_vec());
        self.greeted.remove(peer);
        let forgotten = self.peers.remove(peer);
        self.changes += u64::from(forgotten.is_some());
        forgotten.is_some()
    }

    /// No two peers have one name.
    fn check_name(&self, id: &AgentId, name: Option<&String>) -> Result<(), CommandError> {
        let taken = |(other, peer): (&AgentId, &Peer)| other != id && peer.name.as_ref() == name;
        if name.is_some() && self.peers.iter().any(taken) {
            return Err(CommandError::NameTaken);
        }
        Ok(())
    }

    fn write(&mut self, step: &mut Transition<'_>, id: AgentId, facts: &PeerFacts) {
        step.put(Namespace::Peer, id.as_bytes().to_vec(), row::encode(facts));
        // A card that was verified a moment ago, or when its row was written, is one.
        if let Ok(peer) = Peer::of(facts) {
            let was_known = self.is_known(&id);
            self.peers.insert(id, peer);
            self.changes += u64::from(was_known != self.is_known(&id));
        }
    }
}

impl Peer {
    fn of(facts: &PeerFacts) -> Result<Self, StoreError> {
        let card = Unverified::<Card>::parse(&facts.card).map_err(|_| StoreError::Damaged)?;
        let relays = card.claimed_relays().into();
        Ok(Self { standing: facts.standing, name: facts.name.clone(), relays })
    }
}

fn first(card: &Card) -> PeerFacts {
    PeerFacts {
        standing: Standing::Known,
        name: None,
        contact: None,
        card: card.as_bytes().to_vec(),
        newest: Newest::Card(card.into()),
        remembered: None,
    }
}

/// Judges a card against the one that is held, and keeps what follows.
fn show(facts: &mut PeerFacts, card: &Card) -> Shown {
    match supersede(facts.newest, card.into()) {
        Supersession::Replaces => {
            facts.card = card.as_bytes().to_vec();
            facts.newest = Newest::Card(card.into());
            Shown::Usable
        }
        Supersession::Unchanged => Shown::Usable,
        Supersession::Equivocation => {
            facts.newest = Newest::Refused(card.sequence());
            Shown::Contradicted
        }
        Supersession::Stale | Supersession::Refused => Shown::Refused,
    }
}
