//! Sessions over datagrams, at the port of QUIC and TCP.

use std::net::UdpSocket;
use std::time::Duration;

use meshwork::identity::Transport::{self, Quic, Tcp, Udp};
use meshwork::{Agent, Level};

use crate::common::{introduce, next, start};

async fn speaking(transports: &[Transport]) -> Agent {
    let builder = || Agent::builder().in_memory().listen("127.0.0.1:0").transports(transports);
    start(builder).await
}

/// A message each way, the first of so many bytes.
async fn talk(alice: &Agent, bob: &Agent, length: usize) {
    let there = alice.send(bob.id(), vec![7; length]).await.unwrap();
    let delivery = next(&mut bob.inbox()).await;
    assert!(delivery.body == vec![7; length], "{} of {length} bytes", delivery.body.len());
    assert_eq!(alice.delivered(there).await.unwrap().level, Level::Delivered);
    delivery.processed().await.unwrap();
    bob.send(alice.id(), "and back").await.unwrap();
    let delivery = next(&mut alice.inbox()).await;
    assert_eq!(delivery.text(), Some("and back"));
    delivery.processed().await.unwrap();
}

#[tokio::test]
async fn udp_stands_between_quic_and_tcp_in_the_card() {
    let agent = speaking(&[Tcp, Udp, Quic]).await;
    let [listening] = agent.listening() else { panic!("{:?}", agent.listening()) };
    let addresses: Vec<_> = agent.card().addresses().iter().map(ToString::to_string).collect();
    let expected = ["quic", "udp", "tcp"].map(|transport| format!("{transport}:{listening}"));
    assert_eq!(addresses, expected);
}

#[tokio::test]
async fn agents_meet_over_udp_alone() {
    let (alice, bob) = (speaking(&[Udp]).await, speaking(&[Udp]).await);
    introduce(&alice, &bob).await;
    talk(&alice, &bob, 60_000).await;
    assert_eq!((alice.counters().established, alice.counters().broken), (1, 0));
}

#[tokio::test]
async fn a_message_that_udp_does_not_carry_takes_another_way() {
    let (alice, bob) = (speaking(&[Udp, Tcp]).await, speaking(&[Udp, Tcp]).await);
    introduce(&alice, &bob).await;
    talk(&alice, &bob, 10).await;
    talk(&alice, &bob, 200_000).await;
}

#[tokio::test]
#[ignore = "new keys are due after two minutes"]
async fn new_keys_over_udp_count_as_a_handshake_of_the_same_session() {
    let (alice, bob) = (speaking(&[Udp]).await, speaking(&[Udp]).await);
    introduce(&alice, &bob).await;
    talk(&alice, &bob, 10).await;
    tokio::time::sleep(Duration::from_secs(123)).await;
    talk(&alice, &bob, 10).await;
    for (agent, peer) in [(&alice, &bob), (&bob, &alice)] {
        let dealings = agent.peer(peer.id()).await.unwrap().unwrap().dealings;
        assert_eq!((dealings.handshakes, dealings.sessions), (2, 1));
        assert_eq!((agent.counters().established, agent.counters().broken), (1, 0));
    }
}

#[tokio::test]
async fn whatever_comes_to_the_port_disturbs_no_session_over_udp() {
    let (alice, bob) = (speaking(&[Udp]).await, speaking(&[Udp]).await);
    introduce(&alice, &bob).await;
    talk(&alice, &bob, 10).await;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for first in 0..=u8::MAX {
        for length in [1, 16, 85, 100, 1_217, 1_232] {
            socket.send_to(&vec![first; length], bob.listening()[0]).unwrap();
        }
    }
    talk(&alice, &bob, 10).await;
    assert_eq!(alice.counters().established, 1, "the session is the same");
}
