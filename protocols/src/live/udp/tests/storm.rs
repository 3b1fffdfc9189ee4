//! Many sessions in bad weather: all complete.

use super::*;

/// Opens so many sessions to one endpoint in this weather, and has each carry a frame each way. A
/// frame that is lost is sent again, as the router would.
fn storm(seed: u64, sessions: u16, weather: Weather) {
    let (client, server) = (Node::new(1), Node::new(5));
    let mut world = World::new(seed);
    world.weather = weather;
    world.add(BOB, &server);
    let clients: Vec<SocketAddr> =
        (0..sessions).map(|nth| address(3 + (nth % 200) as u8, 1_000 + nth)).collect();
    for at in &clients {
        world.add(*at, &client);
    }
    let dialled: Vec<SessionIndex> =
        clients.iter().map(|at| world.dial(*at, BOB, &server)).collect();
    for _ in 0..360 {
        world.run(Duration::from_millis(250));
        let mut complete = 0;
        for (at, session) in clients.iter().zip(&dialled) {
            assert_eq!(world.ended(*at), [], "{at} in {weather:?} of seed {seed}");
            match (world.established(*at), world.frames(*at).is_empty()) {
                (Some(_), true) => world.send(*at, *session, &[0x10, 1]),
                (Some(_), false) => complete += 1,
                (None, _) => {}
            }
        }
        // Each frame is answered.
        for event in core::mem::take(world.events.get_mut(&BOB).unwrap()) {
            if let UdpEvent::Session(session, SessionEvent::Frame(_)) = event {
                let now = world.now;
                let _ = world.at(BOB).send(now, session, &[0x10, 2]);
            }
        }
        world.collect(BOB);
        if complete == clients.len() {
            return;
        }
    }
    panic!("not all are complete in {weather:?} of seed {seed}");
}

fn weather(lost: u32) -> Weather {
    Weather { lost, doubled: 20, changed: 10, late: 60 }
}

#[test]
fn cookies_let_a_crowd_in() {
    let weather = Weather { late: 10, ..Weather::default() };
    let (client, server) = (Node::new(1), Node::new(5));
    let mut world = World::new(4);
    world.weather = weather;
    world.add(BOB, &server);
    for nth in 0..150 {
        world.add(address(3 + nth, 1_000), &client);
        world.dial(address(3 + nth, 1_000), BOB, &server);
    }
    world.run(Duration::from_secs(2));
    assert!(world.at(BOB).tally().cookies >= 50);
    for nth in 0..150 {
        assert!(world.established(address(3 + nth, 1_000)).is_some(), "{nth}");
    }
}

#[test]
fn a_thousand_sessions_complete_at_each_loss() {
    for lost in [0, 30, 60] {
        for seed in 0..10 {
            storm(100 + seed, 100, weather(lost));
        }
    }
}
