//! Two agents that write to each other, the same bytes in each run.

use std::sync::LazyLock;

use meshwork_protocols::deferred::agent::{
    Arrived, Bundle, BundleMark, Correspondence, Local, MailError, Pool, PoolKey, PrekeyStore,
    ReplyKeys, Sealed, Surroundings, pool::PoolTerms,
};
use meshwork_protocols::deferred::session_list::PrekeySource;
use meshwork_protocols::deferred::wire::FirstMessage;
use meshwork_protocols::deferred::{CurveKey, KemKey, PrekeyId};
use meshwork_protocols::identity::{
    AgentId, Card, CardBody, HybridSeeds, Root, Sequence, SigningPair, Validity,
};
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::secret::Secret;

use crate::agent::{NOW, Seeded, live_key};

/// An agent as its mail knows it.
#[derive(Clone)]
pub(super) struct Writer {
    number: u8,
    pub(super) identity: CurveKey,
    pub(super) card: Card,
    pub(super) keys: Keys,
    pub(super) bundle: Bundle,
    pub(super) pool: (Pool, Vec<PoolKey>),
    pub(super) mail: Correspondence,
}

impl Writer {
    fn new(number: u8) -> Self {
        let random = &mut Seeded::new(u64::from(number));
        let identity = CurveKey::from_secret(&Pure, Secret::new([number; 32]));
        let (card, pair) = (card(number, &identity), pair(number));
        let store = PrekeyStore::generate(&Pure, NOW.wall, random).unwrap();
        let store = store.refill(&Pure, 3, NOW.wall, random);
        let owner = (card.agent(), card.sequence(), *identity.public());
        let body = store.bundle_body(owner, None, NOW.wall).unwrap();
        let not_after = body.not_after;
        let bundle = Bundle::sign(&Pure, &pair, body, random).unwrap();
        let terms = PoolTerms { agent: card.agent(), card: card.sequence(), not_after };
        let pool = Pool::sign(&Pure, &pair, &store.pool(), terms, random).unwrap();
        let keys = Keys(store.publish(bundle.mark()));
        let mail = Correspondence::default();
        Self { number, identity, card, keys, bundle, pool, mail }
    }

    pub(super) fn id(&self) -> AgentId {
        self.card.agent()
    }

    pub(super) fn pair(&self) -> SigningPair {
        pair(self.number)
    }

    fn begin(&mut self, peer: &Self, with_one_time: bool) {
        let one_time = with_one_time.then(|| peer.keys.0.pool()[0]);
        let pair = self.pair();
        let local = Local { identity: &self.identity, card: &self.card, pair: &pair };
        let mut random = Seeded::new(7);
        let mut around = around(&mut random);
        self.mail = self.mail.begin(&mut around, &local, &peer.bundle, one_time).unwrap();
    }

    pub(super) fn seal(&mut self, peer: AgentId, payload: &[u8]) -> Vec<u8> {
        let ends = [self.id(), peer];
        let mut random = Seeded::new(8);
        let Sealed { packet, next } =
            self.mail.seal(&mut around(&mut random), ends, payload).unwrap();
        self.mail = next;
        packet
    }

    pub(super) fn try_open(&self, peer: AgentId, packet: &[u8]) -> Result<Arrived, MailError> {
        let pair = self.pair();
        let local = Local { identity: &self.identity, card: &self.card, pair: &pair };
        let mut random = Seeded::new(u64::from(self.number) << 8);
        self.mail.open(&mut around(&mut random), &local, &peer, packet, &self.keys)
    }

    pub(super) fn adopt(&mut self, arrived: Arrived) {
        self.mail = arrived.next;
        if let Some((_, used)) = arrived.began {
            self.keys = Keys(self.keys.0.consume(&used));
        }
    }
}

/// A moment of a conversation: an end, who writes to it, and what it would hear next.
pub(super) struct Moment {
    pub(super) name: &'static str,
    pub(super) end: Writer,
    pub(super) peer: AgentId,
    pub(super) next: Vec<u8>,
}

/// All that anybody seals to anybody here.
pub(super) const PAYLOADS: [&[u8]; 4] = [b"first", b"second", b"reply", b"later"];

/// Before and after a first message, before and after its answer.
pub(super) static MOMENTS: LazyLock<[Moment; 5]> = LazyLock::new(|| {
    let (mut alice, mut bob) = (ALICE.clone(), BOB.clone());
    let moment = |name, end: &Writer, peer: &Writer, next: &[u8]| Moment {
        name,
        end: end.clone(),
        peer: peer.id(),
        next: next.to_vec(),
    };
    let mut other = ALICE.clone();
    other.begin(&bob, false);
    let without = other.seal(bob.id(), PAYLOADS[0]);
    let without = moment("nothing_without_one_time", &bob, &alice, &without);

    alice.begin(&bob, true);
    let first = alice.seal(bob.id(), PAYLOADS[0]);
    let with = moment("nothing", &bob, &alice, &first);
    bob.adopt(bob.try_open(alice.id(), &first).unwrap());
    let second = alice.seal(bob.id(), PAYLOADS[1]);
    let begun = moment("begun", &bob, &alice, &second);
    let reply = bob.seal(alice.id(), PAYLOADS[2]);
    let unanswered = moment("unanswered", &alice, &bob, &reply);
    alice.adopt(alice.try_open(bob.id(), &reply).unwrap());
    let later = alice.seal(bob.id(), PAYLOADS[3]);
    [with, without, begun, unanswered, moment("answered", &bob, &alice, &later)]
});

pub(super) static ALICE: LazyLock<Writer> = LazyLock::new(|| Writer::new(11));
pub(super) static BOB: LazyLock<Writer> = LazyLock::new(|| Writer::new(12));

pub(super) fn around(random: &mut Seeded) -> Surroundings<'_> {
    Surroundings { provider: &Pure, random, now: NOW.wall }
}

fn pair(number: u8) -> SigningPair {
    SigningPair::from_seeds(&Pure, seeds(number | 0x80)).unwrap()
}

fn card(number: u8, identity: &CurveKey) -> Card {
    let root = Root::from_seeds(&Pure, seeds(number)).unwrap();
    let body = CardBody::new(
        Sequence::new(u64::from(number)),
        Validity::starting(NOW.wall, Validity::MAX),
        pair(number).public().clone(),
        *live_key(number).public(),
    );
    let deferred_identity = Some(identity.public().encode().to_vec());
    let body = CardBody { deferred_identity, ..body };
    root.sign_card(&Pure, body, &mut Seeded::new(1)).unwrap()
}

fn seeds(number: u8) -> HybridSeeds {
    HybridSeeds { ed25519: Secret::new([number; 32]), ml_dsa: Secret::new([!number; 32]) }
}

/// Prekeys whose log of used first messages is empty.
#[derive(Clone)]
pub(super) struct Keys(pub(super) PrekeyStore);

impl PrekeySource for Keys {
    fn signed(&self, id: PrekeyId) -> Option<&CurveKey> {
        self.0.signed(id)
    }

    fn kem(&self, id: PrekeyId) -> Option<&KemKey> {
        self.0.kem(id)
    }

    fn one_time(&self, id: PrekeyId) -> Option<&CurveKey> {
        self.0.one_time(id)
    }

    fn was_used(&self, _: &FirstMessage<'_>) -> bool {
        false
    }
}

impl ReplyKeys for Keys {
    fn published(&self, bundle: &BundleMark) -> bool {
        self.0.published(bundle)
    }
}
