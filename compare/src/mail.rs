//! Two agents that write to each other, with cards, bundles and introductions.

use std::time::Duration;

use meshwork_protocols::deferred::agent::{
    Arrived, Bundle, BundleMark, Correspondence, Local, PrekeyStore, ReplyKeys, Sealed,
    Surroundings,
};
use meshwork_protocols::deferred::session_list::PrekeySource;
use meshwork_protocols::deferred::wire::FirstMessage;
use meshwork_protocols::deferred::{CurveKey, CurvePublic, KemKey, PrekeyId};
use meshwork_protocols::identity::{
    AgentId, Card, CardBody, HybridSeeds, LiveKey, Root, Sequence, SigningPair, Unverified,
    Validity,
};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::random::Random;

use crate::Failure;
use crate::agents::NOW;
use crate::deferred::{MESSAGES, TEXT};

/// Two agents; the first has begun a session with the second.
pub struct Mail {
    from: Agent,
    to: Agent,
    one_time: (PrekeyId, CurvePublic),
    packets: Vec<Vec<u8>>,
}

impl Mail {
    pub fn begun() -> Result<Self, Failure> {
        let (mut from, to) = (Agent::new()?, Agent::new()?);
        let one_time = *to.keys.0.pool().first().ok_or("no one-time key")?;
        from.mail = from.begin(&to.bundle, one_time)?;
        let packet = from.seal(to.id())?;
        Ok(Self { from, to, one_time, packets: vec![packet] })
    }

    /// The two, turned round, once each has heard of the other.
    pub fn answered() -> Result<Self, Failure> {
        let mut mail = Self::begun()?;
        let first = mail.packets.pop().ok_or("no packet")?;
        mail.to.mail = mail.to.open(mail.from.id(), &first)?.next;
        std::mem::swap(&mut mail.from, &mut mail.to);
        mail.exchange()?;
        Ok(mail)
    }

    pub fn verify_bundle(&self) -> Result<(), Failure> {
        let bundle = Unverified::<Bundle>::parse(self.to.bundle.as_bytes())?;
        Ok(bundle.verify(&AwsLc, &self.to.card, None, NOW.wall).map(drop)?)
    }

    pub fn initiate(&self) -> Result<(), Failure> {
        self.from.begin(&self.to.bundle, self.one_time).map(drop)
    }

    pub fn accept(&self) -> Result<(), Failure> {
        let first = self.packets.first().ok_or("no packet")?;
        let began = self.to.open(self.from.id(), first)?.began;
        began.map(drop).ok_or_else(|| "no session began".into())
    }

    /// Seals a hundred messages.
    pub fn seal(&mut self) -> Result<(), Failure> {
        for _ in 0..MESSAGES {
            self.packets.push(self.from.seal(self.to.id())?);
        }
        Ok(())
    }

    /// Opens those that were sealed.
    pub fn open(&mut self) -> Result<(), Failure> {
        for packet in self.packets.drain(..) {
            self.to.mail = self.to.open(self.from.id(), &packet)?.next;
        }
        Ok(())
    }

    /// What is stored after each message of a few post-quantum epochs of ping-pong.
    pub fn states() -> Result<States, Failure> {
        let mut mail = Self::answered()?;
        let mut states = Vec::new();
        for _ in 0..4 * EPOCH {
            mail.exchange()?;
            states.push(mail.from.mail.clone());
        }
        let records = states.iter().map(|state| Ok(state.encode()?.expose().to_vec()));
        let records = records.collect::<Result<_, Failure>>()?;
        Ok(States { states, records })
    }

    fn exchange(&mut self) -> Result<(), Failure> {
        let packet = self.from.seal(self.to.id())?;
        self.to.mail = self.to.open(self.from.id(), &packet)?.next;
        std::mem::swap(&mut self.from, &mut self.to);
        Ok(())
    }
}

/// Messages of a post-quantum epoch in strict ping-pong.
const EPOCH: usize = 87;

