//! Where the corpora begin: what the real encoders write, the same in each run.

use meshwork_protocols::deferred::agent::{BundleMark, BundleNumber};
use meshwork_protocols::deferred::{CurvePublic, PrekeyId};
use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::{Card, Newest};
use meshwork_protocols::live::card_fetch::{encode_answer, encode_request};
use meshwork_protocols::posture::Posture;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::wire::{
    Frame, HeldPrekeys, MAX_LIFETIME, Message, MessageId, OfferedPrekeys,
};
use meshwork_protocols::wire::{Payload, Place, Receipt, Verdict};
use meshwork_router::{Delivery, PeerFacts, Protocol, Standing};

use serde::Serialize;

use crate::agent::{Agent, NOW, chain, endorsement};
use crate::{
    braid, call, control, deferred, fleet, groups, live, quic, relay, state, streams, udp,
};

/// The seeds of a target, each under its name.
pub fn of(target: &str) -> Vec<(&'static str, Vec<u8>)> {
    let (own, peer) = (Agent::own(), Agent::peer());
    match target {
        "agent_id" => vec![
            ("lower", own.id().to_string().into_bytes()),
            ("upper", own.id().to_string().to_uppercase().into_bytes()),
        ],
        "answer" => {
            vec![("card", encode_answer(peer.card())), ("other_card", encode_answer(own.card()))]
        }
        "bundle" => deferred::bundles(),
        "call_frame" => call::frames(),
        "calls" => call::conversations(),
        "braid_message" => braid::messages(),
        "braid_receive" => braid::heard(),
        "braid_record" => braid::records(),
        "card" => {
            vec![("own", own.card().as_bytes().to_vec()), ("peer", peer.card().as_bytes().to_vec())]
        }
        "card_text" => vec![
            ("lines", own.card().to_text().into_bytes()),
            ("carriage_returns", carriage_returns(own.card())),
        ],
        "contact" => contacts(),
        "control_reply" => control::replies(),
        "control_request" => control::requests(),
        "correspondence_open" => deferred::opened_packets(),
        "correspondence_record" => deferred::correspondence_records(),
        "deferred_key" => deferred::deferred_keys(),
        "delivery" => {
            let of_a_group =
                Delivery { group: Some(GroupId::from_bytes([6; GroupId::LENGTH])), ..delivery() };
            let row = |delivery: Delivery| delivery.encode().expose().to_vec();
            vec![("message", row(delivery())), ("of_a_group", row(of_a_group))]
        }
        "endorsement" => vec![
            ("one_link", endorsement(own.id()).to_bytes().unwrap()),
            ("two_links", chain().to_bytes().unwrap()),
        ],
        "envelope" => deferred::envelopes(),
        "file_header" => vec![("report", streams::header())],
        "first_message" => deferred::first_messages(),
        "fleet_charter" => fleet::charters(),
        "fleet_entry" | "fleet_receive" => fleet::entries(),
        "fleet_invitation" => vec![("welcome", fleet::welcome())],
        "fleet_offer" => vec![("genuine", fleet::offer())],
        "fleet_payload" => fleet::payloads(),
        "fleet_posting" => vec![("commit", fleet::posting())],
        "fleet_roster" => vec![("founder", fleet::roster())],
        "fleet_summons" => vec![("welcome", fleet::summons())],
        "fleet_word" => fleet::words(),
        "frame" => frames(),
        "groups" => groups::stories(),
        "handshake_initiator" => vec![("message_2", live::HANDSHAKE.message2.clone())],
        "handshake_responder" => {
            let handshake = &*live::HANDSHAKE;
            vec![("messages", [handshake.message1.as_slice(), &handshake.message3].concat())]
        }
        "hello" => vec![
            ("with_card", live::compose_hello(false)),
            ("with_hash", live::compose_hello(true)),
            ("card_request", encode_request(&own.id())),
            ("card_wanted", vec![4, 1]),
        ],
        "introduction" => deferred::introductions(),
        "key_file" => vec![("text", state::key_file_text().expose().to_vec())],
        "message" => vec![
            ("plain", message(1, None).encode().expose().to_vec()),
            ("ordered", message(1, Some(PLACE)).encode().expose().to_vec()),
        ],
        "peer_facts" => vec![("known", encoded(&peer_facts()))],
        "plaintext" => deferred::plaintexts(),
        "pool" => deferred::pools(),
        "pool_key" => deferred::pool_keys(),
        "prekey_store" => deferred::prekey_stores(),
        "quic_handshake" => vec![
            ("by_client", [&[254], quic::GENUINE.by_client.concat().as_slice()].concat()),
            ("by_server", [&[255], quic::GENUINE.by_server.concat().as_slice()].concat()),
        ],
        "quic_session" => vec![("opened", [&[255], quic::session_stream().as_slice()].concat())],
        "ratchet_message" => deferred::ratchet_messages(),
        "records" => vec![("stream", [&[255], live::sealed_stream().as_slice()].concat())],
        "relay_answer" => relay::answers(),
        "relay_nudge" => relay::nudges(),
        "relay_request" => relay::requests(),
        "repair" => deferred::repairs(),
        "revocation" => vec![("own", own.revocation().as_bytes().to_vec())],
        "root_file" => vec![("own", own.root.to_file(&Pure).expose().to_vec())],
        "router" => vec![("conversation", conversation())],
        "sealed_records" => {
            vec![("frames", sealed_records(&[(0, 16_383), (1, 5), (2, 0), (1, 0), (3, 0)]))]
        }
        "session" => vec![("opened", [&[255], live::SESSION.stream.as_slice()].concat())],
        "session_list" => deferred::session_lists(),
        "state_rows" => state_rows(),
        "streams" => vec![("two_streams", streams::conversation())],
        "udp_content" => vec![("each_kind", udp::listed(&udp::contents()))],
        "udp_endpoint" => vec![
            ("another_cookie", udp::listed(&udp::with_another_cookie())),
            ("conversation", udp::listed(&udp::CONVERSATION)),
        ],
        "udp_packet" => udp_packets(),
        _ => Vec::new(),
    }
}

