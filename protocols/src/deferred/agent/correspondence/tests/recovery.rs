//! What somebody who copied the stored state of one end opens of what goes between the two.
//!
//! With a computer of today a thief has to follow both ratchets, with a quantum computer only the
//! post-quantum one: every Diffie-Hellman secret is then known to him, which the test gives him.

extern crate std;

use alloc::vec::Vec;
use std::println;

use super::{Agent, first_packet};
use crate::deferred::agent::correspondence::Correspondence;
use crate::deferred::agent::envelope::Envelope;
use crate::deferred::fixture::PROVIDER;
use crate::deferred::ratchet::{MessageSeed, ReceiverChain};
use crate::deferred::session::Session;
use crate::deferred::wire::RatchetMessage;
use crate::identity::AgentId;
use crate::secret::SecretBytes;

/// Messages of a post-quantum epoch in strict ping-pong.
const EPOCH: usize = 87;

/// After how many messages the states are copied: at every third of two epochs.
const COPIES: core::ops::Range<usize> = 0..2 * EPOCH;

#[test]
fn a_copy_of_the_stored_state_opens_nothing_from_before() {
    let seen = Seen::new();
    for theft in seen.thefts() {
        let opened = seen.packets[..theft.at].iter();
        let opened = opened.filter(|packet| theft.thief(&seen).opens(packet)).count();
        assert_eq!(opened, 0, "{theft:?}");
    }
}

#[test]
fn a_thief_with_a_computer_of_today_opens_three_more_messages_at_most() {
    let (mean, worst) = Seen::new().lost(Computer::Classical);
    println!("break-in, classical: {mean:.1} messages lost in the mean, {worst} at most");
    assert!((1..=3).contains(&worst), "{worst}");
}

/// The bound is two epochs less what has passed of the first: an agreement whose key was stolen is
/// lost with it, the one after it is with a key that was made later.
#[test]
fn a_thief_with_a_quantum_computer_opens_nothing_after_two_more_epochs() {
    let (mean, worst) = Seen::new().lost(Computer::Quantum);
    println!("break-in, quantum: {mean:.1} messages lost in the mean, {worst} at most");
    assert!(worst <= 2 * EPOCH + 45, "{worst}");
    assert!(mean >= 40.0, "{mean}: the thief does not try");
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Computer {
    Classical,
    Quantum,
}

/// A conversation as somebody sees it who sees all: what went over the network, and what each end
/// stored after each message.
struct Seen {
    ends: [AgentId; 2],
    packets: Vec<Packet>,
    /// Of each end, after so many messages.
    records: [Vec<SecretBytes>; 2],
}

struct Packet {
    sender: AgentId,
    bytes: Vec<u8>,
    /// What the Double Ratchet alone made of it.
    seed: MessageSeed,
}

impl Seen {
    /// A conversation in strict ping-pong, from when both ends have heard of each other.
    fn new() -> Self {
        let (mut alice, mut bob, first) = first_packet(true);
        bob.open(alice.id(), &first);
        let reply = bob.seal(alice.id(), b"reply");
        alice.open(bob.id(), &reply);

        let ends = [alice.id(), bob.id()];
        let mut seen = Self { ends, packets: Vec::new(), records: [Vec::new(), Vec::new()] };
        let mut pair = [alice, bob];
        for number in 0..COPIES.end + 3 * EPOCH {
            for (records, end) in seen.records.iter_mut().zip(&pair) {
                records.push(end.mail.encode().unwrap());
            }
            let [alice, bob] = &mut pair;
            let (from, to) = if number % 2 == 0 { (alice, bob) } else { (bob, alice) };
            seen.packets.push(Packet::exchange(from, to));
        }
        seen
    }

    fn thefts(&self) -> impl Iterator<Item = Theft> {
        let computers = [Computer::Classical, Computer::Quantum];
        computers.into_iter().flat_map(|computer| {
            [0, 1].into_iter().flat_map(move |victim| {
                COPIES.step_by(3).map(move |at| Theft { victim, at, computer })
            })
        })
    }

    /// How many messages pass until the thief opens nothing in either direction: the mean, and the
    /// most.
    #[allow(clippy::cast_precision_loss, reason = "a few hundred")]
    fn lost(&self, computer: Computer) -> (f64, usize) {
        let thefts = self.thefts().filter(|theft| theft.computer == computer);
        let lost: Vec<usize> = thefts.map(|theft| self.lost_by(theft)).collect();
        let mean = lost.iter().sum::<usize>() as f64 / lost.len() as f64;
        (mean, lost.into_iter().max().unwrap())
    }

    fn lost_by(&self, theft: Theft) -> usize {
        let mut thief = theft.thief(self);
        let after = &self.packets[theft.at..];
        let opened = (1..).zip(after).filter(|(_, packet)| thief.opens(packet));
        let last = opened.last().map_or(0, |(number, _)| number);
        assert!(last < 3 * EPOCH - 20, "{theft:?}: the thief is never rid of");
        last
    }
}

impl Packet {
    fn exchange(from: &mut Agent, to: &mut Agent) -> Self {
        let chains = &from.mail.sessions.current().unwrap().chains;
        let (seed, _) = chains.sender.chain_key.step(PROVIDER).unwrap();
        let bytes = from.seal(to.id(), b"ping");
        to.open(from.id(), &bytes);
        Self { sender: from.id(), bytes, seed }
    }

    fn message(&self) -> RatchetMessage<'_> {
        let (_, inside) = Envelope::decode(&self.bytes).unwrap();
        RatchetMessage::decode(inside).unwrap()
    }
}

