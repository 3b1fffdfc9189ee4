use std::collections::BTreeMap;

use meshwork_protocols::identity::{AgentId, CardHash, Newest};
use meshwork_protocols::lineage::{Incarnation, Lineage};
use meshwork_protocols::provider::DeferredProvider;
use meshwork_protocols::time::WallTime;

use super::*;
use crate::clock::EPOCH;
use crate::mesh::{Mesh, Watched};
use crate::provider::Simulated;

/// Somebody who knows nobody.
#[derive(Debug)]
struct Nobody;

impl Directory for Nobody {
    fn card(&self, _: &CardHash) -> Option<Arc<Card>> {
        None
    }

    fn newest(&self, _: &AgentId) -> Option<Newest> {
        None
    }

    fn holds_ours(&self, _: &AgentId, _: &CardHash) -> bool {
        false
    }

    fn lineage(&self) -> Lineage {
        Lineage {
            incarnation: Incarnation::from_bytes([1; 16]),
            parent: Incarnation::NONE,
            number: 1,
        }
    }

    fn remembered(&self, _: &AgentId) -> Option<Lineage> {
        None
    }
}

/// Two ports and what is between them.
struct Pair {
    mesh: Mesh,
    ports: [QuicPort; 2],
    random: Seeded,
    /// Datagrams lost, of a thousand.
    loss: u64,
    now: Duration,
    flying: BTreeMap<(Duration, u64), (Host, Host, Vec<u8>)>,
    sent: Vec<Vec<u8>>,
    events: [Vec<QuicEvent>; 2],
}

impl Pair {
    fn new(seed: u64, loss: u64) -> Self {
        let random = Seeded::new(seed);
        let provider: Arc<dyn DeferredProvider> = Arc::new(Simulated::new(&random));
        let watched = Watched::new(&provider, &random);
        let mesh = Mesh::draw(watched, (2, 1), 0, &mut random.fork("mesh", 0)).unwrap();
        let ports = [0, 1].map(|host| {
            let local = Arc::clone(&mesh.agent(Host(host)).unwrap().local);
            let party = Party { local, directory: Arc::new(Nobody) };
            let random = random.fork("port", host as u64);
            QuicPort::new(party, [u8::try_from(host).unwrap(); 64], &random).unwrap()
        });
        Self {
            mesh,
            ports,
            random,
            loss,
            now: Duration::ZERO,
            flying: BTreeMap::new(),
            sent: Vec::new(),
            events: [Vec::new(), Vec::new()],
        }
    }

    fn clock(&self) -> Timestamp {
        let wall: WallTime = EPOCH + self.now;
        Timestamp { monotonic: self.now, wall }
    }

    fn dial(&mut self) -> QuicIndex {
        let card = Arc::clone(self.mesh.agent(Host(1)).unwrap().card());
        let now = self.clock();
        self.ports[0].dial(now, Host(1), card).unwrap()
    }

    /// Runs for so long.
    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.collect();
            let arrival = self.flying.keys().next().map(|(at, _)| *at);
            let timers = self.ports.iter().filter_map(QuicPort::next_timeout).min();
            match arrival.into_iter().chain(timers).min().filter(|at| *at <= end) {
                Some(at) => self.now = self.now.max(at),
                None => break,
            }
            let now = self.clock();
            while let Some(entry) =
                self.flying.first_entry().filter(|entry| entry.key().0 <= self.now)
            {
                let (from, to, bytes) = entry.remove();
                self.ports[to.0].receive(now, from, &bytes);
            }
            self.ports.iter_mut().for_each(|port| port.handle_timeout(now));
        }
        self.now = end;
    }

    fn collect(&mut self) {
        for (host, port) in self.ports.iter_mut().enumerate() {
            for (to, bytes) in port.take_transmits() {
                self.sent.push(bytes.clone());
                if !self.random.chance(self.loss) {
                    let at = self.now + Duration::from_millis(10);
                    self.flying.insert((at, self.sent.len() as u64), (Host(host), to, bytes));
                }
            }
            while let Some((_, event)) = port.poll() {
                self.events[host].push(event);
            }
        }
    }

    fn frames(&self, host: usize) -> Vec<&[u8]> {
        self.events[host]
            .iter()
            .filter_map(|event| match event {
                QuicEvent::Session(SessionEvent::Frame(frame)) => Some(frame.as_slice()),
                _ => None,
            })
            .collect()
    }
}