/// States of a correspondence, and their records.
pub struct States {
    states: Vec<Correspondence>,
    records: Vec<Vec<u8>>,
}

impl States {
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Bytes of a record: the mean and the most.
    pub fn sizes(&self) -> (f64, f64) {
        let sizes = self.records.iter().map(Vec::len);
        let (sum, largest) = (sizes.clone().sum::<usize>(), sizes.max().unwrap_or(0));
        (sum as f64 / self.len() as f64, largest as f64)
    }

    pub fn encode(&self) -> Result<(), Failure> {
        for state in &self.states {
            state.encode()?;
        }
        Ok(())
    }

    pub fn decode(&self) -> Result<(), Failure> {
        for record in &self.records {
            Correspondence::decode(record)?;
        }
        Ok(())
    }
}

struct Agent {
    identity: CurveKey,
    card: Card,
    pair: SigningPair,
    keys: Keys,
    bundle: Bundle,
    mail: Correspondence,
}

impl Agent {
    fn new() -> Result<Self, Failure> {
        let random = &mut *AwsLc.random();
        let identity = CurveKey::generate(&AwsLc, random);
        let pair = SigningPair::from_seeds(&AwsLc, HybridSeeds::random(random))?;
        let card = card(&identity, &pair, random)?;
        let store = PrekeyStore::generate(&AwsLc, NOW.wall, random)?;
        let store = store.refill(&AwsLc, 1, NOW.wall, random);
        let owner = (card.agent(), card.sequence(), *identity.public());
        let body = store.bundle_body(owner, None, NOW.wall).ok_or("no prekeys")?;
        let bundle = Bundle::sign(&AwsLc, &pair, body, random)?;
        let keys = Keys(store.publish(bundle.mark()));
        Ok(Self { identity, card, pair, keys, bundle, mail: Correspondence::default() })
    }

    fn id(&self) -> AgentId {
        self.card.agent()
    }

    fn local(&self) -> Local<'_> {
        Local { identity: &self.identity, card: &self.card, pair: &self.pair }
    }

    fn begin(
        &self,
        bundle: &Bundle,
        one_time: (PrekeyId, CurvePublic),
    ) -> Result<Correspondence, Failure> {
        let local = self.local();
        let random = &mut *AwsLc.random();
        Ok(self.mail.begin(&mut around(random), &local, bundle, Some(one_time))?)
    }

    fn seal(&mut self, to: AgentId) -> Result<Vec<u8>, Failure> {
        let random = &mut *AwsLc.random();
        let Sealed { packet, next } =
            self.mail.seal(&mut around(random), [self.id(), to], &TEXT)?;
        self.mail = next;
        Ok(packet)
    }

    fn open(&self, from: AgentId, packet: &[u8]) -> Result<Arrived, Failure> {
        let random = &mut *AwsLc.random();
        let arrived =
            self.mail.open(&mut around(random), &self.local(), &from, packet, &self.keys)?;
        if arrived.payload.expose() == TEXT { Ok(arrived) } else { Err("another text".into()) }
    }
}

fn around(random: &mut dyn Random) -> Surroundings<'_> {
    Surroundings { provider: &AwsLc, random, now: NOW.wall }
}

fn card(identity: &CurveKey, pair: &SigningPair, random: &mut dyn Random) -> Result<Card, Failure> {
    let root = Root::from_seeds(&AwsLc, HybridSeeds::random(random))?;
    let live_key = LiveKey::generate(&AwsLc, random);
    let not_after = NOW.wall + Duration::from_secs(20 * 24 * 60 * 60);
    let validity = Validity { not_before: NOW.wall, not_after };
    let sequence = Sequence::new(NOW.wall.as_secs());
    let body = CardBody::new(sequence, validity, pair.public().clone(), *live_key.public());
    let deferred_identity = Some(identity.public().encode().to_vec());
    Ok(root.sign_card(&AwsLc, CardBody { deferred_identity, ..body }, random)?)
}

/// Prekeys, without the log of used first messages.
struct Keys(PrekeyStore);

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
