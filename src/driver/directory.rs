//! What the node knows of its peers while a session is opened: a copy in memory of what the rows
//! hold, and the cards that were verified lately.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use meshwork_protocols::identity::{AgentId, Card, CardHash, Newest, Transport};
use meshwork_protocols::lineage::Lineage;
use meshwork_protocols::live::Directory;
use meshwork_router::{PeerFacts, Standing};
use meshwork_state::{Batch, Change, Namespace, Rows, StoreError};
use tokio::sync::Notify;

use super::Vault;

/// How many verified cards are kept: a card is about 9 KiB, and one that is missing costs its
/// owner one more connection.
const CARDS: usize = 1_024;

/// Of how many agents is kept that they hold our card, and over what they were reached. One that is
/// missing gets the card again, and is looked for in the usual order.
const HOLDERS: usize = 65_536;

/// How many rows are read at a time: a card's length each.
const SLICE: usize = 64;

/// The peers by id and name, and the cards by hash.
pub(crate) struct PeerIndex {
    vault: Arc<Vault>,
    known: RwLock<Known>,
    /// How somebody stands may have changed.
    changed: Notify,
}

#[derive(Default)]
struct Known {
    peers: HashMap<AgentId, Entry>,
    names: HashMap<String, AgentId>,
    cards: HashMap<CardHash, Arc<Card>>,
    /// The order in which the cards came; the first goes first.
    oldest: VecDeque<CardHash>,
    /// Who has shown that it holds our card with this hash.
    holders: HashMap<AgentId, CardHash>,
    /// Over what each peer was reached last.
    reached: HashMap<AgentId, Transport>,
}

/// What is needed of a peer; the rest stays in its row.
struct Entry {
    standing: Standing,
    name: Option<String>,
    newest: Newest,
    remembered: Option<Lineage>,
}

impl PeerIndex {
    /// Reads what the rows hold.
    pub(crate) fn load(vault: Arc<Vault>) -> Result<Self, StoreError> {
        let this = Self { vault, known: RwLock::default(), changed: Notify::new() };
        this.reload()?;
        Ok(this)
    }

    /// Reads what the rows hold now. Cards that were verified stay so.
    pub(crate) fn reload(&self) -> Result<(), StoreError> {
        let mut read = Known::default();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let rows = self.vault.scan(Namespace::Peer, &[], after.as_deref(), SLICE)?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(last.clone());
            for (key, value) in &rows {
                read.put(agent(key)?, PeerFacts::decode(value)?);
            }
        }
        let mut known = self.write();
        known.peers = read.peers;
        known.names = read.names;
        drop(known);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Takes over what a batch did to the rows of peers, now that it is durable.
    pub(crate) fn follow(&self, batch: &Batch) -> Result<(), StoreError> {
        let peers = batch.changes().skip_while(|(namespace, ..)| *namespace < Namespace::Peer);
        let mut peers =
            peers.take_while(|(namespace, ..)| *namespace == Namespace::Peer).peekable();
        if peers.peek().is_none() {
            return Ok(());
        }
        let mut known = self.write();
        for (_, key, change) in peers {
            let agent = agent(key)?;
            match change {
                Change::Put(value) => known.put(agent, PeerFacts::decode(value)?),
                Change::Delete => known.remove(&agent),
            }
        }
        drop(known);
        self.changed.notify_waiters();
        Ok(())
    }

    /// The peer with this local name.
    pub(crate) fn named(&self, name: &str) -> Option<AgentId> {
        self.read().names.get(name).copied()
    }

    /// The local name of this peer.
    pub(crate) fn name_of(&self, agent: &AgentId) -> Option<String> {
        self.read().peers.get(agent)?.name.clone()
    }

    /// How a peer stands with the owner; `None` for one that is not kept.
    pub(crate) fn standing(&self, agent: &AgentId) -> Option<Standing> {
        self.read().peers.get(agent).map(|entry| entry.standing)
    }

