use alloc::vec::Vec;

use super::std::println;
use super::talk::{Packet, Talk, peer};
use crate::deferred::braid::{Braid, BraidMessage, Role, keyed_from};
use crate::provider::Provider;
use crate::secret::Secret;

#[test]
fn a_copy_of_the_state_opens_nothing_from_before() {
    let mut talk = Talk::new(50);
    let mut past = Vec::new();
    for round in 0..200 {
        for from in [Role::Initiator, Role::Responder] {
            let packet = talk.send(from);
            talk.deliver(&packet).unwrap();
            past.push(packet);
        }
        if round % 5 == 0 {
            for role in [Role::Initiator, Role::Responder] {
                let thief = Thief::new(role, talk.end(role));
                let opened = past.iter().filter(|packet| thief.clone().opens(packet)).count();
                assert_eq!(opened, 0, "after {} messages", past.len());
            }
        }
    }
}

#[test]
fn of_what_is_still_missing_a_copy_opens_only_that() {
    let mut talk = Talk::new(51);
    let packets: Vec<_> = (0..100).map(|_| talk.send(Role::Initiator)).collect();
    for packet in packets.iter().step_by(2) {
        talk.deliver(packet).unwrap();
    }
    let thief = Thief::new(Role::Responder, &talk.responder);
    for (number, packet) in packets.iter().enumerate() {
        assert_eq!(thief.clone().opens(packet), number % 2 == 1, "{number}");
    }
}

/// The bound is two epochs less what has passed of the first: an agreement whose key was stolen is
/// lost with it, the one after it is with a key that was made later.
#[test]
fn a_thief_opens_nothing_after_two_more_epochs() {
    let mut worst = 0;
    let mut sum = 0;
    let mut count = 0;
    for victim in [Role::Initiator, Role::Responder] {
        for stolen_after in (0..174).step_by(3) {
            let lost = messages_lost(victim, stolen_after);
            worst = worst.max(lost);
            sum += lost;
            count += 1;
        }
    }
    let mean = sum / count;
    println!(
        "break-in in strict ping-pong: the thief opens {mean} messages in the mean, {worst} at most"
    );
    assert!(worst <= 2 * 87 + 45, "{worst}");
    assert!(mean >= 87 / 2, "{mean}: the thief does not try");
}

/// How many messages pass after a break-in until the thief opens nothing in either direction.
fn messages_lost(victim: Role, stolen_after: usize) -> usize {
    let mut talk = Talk::new(52);
    let mut sides = [Role::Initiator, Role::Responder].into_iter().cycle();
    let mut next = |talk: &mut Talk| {
        let packet = talk.send(sides.next().unwrap());
        talk.deliver(&packet).unwrap();
        packet
    };
    for _ in 0..stolen_after {
        next(&mut talk);
    }
    let mut thief = Thief::new(victim, talk.end(victim));
    let opened = (1..=600).filter(|_| thief.opens(&next(&mut talk)));
    let opened: Vec<usize> = opened.collect();
    let last = opened.last().copied().unwrap_or(0);
    assert!(last < 400, "the thief is never rid of");
    last
}

/// Who has a full copy of one end's state, and sees every packet.
#[derive(Clone)]
struct Thief {
    victim: Role,
    copy: Braid,
}

impl Thief {
    fn new(victim: Role, braid: &Braid) -> Self {
        // What is stored is all there is.
        Self { victim, copy: Braid::decode(braid.encode().expose()).unwrap() }
    }

    fn opens(&mut self, packet: &Packet) -> bool {
        let provider = Talk::provider(self.victim);
        if packet.from == peer(self.victim) {
            let Ok((next, key)) = self.copy.receive(provider, &packet.field) else { return false };
            self.copy = next;
            return key == packet.key;
        }
        self.copy.own_key(provider, &packet.field).is_some_and(|key| key == packet.key)
    }
}

/// What a thief makes of a copy, here and where whole sessions are stolen.
impl Braid {
    /// The key beside which its owner sent `field`, as far as the copy leads to it. What the owner
    /// drew since is not in it.
    pub(in crate::deferred) fn own_key(
        &mut self,
        provider: &dyn Provider,
        field: &[u8],
    ) -> Option<Secret<32>> {
        let message = BraidMessage::decode(field).ok()?;
        loop {
            let (index, key) = self.chain.send(provider, keyed_from(message.epoch)).ok()?;
            if index == message.index {
                return Some(key);
            }
            if index > message.index {
                return None;
            }
        }
    }
}
