//! A network on virtual time, with endpoints on it.

use alloc::collections::BTreeMap;
use core::time::Duration;

use super::*;

/// What the network does to a datagram, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weather {
    pub(super) lost: u32,
    pub(super) doubled: u32,
    pub(super) changed: u32,
    /// The longest delay beyond the least, in milliseconds: who is late is overtaken.
    pub(super) late: u32,
}

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(super) struct Flying {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) datagram: Vec<u8>,
}

type Forge = Box<dyn FnMut(&Flying) -> Vec<Flying>>;
type Fate = Box<dyn FnMut(u64, &mut Flying) -> usize>;

pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) weather: Weather,
    pub(super) random: Seeded,
    pub(super) endpoints: BTreeMap<SocketAddr, UdpEndpoint>,
    pub(super) events: BTreeMap<SocketAddr, Vec<UdpEvent>>,
    flying: BTreeMap<(Timestamp, u64), Flying>,
    sent: u64,
    /// All that was ever sent, where it is wanted.
    pub(super) log: Option<Vec<Flying>>,
    /// What an injector says just before a datagram arrives.
    pub(super) forge: Option<Forge>,
    /// Says what becomes of each datagram: how often it is delivered.
    pub(super) fate: Option<Fate>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now: NOW,
            weather: Weather::default(),
            random: Seeded::new(seed),
            endpoints: BTreeMap::new(),
            events: BTreeMap::new(),
            flying: BTreeMap::new(),
            sent: 0,
            log: None,
            forge: None,
            fate: None,
        }
    }

    pub(super) fn add(&mut self, at: SocketAddr, node: &Node) {
        self.add_with_caps(at, node, Limits::default());
    }

    pub(super) fn add_with_caps(&mut self, at: SocketAddr, node: &Node, limits: Limits) {
        let seed = self.below(u32::MAX).into();
        let endpoint = UdpEndpoint::new(
            node.local.clone(),
            node.directory(),
            Box::new(Admission::new(limits)),
            self.now,
            Box::new(Seeded::new(seed)),
        );
        self.endpoints.insert(at, endpoint);
        self.events.insert(at, Vec::new());
    }

    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let random: &mut dyn Random = &mut self.random;
        random.below(bound)
    }

    pub(super) fn at(&mut self, at: SocketAddr) -> &mut UdpEndpoint {
        self.endpoints.get_mut(&at).unwrap()
    }

    pub(super) fn dial(&mut self, from: SocketAddr, to: SocketAddr, node: &Node) -> SessionIndex {
        let now = self.now;
        let session = self.at(from).dial(now, to, node.card()).unwrap();
        self.collect(from);
        session
    }

    pub(super) fn send(&mut self, from: SocketAddr, session: SessionIndex, frame: &[u8]) {
        let now = self.now;
        self.at(from).send(now, session, frame).unwrap();
        self.collect(from);
    }

    /// Takes what an endpoint has to say.
    pub(super) fn collect(&mut self, at: SocketAddr) {
        let endpoint = self.endpoints.get_mut(&at).unwrap();
        while let Some(event) = endpoint.poll_event() {
            self.events.get_mut(&at).unwrap().push(event);
        }
        while let Some(Transmit { to, datagram }) =
            self.endpoints.get_mut(&at).unwrap().poll_transmit()
        {
            assert!(datagram.len() <= MAX_DATAGRAM);
            self.launch(Flying { from: at, to, datagram });
        }
        let endpoint = self.endpoints.get_mut(&at).unwrap();
        while let Some(event) = endpoint.poll_event() {
            self.events.get_mut(&at).unwrap().push(event);
        }
    }

    /// Puts a datagram on its way, into the weather.
    pub(super) fn launch(&mut self, mut flying: Flying) {
        let number = self.sent;
        self.sent += 1;
        if let Some(log) = &mut self.log {
            log.push(flying.clone());
        }
        let mut times = match &mut self.fate {
            Some(fate) => fate(number, &mut flying),
            None => 1,
        };
        if self.below(100) < self.weather.lost {
            times = 0;
        }
        if times > 0 && self.below(100) < self.weather.doubled {
            times += 1;
        }
        for _ in 0..times {
            let mut copy = flying.clone();
            if self.below(100) < self.weather.changed {
                let at = self.below(copy.datagram.len().try_into().unwrap()) as usize;
                copy.datagram[at] ^= 1 << self.below(8);
            }
            let late = if self.weather.late > 0 { self.below(self.weather.late) } else { 0 };
            let arrives = self.now + Duration::from_millis(10 + u64::from(late));
            let order = self.flying.len() as u64 + self.sent * 1_000;
            self.flying.insert((arrives, order), copy);
        }
    }

    /// Delivers a datagram now.
    pub(super) fn deliver(&mut self, flying: Flying) {
        let now = self.now;
        let Flying { from, to, mut datagram } = flying;
        if let Some(endpoint) = self.endpoints.get_mut(&to) {
            endpoint.receive(now, from, &mut datagram);
            self.collect(to);
        }
    }

    /// Goes on to what happens next; whether that is before `until`.
    pub(super) fn step(&mut self, until: Timestamp) -> bool {
        let arrives = self.flying.keys().next().map(|(at, _)| *at);
        let wakes = self.endpoints.values().filter_map(UdpEndpoint::next_timeout).min();
        let Some(next) = arrives.into_iter().chain(wakes).min().filter(|at| *at <= until) else {
            self.now = until;
            return false;
        };
        self.now = self.now.max(next);
        if arrives.is_some_and(|at| at <= self.now) {
            let (_, flying) = self.flying.pop_first().unwrap();
            let forged = self.forge.as_mut().map(|forge| forge(&flying));
            for forged in forged.into_iter().flatten() {
                self.deliver(forged);
            }
            self.deliver(flying);
            return true;
        }
        let now = self.now;
        let due: Vec<SocketAddr> = self
            .endpoints
            .iter()
            .filter(|(_, endpoint)| endpoint.next_timeout().is_some_and(|at| at <= now))
            .map(|(at, _)| *at)
            .collect();
        for at in due {
            self.at(at).handle_timeout(now);
            self.collect(at);
        }
        true
    }

    /// Lets so much time pass.
    pub(super) fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while self.step(until) {}
    }

    /// The session at an endpoint that stands, if there is just one.
    pub(super) fn established(&self, at: SocketAddr) -> Option<SessionIndex> {
        let mut standing = self.events[&at].iter().filter_map(|event| match event {
            UdpEvent::Session(index, SessionEvent::Established(_)) => Some(*index),
            _ => None,
        });
        let first = standing.next();
        assert!(standing.next().is_none(), "one session");
        first
    }

    /// The frames that came to an endpoint.
    pub(super) fn frames(&self, at: SocketAddr) -> Vec<Vec<u8>> {
        let frames = self.events[&at].iter().filter_map(|event| match event {
            UdpEvent::Session(_, SessionEvent::Frame(frame)) => Some(frame.clone()),
            _ => None,
        });
        frames.collect()
    }

    pub(super) fn ended(&self, at: SocketAddr) -> Vec<SessionError> {
        let ended = self.events[&at].iter().filter_map(|event| match event {
            UdpEvent::Ended(_, why) => Some(*why),
            _ => None,
        });
        ended.collect()
    }
}

