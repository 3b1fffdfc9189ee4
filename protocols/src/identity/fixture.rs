//! An agent for the tests: the same keys in each run, and a card that has something of everything.

use alloc::vec;

use super::card::{CardBody, Relay, Service};
use super::{
    AgentId, Capabilities, Card, HybridSeeds, LiveKey, Protocol, Root, Sequence, SigningPair,
    Transport, Validity,
};
use crate::provider::Provider;
use crate::provider::pure::Pure;
use crate::random::Random;
use crate::secret::Secret;
use crate::time::WallTime;

pub(crate) const PROVIDER: &dyn Provider = &Pure;

/// Who checks what [`PROVIDER`] made: the other one, where it is built.
#[cfg(feature = "aws-lc-rs")]
pub(crate) const VERIFIER: &dyn Provider = &crate::provider::aws::AwsLc;
#[cfg(not(feature = "aws-lc-rs"))]
pub(crate) const VERIFIER: &dyn Provider = PROVIDER;

/// A moment inside the validity of [`body`].
pub(crate) const NOW: WallTime = WallTime::from_secs(1_800_000_000);

/// Bytes that count up, the same in each run.
#[derive(Debug)]
pub(crate) struct Counting(pub(crate) u8);

impl Random for Counting {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
    }
}

pub(crate) fn seeds(number: u8) -> HybridSeeds {
    HybridSeeds { ed25519: Secret::new([number; 32]), ml_dsa: Secret::new([!number; 32]) }
}

pub(crate) fn root(number: u8) -> Root {
    Root::from_seeds(PROVIDER, seeds(number)).unwrap()
}

pub(crate) fn signing_pair(number: u8) -> SigningPair {
    SigningPair::from_seeds(PROVIDER, seeds(number | 0x80)).unwrap()
}

pub(crate) fn live_key(number: u8) -> LiveKey {
    LiveKey::from_secret(PROVIDER, Secret::new([number; 32]))
}

/// A body with an entry in each list and a value in each option.
pub(crate) fn body(number: u8) -> CardBody {
    CardBody {
        next_live_key: Some(*live_key(number + 1).public()),
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
        suites: vec![2, 1],
        capabilities: Capabilities {
            protocols: [Protocol::Live, Protocol::Deferred].into(),
            transports: [Transport::Tcp, Transport::Quic, Transport::Udp].into(),
            services: [Service { name: "translate".parse().unwrap(), version: 2 }].into(),
        },
        region: Some("CH".parse().unwrap()),
        extensions: [(1, vec![1, 2, 3]), (0xffff, vec![])].into(),
        ..CardBody::new(
            Sequence::new(NOW.as_secs()),
            Validity::starting(NOW, Validity::MAX),
            signing_pair(number).public().clone(),
            *live_key(number).public(),
        )
    }
}

pub(crate) fn card(number: u8) -> Card {
    sign(number, body(number))
}

pub(crate) fn sign(number: u8, body: CardBody) -> Card {
    root(number).sign_card(PROVIDER, body, &mut Counting(0)).unwrap()
}
