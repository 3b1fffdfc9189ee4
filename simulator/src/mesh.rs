//! The agents of one run and what all of them may know: keys, cards, and who is at which host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::deferred::CurveKey;
use meshwork_protocols::fleet::FleetKey;
use meshwork_protocols::identity::{
    AgentId, Card, CardBody, CardError, HybridSeeds, LiveKey, Relay, Root, Sequence, SigningPair,
    Validity,
};
use meshwork_protocols::live::{Local, LocalError, Suite};
use meshwork_protocols::provider::{CryptoError, DeferredProvider, FleetProvider};
use meshwork_protocols::secret::Secret;
use meshwork_router::{Deferred, Fleet, PrekeySettings};

use crate::clock::EPOCH;
use crate::network::Host;
use crate::recorder::Recorder;
use crate::seeded::Seeded;

/// The primitives of one run, all under one watch.
#[derive(Clone, Debug)]
pub struct Watched {
    /// What all agents use.
    pub provider: Arc<dyn DeferredProvider>,
    /// The same, where it has what fleets need.
    pub fleets: Option<Arc<dyn FleetProvider>>,
    /// Who watches.
    pub recorder: Recorder,
}

impl Watched {
    /// Puts `provider` under watch.
    pub fn new(provider: &Arc<dyn DeferredProvider>, random: &Seeded) -> Self {
        let recorder = Recorder::default();
        let provider = recorder.watch(Arc::clone(provider), &random.fork("watched", 0));
        Self { provider, fleets: None, recorder }
    }

    /// Puts published primitives under watch.
    pub fn with_fleets(provider: &Arc<dyn FleetProvider>, random: &Seeded) -> Self {
        let recorder = Recorder::default();
        let fleets = recorder.watch_fleets(Arc::clone(provider), &random.fork("watched", 0));
        Self { provider: Arc::<dyn FleetProvider>::clone(&fleets), fleets: Some(fleets), recorder }
    }
}

/// One agent's keys and card.
#[derive(Debug)]
pub struct Agent {
    /// Its sessions' side of it.
    pub local: Arc<Local>,
    /// What others begin deferred sessions with.
    identity: CurveKey,
    /// What its signing pair was made from.
    seeds: HybridSeeds,
    /// What its key in fleets is made from, where there are any.
    fleet: Option<Secret<32>>,
}

impl Agent {
    /// Who it is.
    pub fn id(&self) -> AgentId {
        self.local.agent()
    }

    /// Its card.
    pub fn card(&self) -> &Arc<Card> {
        self.local.card()
    }

    /// Its side of deferred mail.
    pub fn deferred(
        &self,
        provider: &Arc<dyn DeferredProvider>,
        settings: PrekeySettings,
    ) -> Option<Deferred> {
        let pair = SigningPair::from_seeds(&**provider, self.seeds.clone()).ok()?;
        let (identity, card) = (self.identity.clone(), Arc::clone(self.card()));
        Deferred::new(Arc::clone(provider), identity, pair, card, settings)
    }

    /// Its side of fleets.
    pub fn fleet(&self, watched: &Watched) -> Option<Fleet> {
        let provider = watched.fleets.as_ref()?;
        let pair = SigningPair::from_seeds(&**provider, self.seeds.clone()).ok()?;
        let key = FleetKey::from_seed(&**provider, self.fleet.clone()?).ok()?;
        Fleet::new(Arc::clone(provider), key, pair, Arc::clone(self.card()))
    }

    fn draw(watched: &Watched, relays: Vec<Relay>, random: &mut Seeded) -> Result<Self, MeshError> {
        let provider = &watched.provider;
        let root = Root::generate(provider.as_ref(), random)?;
        let pair = SigningPair::generate(provider.as_ref(), random)?;
        let live = LiveKey::generate(provider.as_ref(), random);
        let identity = CurveKey::generate(provider.as_ref(), random);
        let validity = Validity::starting(EPOCH.saturating_sub(A_DAY), A_DAY * 20);
        let (sequence, signing) = (Sequence::new(EPOCH.as_secs()), pair.public().clone());
        let mut body = CardBody::new(sequence, validity, signing, *live.public());
        let first = random.index(Suite::ALL.len());
        body.suites = Suite::ALL.into_iter().cycle().skip(first).take(2).map(Suite::byte).collect();
        body.relays = relays;
        body.deferred_identity = Some(identity.public().encode().to_vec());
        let fleet = watched.fleets.as_ref().map(|_| Secret::random(random));
        if let Some(seed) = &fleet {
            let key = FleetKey::from_seed(provider.as_ref(), seed.clone())?;
            body.fleet_key = Some(key.public().to_vec());
        }
        let card = Arc::new(root.sign_card(provider.as_ref(), body, random)?);
        let seeds = pair.seeds().clone();
        let local = Local::new(Arc::<dyn DeferredProvider>::clone(provider), card, live, pair)?;
        Ok(Self { local: Arc::new(local), identity, seeds, fleet })
    }
}

