//! Agents with memory stores, and a log between them, for the tests.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::{
    Commit, Evidence, FleetKey, Group, GroupError, GroupId, Invitation, Local, LogEntry,
    MemoryRows, Offer, Plan, Received, Step, Suite, Surroundings,
};
use crate::fleet::Charter;
use crate::identity::fixture::{self as identity, NOW};
use crate::identity::{AgentId, Card, CardHash, SigningPair, Validity};
use crate::provider::aws::AwsLc;
use crate::provider::{FleetProvider, Provider};
pub(super) use crate::random::fixture::Seeded;
use crate::secret::Secret;
use crate::time::WallTime;

pub(super) const PROVIDER: &dyn FleetProvider = &AwsLc;

/// Everybody's cards, and blobs.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) cards: BTreeMap<CardHash, Card>,
    pub(super) blobs: BTreeMap<[u8; 32], Vec<u8>>,
}

impl Known {
    pub(super) fn of(agents: &[&Agent]) -> Self {
        let mut known = Self::default();
        for agent in agents {
            known.cards.insert(agent.card.hash(), agent.card.clone());
        }
        known
    }

    pub(super) fn with_proofs(&mut self, commit: &Commit) {
        if let Some(proofs) = &commit.proofs {
            let provider: &dyn Provider = PROVIDER;
            self.blobs.insert(provider.digest(&[proofs]), proofs.clone());
        }
    }
}

impl Evidence for Known {
    fn card(&self, hash: &CardHash) -> Option<&Card> {
        self.cards.get(hash)
    }

    fn blob(&self, hash: &[u8; 32]) -> Option<&[u8]> {
        self.blobs.get(hash).map(Vec::as_slice)
    }
}

/// An agent. Its group is loaded anew for each operation, unless a test keeps one.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) number: u8,
    pub(super) card: Card,
    pub(super) key: FleetKey,
    pub(super) pair: SigningPair,
    pub(super) rows: MemoryRows,
    pub(super) random: RefCell<Seeded>,
    pub(super) now: WallTime,
    pub(super) provider: &'static dyn FleetProvider,
}

impl Agent {
    pub(super) fn new(number: u8) -> Self {
        let key = FleetKey::from_seed(PROVIDER, Secret::new([number; 32])).unwrap();
        let mut body = identity::body(number);
        body.fleet_key = Some(key.public().to_vec());
        Self {
            number,
            card: identity::sign(number, body),
            key,
            pair: identity::signing_pair(number),
            rows: MemoryRows::default(),
            random: RefCell::new(Seeded(u64::from(number))),
            now: NOW,
            provider: PROVIDER,
        }
    }

    pub(super) fn id(&self) -> AgentId {
        self.card.agent()
    }

    pub(super) fn local(&self) -> Local<'_> {
        Local { card: &self.card, key: &self.key, pair: &self.pair }
    }

    /// Runs an operation, without adopting its rows.
    pub(super) fn with<T>(
        &self,
        operation: impl FnOnce(&mut Surroundings<'_>, &Local<'_>) -> T,
    ) -> T {
        let mut random = self.random.borrow_mut();
        let mut around = Surroundings {
            provider: self.provider,
            rows: &self.rows,
            random: &mut *random,
            now: self.now,
            suite: Suite::XWing,
        };
        operation(&mut around, &self.local())
    }

    /// Runs an operation and adopts its rows.
    pub(super) fn run<T>(
        &mut self,
        operation: impl FnOnce(&mut Surroundings<'_>, &Local<'_>) -> Result<Step<T>, GroupError>,
    ) -> Result<T, GroupError> {
        let step = self.with(operation)?;
        self.rows.adopt(step.changes);
        Ok(step.output)
    }

    /// As `run`, on the group as the rows have it. An error leaves every row as it was.
    pub(super) fn on<T>(
        &mut self,
        id: GroupId,
        operation: impl FnOnce(
            &mut Group,
            &mut Surroundings<'_>,
            &Local<'_>,
        ) -> Result<Step<T>, GroupError>,
    ) -> Result<T, GroupError> {
        self.run(|around, local| operation(&mut Group::load(around, id)?, around, local))
    }

    pub(super) fn offer(&mut self) -> Offer {
        self.offer_of(false)
    }

    pub(super) fn offer_of(&mut self, last_resort: bool) -> Offer {
        let until = self.now + Validity::MAX;
        let step = self.with(|around, local| Offer::make(around, local, until, last_resort));
        let Step { output, changes } = step.unwrap();
        self.rows.adopt(changes);
        output
    }

    pub(super) fn create(&mut self) -> GroupId {
        let charter = Charter::of_founder(self.id());
        self.run(|around, local| Group::create(around, local, &charter)).unwrap().id()
    }

    pub(super) fn commit(&mut self, id: GroupId, plan: &Plan<'_>) -> Result<Commit, GroupError> {
        self.on(id, |group, around, local| group.commit(around, local, plan))
    }

    pub(super) fn merge(&mut self, id: GroupId) {
        self.on(id, |group, around, _| group.merge(around)).unwrap();
    }

    pub(super) fn receive(
        &mut self,
        id: GroupId,
        known: &Known,
        entry: &LogEntry,
    ) -> Result<Received, GroupError> {
        let before = self.rows.clone();
        let result = self.on(id, |group, around, _| group.receive(around, known, entry));
        if result.is_err() {
            assert_eq!(self.rows, before);
        }
        result
    }

    pub(super) fn seal(&mut self, id: GroupId, payload: &[u8]) -> LogEntry {
        self.on(id, |group, around, local| group.seal(around, local, payload)).unwrap()
    }

    pub(super) fn join(&mut self, known: &Known, welcome: &[u8], tree: &[u8]) -> GroupId {
        self.run(|around, _| Invitation::open(around, known, welcome, tree)?.accept()).unwrap().id()
    }

    pub(super) fn tree(&self, id: GroupId) -> Vec<u8> {
        self.with(|around, _| Group::load(around, id).unwrap().view(around).unwrap().tree())
            .unwrap()
    }

    pub(super) fn authenticator(&self, id: GroupId) -> Vec<u8> {
        self.with(|around, _| {
            let mut group = Group::load(around, id).unwrap();
            group.view(around).unwrap().authenticator().to_vec()
        })
    }

    pub(super) fn members(&self, id: GroupId) -> Vec<AgentId> {
        self.with(|around, _| {
            let mut group = Group::load(around, id).unwrap();
            let members = group.view(around).unwrap().members().unwrap();
            members.iter().map(|member| member.credential.agent).collect()
        })
    }
}

