//! The agents of one run and what all of them may know: keys, cards, and who is at which host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::{
    AgentId, Card, CardBody, CardError, LiveKey, Root, Sequence, SigningPair, Validity,
};
use meshwork_protocols::live::{Local, LocalError, Suite};
use meshwork_protocols::provider::{CryptoError, DeferredProvider, Provider};
use meshwork_protocols::secret::Secret;

use crate::clock::EPOCH;
use crate::network::Host;
use crate::recorder::{Judged, Recorder};
use crate::seeded::Seeded;

/// The primitives of one run, all under one watch.
#[derive(Clone, Debug)]
pub struct Watched {
    /// For keys that die with their process, and for nonces that are drawn.
    pub volatile: Arc<dyn Provider>,
    /// For keys of stored sessions.
    pub stored: Arc<dyn DeferredProvider>,
    /// Who watches.
    pub recorder: Recorder,
}

impl Watched {
    /// Puts `provider` under watch.
    pub fn new(provider: &Arc<dyn DeferredProvider>, random: &Seeded) -> Self {
        let recorder = Recorder::default();
        let watch =
            |judged, name| recorder.watch(Arc::clone(provider), judged, &random.fork(name, 0));
        let volatile = watch(Judged::WhenSealed, "volatile");
        let stored = watch(Judged::WhenLeft, "stored");
        Self { volatile, stored, recorder }
    }
}

/// One agent's keys and card.
#[derive(Debug)]
pub struct Agent {
    /// Its sessions' side of it.
    pub local: Arc<Local>,
    /// What it agrees on keys with where a simulated protocol stands in for a real one.
    pub agreement: Secret<32>,
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

    fn draw(provider: &Arc<dyn Provider>, random: &mut Seeded) -> Result<Self, MeshError> {
        let root = Root::generate(provider.as_ref(), random)?;
        let pair = SigningPair::generate(provider.as_ref(), random)?;
        let live = LiveKey::generate(provider.as_ref(), random);
        let validity = Validity::starting(EPOCH.saturating_sub(A_DAY), A_DAY * 20);
        let (sequence, signing) = (Sequence::new(EPOCH.as_secs()), pair.public().clone());
        let mut body = CardBody::new(sequence, validity, signing, *live.public());
        let first = random.index(Suite::ALL.len());
        body.suites = Suite::ALL.into_iter().cycle().skip(first).take(2).map(Suite::byte).collect();
        let card = Arc::new(root.sign_card(provider.as_ref(), body, random)?);
        let local = Local::new(Arc::clone(provider), card, live, pair)?;
        Ok(Self { local: Arc::new(local), agreement: Secret::random(random) })
    }
}

/// All agents of one run.
#[derive(Debug)]
pub struct Mesh {
    /// The primitives.
    pub watched: Watched,
    /// The public keys of all agreements.
    pub agreements: Arc<BTreeMap<AgentId, [u8; 32]>>,
    agents: Vec<Agent>,
    hosts: BTreeMap<AgentId, Host>,
}

impl Mesh {
    /// Draws that many agents. Hosts are in the order of their agents' ids, so that a rule that
    /// compares ids decides alike whatever the provider.
    pub fn draw(watched: Watched, count: usize, random: &mut Seeded) -> Result<Self, MeshError> {
        let provider = &watched.volatile;
        let mut agents =
            (0..count).map(|_| Agent::draw(provider, random)).collect::<Result<Vec<_>, _>>()?;
        agents.sort_by_key(Agent::id);
        let hosts = agents.iter().enumerate().map(|(at, agent)| (agent.id(), Host(at))).collect();
        let public = |agent: &Agent| (agent.id(), provider.x25519_public(&agent.agreement));
        let agreements = Arc::new(agents.iter().map(public).collect());
        Ok(Self { watched, agreements, agents, hosts })
    }

    /// The agent at a host.
    pub fn agent(&self, host: Host) -> Option<&Agent> {
        self.agents.get(host.0)
    }

    /// The host of an agent.
    pub fn host(&self, agent: &AgentId) -> Option<Host> {
        self.hosts.get(agent).copied()
    }

    /// All hosts.
    pub fn hosts(&self) -> impl Iterator<Item = Host> + use<> {
        (0..self.agents.len()).map(Host)
    }
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