pub(super) fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, host, 1], port))
}

pub(super) const ALICE: SocketAddr =
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 1, 1)), 1_000);
pub(super) const BOB: SocketAddr =
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 2, 1)), 2_000);

/// Alice, who dials, and Bob.
pub(super) struct Pair {
    pub(super) world: World,
    pub(super) alice: Node,
    pub(super) bob: Node,
    pub(super) session: SessionIndex,
}

impl Pair {
    /// Before anything has arrived.
    pub(super) fn dialling(seed: u64) -> Self {
        Self::between(seed, Node::new(1), Node::new(5))
    }

    pub(super) fn between(seed: u64, alice: Node, bob: Node) -> Self {
        let mut world = World::new(seed);
        world.add(ALICE, &alice);
        world.add(BOB, &bob);
        let session = world.dial(ALICE, BOB, &bob);
        Self { world, alice, bob, session }
    }

    /// With a session that stands.
    pub(super) fn open(seed: u64) -> Self {
        let mut pair = Self::dialling(seed);
        pair.world.run(Duration::from_secs(1));
        pair.both_stand();
        pair
    }

    pub(super) fn both_stand(&self) -> (SessionIndex, SessionIndex) {
        let ours = self.world.established(ALICE).expect("Alice's stands");
        let theirs = self.world.established(BOB).expect("Bob's stands");
        assert_eq!(ours, self.session);
        (ours, theirs)
    }

    /// A frame each way.
    pub(super) fn talk(&mut self, word: u8) {
        let (ours, theirs) = self.both_stand();
        self.world.send(ALICE, ours, &[0x10, word]);
        self.world.send(BOB, theirs, &[0x11, word]);
        self.world.run(Duration::from_millis(100));
        assert_eq!(self.world.frames(BOB).last().unwrap(), &[0x10, word]);
        assert_eq!(self.world.frames(ALICE).last().unwrap(), &[0x11, word]);
    }
}