/// A group of `size` agents, founded by the first, who added the others at once.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) agents: Vec<Agent>,
    pub(super) id: GroupId,
    pub(super) known: Known,
    /// The GroupInfo of the last commit.
    pub(super) info: Vec<u8>,
}

impl Fleet {
    pub(super) fn new(size: u8) -> Self {
        Self::on(PROVIDER, size)
    }

    pub(super) fn on(provider: &'static dyn FleetProvider, size: u8) -> Self {
        let agent = |number| Agent { provider, ..Agent::new(number) };
        let mut agents: Vec<_> = (1..=size).map(agent).collect();
        let mut known = Known::of(&agents.iter().collect::<Vec<_>>());
        let offers: Vec<_> = agents.iter_mut().skip(1).map(Agent::offer).collect();
        let id = agents[0].create();
        let plan = Plan { add: &offers, rotate: true, ..Plan::default() };
        let commit = agents[0].commit(id, &plan).unwrap();
        known.with_proofs(&commit);
        agents[0].merge(id);
        let tree = agents[0].tree(id);
        for (agent, welcome) in agents.iter_mut().skip(1).zip(&commit.welcomes) {
            assert_eq!(agent.join(&known, &welcome.bytes, &tree), id);
        }
        let fleet = Self { agents, id, known, info: commit.info };
        fleet.check_agreement();
        fleet
    }

    /// One member commits, and everybody that is still there follows.
    pub(super) fn commit(&mut self, by: usize, plan: &Plan<'_>) -> Commit {
        let commit = self.agents[by].commit(self.id, plan).unwrap();
        self.known.with_proofs(&commit);
        self.agents[by].merge(self.id);
        self.follow(by, &commit.entry);
        self.info.clone_from(&commit.info);
        commit
    }

    /// Everybody but one receives an entry.
    pub(super) fn follow(&mut self, but: usize, entry: &LogEntry) -> Vec<Received> {
        let (id, known) = (self.id, &self.known);
        let others = self.agents.iter_mut().enumerate().filter(|(place, _)| *place != but);
        others.map(|(_, agent)| agent.receive(id, known, entry).unwrap()).collect()
    }

    pub(super) fn check_agreement(&self) {
        let first = self.agents[0].authenticator(self.id);
        for agent in &self.agents {
            assert_eq!(agent.authenticator(self.id), first, "agent {}", agent.number);
        }
    }

    /// One member's message reaches every other.
    pub(super) fn check_message(&mut self, from: usize) {
        let sender = self.agents[from].id();
        let entry = self.agents[from].seal(self.id, b"hello");
        for received in self.follow(from, &entry) {
            assert!(matches!(
                received,
                Received::Message { sender: seen, payload, .. }
                    if seen == sender && payload.expose() == b"hello"
            ));
        }
    }
}
