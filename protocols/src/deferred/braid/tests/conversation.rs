use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::talk::{Packet, Talk, peer};
use crate::deferred::braid::agreement::Phase;
use crate::deferred::braid::record::number;
use crate::deferred::braid::{BraidError, Payload, Role};

#[test]
fn an_epoch_takes_87_messages_in_strict_ping_pong() {
    let mut talk = Talk::new(1);
    let mut completed = Vec::new();
    let mut sent = 0_u64;
    while completed.len() < 8 {
        for from in [Role::Initiator, Role::Responder] {
            let packet = talk.send(from);
            talk.deliver(&packet).unwrap();
            sent += 1;
            let both = talk.initiator.epoch().min(talk.responder.epoch());
            if both > completed.len() as u64 {
                completed.push(sent);
            }
        }
    }
    let lengths: Vec<_> = completed.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(lengths.iter().all(|length| *length == 87), "{lengths:?}");
}

#[test]
fn the_sides_change_with_each_epoch() {
    let mut talk = Talk::new(2);
    for epoch in 1..6 {
        talk.until(|initiator, responder| {
            initiator.agreement.epoch == epoch && responder.agreement.epoch == epoch
        });
        let offering = |phase: &Phase| number(phase) <= 5;
        assert_eq!(offering(&talk.initiator.agreement.phase), epoch % 2 == 1, "{epoch}");
        assert_eq!(offering(&talk.responder.agreement.phase), epoch % 2 == 0, "{epoch}");
    }
}

#[test]
fn every_state_is_reached_and_every_payload_sent() {
    let (mut states, mut payloads) = (BTreeSet::new(), BTreeSet::new());
    let mut storm = Storm::new(3, 30);
    for _ in 0..1_500 {
        storm.step();
        for braid in [&storm.talk.initiator, &storm.talk.responder] {
            states.insert(number(&braid.agreement.phase));
        }
        payloads.extend(storm.flying.iter().map(|packet| match packet.message().payload {
            Payload::None => 0,
            Payload::Hdr(_) => 1,
            Payload::Ek(_) => 2,
            Payload::EkCt1Ack(_) => 3,
            Payload::Ct1Ack => 4,
            Payload::Ct1(_) => 5,
            Payload::Ct2(_) => 6,
        }));
    }
    assert_eq!(states, (1..=11).collect());
    assert_eq!(payloads, (0..=6).collect());
}

#[test]
fn keys_agree_and_epochs_pass_whatever_the_network_does() {
    for (loss, epochs) in [(0, 20), (20, 15), (50, 9)] {
        for seed in 0..4 {
            let mut storm = Storm::new(100 + seed, loss);
            for _ in 0..3_000 {
                storm.step();
            }
            storm.calm();
            let reached = storm.talk.initiator.epoch().min(storm.talk.responder.epoch());
            assert!(reached >= epochs, "{loss} % lost, seed {seed}: epoch {reached}");
            assert!(storm.opened > 1_300, "{loss} % lost, seed {seed}: {} opened", storm.opened);
        }
    }
}

#[test]
fn one_sided_traffic_never_completes_an_epoch() {
    for from in [Role::Initiator, Role::Responder] {
        let mut talk = Talk::new(4);
        for _ in 0..3_000 {
            let packet = talk.send(from);
            talk.deliver(&packet).unwrap();
        }
        assert_eq!((talk.initiator.epoch(), talk.responder.epoch()), (0, 0));
        // The first answers then carry it on.
        talk.until(|initiator, responder| initiator.epoch() >= 1 && responder.epoch() >= 1);
    }
}

/// A talk over a network that loses, repeats and reorders.
struct Storm {
    talk: Talk,
    loss: usize,
    flying: Vec<Packet>,
    opened: usize,
}

impl Storm {
    fn new(seed: u64, loss: usize) -> Self {
        Self { talk: Talk::new(seed), loss, flying: Vec::new(), opened: 0 }
    }

    /// Somebody sends; something arrives, perhaps twice.
    fn step(&mut self) {
        let from = if self.talk.random.one_in(50) { Role::Initiator } else { Role::Responder };
        let packet = self.talk.send(from);
        if !self.talk.random.one_in(self.loss) {
            self.flying.push(packet);
        }
        while self.flying.len() > 10 || (!self.flying.is_empty() && self.talk.random.one_in(40)) {
            let place = self.talk.random.below(self.flying.len());
            let packet = self.flying.swap_remove(place);
            self.arrive(&packet);
            if self.talk.random.one_in(10) {
                self.arrives_again(&packet);
            }
        }
    }

    fn calm(&mut self) {
        while let Some(packet) = self.flying.pop() {
            self.arrive(&packet);
        }
        for _ in 0..10 {
            self.talk.ping_pong();
        }
    }

    /// What is ten messages late still opens: its epoch is the last but one at worst.
    fn arrive(&mut self, packet: &Packet) {
        self.talk.deliver(packet).unwrap();
        self.opened += 1;
    }

    fn arrives_again(&mut self, packet: &Packet) {
        let before = self.talk.end(peer(packet.from)).encode();
        assert_eq!(self.talk.deliver(packet), Err(BraidError::AlreadyOpened));
        assert!(self.talk.end(peer(packet.from)).encode() == before);
    }
}
