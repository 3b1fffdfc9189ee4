//! Agents with all their keys, and a relay that they ask directly.

use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::deferred::CurveKey;
use meshwork_protocols::deferred::agent::pool::PoolTerms;
use meshwork_protocols::deferred::agent::{Bundle, Pool, PrekeyStore};
use meshwork_protocols::identity::{
    AgentId, Card, CardBody, HybridSeeds, LiveKey, Root, Sequence, SigningPair, Validity,
};
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::random::Random;
use meshwork_protocols::relay::*;
use meshwork_protocols::secret::Secret;
use meshwork_protocols::time::{Timestamp, WallTime};
use meshwork_relay::storage::{MemoryStorage, Storage};
use meshwork_relay::{Asked, Limits, Outcome, Relay};

pub(crate) const NOW: Timestamp =
    Timestamp { monotonic: Duration::from_secs(1_000), wall: WallTime::from_secs(1_800_000_000) };

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) const PROVIDER: &AwsLc = &AwsLc;

/// Repeatable randomness.
#[derive(Clone, Debug)]
pub(crate) struct Seeded(pub(crate) u64);

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.0 >> 56) as u8;
        }
    }
}

impl Seeded {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound
    }
}

/// An agent that publishes keys.
pub(crate) struct Agent {
    pub(crate) root: Root,
    pub(crate) pair: SigningPair,
    pub(crate) identity: CurveKey,
    pub(crate) card: Card,
    pub(crate) store: PrekeyStore,
    pub(crate) bundle: Bundle,
}

impl Agent {
    pub(crate) fn new(number: u8, keys: usize) -> Self {
        Self::seeded(number, keys, number.into())
    }

    /// The same with other keys.
    pub(crate) fn with_other_keys(&self, keys: usize, seed: u64) -> Self {
        Self { bundle: self.bundle.clone(), ..Self::seeded(1, keys, seed) }
    }

    fn seeded(number: u8, keys: usize, seed: u64) -> Self {
        let root = Root::from_seeds(PROVIDER, seeds(number)).unwrap();
        let pair = SigningPair::from_seeds(PROVIDER, seeds(number | 0x80)).unwrap();
        let identity = CurveKey::from_secret(PROVIDER, Secret::new([number; 32]));
        let mut random = Seeded(seed);
        let card = card(&root, &pair, &identity, u64::from(number));
        let store = PrekeyStore::generate(PROVIDER, NOW.wall, &mut random).unwrap();
        let store = store.refill(PROVIDER, keys, NOW.wall, &mut random);
        let owner = (card.agent(), card.sequence(), *identity.public());
        let body = store.bundle_body(owner, None, NOW.wall).unwrap();
        let bundle = Bundle::sign(PROVIDER, &pair, body, &mut random).unwrap();
        let store = store.publish(bundle.mark());
        Self { root, pair, identity, card, store, bundle }
    }

    pub(crate) fn id(&self) -> AgentId {
        self.card.agent()
    }

    pub(crate) fn card_numbered(&self, sequence: u64) -> Opaque {
        card(&self.root, &self.pair, &self.identity, sequence).as_bytes().to_vec().into()
    }

    pub(crate) fn put_card(&self) -> Request {
        Request::PutCard(self.card.as_bytes().to_vec().into())
    }

    pub(crate) fn signed_keys(&self) -> SignedKeys {
        let terms = PoolTerms {
            agent: self.id(),
            card: self.card.sequence(),
            not_after: NOW.wall + 14 * DAY,
        };
        let keys = self.store.pool();
        let (pool, _) = Pool::sign(PROVIDER, &self.pair, &keys, terms, &mut Seeded(9)).unwrap();
        SignedKeys { pool: pool.as_bytes().to_vec().into(), keys }
    }

    pub(crate) fn publish(&self) -> Request {
        self.publish_in(PublishMode::Add)
    }

    pub(crate) fn publish_in(&self, mode: PublishMode) -> Request {
        let bundle = self.bundle.as_bytes().to_vec().into();
        let publication = Publication::Prekeys { bundle, pool: Some(self.signed_keys()) };
        Request::Publish(Publish { mode, publication })
    }
}

