//! Sessions that die, and sessions that are opened at once.

use std::time::Duration;

use meshwork::{Agent, Event, Transport};

use crate::common::{Home, PATIENCE, acquainted, introduce, next, start, until, wait_for};

fn echo(agent: &Agent) -> meshwork::Serving {
    agent.serve("echo", |asked| async { Ok(asked.body) }).unwrap()
}

async fn transport(agent: &Agent, peer: &Agent) -> Option<Transport> {
    agent.peer(peer.id()).await.unwrap().unwrap().dealings.transport
}

#[tokio::test]
async fn when_a_path_dies_what_waits_goes_over_another_transport() {
    let (homes, only) = ([Home::new(), Home::new()], [Transport::Tcp]);
    let (alice, bob) = (homes[0].listening().await, homes[1].listening().await);
    introduce(&alice, &bob).await;
    let _echo = echo(&bob);
    assert_eq!(alice.call(bob.id(), "echo", "1").await, Ok(b"1".to_vec()));
    let before = transport(&alice, &bob).await;
    assert_ne!(before, Some(Transport::Tcp), "the race begins with another");
    let (id, address) = (bob.id(), bob.listening()[0].to_string());
    let mut watch = alice.watch();
    bob.close().await.unwrap();
    wait_for(&mut watch, |event| matches!(event, Event::Disconnected(_)).then_some(())).await;
    // It waits here, until bob is back with nothing but TCP.
    let message = alice.send(id, "waits").await.unwrap();
    let bob = start(|| homes[1].builder().listen(&address).transports(&only)).await;
    assert_eq!(next(&mut bob.inbox()).await.text(), Some("waits"));
    alice.delivered(message).await.unwrap();
    until(async || transport(&alice, &bob).await == Some(Transport::Tcp)).await;
}

#[tokio::test]
async fn two_that_dial_each_other_at_once_end_with_one_session() {
    let (alice, bob) = acquainted().await;
    let _services = [echo(&alice), echo(&bob)];
    let (one, other) =
        tokio::join!(alice.call(bob.id(), "echo", "a"), bob.call(alice.id(), "echo", "b"));
    assert_eq!((one, other), (Ok(b"a".to_vec()), Ok(b"b".to_vec())));
    let sessions = async |agent: &Agent, peer: &Agent| {
        agent.peer(peer.id()).await.unwrap().unwrap().dealings.sessions
    };
    // The other one drains for five seconds.
    let one = async || sessions(&alice, &bob).await == 1 && sessions(&bob, &alice).await == 1;
    tokio::time::timeout(PATIENCE, async {
        while !one().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    let opened = alice.counters().established;
    for (caller, callee) in [(&alice, &bob), (&bob, &alice)] {
        assert_eq!(caller.call(callee.id(), "echo", "c").await, Ok(b"c".to_vec()));
    }
    assert_eq!(alice.counters().established, opened, "both use the one that stayed");
}
