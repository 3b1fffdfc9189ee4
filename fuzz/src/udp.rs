//! Sessions over datagrams, from the first of a stranger on.

use std::net::SocketAddr;
use std::sync::LazyLock;

use meshwork_protocols::live::SessionEvent;
use meshwork_protocols::live::admission::{Admission, Limits};
use meshwork_protocols::live::udp::content::{Content, Part};
use meshwork_protocols::live::udp::packet::{DATA_HEADER, Packet};
use meshwork_protocols::live::udp::{Assembly, MAX_UDP_FRAME, Transmit, UdpEndpoint, UdpEvent};

use crate::agent::{Agent, NOW, PROVIDER, Seeded};

/// A datagram that has the form of one of ours.
pub fn udp_packet(data: &[u8]) {
    if let Some(packet) = Packet::decode(data) {
        let again = packet.encode();
        assert_eq!(again, data[..again.len()], "another encoding of one packet");
        assert!(again.len() == data.len() || matches!(packet, Packet::Data { .. }));
    }
}

/// Contents of a peer that holds the keys and keeps no rule: data is a list of them, each behind a
/// length of two bytes. Long frames come together as they were, or not.
pub fn udp_content(data: &[u8]) {
    let mut assembly = Assembly::default();
    for bytes in list(data) {
        let Some(content) = Content::decode(bytes) else { continue };
        assert_eq!(content.draft()[DATA_HEADER..], *bytes, "another encoding of one content");
        if let Content::Fragment { name, part } = content {
            assert!(part.number < part.count);
            if let Some(frame) = assembly.take(NOW, &**PROVIDER, name, &part) {
                assert!(frame.len() <= MAX_UDP_FRAME && frame.len() <= data.len());
                assert_eq!(PROVIDER.digest(&[&frame])[..8], name);
            }
        }
    }
}

/// Datagrams to an endpoint, a list as above. What they make it say is no longer than they are until
/// somebody has proved itself, and only the peer can.
pub fn udp_endpoint(data: &[u8]) {
    let genuine = &*CONVERSATION;
    let mut endpoint = endpoint(Agent::own(), 2);
    let (mut received, mut sent, mut proved) = (0, 0, 0);
    for datagram in list(data) {
        received += datagram.len();
        endpoint.receive(NOW, PEER, &mut datagram.to_vec());
        while let Some(Transmit { to, datagram }) = endpoint.poll_transmit() {
            assert_eq!(to, PEER);
            sent += datagram.len();
        }
        while let Some(event) = endpoint.poll_event() {
            if let UdpEvent::Session(_, SessionEvent::Established(peer)) = event {
                assert_eq!(peer.agent, Agent::peer().id());
                proved += 1;
            }
        }
        // A Hello that holds is answered with one.
        let bound = if endpoint.applicants() == 0 { received + 40_000 } else { received };
        assert!(sent <= bound, "amplified: {sent} bytes for {received}");
    }
    assert!(proved <= 1);
    assert!(proved == 0 || list(data).any(|datagram| opens_like(datagram, &genuine[0])));
}

/// Whether two datagrams are the same first message: all but the cookie is bound by what follows.
fn opens_like(datagram: &[u8], message1: &[u8]) -> bool {
    let opening = |datagram| match Packet::decode(datagram) {
        Some(Packet::Message1 { suite, sender, noise, .. }) => Some((suite, sender, noise)),
        _ => None,
    };
    opening(datagram).is_some_and(|it| Some(it) == opening(message1))
}

/// What the peer says to us from its first message to a frame and its end.
pub(crate) static CONVERSATION: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let (mut ours, mut theirs) = (endpoint(Agent::own(), 2), endpoint(Agent::peer(), 1));
    let session = theirs.dial(NOW, OWN, Agent::own().card().clone()).unwrap();
    let (mut said, mut steps) = (Vec::new(), 0);
    loop {
        while let Some(Transmit { mut datagram, .. }) = theirs.poll_transmit() {
            said.push(datagram.clone());
            ours.receive(NOW, PEER, &mut datagram);
        }
        while let Some(Transmit { mut datagram, .. }) = ours.poll_transmit() {
            theirs.receive(NOW, OWN, &mut datagram);
        }
        match steps {
            3 => theirs.send(NOW, session, &[0x10; 3_000]).unwrap(),
            4 => theirs.close(NOW, session),
            6 => return said,
            _ => {}
        }
        steps += 1;
    }
});

/// The same, with a cookie in the first message that nobody gave: it is asked for under load alone.
pub(crate) fn with_another_cookie() -> Vec<Vec<u8>> {
    let mut said = CONVERSATION.clone();
    said[0][COOKIE_AT] ^= 1;
    said
}

/// Where the cookie begins in a first message, behind its suite and its index.
const COOKIE_AT: usize = 1 + 4;

/// A list of byte strings as the targets take it.
pub(crate) fn listed(items: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        out.extend_from_slice(&u16::try_from(item.len()).unwrap().to_be_bytes());
        out.extend_from_slice(item);
    }
    out
}

/// Contents of each kind.
pub(crate) fn contents() -> Vec<Vec<u8>> {
    let part = Part { number: 0, count: 1, bytes: b"bytes" };
    let frame = [0x10; 3_000];
    let name = *PROVIDER.digest(&[&frame]).first_chunk().unwrap();
    let chunks = frame.chunks(1_192).zip(0..);
    let fragments = chunks
        .map(|(bytes, number)| Content::Fragment { name, part: Part { number, count: 3, bytes } });
    [
        Content::Hello { replaces: 7, part },
        Content::HelloReceived(5),
        Content::Received { highest: 9, before: 3 },
        Content::Ping,
        Content::Pong,
        Content::Challenge([1; 8]),
        Content::Response([1; 8]),
        Content::Close,
        Content::Frame(&[0x10, 1]),
    ]
    .into_iter()
    .chain(fragments)
    .map(|content| content.draft()[DATA_HEADER..].to_vec())
    .collect()
}

fn endpoint(agent: &Agent, seed: u64) -> UdpEndpoint {
    let caps = Box::new(Admission::new(Limits::default()));
    let random = Box::new(Seeded::new(seed));
    UdpEndpoint::new(agent.local.clone(), agent.directory(), caps, NOW, random)
}

fn list(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (length, behind) = rest.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
        let (item, behind) = behind.split_at(length);
        rest = behind;
        Some(item)
    })
}

const OWN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 2);