fn card(root: &Root, pair: &SigningPair, identity: &CurveKey, sequence: u64) -> Card {
    let live = LiveKey::from_secret(PROVIDER, Secret::new([7; 32]));
    let body = CardBody {
        deferred_identity: Some(identity.public().encode().to_vec()),
        ..CardBody::new(
            Sequence::new(sequence),
            Validity::starting(NOW.wall, Validity::MAX),
            pair.public().clone(),
            *live.public(),
        )
    };
    root.sign_card(PROVIDER, body, &mut Seeded(1)).unwrap()
}

fn seeds(number: u8) -> HybridSeeds {
    HybridSeeds { ed25519: Secret::new([number; 32]), ml_dsa: Secret::new([number ^ 0x55; 32]) }
}

/// An agent that only asks.
pub(crate) fn someone(number: u16) -> AgentId {
    let mut id = [0xee; 32];
    id[..2].copy_from_slice(&number.to_be_bytes());
    AgentId::from_bytes(id)
}

pub(crate) fn relay() -> Relay<MemoryStorage> {
    relay_with(Limits::default())
}

pub(crate) fn relay_with(limits: Limits) -> Relay<MemoryStorage> {
    Relay::new(MemoryStorage::new(), Arc::new(AwsLc), limits)
}

/// What a relay answers to one request.
pub(crate) fn ask<S: Storage>(relay: &mut Relay<S>, caller: AgentId, request: Request) -> Answer {
    ask_at(relay, NOW, caller, request)
}

pub(crate) fn ask_at<S: Storage>(
    relay: &mut Relay<S>,
    now: Timestamp,
    caller: AgentId,
    request: Request,
) -> Answer {
    // Over the wire, as it would come.
    let request = Request::decode(&request.encode()).unwrap();
    let mut outcomes = relay.serve(now, &[Asked { caller, request }]).unwrap();
    match outcomes.pop().unwrap() {
        Outcome::Answer(answer) => Answer::decode(&answer.encode()).unwrap(),
        Outcome::Wait(_) => panic!("nobody here waits"),
    }
}

/// A relay that serves this agent, with its keys.
pub(crate) fn serving(agent: &Agent, limits: Limits) -> Relay<MemoryStorage> {
    let mut relay = relay_with(limits);
    assert_eq!(ask(&mut relay, agent.id(), agent.put_card()), Answer::Done);
    let depth = ask(&mut relay, agent.id(), agent.publish());
    assert!(matches!(depth, Answer::Depth(_)), "{depth:?}");
    relay
}

pub(crate) fn mail(recipient: AgentId, packet: &[u8]) -> Deposit {
    Deposit { recipient, expires: NOW.wall + DAY, packet: packet.to_vec().into() }
}

/// What becomes of one deposit.
pub(crate) fn deposit<S: Storage>(
    relay: &mut Relay<S>,
    sender: AgentId,
    recipient: AgentId,
    packet: &[u8],
) -> Result<MailNumber, Refusal> {
    match ask(relay, sender, Request::Deposit(vec![mail(recipient, packet)])) {
        Answer::Deposited(outcomes) => outcomes[0],
        other => panic!("{other:?}"),
    }
}

pub(crate) fn fetch(mailbox: AgentId, after: u64) -> Request {
    Request::Fetch(Fetch { mailbox, after: MailNumber(after), most: 1_024, wait: 0 })
}

pub(crate) fn fetched<S: Storage>(relay: &mut Relay<S>, owner: AgentId) -> Vec<Kept> {
    match ask(relay, owner, fetch(owner, 0)) {
        Answer::Mail(mail) => mail,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn acknowledge(mailbox: AgentId, numbers: &[u64]) -> Request {
    Request::Acknowledge { mailbox, numbers: numbers.iter().copied().map(MailNumber).collect() }
}

pub(crate) fn take(target: AgentId, id: u16) -> Request {
    let mut name = [0; 16];
    name[..2].copy_from_slice(&id.to_be_bytes());
    Request::Take { target, kind: KeyKind::Prekeys, id: TakeId(name) }
}

/// The number of the one-time key that was handed out; none for the last resort.
pub(crate) fn taken<S: Storage>(
    relay: &mut Relay<S>,
    caller: AgentId,
    target: AgentId,
    id: u16,
) -> Option<u32> {
    match ask(relay, caller, take(target, id)) {
        Answer::Taken(Taken::Prekeys { one_time, .. }) => one_time.map(|key| key.key.id.0),
        other => panic!("{other:?}"),
    }
}