/// A message 1, a message 3, a sealed datagram.
fn udp_packets() -> Vec<(&'static str, Vec<u8>)> {
    let names = ["message_1", "message_3", "data"].into_iter();
    names.zip(udp::CONVERSATION.iter().cloned()).collect()
}

fn contacts() -> Vec<(&'static str, Vec<u8>)> {
    let id = Agent::own().id();
    [("name", "agent.example.org:7400"), ("v4", "192.0.2.1:1"), ("v6", "[2001:db8::1]:65535")]
        .map(|(name, endpoint)| (name, format!("{id}@{endpoint}").into_bytes()))
        .to_vec()
}

fn carriage_returns(card: &Card) -> Vec<u8> {
    format!("\r\n{}\r\n", card.to_text().replace('\n', "\r\n")).into_bytes()
}

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let id = MessageId::from_bytes([1; 16]);
    let receipts = vec![
        Receipt { id, verdict: Verdict::Delivered },
        Receipt { id, verdict: Verdict::Busy { retry_after: 7 } },
    ];
    let mark = BundleMark { number: BundleNumber(9), hash: [8; 32] };
    let held = HeldPrekeys { bundle: Some(mark), one_time: Some(PrekeyId(3)) };
    let one_time = Some((PrekeyId(3), CurvePublic::from_u([4; 32])));
    let offered = OfferedPrekeys { bundle: vec![5; 40], one_time };
    [
        ("message", Frame::Clear(carried(1, None))),
        ("receipts", Frame::Clear(Payload::Receipts(receipts))),
        ("settled", Frame::Clear(Payload::Settled(vec![id]))),
        ("waiting_for", Frame::Clear(Payload::WaitingFor(PLACE))),
        ("lowest_wanted", Frame::Clear(Payload::LowestWanted(PLACE))),
        ("cannot_open", Frame::Clear(Payload::CannotOpen([6; 32]))),
        ("prekeys_held", Frame::Clear(Payload::PrekeysHeld(held))),
        ("prekeys", Frame::Clear(Payload::Prekeys(offered))),
        ("repair", Frame::Clear(Payload::Repair(vec![[6; 32], [7; 32]]))),
        ("heartbeat", Frame::Clear(Payload::Heartbeat)),
        ("sealed", Frame::Sealed(vec![5; 40])),
        ("skipped", Frame::Skipped(0x80)),
    ]
    .map(|(name, frame)| (name, frame.encode()))
    .to_vec()
}