fn is_established(event: &QuicEvent) -> bool {
    matches!(event, QuicEvent::Session(SessionEvent::Established(_)))
}

#[test]
fn a_session_carries_frames_and_ends_in_good_order_whatever_is_lost() {
    for (seed, loss) in [(1, 0), (2, 200), (3, 400)] {
        let mut pair = Pair::new(seed, loss);
        let link = pair.dial();
        pair.run(Duration::from_secs(10));
        for events in &pair.events {
            assert!(events.first().is_some_and(is_established), "loss {loss}: {events:?}");
        }
        let frame = vec![0x10; 100_000];
        let now = pair.clock();
        pair.ports[0].send(now, link, &frame);
        pair.ports[0].close(now, link);
        pair.run(Duration::from_secs(30));
        assert_eq!(pair.frames(1), [frame.as_slice()]);
        let ended = |event: &QuicEvent| matches!(event, QuicEvent::Session(SessionEvent::Closed));
        assert!(pair.events[1].iter().any(ended));
        pair.run(Duration::from_secs(60));
        assert!(pair.ports.iter().all(|port| port.links.is_empty()), "nothing is left");
    }
}

/// By its first byte, of which four bits say nothing (RFC 9000, section 17.2.5).
fn is_retry(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & 0xf0 == 0xf0)
}

#[test]
fn who_has_to_show_where_it_is_gets_its_session_whatever_is_lost() {
    let mut asked = 0;
    for seed in 20..60 {
        let mut pair = Pair::new(seed, 150);
        pair.dial();
        pair.run(Duration::from_secs(10));
        asked += usize::from(pair.sent.iter().any(|datagram| is_retry(datagram)));
        for events in &pair.events {
            assert!(events.first().is_some_and(is_established), "seed {seed}: {events:?}");
        }
    }
    assert!((4..=20).contains(&asked), "{asked} of forty");
}

#[test]
fn what_is_late_for_a_connection_that_is_gone_gets_no_answer() {
    let mut pair = Pair::new(9, 0);
    pair.dial();
    let (_, first) = pair.ports[0].take_transmits().swap_remove(0);
    // First byte and version; then the chosen id, with its length.
    let (header, rest) = first.split_at(5);
    let behind = &rest[1 + CHOSEN_ID..];
    for number in 0..100_u64 {
        let id = number.to_be_bytes();
        let late = [header, &[8], &id, behind, &[0; CHOSEN_ID - 8]].concat();
        pair.ports[1].receive(pair.clock(), Host(0), &late);
        assert!(pair.ports[1].take_transmits().is_empty(), "{number}");
    }
}

#[test]
fn a_session_in_which_nothing_is_said_says_no_more_than_that_it_is_there() {
    let mut pair = Pair::new(8, 0);
    pair.dial();
    pair.run(Duration::from_secs(5));
    let before = pair.sent.len();
    pair.run(Duration::from_secs(60));
    // A keepalive every few seconds each way, and its acknowledgement.
    assert!(pair.sent.len() - before <= 120, "{} datagrams", pair.sent.len() - before);
}

#[test]
fn a_peer_that_starts_again_says_that_connections_which_it_does_not_know_are_over() {
    let mut pair = Pair::new(4, 0);
    let link = pair.dial();
    pair.run(Duration::from_secs(1));
    let local = Arc::clone(&pair.mesh.agent(Host(1)).unwrap().local);
    let party = Party { local, directory: Arc::new(Nobody) };
    pair.ports[1] = QuicPort::new(party, [1; 64], &Seeded::new(5)).unwrap();
    let now = pair.clock();
    pair.ports[0].send(now, link, &[0x10; 100]);
    pair.run(Duration::from_secs(1));
    assert!(pair.events[0].iter().any(|event| matches!(event, QuicEvent::Lost)));
}

#[test]
fn one_seed_is_one_run_to_the_last_byte() {
    let run = |seed| {
        let mut pair = Pair::new(seed, 100);
        pair.dial();
        pair.run(Duration::from_secs(20));
        pair.sent
    };
    assert_eq!(run(6), run(6));
    assert_ne!(run(6), run(7));
}
