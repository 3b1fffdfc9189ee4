//! Two ends and their keys, for the tests of this module.

use alloc::vec;
use alloc::vec::Vec;

use super::handshake::Offer;
use super::session::{Opener, Packet, PacketKind, Session, Terms};
use super::session_list::{Opened, PrekeySource, Responder, SessionList};
use super::wire::{FirstMessage, RatchetMessage};
use super::{CurveKey, KemKey, PrekeyId, Suite};
use crate::deferred::session::OpenError;
use crate::provider::DeferredProvider;
pub(super) use crate::random::fixture::Seeded;
use crate::time::WallTime;

#[cfg(feature = "aws-lc-rs")]
pub(super) const PROVIDER: &dyn DeferredProvider = &crate::provider::aws::AwsLc;
#[cfg(not(feature = "aws-lc-rs"))]
pub(super) const PROVIDER: &dyn DeferredProvider = &crate::provider::pure::Pure;

/// A moment.
pub(super) const NOW: WallTime = WallTime::from_secs(1_800_000_000);

/// One end, whose steps are adopted at once.
#[derive(Debug)]
pub(super) struct End {
    pub(super) identity: CurveKey,
    pub(super) keys: Keys,
    pub(super) list: SessionList,
    pub(super) random: Seeded,
}

/// Its prekeys, each with its number.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) signed: CurveKey,
    pub(super) kem: KemKey,
    pub(super) one_time: Option<CurveKey>,
    /// Base keys that are refused as used.
    pub(super) used: Vec<[u8; 32]>,
}

pub(super) const SIGNED: PrekeyId = PrekeyId(22);
pub(super) const KEM: PrekeyId = PrekeyId(44);
pub(super) const ONE_TIME: PrekeyId = PrekeyId(33);

impl PrekeySource for Keys {
    fn signed(&self, id: PrekeyId) -> Option<&CurveKey> {
        (id == SIGNED).then_some(&self.signed)
    }

    fn kem(&self, id: PrekeyId) -> Option<&KemKey> {
        (id == KEM).then_some(&self.kem)
    }

    fn one_time(&self, id: PrekeyId) -> Option<&CurveKey> {
        self.one_time.as_ref().filter(|_| id == ONE_TIME)
    }

    fn was_used(&self, first: &FirstMessage<'_>) -> bool {
        self.used.contains(first.base_key.u())
    }
}

pub(super) const TERMS: Terms<'static> = Terms { context: &[], addresses: None };

impl End {
    pub(super) fn new(seed: u64, suite: Suite) -> Self {
        let mut random = Seeded(seed);
        Self {
            identity: CurveKey::generate(PROVIDER, &mut random),
            keys: Keys {
                signed: CurveKey::generate(PROVIDER, &mut random),
                kem: KemKey::generate(PROVIDER, suite, &mut random).unwrap(),
                one_time: Some(CurveKey::generate(PROVIDER, &mut random)),
                used: vec![],
            },
            list: SessionList::default(),
            random,
        }
    }

    pub(super) fn offer(&self) -> Offer {
        Offer {
            identity: *self.identity.public(),
            signed: (SIGNED, *self.keys.signed.public()),
            kem: (KEM, self.keys.kem.public()),
            one_time: self.keys.one_time.as_ref().map(|key| (ONE_TIME, *key.public())),
        }
    }

    pub(super) fn begin(&mut self, peer: &Self) {
        let opener = Opener { registration: 7, until: NOW };
        let session = Session::initiate(
            PROVIDER,
            &self.identity,
            &peer.offer(),
            &TERMS,
            opener,
            &mut self.random,
        );
        self.list = self.list.begin(session.unwrap());
    }

    pub(super) fn seal(&mut self, plaintext: &[u8]) -> Packet {
        let draft = self.list.draft(PROVIDER, plaintext.len(), NOW, &mut self.random).unwrap();
        let (packet, session) = draft.seal(PROVIDER, plaintext).unwrap();
        self.list = self.list.with_current(session);
        packet
    }

    pub(super) fn try_open(&mut self, packet: &Packet) -> Result<Opened, OpenError> {
        match packet.kind {
            PacketKind::First => {
                let first = FirstMessage::decode(&packet.bytes)?;
                let responder =
                    Responder { identity: &self.identity, prekeys: &self.keys, terms: TERMS };
                self.list.open_first(PROVIDER, &responder, &first, &mut self.random)
            }
            PacketKind::Ratchet => {
                let message = RatchetMessage::decode(&packet.bytes)?;
                self.list.open(PROVIDER, &message, &mut self.random)
            }
        }
    }

    pub(super) fn open(&mut self, packet: &Packet) -> Vec<u8> {
        let opened = self.try_open(packet).unwrap();
        if opened.began {
            self.keys.one_time = None;
        }
        self.list = opened.next;
        opened.plaintext.expose().to_vec()
    }

    /// What the packet is refused with. The record is as it was.
    pub(super) fn refuse(&mut self, packet: &Packet) -> OpenError {
        let before = self.list.encode().unwrap();
        let error = self.try_open(packet).unwrap_err();
        assert_eq!(self.list.encode().unwrap(), before);
        error
    }
}

/// Two ends; the first has begun a session with the second.
pub(super) fn pair(suite: Suite) -> (End, End) {
    let (mut alice, bob) = (End::new(1, suite), End::new(2, suite));
    alice.begin(&bob);
    (alice, bob)
}

/// Two ends of which each has opened something of the other.
pub(super) fn answered(suite: Suite) -> (End, End) {
    let (mut alice, mut bob) = pair(suite);
    let first = alice.seal(b"first");
    assert_eq!(bob.open(&first), b"first");
    let reply = bob.seal(b"reply");
    assert_eq!(alice.open(&reply), b"reply");
    (alice, bob)
}
