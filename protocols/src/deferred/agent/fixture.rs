//! Two agents with cards and prekeys, for the tests of this module.

use alloc::vec::Vec;

use super::bundle::{Bundle, BundleMark};
use super::correspondence::{
    Arrived, Correspondence, Local, MailError, ReplyKeys, Sealed, Surroundings,
};
use super::prekey_store::PrekeyStore;
use crate::deferred::fixture::{NOW, PROVIDER, Seeded};
use crate::deferred::session_list::PrekeySource;
use crate::deferred::wire::FirstMessage;
use crate::deferred::{CurveKey, CurvePublic, KemKey, PrekeyId};
use crate::identity::fixture::{body, root, sign, signing_pair};
use crate::identity::{AgentId, Card, CardBody, SigningPair};
use crate::secret::Secret;
use crate::time::WallTime;

/// An agent.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) identity: CurveKey,
    pub(super) pair: SigningPair,
    pub(super) card: Card,
    pub(super) store: PrekeyStore,
    pub(super) bundle: Bundle,
    pub(super) mail: Correspondence,
    pub(super) random: Seeded,
    pub(super) now: WallTime,
}

impl Agent {
    pub(super) fn new(number: u8) -> Self {
        let mut random = Seeded(u64::from(number));
        let identity = CurveKey::from_secret(PROVIDER, Secret::new([number; 32]));
        let card = sign(number, body_with(number, &identity));
        let pair = signing_pair(number);
        let store = PrekeyStore::generate(PROVIDER, NOW, &mut random).unwrap();
        let store = store.refill(PROVIDER, 3, NOW, &mut random);
        let owner = (card.agent(), card.sequence(), *identity.public());
        let body = store.bundle_body(owner, None, NOW).unwrap();
        let bundle = Bundle::sign(PROVIDER, &pair, body, &mut random).unwrap();
        let store = store.publish(bundle.mark());
        let mail = Correspondence::default();
        Self { identity, pair, card, store, bundle, mail, random, now: NOW }
    }

    pub(super) fn id(&self) -> AgentId {
        self.card.agent()
    }

    pub(super) fn begin(&mut self, peer: &mut Self, with_one_time: bool) {
        let one_time = with_one_time.then(|| peer.hand_out());
        let local = Local { identity: &self.identity, card: &self.card, pair: &self.pair };
        let mut around =
            Surroundings { provider: PROVIDER, random: &mut self.random, now: self.now };
        self.mail = self.mail.begin(&mut around, &local, &peer.bundle, one_time).unwrap();
    }

    fn hand_out(&mut self) -> (PrekeyId, CurvePublic) {
        let (key, store) = self.store.hand_out(NOW).unwrap();
        self.store = store;
        key
    }

    pub(super) fn seal(&mut self, peer: AgentId, payload: &[u8]) -> Vec<u8> {
        let ends = [self.id(), peer];
        let mut around =
            Surroundings { provider: PROVIDER, random: &mut self.random, now: self.now };
        let Sealed { packet, next } = self.mail.seal(&mut around, ends, payload).unwrap();
        self.mail = next;
        packet
    }

    pub(super) fn try_open(&self, peer: AgentId, packet: &[u8]) -> Result<Arrived, MailError> {
        let local = Local { identity: &self.identity, card: &self.card, pair: &self.pair };
        let mut random = self.random.clone();
        let mut around = Surroundings { provider: PROVIDER, random: &mut random, now: self.now };
        self.mail.open(&mut around, &local, &peer, packet, &self.store)
    }

    /// Opens, adopts, and says whether a session began.
    pub(super) fn open(&mut self, peer: AgentId, packet: &[u8]) -> (Vec<u8>, bool) {
        let arrived = self.try_open(peer, packet).unwrap();
        // What was drawn for the step is spent.
        self.random.0 = self.random.0.wrapping_add(0x5555);
        self.mail = arrived.next;
        let began = arrived.began.is_some();
        if let Some((card, used)) = arrived.began {
            assert_eq!(card.agent(), peer);
            self.store = self.store.consume(&used);
        }
        (arrived.payload.expose().to_vec(), began)
    }

    /// What the packet is refused with. The record is as it was.
    pub(super) fn refuse(&self, peer: AgentId, packet: &[u8]) -> MailError {
        let before = self.mail.encode().unwrap();
        let error = self.try_open(peer, packet).unwrap_err();
        assert_eq!(self.mail.encode().unwrap(), before);
        error
    }
}

pub(super) fn body_with(number: u8, identity: &CurveKey) -> CardBody {
    CardBody { deferred_identity: Some(identity.public().encode().to_vec()), ..body(number) }
}

/// A card of agent `number` that names the identity of another.
pub(super) fn card_naming(number: u8, identity: &CurveKey) -> Card {
    let card = sign(number, body_with(number, identity));
    assert_eq!(card.root(), root(number).public());
    card
}

/// A store whose log of used first messages is empty.
impl PrekeySource for PrekeyStore {
    fn signed(&self, id: PrekeyId) -> Option<&CurveKey> {
        self.signed(id)
    }

    fn kem(&self, id: PrekeyId) -> Option<&KemKey> {
        self.kem(id)
    }

    fn one_time(&self, id: PrekeyId) -> Option<&CurveKey> {
        self.one_time(id)
    }

    fn was_used(&self, _: &FirstMessage<'_>) -> bool {
        false
    }
}

impl ReplyKeys for PrekeyStore {
    fn published(&self, bundle: &BundleMark) -> bool {
        self.published(bundle)
    }
}
