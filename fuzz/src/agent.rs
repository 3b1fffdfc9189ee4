//! Agents for the targets and their seeds: the same keys and the same bytes in each run.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use meshwork_protocols::identity::{
    AgentId, Capabilities, Card, CardBody, CardHash, Endorsement, Grant, HybridSeeds, LiveKey,
    Newest, Protocol, Relay, Revocation, Root, Scope, Sequence, Service, SigningPair, Transport,
    Unverified, Validity,
};
use meshwork_protocols::lineage::{Incarnation, Lineage};
use meshwork_protocols::live::{Directory, Local};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;
use meshwork_protocols::time::{Timestamp, WallTime};

/// A moment at which every card counts.
pub(crate) const NOW: Timestamp =
    Timestamp { monotonic: Duration::from_secs(1_000), wall: WallTime::from_secs(1_800_000_000) };

/// An agent with all its secrets.
pub(crate) struct Agent {
    /// What names it.
    pub(crate) root: Root,
    /// What its sessions need.
    pub(crate) local: Arc<Local>,
}

impl Agent {
    /// The agent that every target speaks for.
    pub(crate) fn own() -> &'static Self {
        static OWN: LazyLock<Agent> = LazyLock::new(|| Agent::new(1));
        &OWN
    }

    /// An agent that the owner knows.
    pub(crate) fn peer() -> &'static Self {
        static PEER: LazyLock<Agent> = LazyLock::new(|| Agent::new(2));
        &PEER
    }

    /// An agent that the owner does not know.
    pub(crate) fn stranger() -> &'static Self {
        static STRANGER: LazyLock<Agent> = LazyLock::new(|| Agent::new(3));
        &STRANGER
    }

    fn new(number: u8) -> Self {
        let root = Root::from_seeds(&Pure, seeds(number)).unwrap();
        let signing_pair = SigningPair::from_seeds(&Pure, seeds(number | 0x80)).unwrap();
        let live_key = live_key(number);
        let body = CardBody {
            next_live_key: Some(*self::live_key(number | 0x40).public()),
            deferred_identity: Some(vec![5; 33]),
            fleet_key: Some(vec![6; 32]),
            addresses: vec![
                "tcp:127.0.0.1:7400".parse().unwrap(),
                "quic:[2001:db8::1]:7401".parse().unwrap(),
                "udp:agent.example.org:7402".parse().unwrap(),
            ],
            relays: vec![Relay {
                agent: AgentId::from_bytes([9; 32]),
                addresses: vec!["tcp:relay.example.org:443".parse().unwrap()],
            }],
            suites: vec![1, 2],
            capabilities: Capabilities {
                protocols: [Protocol::Live].into(),
                transports: [Transport::Tcp].into(),
                services: [Service { name: "translate".parse().unwrap(), version: 2 }].into(),
            },
            region: Some("CH".parse().unwrap()),
            endorsements: vec![endorsement(root.agent())],
            extensions: [(1, vec![1, 2, 3]), (0xffff, vec![])].into(),
            ..CardBody::new(
                Sequence::new(u64::from(number)),
                Validity::starting(NOW.wall, Validity::MAX),
                signing_pair.public().clone(),
                *live_key.public(),
            )
        };
        let card = root.sign_card(&Pure, body, &mut Seeded::new(1)).unwrap();
        let local = Local::new(PROVIDER.clone(), Arc::new(card), live_key, signing_pair).unwrap();
        Self { root, local: Arc::new(local) }
    }

    /// Who the agent is.
    pub(crate) fn id(&self) -> AgentId {
        self.root.agent()
    }

    /// Its card.
    pub(crate) fn card(&self) -> &Arc<Card> {
        self.local.card()
    }

    /// What takes its card back.
    pub(crate) fn revocation(&self) -> Revocation {
        let scope = Scope::Cards(self.card().sequence());
        self.root.sign_revocation(scope, NOW.wall, &mut Seeded::new(2)).unwrap()
    }

    /// Where the agent's state stands.
    pub(crate) fn lineage(&self) -> Lineage {
        Lineage {
            incarnation: Incarnation::from_bytes([3; 16]),
            parent: Incarnation::NONE,
            number: 1_000,
        }
    }

    /// What the agent's node knows: nobody.
    pub(crate) fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(Nobody(self.lineage()))
    }
}

/// The provider in Rust alone, which any seed makes repeatable.
pub(crate) static PROVIDER: LazyLock<Arc<dyn Provider>> = LazyLock::new(|| Arc::new(Pure));

/// Who gives roles.
pub(crate) fn authority() -> Root {
    Root::from_seeds(&Pure, seeds(7)).unwrap()
}

/// The role that the authority gave, directly, to `subject`.
pub(crate) fn endorsement(subject: AgentId) -> Unverified<Endorsement> {
    authority().endorse(grant(subject, 0), &mut Seeded::new(3)).unwrap()
}

/// The role that the authority let our own agent give on, to the peer.
pub(crate) fn chain() -> Unverified<Endorsement> {
    let (own, peer) = (Agent::own(), Agent::peer());
    let first = authority().endorse(grant(own.id(), 1), &mut Seeded::new(4)).unwrap();
    own.root.endorse_under(&first, grant(peer.id(), 0), &mut Seeded::new(5)).unwrap()
}

fn grant(subject: AgentId, delegations: u8) -> Grant {
    let not_after = NOW.wall + Duration::from_secs(86_400);
    Grant { subject, role: "auditor".parse().unwrap(), not_after, delegations }
}

pub(crate) fn seeds(number: u8) -> HybridSeeds {
    HybridSeeds { ed25519: Secret::new([number; 32]), ml_dsa: Secret::new([!number; 32]) }
}

pub(crate) fn live_key(number: u8) -> LiveKey {
    LiveKey::from_secret(&Pure, Secret::new([number; 32]))
}

/// Random bytes that one seed repeats (SplitMix64).
#[derive(Debug)]
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[derive(Debug)]
struct Nobody(Lineage);

impl Directory for Nobody {
    fn card(&self, _: &CardHash) -> Option<Arc<Card>> {
        None
    }

    fn newest(&self, _: &AgentId) -> Option<Newest> {
        None
    }

    fn holds_ours(&self, _: &AgentId, _: &CardHash) -> bool {
        false
    }

    fn lineage(&self) -> Lineage {
        self.0
    }

    fn remembered(&self, _: &AgentId) -> Option<Lineage> {
        None
    }
}