    /// Whether nothing of this agent is heard, not even what strangers may ask.
    pub(crate) fn is_blocked(&self, agent: &AgentId) -> bool {
        self.standing(agent) == Some(Standing::Blocked)
    }

    /// Whether calls, datagrams and streams of this agent are heard. Who is not known gets silence,
    /// and nothing of it is kept but messages, which are the router's.
    pub(crate) fn is_heard(&self, agent: &AgentId) -> bool {
        self.standing(agent) == Some(Standing::Known)
    }

    /// Waits until an agent is heard. Dropping the future loses nothing.
    pub(crate) async fn until_heard(&self, agent: &AgentId) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From now on no change is missed.
            changed.as_mut().enable();
            if self.is_heard(agent) {
                return;
            }
            changed.await;
        }
    }

    /// Keeps a verified card for a while.
    pub(crate) fn keep(&self, card: &Arc<Card>) {
        let mut known = self.write();
        if known.cards.insert(card.hash(), Arc::clone(card)).is_none() {
            known.oldest.push_back(card.hash());
        }
        if known.cards.len() > CARDS
            && let Some(oldest) = known.oldest.pop_front()
        {
            known.cards.remove(&oldest);
        }
    }

    /// This agent has shown that it holds our card with this hash.
    pub(crate) fn holds(&self, agent: AgentId, ours: CardHash) {
        let mut known = self.write();
        if known.holders.len() >= HOLDERS && !known.holders.contains_key(&agent) {
            let any = known.holders.keys().next().copied();
            any.and_then(|any| known.holders.remove(&any));
        }
        known.holders.insert(agent, ours);
    }

    /// This agent asked for our card: it holds none.
    pub(crate) fn lacks(&self, agent: &AgentId) {
        self.write().holders.remove(agent);
    }

    /// A session with this peer was opened over `transport`.
    pub(crate) fn was_reached(&self, agent: AgentId, transport: Transport) {
        let mut known = self.write();
        if known.reached.len() >= HOLDERS && !known.reached.contains_key(&agent) {
            let any = known.reached.keys().next().copied();
            any.and_then(|any| known.reached.remove(&any));
        }
        known.reached.insert(agent, transport);
    }

    /// Over what this peer was reached last, while the agent runs.
    pub(crate) fn reached_over(&self, agent: &AgentId) -> Option<Transport> {
        self.read().reached.get(agent).copied()
    }

    // What is behind the lock is whole at any moment.
    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn put(&mut self, agent: AgentId, facts: PeerFacts) {
        self.remove(&agent);
        let PeerFacts { standing, name, newest, remembered, .. } = facts;
        if let Some(name) = &name {
            self.names.insert(name.clone(), agent);
        }
        self.peers.insert(agent, Entry { standing, name, newest, remembered });
    }

    fn remove(&mut self, agent: &AgentId) {
        let name = self.peers.remove(agent).and_then(|entry| entry.name);
        if let Some(name) = name
            && self.names.get(&name) == Some(agent)
        {
            self.names.remove(&name);
        }
    }
}

impl Directory for PeerIndex {
    fn card(&self, hash: &CardHash) -> Option<Arc<Card>> {
        self.read().cards.get(hash).cloned()
    }

    fn newest(&self, agent: &AgentId) -> Option<Newest> {
        self.read().peers.get(agent).map(|entry| entry.newest)
    }

    fn holds_ours(&self, peer: &AgentId, ours: &CardHash) -> bool {
        self.read().holders.get(peer) == Some(ours)
    }

    fn lineage(&self) -> Lineage {
        self.vault.lineage()
    }

    fn remembered(&self, peer: &AgentId) -> Option<Lineage> {
        self.read().peers.get(peer).and_then(|entry| entry.remembered)
    }
}

impl fmt::Debug for PeerIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerIndex").field("peers", &self.read().peers.len()).finish_non_exhaustive()
    }
}

fn agent(key: &[u8]) -> Result<AgentId, StoreError> {
    key.try_into().map(AgentId::from_bytes).map_err(|_| StoreError::Damaged)
}
