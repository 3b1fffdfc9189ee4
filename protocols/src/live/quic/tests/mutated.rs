//! Handshakes that somebody changed on the way, below the packets: QUIC protects Initial packets
//! with keys that everybody can make, so that an injector can say anything in them.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use quinn_proto::Side;
use quinn_proto::crypto::{ClientConfig, ServerConfig, Session};
use quinn_proto::transport_parameters::TransportParameters;

use super::pair::{noise_client, noise_server};
use crate::live::Dial;
use crate::live::fixture::{Node, Seeded};
use crate::live::hello::Channel;
use crate::live::quic::QUIC_VERSION;
use crate::random::Random;

/// How many handshakes are changed.
const RUNS: u64 = 6_000;

/// The messages of a handshake, in their order.
const MESSAGES: usize = 4;

/// Two ends without packets between them.
struct Sessions {
    client: Box<dyn Session>,
    server: Box<dyn Session>,
}

impl Sessions {
    fn new(client: &Node, server: &Node) -> Self {
        let parameters = TransportParameters::read(Side::Server, &mut [].as_slice()).unwrap();
        let dialling = Arc::new(noise_client(client, Dial::Session(server.card())));
        let client = dialling.start_session(QUIC_VERSION, "peer", &parameters);
        let server = Arc::new(noise_server(server)).start_session(QUIC_VERSION, &parameters);
        Self { client: client.ok().unwrap(), server }
    }

    /// Carries a handshake to its end, or to where a side refuses.
    fn run(&mut self, mut carry: impl FnMut(usize, Vec<u8>) -> Vec<u8>) {
        // Message 1, message 2, the marker, message 3. What is said in one space is one message.
        for number in 0..MESSAGES {
            let (from, to) = match number {
                0 | 3 => (&mut self.client, &mut self.server),
                _ => (&mut self.server, &mut self.client),
            };
            let mut message = Vec::new();
            while message.is_empty() && from.write_handshake(&mut message).is_some() {}
            for chunk in carry(number, message).chunks(500) {
                if to.read_handshake(chunk).is_err() {
                    return;
                }
            }
            // The keys that message 2 brought; there is nothing to be said before they are used.
            if number == 1 {
                to.write_handshake(&mut Vec::new());
            }
        }
    }

    fn channels(&self) -> [Option<Channel>; 2] {
        [&self.client, &self.server].map(|session| {
            let data = session.handshake_data()?;
            data.downcast().ok().map(|channel| *channel)
        })
    }

    fn completed(&self) -> [bool; 2] {
        [!self.client.is_handshaking(), !self.server.is_handshaking()]
    }
}

#[test]
fn a_handshake_without_changes_completes() {
    let mut sessions = Sessions::new(&Node::new(1), &Node::new(5));
    sessions.run(|_, message| message);
    assert_eq!(sessions.completed(), [true, true]);
    let [ours, theirs] = sessions.channels();
    assert_eq!(ours.unwrap().handshake_hash, theirs.unwrap().handshake_hash);
}

#[test]
fn no_changed_handshake_completes() {
    let (client, server) = (Node::new(1), Node::new(5));
    let mut seen = Vec::new();
    Sessions::new(&client, &server).run(|_, message| {
        seen.push(message.clone());
        message
    });
    for seed in 0..RUNS {
        let mut random = Seeded::new(seed);
        let target = usize::try_from(seed).unwrap() % MESSAGES;
        let mut sessions = Sessions::new(&client, &server);
        let mut changed = false;
        sessions.run(|number, message| {
            if number != target {
                return message;
            }
            let other = mutate(&message, &seen, &mut random);
            changed = other != message;
            other
        });
        // Whoever reads the changed message does not complete; who said it may have before.
        let [by_client, by_server] = sessions.completed();
        let wrong = match target {
            0 | 3 => by_server,
            _ => by_client || by_server,
        };
        assert!(!changed || !wrong, "seed {seed}, message {target}");
    }
}

/// One change of a kind that a seed chooses.
fn mutate(message: &[u8], others: &[Vec<u8>], random: &mut Seeded) -> Vec<u8> {
    let random: &mut dyn Random = random;
    let mut below =
        |bound: usize| usize::try_from(random.below(u32::try_from(bound).unwrap())).unwrap();
    let mut out = message.to_vec();
    let at = below(message.len());
    match below(6) {
        0 => out[at] ^= 1 << below(8),
        1 => out.truncate(at),
        2 => out.insert(at, u8::try_from(below(256)).unwrap()),
        3 => out.extend(vec![0; 1 + below(20)]),
        // A message of another handshake, or of another place in this one.
        4 => out.clone_from(&others[below(others.len())]),
        _ => {
            let end = (at + 1 + below(64)).min(out.len());
            out[at..end].iter_mut().for_each(|byte| *byte = 0);
        }
    }
    out
}

#[test]
fn a_message_is_taken_at_the_bound_and_refused_one_past_it() {
    use crate::live::handshake::MAX_HANDSHAKE_MESSAGE;
    let announce = |length: usize| {
        let mut sessions = Sessions::new(&Node::new(1), &Node::new(5));
        let [.., high, low] = length.to_be_bytes();
        sessions.server.read_handshake(&[high, low]).is_ok()
    };
    assert!(announce(MAX_HANDSHAKE_MESSAGE));
    assert!(!announce(MAX_HANDSHAKE_MESSAGE + 1));
}

#[test]
fn nothing_is_read_after_the_end() {
    let mut sessions = Sessions::new(&Node::new(1), &Node::new(5));
    sessions.run(|_, message| message);
    assert!(sessions.client.read_handshake(&[0]).is_err());
    assert!(sessions.server.read_handshake(&[0]).is_err());
}
