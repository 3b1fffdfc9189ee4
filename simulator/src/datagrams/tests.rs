use meshwork_protocols::identity::{Card, CardHash, Newest};
use meshwork_protocols::lineage::Incarnation;

use super::*;
use crate::provider::Simulated;
use crate::seeded::Seeded;

const LINEAGE: Lineage =
    Lineage { incarnation: Incarnation::NONE, parent: Incarnation::NONE, number: 7 };

#[derive(Debug)]
struct NoDirectory;

impl Directory for NoDirectory {
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
        LINEAGE
    }
    fn remembered(&self, _: &AgentId) -> Option<Lineage> {
        None
    }
}

struct Pair {
    ends: [Datagrams; 2],
    random: Seeded,
    now: Duration,
}

const IDS: [AgentId; 2] = [AgentId::from_bytes([1; 32]), AgentId::from_bytes([2; 32])];

impl Pair {
    fn new() -> Self {
        let mut random = Seeded::new(1);
        let provider: Arc<dyn Provider> = Arc::new(Simulated::new(&random));
        let secret = |n| Secret::new([n; 32]);
        let peers: Arc<BTreeMap<_, _>> = Arc::new(
            IDS.into_iter().zip([1, 2].map(|n| provider.x25519_public(&secret(n)))).collect(),
        );
        let ends = [(IDS[0], 1), (IDS[1], 2)].map(|(own, number)| {
            let party = Party {
                provider: Arc::clone(&provider),
                own,
                secret: secret(number),
                peers: Arc::clone(&peers),
                directory: Arc::new(NoDirectory),
            };
            Datagrams::new(party, &mut random)
        });
        Self { ends, random, now: Duration::ZERO }
    }

    /// Carries everything over that `passes`, and lets `span` go by.
    fn run(&mut self, span: Duration, mut passes: impl FnMut(usize, &[u8]) -> bool) {
        let end = self.now + span;
        loop {
            let mut quiet = true;
            for from in 0..2 {
                for (_, bytes) in self.ends[from].take_transmit() {
                    quiet = false;
                    if passes(from, &bytes) {
                        let (now, random) = (self.now, &mut self.random);
                        self.ends[1 - from].receive(now, Host(from), &bytes, random);
                    }
                }
            }
            if !quiet {
                continue;
            }
            let next = self.ends.iter().filter_map(Datagrams::next_timeout).min();
            let Some(next) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            self.ends.iter_mut().for_each(|end| end.handle_timeout(next));
        }
        self.now = end;
    }

    fn events(&mut self, at: usize) -> Vec<(SessionIndex, DatagramEvent)> {
        std::iter::from_fn(|| self.ends[at].poll()).collect()
    }

    fn open(&mut self) -> (SessionIndex, SessionIndex) {
        let index = self.ends[0].dial(self.now, Host(1), IDS[1], &mut self.random);
        self.run(SECOND, |_, _| true);
        let opened = |peer, initiated| DatagramEvent::Opened {
            peer,
            initiated,
            lineage: LINEAGE,
            remembered: None,
        };
        assert_eq!(self.events(0), [(index, opened(IDS[1], true))]);
        let there = self.events(1);
        assert_eq!(there[0].1, opened(IDS[0], false));
        (index, there[0].0)
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn frames_pass_both_ways_and_each_datagram_counts_once() {
    let mut pair = Pair::new();
    let (here, there) = pair.open();
    pair.ends[0].send(pair.now, here, b"to you");
    pair.ends[1].send(pair.now, there, b"to me");
    let mut copies = Vec::new();
    pair.run(SECOND, |from, bytes| {
        copies.push((from, bytes.to_vec()));
        true
    });
    assert_eq!(pair.events(0), [(here, DatagramEvent::Frame(b"to me".to_vec()))]);
    assert_eq!(pair.events(1), [(there, DatagramEvent::Frame(b"to you".to_vec()))]);
    for (from, bytes) in copies {
        pair.ends[1 - from].receive(pair.now, Host(from), &bytes, &mut pair.random);
    }
    assert_eq!((pair.events(0), pair.events(1)), (vec![], vec![]));
}

#[test]
fn a_session_opens_over_a_path_that_loses_a_third() {
    let mut pair = Pair::new();
    pair.ends[0].dial(pair.now, Host(1), IDS[1], &mut pair.random);
    let mut loss = Seeded::new(3);
    pair.run(SECOND * 4, |_, _| !loss.chance(333));
    for at in 0..2 {
        assert!(matches!(pair.events(at)[..], [(_, DatagramEvent::Opened { .. })]));
    }
}

#[test]
fn a_changed_datagram_is_met_with_silence() {
    let mut pair = Pair::new();
    let (here, _) = pair.open();
    pair.ends[0].send(pair.now, here, b"frame");
    let (_, datagram) = pair.ends[0].take_transmit().remove(0);
    for at in 0..datagram.len() {
        let mut changed = datagram.clone();
        changed[at] ^= 1;
        pair.ends[1].receive(pair.now, Host(0), &changed, &mut pair.random);
    }
    assert_eq!((pair.events(1), pair.ends[1].take_transmit()), (vec![], vec![]));
}

#[test]
fn a_peer_that_is_gone_is_noticed_after_a_frame_and_not_before() {
    let mut pair = Pair::new();
    let (here, _) = pair.open();
    pair.run(SECOND * 100, |_, _| false);
    assert_eq!(pair.events(0), []);
    pair.ends[0].send(pair.now, here, b"anyone?");
    pair.run(SECOND * 20, |_, _| false);
    assert_eq!(pair.events(0), [(here, DatagramEvent::Closed { stood: true })]);
}

#[test]
fn a_peer_that_only_listens_gives_signs_of_life() {
    let mut pair = Pair::new();
    let (here, _) = pair.open();
    for _ in 0..10 {
        pair.ends[0].send(pair.now, here, b"news");
        pair.run(SECOND * 5, |_, _| true);
    }
    assert_eq!(pair.events(0), []);
}

#[test]
fn nobody_there_is_told_as_such() {
    let mut pair = Pair::new();
    let index = pair.ends[0].dial(pair.now, Host(1), IDS[1], &mut pair.random);
    pair.run(SECOND * 20, |_, _| false);
    assert_eq!(pair.events(0), [(index, DatagramEvent::Closed { stood: false })]);
}
