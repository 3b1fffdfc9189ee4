//! Two agents that hold each other's cards, and their sessions in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::{
    AgentId, Card, CardBody, CardHash, HybridSeeds, LiveKey, Newest, Purpose, Root, Sequence,
    SigningPair, Validity,
};
use meshwork_protocols::lineage::{Incarnation, Lineage};
use meshwork_protocols::live::{Dial, Directory, Local, SessionEvent, Suite, TcpSession};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::time::{Timestamp, WallTime};

use crate::Failure;

/// When all of it happens.
pub const NOW: Timestamp =
    Timestamp { monotonic: Duration::ZERO, wall: WallTime::from_secs(1_800_000_000) };

/// An initiator and a responder.
pub struct Agents {
    initiator: Agent,
    responder: Agent,
}

struct Agent {
    local: Arc<Local>,
    directory: Arc<dyn Directory>,
}

impl Agents {
    pub fn new(suite: Suite) -> Result<Self, Failure> {
        let (one, other) = (local(suite)?, local(suite)?);
        let directory: Arc<dyn Directory> = Arc::new(Cached::new([&one, &other]));
        Ok(Self {
            initiator: Agent { local: one, directory: Arc::clone(&directory) },
            responder: Agent { local: other, directory },
        })
    }

    /// A session from the first byte until both Hellos were accepted.
    pub fn session(&self) -> Result<(), Failure> {
        self.connect().map(drop)
    }

    /// Both ends of an open session.
    pub fn connect(&self) -> Result<(TcpSession, TcpSession), Failure> {
        let dial = Dial::Session(Arc::clone(self.responder.local.card()));
        let (local, directory) = self.initiator.ends();
        let random = local.provider().random();
        let mut one = TcpSession::initiate(local, directory, dial, NOW, random)?;
        let (local, directory) = self.responder.ends();
        let random = local.provider().random();
        let mut other = TcpSession::accept(local, directory, NOW, random);
        for _ in 0..2 {
            pass(&mut one, &mut other)?;
            pass(&mut other, &mut one)?;
        }
        for session in [&mut one, &mut other] {
            let Some(SessionEvent::Established(_)) = session.poll() else {
                return Err("a session did not open".into());
            };
        }
        Ok((one, other))
    }

    /// Who dials, and who is dialled.
    pub fn locals(&self) -> (&Arc<Local>, &Arc<Local>) {
        (&self.initiator.local, &self.responder.local)
    }

    /// What both Hellos cost if they were nothing but signatures.
    pub fn signatures(&self) -> Result<Signatures, Failure> {
        let provider: Arc<dyn Provider> = Arc::new(AwsLc);
        let seeds = HybridSeeds::random(&mut *provider.random());
        let pair = SigningPair::from_seeds(&*provider, seeds)?;
        Ok(Signatures { provider, pair })
    }
}

impl Agent {
    fn ends(&self) -> (Arc<Local>, Arc<dyn Directory>) {
        (Arc::clone(&self.local), Arc::clone(&self.directory))
    }
}

/// Hands what one end has to transmit to the other.
fn pass(from: &mut TcpSession, to: &mut TcpSession) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    from.take_transmit(&mut bytes);
    Ok(to.receive(NOW, &bytes)?)
}

fn local(suite: Suite) -> Result<Arc<Local>, Failure> {
    let provider: Arc<dyn Provider> = Arc::new(AwsLc);
    let random = &mut *provider.random();
    let root = Root::from_seeds(&*provider, HybridSeeds::random(random))?;
    let pair = SigningPair::from_seeds(&*provider, HybridSeeds::random(random))?;
    let live_key = LiveKey::generate(&*provider, random);
    let validity = Validity {
        not_before: NOW.wall,
        not_after: NOW.wall + Duration::from_secs(20 * 24 * 60 * 60),
    };
    let sequence = Sequence::new(NOW.wall.as_secs());
    let mut body = CardBody::new(sequence, validity, pair.public().clone(), *live_key.public());
    body.suites = vec![suite.byte()];
    let card = Arc::new(root.sign_card(&*provider, body, random)?);
    Ok(Arc::new(Local::new(provider, card, live_key, pair)?))
}

/// Two signatures and two verifications over a message as long as a Hello's statement.
pub struct Signatures {
    provider: Arc<dyn Provider>,
    pair: SigningPair,
}

impl Signatures {
    pub fn run(&self) -> Result<(), Failure> {
        let message = [7; 4 + 4 * 32];
        let random = &mut *self.provider.random();
        for _ in 0..2 {
            let signature = self.pair.sign(Purpose::Hello, &message, random)?;
            self.pair.public().verify(&*self.provider, Purpose::Hello, &message, &signature)?;
        }
        Ok(())
    }
}

/// A node that has seen both agents before.
#[derive(Debug)]
struct Cached {
    cards: BTreeMap<CardHash, Arc<Card>>,
}

impl Cached {
    fn new(agents: [&Arc<Local>; 2]) -> Self {
        Self { cards: agents.map(|agent| (agent.card().hash(), Arc::clone(agent.card()))).into() }
    }
}

impl Directory for Cached {
    fn card(&self, hash: &CardHash) -> Option<Arc<Card>> {
        self.cards.get(hash).cloned()
    }

    fn newest(&self, _: &AgentId) -> Option<Newest> {
        None
    }

    fn holds_ours(&self, _: &AgentId, _: &CardHash) -> bool {
        true
    }

    fn lineage(&self) -> Lineage {
        Lineage {
            incarnation: Incarnation::from_bytes([1; 16]),
            parent: Incarnation::from_bytes([2; 16]),
            number: 3,
        }
    }

    fn remembered(&self, _: &AgentId) -> Option<Lineage> {
        None
    }
}