/// Whose state was copied, after how many messages.
#[derive(Clone, Copy, Debug)]
struct Theft {
    victim: usize,
    at: usize,
    computer: Computer,
}

impl Theft {
    fn thief(self, seen: &Seen) -> Thief {
        let record = &seen.records[self.victim][self.at];
        let stolen = Correspondence::decode(record.expose()).unwrap();
        let copy = stolen.sessions.current().unwrap().clone();
        Thief { victim: seen.ends[self.victim], computer: self.computer, copy }
    }
}

/// Who has a full copy of one end's state, and sees every packet.
struct Thief {
    victim: AgentId,
    computer: Computer,
    copy: Session,
}

impl Thief {
    /// Whether he opens it. He then goes on from there.
    fn opens(&mut self, packet: &Packet) -> bool {
        let message = packet.message();
        let by_victim = packet.sender == self.victim;
        let mut next = self.copy.clone();
        let seed = match self.computer {
            Computer::Quantum => Some(packet.seed.clone()),
            Computer::Classical if by_victim => sent_seed(&mut next, &message),
            Computer::Classical => received_seed(&mut next, &message),
        };
        let key = if by_victim {
            next.braid.own_key(PROVIDER, message.braid)
        } else {
            let received = next.braid.receive(PROVIDER, message.braid).ok();
            received.map(|(braid, key)| {
                next.braid = braid;
                key
            })
        };
        let (Some(seed), Some(key)) = (seed, key) else { return false };
        let keys = seed.keys(PROVIDER, &key).unwrap();
        let (local, remote) = (self.copy.identities.local, self.copy.identities.remote);
        let (sender, receiver) = if by_victim { (local, remote) } else { (remote, local) };
        let (signed, mac) = message.split_mac();
        let expected = keys.mac(PROVIDER, &[&sender.encode(), &receiver.encode(), signed]);
        let opened = expected.expose() == mac;
        if opened {
            assert!(keys.decrypt(PROVIDER, message.ciphertext).is_ok());
            self.copy = next;
        }
        opened
    }
}

/// Of a message of the victim's: as far as the stolen chain leads to it.
fn sent_seed(copy: &mut Session, message: &RatchetMessage<'_>) -> Option<MessageSeed> {
    let sender = &mut copy.chains.sender;
    if *sender.ratchet_key.public() != message.ratchet_key {
        return None;
    }
    while sender.chain_key.index() < message.counter {
        sender.chain_key = sender.chain_key.step(PROVIDER)?.1;
    }
    let (seed, _) = sender.chain_key.step(PROVIDER)?;
    (sender.chain_key.index() == message.counter).then_some(seed)
}

/// Of a message to the victim: from a chain that was stolen, or that the stolen ratchet key leads
/// to. The key that the victim then draws is not in the copy.
fn received_seed(copy: &mut Session, message: &RatchetMessage<'_>) -> Option<MessageSeed> {
    let chains = &mut copy.chains;
    let mut known = chains.receivers.iter_mut();
    if let Some(chain) = known.find(|chain| chain.ratchet_key == message.ratchet_key) {
        return chain.take(PROVIDER, message.counter).ok();
    }
    let shared = chains.sender.ratchet_key.agree(PROVIDER, &message.ratchet_key).ok()?;
    let (root, chain_key) = chains.root.turn(PROVIDER, &shared).ok()?;
    let mut chain = ReceiverChain::new(message.ratchet_key, chain_key);
    let seed = chain.take(PROVIDER, message.counter).ok()?;
    chains.root = root;
    chains.receivers.push(chain);
    Some(seed)
}
