//! Deferred sessions on the simulator's own primitives: what opens, opens; what was changed does not;
//! the post-quantum ratchet turns; and the watch sees each key once.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::sync::Arc;

use meshwork_protocols::deferred::agent::{
    Bundle, BundleMark, Correspondence, Envelope, Local, PrekeyStore, ReplyKeys, Surroundings,
};
use meshwork_protocols::deferred::session_list::PrekeySource;
use meshwork_protocols::deferred::wire::{FirstMessage, RatchetMessage};
use meshwork_protocols::deferred::{CurveKey, CurvePublic, KemKey, PrekeyId};
use meshwork_protocols::identity::{
    AgentId, Card, CardBody, LiveKey, Root, Sequence, SigningPair, Validity,
};
use meshwork_protocols::provider::DeferredProvider;
use meshwork_protocols::time::WallTime;
use meshwork_simulator::provider::Simulated;
use meshwork_simulator::recorder::Recorder;
use meshwork_simulator::seeded::Seeded;

const NOW: WallTime = WallTime::from_millis(1_800_000_000_000);

struct Agent {
    provider: Arc<dyn DeferredProvider>,
    identity: CurveKey,
    pair: SigningPair,
    card: Card,
    keys: Keys,
    bundle: Bundle,
    mail: Correspondence,
    random: Seeded,
}

/// Nobody has used any of them before.
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

impl Agent {
    fn new(provider: &Arc<dyn DeferredProvider>, number: u64) -> Self {
        let (provider, mut random) = (Arc::clone(provider), Seeded::new(number));
        let identity = CurveKey::generate(&*provider, &mut random);
        let root = Root::generate(&*provider, &mut random).unwrap();
        let pair = SigningPair::generate(&*provider, &mut random).unwrap();
        let live = LiveKey::generate(&*provider, &mut random);
        let validity = Validity::starting(NOW, std::time::Duration::from_secs(1_000_000));
        let sequence = Sequence::new(NOW.as_secs());
        let mut body = CardBody::new(sequence, validity, pair.public().clone(), *live.public());
        body.deferred_identity = Some(identity.public().encode().to_vec());
        let card = root.sign_card(&*provider, body, &mut random).unwrap();
        let store = PrekeyStore::generate(&*provider, NOW, &mut random).unwrap();
        let store = store.refill(&*provider, 3, NOW, &mut random);
        let owner = (card.agent(), card.sequence(), *identity.public());
        let body = store.bundle_body(owner, None, NOW).unwrap();
        let bundle = Bundle::sign(&*provider, &pair, body, &mut random).unwrap();
        let keys = Keys(store.publish(bundle.mark()));
        let mail = Correspondence::default();
        Self { provider, identity, pair, card, keys, bundle, mail, random }
    }

    fn begin(&mut self, bundle: &Bundle, one_time: Option<(PrekeyId, CurvePublic)>) {
        let local = Local { identity: &self.identity, card: &self.card, pair: &self.pair };
        let (provider, random) = (&*self.provider, &mut self.random);
        let mut around = Surroundings { provider, random, now: NOW };
        self.mail = self.mail.begin(&mut around, &local, bundle, one_time).unwrap();
    }

    fn seal(&mut self, to: AgentId, payload: &[u8]) -> Vec<u8> {
        let (provider, random) = (&*self.provider, &mut self.random);
        let mut around = Surroundings { provider, random, now: NOW };
        let sealed = self.mail.seal(&mut around, [self.card.agent(), to], payload).unwrap();
        self.mail = sealed.next;
        sealed.packet
    }

    fn open(&mut self, from: AgentId, packet: &[u8]) -> Option<Vec<u8>> {
        let local = Local { identity: &self.identity, card: &self.card, pair: &self.pair };
        let (provider, random) = (&*self.provider, &mut self.random);
        let mut around = Surroundings { provider, random, now: NOW };
        let arrived = self.mail.open(&mut around, &local, &from, packet, &self.keys).ok()?;
        self.mail = arrived.next;
        if let Some((_, used)) = arrived.began {
            self.keys = Keys(self.keys.0.consume(&used));
        }
        Some(arrived.payload.expose().to_vec())
    }
}

/// The ciphertext inside a packet.
fn ciphertext(packet: &[u8]) -> Vec<u8> {
    let (envelope, inside) = Envelope::decode(packet).unwrap();
    let first = envelope.bundle.map(|_| FirstMessage::decode(inside).unwrap());
    let message = first.map(|first| first.message);
    let message = message.unwrap_or_else(|| RatchetMessage::decode(inside).unwrap());
    message.ciphertext.to_vec()
}

fn two(recorder: &Recorder) -> [Agent; 2] {
    let seed = Seeded::new(1);
    let provider = Arc::new(Simulated::new(&seed));
    let provider = recorder.watch(provider, &seed);
    let [mut a, mut b] = [1, 2].map(|number| Agent::new(&provider, number));
    let (key, store) = b.keys.0.hand_out(NOW).unwrap();
    b.keys = Keys(store);
    a.begin(&b.bundle, Some(key));
    [a, b]
}

#[test]
fn a_conversation_turns_both_ratchets_and_uses_no_key_twice() {
    let recorder = Recorder::default();
    let [mut a, mut b] = two(&recorder);
    let ids = [a.card.agent(), b.card.agent()];
    for number in 0..400_u32 {
        let payload = number.to_be_bytes();
        for at in [0, 1] {
            let (from, to) = if at == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
            let packet = from.seal(ids[1 - at], &payload);
            let inside = recorder.left(&ciphertext(&packet));
            assert!(inside.is_some(), "the watch knows what was sealed");
            assert_eq!(to.open(ids[at], &packet).as_deref(), Some(payload.as_slice()));
        }
    }
    assert_eq!(recorder.reused(), None);
    let epochs = [&a, &b].map(|agent| agent.mail.sessions().current().unwrap().braid.epoch());
    assert!(epochs.iter().all(|epoch| *epoch >= 8), "{epochs:?}");
}

#[test]
fn a_changed_byte_opens_nothing_and_the_packet_opens_all_the_same() {
    let recorder = Recorder::default();
    let [mut a, mut b] = two(&recorder);
    let ids = [a.card.agent(), b.card.agent()];
    for payload in [b"first", b"other"] {
        let packet = a.seal(ids[1], payload);
        for at in (0..packet.len()).step_by(7) {
            let mut changed = packet.clone();
            changed[at] ^= 1;
            assert_eq!(b.open(ids[0], &changed), None, "byte {at}");
        }
        assert_eq!(b.open(ids[0], &packet).as_deref(), Some(payload.as_slice()));
        let answer = b.seal(ids[0], b"answer");
        a.open(ids[1], &answer).unwrap();
    }
}