/// What the targets of the router read as steps: messages in and out of order, twice, from a known
/// peer and a stranger, between commits that succeed and fail, and over a restart.
fn conversation() -> Vec<u8> {
    let place = |number| Some(Place { number, ..PLACE });
    let message = |number, place| Frame::Clear(carried(number, place)).encode();
    let steps: &[(u8, Vec<u8>)] = &[
        (0, message(1, None)),
        (0, message(1, None)),
        (2, vec![]),
        (0, message(2, place(1))),
        (3, vec![]),
        (0, message(2, place(1))),
        (1, message(3, None)),
        (0, message(4, place(0))),
        (2, vec![]),
        (5, b"later ones wait for this one".to_vec()),
        (4, vec![9]),
        (6, vec![]),
        (0, message(1, None)),
        (7, vec![]),
    ];
    steps
        .iter()
        .flat_map(|(kind, content)| {
            [&[*kind, u8::try_from(content.len()).unwrap()], content.as_slice()].concat()
        })
        .collect()
}

fn sealed_records(list: &[(u8, u16)]) -> Vec<u8> {
    let record = |(kind, length): &(u8, u16)| {
        let [high, low] = length.to_be_bytes();
        [vec![*kind, high, low], vec![0x10; usize::from(*length)]].concat()
    };
    list.iter().flat_map(record).collect()
}

fn state_rows() -> Vec<(&'static str, Vec<u8>)> {
    const NAMES: [&str; 8] = [
        "meta_data_key",
        "meta_format",
        "meta_lock",
        "meta_progress",
        "meta_session_key",
        "meta_start",
        "own",
        "session",
    ];
    let rows = state::rows(&state::STORE);
    assert_eq!(rows.len(), NAMES.len());
    let named = NAMES.into_iter().zip(0_u8..).zip(rows);
    named
        .map(|((name, number), (_, _, record))| (name, [&[number], record.expose()].concat()))
        .collect()
}

fn peer_facts() -> PeerFacts {
    let peer = Agent::peer();
    PeerFacts {
        standing: Standing::Known,
        name: Some("peer".to_owned()),
        contact: Some("192.0.2.1:7400".to_owned()),
        card: peer.card().as_bytes().to_vec(),
        newest: Newest::Card((&**peer.card()).into()),
        remembered: Some(peer.lineage()),
    }
}

pub(crate) fn delivery() -> Delivery {
    Delivery {
        sender: Agent::peer().id(),
        protocol: Protocol::Live,
        posture: Posture::HYBRID,
        received: NOW.wall,
        message: message(1, Some(PLACE)),
        group: None,
        asked_at: None,
    }
}

fn carried(number: u8, place: Option<Place>) -> Payload {
    Payload::message(0, &message(number, place).encode())
}

fn message(number: u8, order: Option<Place>) -> Message {
    Message {
        id: MessageId::from_bytes([number; 16]),
        created: NOW.wall,
        expires: NOW.wall + MAX_LIFETIME,
        order,
        content_type: "text/plain".parse().unwrap(),
        body: b"hello".to_vec(),
    }
}

fn encoded(row: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(row).unwrap()
}

const PLACE: Place = Place { conversation: [4; 8], number: 3 };
