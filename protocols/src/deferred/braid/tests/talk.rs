//! Two braids that talk, and what goes between them.

use alloc::vec::Vec;

use crate::deferred::braid::{Braid, BraidError, BraidMessage, Role};
use crate::provider::SplitKem;
use crate::provider::aws::AwsLc;
use crate::provider::pure::Pure;
use crate::random::Random;
use crate::secret::Secret;

/// SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Seeded(u64);

impl Seeded {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from((self as &mut dyn Random).below(bound.try_into().unwrap())).unwrap()
    }

    pub(super) fn one_in(&mut self, hundredths: usize) -> bool {
        self.below(100) < hundredths
    }
}

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.0;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// What one end sent.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) from: Role,
    pub(super) field: Vec<u8>,
    pub(super) key: Secret<32>,
}

impl Packet {
    pub(super) fn message(&self) -> BraidMessage {
        BraidMessage::decode(&self.field).unwrap()
    }
}

/// Both ends of a session.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    pub(super) initiator: Braid,
    pub(super) responder: Braid,
    pub(super) random: Seeded,
}

pub(super) const KEY: [u8; 32] = [0x29; 32];

impl Talk {
    pub(super) fn new(seed: u64) -> Self {
        let end = |role| Braid::new(&Secret::new(KEY), role, &Pure).unwrap();
        Self {
            initiator: end(Role::Initiator),
            responder: end(Role::Responder),
            random: Seeded::new(seed),
        }
    }

    /// Each end has a provider of its own.
    pub(super) fn provider(role: Role) -> &'static dyn SplitKem {
        match role {
            Role::Initiator => &AwsLc,
            Role::Responder => &Pure,
        }
    }

    pub(super) fn end(&mut self, role: Role) -> &mut Braid {
        match role {
            Role::Initiator => &mut self.initiator,
            Role::Responder => &mut self.responder,
        }
    }

    pub(super) fn send(&mut self, from: Role) -> Packet {
        let mut random = self.random.clone();
        let (next, field, key) = self.end(from).send(Self::provider(from), &mut random).unwrap();
        *self.end(from) = next;
        self.random = random;
        Packet { from, field, key }
    }

    /// Gives a packet to its receiver, which adopts what follows if it finds the same key.
    pub(super) fn deliver(&mut self, packet: &Packet) -> Result<(), BraidError> {
        let to = peer(packet.from);
        let (next, key) = self.end(to).receive(Self::provider(to), &packet.field)?;
        assert!(key == packet.key, "both ends have the same key");
        *self.end(to) = next;
        Ok(())
    }

    /// One message each way.
    pub(super) fn ping_pong(&mut self) {
        for from in [Role::Initiator, Role::Responder] {
            let packet = self.send(from);
            self.deliver(&packet).unwrap();
        }
    }

    /// Ping-pong until `end` of the responder holds.
    pub(super) fn until(&mut self, holds: impl Fn(&Braid, &Braid) -> bool) {
        for _ in 0..1_000 {
            for from in [Role::Initiator, Role::Responder] {
                if holds(&self.initiator, &self.responder) {
                    return;
                }
                let packet = self.send(from);
                self.deliver(&packet).unwrap();
            }
        }
        panic!("the conversation never came to that");
    }
}

pub(super) fn peer(role: Role) -> Role {
    match role {
        Role::Initiator => Role::Responder,
        Role::Responder => Role::Initiator,
    }
}
