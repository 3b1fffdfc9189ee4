//! Sessions over QUIC, beside TCP at the same port.

use std::net::UdpSocket;

use meshwork::identity::Transport::{self, Quic, Tcp};
use meshwork::{Agent, Level};
use tokio::time::timeout;

use crate::common::{Home, PATIENCE, introduce, next, start};

async fn speaking(transports: &[Transport]) -> Agent {
    let builder = || Agent::builder().in_memory().listen("127.0.0.1:0").transports(transports);
    start(builder).await
}

#[tokio::test]
async fn one_port_is_open_for_both_and_quic_stands_first_in_the_card() {
    let agent = speaking(&[Tcp, Quic]).await;
    let [listening] = agent.listening() else { panic!("{:?}", agent.listening()) };
    let addresses: Vec<_> = agent.card().addresses().iter().map(ToString::to_string).collect();
    assert_eq!(addresses, [format!("quic:{listening}"), format!("tcp:{listening}")]);
}

#[tokio::test]
async fn agents_that_share_one_transport_meet_over_it() {
    for (one, other) in [(&[Quic][..], &[Quic, Tcp][..]), (&[Tcp], &[Quic, Tcp]), (&[Tcp], &[Tcp])]
    {
        let (alice, bob) = (speaking(one).await, speaking(other).await);
        introduce(&alice, &bob).await;
        let there = alice.send(bob.id(), vec![7; 200_000]).await.unwrap();
        assert_eq!(next(&mut bob.inbox()).await.body, vec![7; 200_000]);
        assert_eq!(alice.delivered(there).await.unwrap().level, Level::Delivered);
        bob.send(alice.id(), "and back").await.unwrap();
        assert_eq!(next(&mut alice.inbox()).await.text(), Some("and back"));
    }
}

#[tokio::test]
async fn a_contact_is_met_over_quic_alone() {
    let (alice, bob) = (speaking(&[Quic]).await, speaking(&[Quic]).await);
    let met = alice.meet(bob.contact().unwrap()).await.unwrap();
    assert_eq!(met, bob.id());
    assert_eq!(bob.counters().cards_served, 1);
}

#[tokio::test]
async fn whatever_comes_to_the_port_disturbs_no_session() {
    let (alice, bob) = (speaking(&[Quic]).await, speaking(&[Quic]).await);
    introduce(&alice, &bob).await;
    let mut inbox = bob.inbox();
    alice.send(bob.id(), "before").await.unwrap();
    assert_eq!(next(&mut inbox).await.text(), Some("before"));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for first in 0..=u8::MAX {
        for length in [1, 100, 1_200] {
            let mut datagram = vec![first; length];
            datagram[0] = first;
            socket.send_to(&datagram, bob.listening()[0]).unwrap();
        }
    }
    alice.send(bob.id(), "after").await.unwrap();
    assert_eq!(next(&mut inbox).await.text(), Some("after"));
    assert_eq!(alice.counters().established, 1, "the session is the same");
}

#[tokio::test]
async fn who_starts_again_at_its_port_is_found_again() {
    let (alice, home) = (speaking(&[Quic]).await, Home::new());
    let quic = |home: &Home, at: String| home.builder().listen(&at).transports(&[Quic]);
    let bob = start(|| quic(&home, "127.0.0.1:0".into())).await;
    let place = bob.listening()[0];
    introduce(&alice, &bob).await;
    alice.send(bob.id(), "one").await.unwrap();
    assert_eq!(next(&mut bob.inbox()).await.text(), Some("one"));
    // As in a crash.
    drop(bob);
    let bob = start(|| quic(&home, place.to_string())).await;
    let id = alice.send(bob.id(), "two").await.unwrap();
    let delivered = timeout(PATIENCE, alice.delivered(id)).await.unwrap().unwrap();
    assert_eq!(delivered.level, Level::Delivered);
}
