//! What two ends that want each other get.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::pair::{From, Pair};
use crate::live::fixture::Node;
use crate::live::{Dial, SessionEvent, Suite};

fn nodes() -> (Node, Node) {
    (Node::new(1), Node::new(5))
}

#[test]
fn both_ends_know_each_other_and_frames_go_both_ways() {
    for suite in Suite::ALL {
        let [client, server] =
            [1, 5].map(|number| Node::with_body(number, |body| body.suites = vec![suite.byte()]));
        let mut pair = Pair::between(&client, &server);
        assert!(pair.establish(), "{suite:?}");
        let (ours, theirs) = (pair.client.channel().unwrap(), pair.server.channel().unwrap());
        assert_eq!(ours.suite, suite);
        assert_eq!(ours.handshake_hash, theirs.handshake_hash);
        for (end, peer) in [(&pair.client, &server), (&pair.server, &client)] {
            let [SessionEvent::Established(known)] = end.events.as_slice() else {
                panic!("{:?}", end.events)
            };
            assert_eq!(known.agent, peer.agent());
        }
        for from in [From::Client, From::Server] {
            assert!(pair.frame_arrives(from, b"\x10hello"));
            assert!(pair.frame_arrives(from, &vec![0x10; 1_000_000]));
        }
    }
}

#[test]
fn the_handshake_data_are_announced_once_on_each_side() {
    let (client, server) = nodes();
    let mut pair = Pair::between(&client, &server);
    assert!(pair.establish());
    pair.run_for(Duration::from_secs(3));
    assert_eq!((pair.client.data_ready, pair.server.data_ready), (1, 1));
}

#[test]
fn five_key_updates_interrupt_nothing() {
    let (client, server) = nodes();
    let mut pair = Pair::between(&client, &server);
    assert!(pair.establish());
    for update in 0..5_u8 {
        let from = if update % 2 == 0 { From::Client } else { From::Server };
        pair.ends(from).0.connection().force_key_update();
        assert!(pair.frame_arrives(From::Client, &[0x10, update]));
        assert!(pair.frame_arrives(From::Server, &[0x10, update]));
        pair.run_for(Duration::from_secs(2));
    }
}

#[test]
fn an_address_is_validated_where_the_server_asks() {
    let (client, server) = nodes();
    let mut pair = Pair::between(&client, &server);
    pair.retry = true;
    assert!(pair.establish());
    assert!(pair.frame_arrives(From::Client, b"\x10hello"));
}

#[test]
fn a_retry_that_was_changed_is_no_retry() {
    let (client, server) = nodes();
    let mut pair = Pair::between(&client, &server);
    pair.retry = true;
    // The first answers of the server, to each datagram of message 1; one is forged on its way.
    pair.fate = Box::new(|from, number, _| from == From::Client || number >= 2);
    pair.run_until(|pair| pair.server.sent.len() == 2);
    let mut forged = pair.server.sent[0].clone();
    *forged.last_mut().unwrap() ^= 1;
    pair.inject(From::Server, forged);
    pair.run_for(Duration::from_millis(50));
    assert_eq!(pair.client.sent.len(), 2, "the two datagrams of message 1, and no answer");
    // To quinn-proto it was the one Retry that a client may look at, so that the server has to do
    // without: who injects can end an attempt, as with any Initial packet.
    pair.retry = false;
    assert!(pair.establish());
}

#[test]
fn a_card_is_fetched_over_quic() {
    let (client, server) = nodes();
    for suite in Suite::ALL {
        let fetch = Dial::CardFetch { agent: server.agent(), suite };
        let mut pair = Pair::dialling(&client, fetch, &server);
        assert!(pair.run_until(|pair| !pair.client.events.is_empty()));
        assert_eq!(pair.client.events, [SessionEvent::CardFetched(server.card())]);
        assert_eq!(pair.server.events, [SessionEvent::CardServed]);
        assert_ne!(pair.server.channel().unwrap().remote_static, *client.card().live_key());
    }
}

#[test]
fn the_end_of_the_stream_is_the_end_of_the_session() {
    let (client, server) = nodes();
    let mut pair = Pair::between(&client, &server);
    assert!(pair.establish());
    pair.server.events.clear();
    pair.client.session.as_mut().unwrap().close();
    assert!(pair.run_until(|pair| !pair.server.events.is_empty()));
    assert_eq!(pair.server.events, [SessionEvent::Closed]);
    assert!(pair.server.broke.is_none(), "{}", pair.server.broke.unwrap().to_string());
}

#[test]
fn a_connection_costs_two_datagrams_each_way_until_the_client_may_speak() {
    let (client, server) = nodes();
    let mut pair = Pair::between(&client, &server);
    assert!(pair.run_until(|pair| pair.client.connected));
    let sizes = |sent: &[Vec<u8>]| sent.iter().map(Vec::len).max();
    assert!(pair.server.sent.len() <= 3, "{}", pair.server.sent.len());
    assert_eq!(sizes(&pair.client.sent[..2]), Some(1200));
    assert_eq!(sizes(&pair.server.sent), Some(1200));
}
