//! An injector who reads everything, once the session stands.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use quinn_proto::{ConnectionId, Side};

use super::pair::{From, Pair};
use crate::live::fixture::{Node, Seeded, aws};
use crate::live::quic::QUIC_VERSION;
use crate::live::quic::initial::InitialProtection;
use crate::random::Random;

#[test]
fn forged_packets_after_the_handshake_are_ignored() {
    let mut pair = Pair::between(&Node::new(1), &Node::new(5));
    assert!(pair.establish());
    pair.run_for(Duration::from_millis(100));
    let mut random = Seeded::new(7);
    for round in 0..300_u16 {
        for from in [From::Client, From::Server] {
            let sent = &pair.ends(from).0.sent;
            let forged = forge(sent, usize::from(round), &mut random);
            pair.inject(from, forged);
        }
        if round % 50 == 0 {
            assert!(pair.frame_arrives(From::Client, &[0x10, 1]), "{round}");
            assert!(pair.frame_arrives(From::Server, &[0x10, 2]), "{round}");
        }
    }
    assert!(pair.client.lost.is_none() && pair.server.lost.is_none());
    assert!(pair.client.broke.is_none() && pair.server.broke.is_none());
    assert!(pair.frame_arrives(From::Client, b"\x10still here"));
}

/// A packet of the connection that was changed, replayed, or made up.
fn forge(sent: &[Vec<u8>], round: usize, random: &mut Seeded) -> Vec<u8> {
    let random: &mut dyn Random = random;
    let mut packet = sent[sent.len() - 1 - round % sent.len()].clone();
    let length = u32::try_from(packet.len()).unwrap();
    let at = usize::try_from(random.below(length)).unwrap();
    match round % 4 {
        0 => packet[at] ^= 1 << random.below(8),
        1 => packet.truncate(at),
        2 => random.fill(&mut packet[9..]),
        // As it was.
        _ => {}
    }
    packet
}

#[test]
fn a_well_formed_initial_packet_of_an_injector_ends_no_standing_session() {
    let mut pair = Pair::between(&Node::new(1), &Node::new(5));
    assert!(pair.establish());
    pair.run_for(Duration::from_millis(100));
    // CONNECTION_CLOSE in the server's name, under keys that everybody can make.
    let server_id = source_id(&pair.server.sent[0]);
    let client_id = source_id(&pair.client.sent[0]);
    let forged = initial_close(&client_id, &server_id);
    pair.inject(From::Server, forged);
    pair.run_for(Duration::from_secs(1));
    assert!(pair.client.lost.is_none());
    assert!(pair.frame_arrives(From::Server, b"\x10still here"));
}

/// Before the handshake ends the same packet may end the attempt: no more than that.
#[test]
fn before_the_handshake_ends_an_injector_ends_the_attempt_and_learns_nobody() {
    let mut pair = Pair::between(&Node::new(1), &Node::new(5));
    pair.fate = Box::new(|from, _, _| from == From::Client);
    pair.run_until(|pair| !pair.server.sent.is_empty());
    let forged = initial_close(&source_id(&pair.client.sent[0]), &[9; 8]);
    pair.inject(From::Server, forged);
    assert!(pair.run_until(|pair| pair.client.lost.is_some()));
    assert!(!pair.client.connected && pair.server.channel().is_none());
}

/// The source connection id of a long packet (RFC 9000, section 17.2).
fn source_id(packet: &[u8]) -> Vec<u8> {
    let destination = usize::from(packet[5]);
    let at = 6 + destination;
    packet[at + 1..at + 1 + usize::from(packet[at])].to_vec()
}

/// An Initial packet of the server's with CONNECTION_CLOSE in it. The client chose `[7; 20]`.
fn initial_close(to: &[u8], from: &[u8]) -> Vec<u8> {
    let initial = InitialProtection::new(Arc::clone(&aws())).unwrap();
    let keys = initial.keys(&ConnectionId::new(&[7; 20]), Side::Server);
    // CONNECTION_CLOSE: no error, in no frame, no reason. Then padding.
    let payload = [vec![0x1c, 0x00, 0x00, 0x00], vec![0; 60]].concat();
    // Packet numbers of four bytes; one that was not used.
    let mut packet = vec![0xc3];
    packet.extend_from_slice(&QUIC_VERSION.to_be_bytes());
    for id in [to, from] {
        packet.push(u8::try_from(id.len()).unwrap());
        packet.extend_from_slice(id);
    }
    // No token, and the length of number, payload and tag.
    let length = u16::try_from(4 + payload.len() + 16).unwrap();
    packet.push(0);
    packet.extend_from_slice(&(0x4000 | length).to_be_bytes());
    let number_at = packet.len();
    packet.extend_from_slice(&77_u32.to_be_bytes());
    let header = packet.len();
    packet.extend_from_slice(&payload);
    packet.extend_from_slice(&[0; 16]);
    keys.packet.local.encrypt(77, &mut packet, header);
    keys.header.local.encrypt(number_at, &mut packet);
    packet
}
