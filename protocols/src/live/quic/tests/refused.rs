//! What is refused, and that nobody learns who was there.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use core::time::Duration;

use quinn_proto::crypto::{ClientConfig, Session};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectError, ConnectionError, Side};

use super::pair::{From, Pair, noise_client, noise_server};
use crate::live::exchange::ExchangeError;
use crate::live::fixture::Node;
use crate::live::handshake::HandshakeError;
use crate::live::hello::HelloError;
use crate::live::quic::{NoiseClient, QUIC_VERSION, Refusal};
use crate::live::{Dial, SessionError};

/// Why an end refused by itself.
fn refusal(lost: Option<&ConnectionError>) -> Option<Refusal> {
    match lost {
        Some(ConnectionError::TransportError(error)) => Refusal::of(error),
        _ => None,
    }
}

#[test]
fn a_server_with_another_key_does_not_learn_who_dialled() {
    let (client, dialled, other) = (Node::new(1), Node::new(5), Node::new(8));
    let mut pair = Pair::dialling(&client, Dial::Session(dialled.card()), &other);
    assert!(pair.run_until(|pair| pair.client.lost.is_some()));
    pair.run_for(Duration::from_secs(5));
    let refusal = refusal(pair.client.lost.as_ref()).unwrap();
    assert_eq!(refusal, Refusal::KeyNotInCard);
    assert_eq!(refusal.to_session_error(), HandshakeError::KeyNotInCard.into());
    assert!(!pair.client.connected && !pair.server.connected);
    assert!(pair.server.channel().is_none(), "there was no message 3");
}

#[test]
fn a_client_whose_key_is_not_in_its_card_gets_no_hello() {
    let (shown, claimed, server) = (Node::new(1), Node::new(2), Node::new(5));
    let dial = Dial::Session(server.card());
    let crypto = Arc::new(noise_client(&shown, dial.clone()));
    let answering = Arc::new(noise_server(&server));
    let mut pair = Pair::with(crypto, &claimed, dial, answering, &server, QUIC_VERSION);
    assert!(pair.run_until(|pair| pair.server.broke.is_some()));
    let expected = SessionError::Exchange(ExchangeError::Hello(HelloError::KeyNotInCard));
    assert_eq!(pair.server.broke, Some(expected));
    pair.run_for(Duration::from_secs(1));
    assert!(pair.client.events.is_empty(), "the server said nothing");
}

#[test]
fn another_protocol_above_quic_is_refused() {
    let (client, server) = (Node::new(1), Node::new(5));
    let dial = Dial::Session(server.card());
    let mut crypto = noise_client(&client, dial.clone());
    crypto.protocol = b"h3";
    let answering = Arc::new(noise_server(&server));
    let mut pair = Pair::with(Arc::new(crypto), &client, dial, answering, &server, QUIC_VERSION);
    assert!(pair.run_until(|pair| pair.client.lost.is_some()));
    assert_eq!(refusal(pair.server.lost.as_ref()), Some(Refusal::ProtocolNotSpoken));
    assert!(!pair.client.connected && pair.client.channel().is_none());
}

#[test]
fn another_version_of_quic_is_refused() {
    let (client, server) = (Node::new(1), Node::new(5));
    let dial = Dial::Session(server.card());
    for version in [1, 0x6b33_43cf, QUIC_VERSION + 1] {
        let crypto = Arc::new(Lenient(Arc::new(noise_client(&client, dial.clone()))));
        let answering = Arc::new(noise_server(&server));
        let mut pair = Pair::with(crypto, &client, dial.clone(), answering, &server, version);
        assert!(pair.run_until(|pair| pair.client.lost.is_some()), "{version:#x}");
        assert_eq!(pair.client.lost, Some(ConnectionError::VersionMismatch));
        assert!(pair.server.channel().is_none());
    }
}

#[test]
fn a_client_does_not_begin_under_another_version() {
    let (client, server) = (Node::new(1), Node::new(5));
    let crypto = Arc::new(noise_client(&client, Dial::Session(server.card())));
    let parameters = TransportParameters::read(Side::Server, &mut [].as_slice()).unwrap();
    let refused = crypto.start_session(1, "peer", &parameters);
    assert!(matches!(refused, Err(ConnectError::UnsupportedVersion)));
}

/// Begins under whatever version, as we do not.
struct Lenient(Arc<NoiseClient>);

impl ClientConfig for Lenient {
    fn start_session(
        self: Arc<Self>,
        _version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        Arc::clone(&self.0).start_session(QUIC_VERSION, server_name, params)
    }
}

#[test]
fn a_suite_that_the_card_no_longer_lists_is_refused() {
    let (client, server) = (Node::new(1), Node::new(5));
    let moved_on = Node::with_body(5, |body| body.suites = vec![0x01]);
    let only = Node::with_body(1, |body| body.suites = vec![0x02]);
    assert_ne!(client.card().suites(), only.card().suites());
    let mut pair = Pair::dialling(&only, Dial::Session(server.card()), &moved_on);
    assert!(pair.run_until(|pair| pair.client.lost.is_some()));
    assert_eq!(refusal(pair.server.lost.as_ref()), Some(Refusal::SuiteNotListed));
}

#[test]
fn a_peer_that_says_nothing_is_given_up_in_time() {
    let (client, server) = (Node::new(1), Node::new(5));
    let mut pair = Pair::between(&client, &server);
    // Message 1 in two, and message 3 with the start of a Hello.
    pair.fate = Box::new(|from, number, _| from == From::Server || number < 3);
    assert!(pair.run_until(|pair| pair.server.connected));
    pair.run_for(Duration::from_secs(4));
    assert_eq!(pair.server.broke, None);
    pair.run_for(Duration::from_secs(2));
    pair.run_for(Duration::from_millis(1));
    assert_eq!(pair.server.broke, Some(SessionError::TimedOut));
}