/// All agents of one run.
#[derive(Debug)]
pub struct Mesh {
    /// The primitives.
    pub watched: Watched,
    agents: Vec<Agent>,
    /// How far from each other those are who have to do with each other.
    circle: usize,
    hosts: BTreeMap<AgentId, Host>,
    /// Behind the agents' hosts.
    relays: Vec<AgentId>,
}

impl Mesh {
    /// Draws that many agents, each of whom has to do with those `circle` places around it. Hosts are in the order of their agents' ids, so that a rule that
    /// compares ids decides alike whatever the provider.
    pub fn draw(
        watched: Watched,
        (count, circle): (usize, usize),
        relays: usize,
        random: &mut Seeded,
    ) -> Result<Self, MeshError> {
        // Relays prove themselves to nobody here, so that any id will do.
        let relays: Vec<_> = (0..relays)
            .map(|at| AgentId::from_bytes([u8::try_from(at).unwrap_or(0); 32]))
            .collect();
        let mut agents = (0..count)
            .map(|_| Agent::draw(&watched, some_of(&relays, random), random))
            .collect::<Result<Vec<_>, _>>()?;
        agents.sort_by_key(Agent::id);
        let hosts = agents.iter().enumerate().map(|(at, agent)| (agent.id(), Host(at))).collect();
        Ok(Self { watched, agents, circle, hosts, relays })
    }

    /// The agent at a host.
    pub fn agent(&self, host: Host) -> Option<&Agent> {
        self.agents.get(host.0)
    }

    /// The host of an agent.
    pub fn host(&self, agent: &AgentId) -> Option<Host> {
        self.hosts.get(agent).copied()
    }

    /// The host of a relay.
    pub fn relay_host(&self, relay: &AgentId) -> Option<Host> {
        let at = self.relays.iter().position(|known| known == relay)?;
        Some(Host(self.agents.len() + at))
    }

    /// The relay at a host.
    pub fn relay_at(&self, host: Host) -> Option<AgentId> {
        self.relays.get(host.0.checked_sub(self.agents.len())?).copied()
    }

    /// The hosts of all relays.
    pub fn relay_hosts(&self) -> impl Iterator<Item = Host> + use<> {
        let first = self.agents.len();
        (first..first + self.relays.len()).map(Host)
    }

    /// The hosts with which one has to do, without itself.
    pub fn around(&self, host: Host) -> impl Iterator<Item = Host> + use<> {
        let (count, circle) = (self.agents.len(), self.circle);
        let near = move |other: &Host| {
            let apart = host.0.abs_diff(other.0);
            apart > 0 && apart.min(count - apart) <= circle
        };
        self.hosts().filter(near)
    }

    /// All hosts.
    pub fn hosts(&self) -> impl Iterator<Item = Host> + use<> {
        (0..self.agents.len()).map(Host)
    }
}

/// Two of the relays, or all but one, in an order of the agent's own.
fn some_of(relays: &[AgentId], random: &mut Seeded) -> Vec<Relay> {
    if relays.is_empty() {
        return Vec::new();
    }
    let (first, count) = (random.index(relays.len()), 2 + random.index(relays.len() - 1));
    let named = relays.iter().cycle().skip(first).take(count.min(relays.len()));
    named.map(|agent| Relay { agent: *agent, addresses: Vec::new() }).collect()
}

/// Why there is no mesh: the provider failed, or the simulator is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MeshError {
    /// A key could not be made.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A card could not be signed.
    #[error(transparent)]
    Card(#[from] CardError),
    /// Card and keys do not fit.
    #[error(transparent)]
    Local(#[from] LocalError),
}

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
