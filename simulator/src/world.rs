//! One run: machines, a network and a queue, driven by one seed through a storm and then a calm in
//! which everything that was promised must come true.

mod convergence;
mod groups;
mod histories;
mod weather;

use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::provider::{DeferredProvider, FleetProvider};
use meshwork_router::Request;

use crate::broken::Broken;
use crate::checker::{Checker, Counts, Thief, Violation};
use crate::happening::{Happening, Weather};
use crate::mesh::{Agent, Mesh, Watched};
use crate::network::{Arrival, Host, InTransit, Letter, Network, NetworkFaults};
use crate::node::{Node, Surroundings};
use crate::note::Deed;
use crate::provider::Simulated;
use crate::queue::Queue;
use crate::relay::RelayNode;
use crate::scenario::{Plan, Scenario};
use crate::seeded::Seeded;
use crate::trace::Trace;

/// Which primitives a run uses.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Primitives {
    /// The simulator's own.
    #[default]
    Simulated,
    /// The real ones, in Rust alone.
    Pure,
}

/// How a seed is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The primitives.
    pub primitives: Primitives,
    /// How the agents are broken, if they are.
    pub broken: Option<Broken>,
    /// Whether the trace is kept to be read.
    pub told: bool,
    /// Whether the network turns no bits, so that two providers can be compared.
    pub without_corruption: bool,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was counted.
    pub counts: Counts,
    /// The promise that was not kept, if one was not.
    pub violation: Option<Violation>,
    /// The hash of all that happened: equal for equal seeds.
    pub trace: u64,
    /// The hash of what the routers decided.
    pub decisions: u64,
    /// The virtual time at the end.
    pub ended: Duration,
    /// Keys and nonces that sealed something.
    pub seals: usize,
    /// What happened, if it was to be told.
    pub lines: Vec<String>,
}

/// Runs one seed of a scenario.
pub fn run(scenario: Scenario, seed: u64, options: Options) -> Outcome {
    let random = Seeded::new(seed).fork(scenario.name(), 0);
    let mut plan = scenario.plan(&mut random.fork("plan", 0)).broken(options.broken);
    if options.without_corruption {
        plan = plan.without_corruption();
    }
    match World::new(&plan, &random, options) {
        Ok(mut world) => {
            world.run(&plan);
            world.outcome()
        }
        Err(violation) => Outcome::not_begun(violation),
    }
}

impl Outcome {
    fn not_begun(violation: Violation) -> Self {
        Self {
            counts: Counts::default(),
            violation: Some(violation),
            trace: 0,
            decisions: 0,
            ended: Duration::ZERO,
            seals: 0,
            lines: Vec::new(),
        }
    }
}

/// Everything there is in one run.
#[derive(Debug)]
struct World {
    mesh: Mesh,
    nodes: Vec<Node>,
    relays: Vec<RelayNode>,
    network: Network,
    queue: Queue<Happening>,
    trace: Trace,
    checker: Checker,
    random: Seeded,
    is_calm: bool,
    /// Who copied the state of a member of the group.
    thieves: Vec<Thief>,
}

impl World {
    fn new(plan: &Plan, random: &Seeded, options: Options) -> Result<Self, Violation> {
        let watched = watched(plan, random, options);
        let (around, drawn) = ((plan.agents, plan.circle), &mut random.fork("mesh", 0));
        let mesh = Mesh::draw(watched, around, plan.relays, drawn)
            .map_err(|error| Violation::NotBegun(error.to_string()))?;
        let mut checker = Checker::default();
        if let Some(hostile) = plan.hostile {
            checker.is_hostile(hostile);
        }
        let mut owners = random.fork("owners", 0);
        let nodes = mesh
            .hosts()
            .map(|host| {
                let mut habits = plan.habits;
                habits.policy = owners.pick(&plan.policies).copied().unwrap_or_default();
                if plan.hostile != Some(host) {
                    habits.mischief = 0;
                }
                let number = u64::try_from(host.0).unwrap_or(u64::MAX);
                Node::new(host, plan.backend, habits, random.fork("node", number))
            })
            .collect();
        let relays = mesh
            .relay_hosts()
            .zip(0..)
            .filter_map(|(host, number)| {
                let random = random.fork("relay", number);
                Some(RelayNode::new(host, mesh.relay_at(host)?, plan.habits, random))
            })
            .collect();
        Ok(Self {
            mesh,
            nodes,
            relays,
            network: Network::new(random.fork("network", 0), NetworkFaults::CALM),
            queue: Queue::new(),
            trace: Trace::new(options.told),
            checker,
            random: random.fork("world", 0),
            is_calm: true,
            thieves: Vec::new(),
        })
    }

    fn run(&mut self, plan: &Plan) {
        self.introduce(plan);
        self.run_until(STORM_BEGINS);
        self.is_calm = false;
        self.network.set_faults(plan.network);
        self.nodes.iter().for_each(|node| node.set_failing_reads(false));
        self.schedule(plan);
        let calm = STORM_BEGINS + plan.storm;
        self.queue.put(calm, Happening::Weather(Weather::Calm));
        self.run_until(calm);
        let longest = if plan.relays > 0 { LONGEST_CALM_BY_MAIL } else { LONGEST_CALM };
        let mut quiet_since = None;
        while self.checker.violation().is_none() {
            let now = self.queue.now();
            let left = self.left().or_else(|| self.left_at_relays());
            let left = left.or_else(|| self.left_in_group());
            quiet_since = if left.is_some() { None } else { quiet_since.or(Some(now)) };
            match (quiet_since, left) {
                (Some(since), _) if now >= since + QUIET => break,
                (_, Some((host, left))) if now > calm + longest => {
                    self.checker.violated(Violation::NotConverged { host, left });
                }
                _ => {
                    self.mesh.hosts().for_each(|host| self.decide(host));
                    self.answer_invitations();
                    self.run_until(now + LOOK_EVERY);
                }
            }
        }
        self.judge_end();
    }

    /// Starts all agents, and makes known to each other those who are.
    fn introduce(&mut self, plan: &Plan) {
        for host in self.mesh.relay_hosts() {
            self.with_relay(host, |relay, around| relay.start(around));
        }
        for host in self.mesh.hosts() {
            self.with(host, |node, around| node.start(around));
        }
        for host in self.mesh.hosts() {
            for peer in self.mesh.around(host) {
                // Who sends knows whom it sends to; the other way only sometimes.
                let knows = plan.introduced || host < peer || self.random.chance(300);
                let card = self.mesh.agent(peer).map(Agent::card).cloned();
                if let Some(card) = card.filter(|_| knows) {
                    self.ask(host, crate::node::meet(&card));
                }
            }
        }
        let phantom = self.phantom();
        self.network.turn_on(phantom, &mut self.queue);
    }

    fn run_until(&mut self, end: Duration) {
        while self.checker.violation().is_none()
            && let Some(happening) = self.queue.take(end)
        {
            self.happens(happening);
            if let Some(reuse) = self.mesh.watched.recorder.reused() {
                self.checker.violated(reuse.into());
            }
        }
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Parcel(parcel) => self.arrives(parcel),
            Happening::Wake(host) => self.with(host, |node, around| node.wake(around)),
            Happening::DiskDone(host, start) => {
                self.with(host, |node, around| node.disk_done(around, start));
            }
            Happening::DiskHeard(host, start) => {
                self.with(host, |node, around| node.disk_heard(around, start));
            }
            Happening::RelayServes(host, start) => {
                self.with_relay(host, |relay, around| relay.serve(around, start));
            }
            Happening::Read { host, sender, id } => {
                self.ask(host, Request::Process { sender, id });
            }
            Happening::Send(sending) => {
                self.with(sending.from, |node, around| node.send(around, sending));
            }
            Happening::OpenMail(host, start, peer) => {
                self.with(host, |node, around| node.open_mail(around, start, peer));
            }
            Happening::Group(host, act) => self.acts(host, act),
            Happening::Weather(weather) => self.turns(weather),
        }
    }

    fn arrives(&mut self, parcel: InTransit) {
        let Some((host, arrival)) = self.network.arrive(parcel, &mut self.queue) else { return };
        if host == self.phantom() {
            self.phantom_hears(&arrival);
        } else if self.mesh.relay_at(host).is_some() {
            self.relay_hears(host, arrival);
        } else {
            self.with(host, |node, around| node.arrive(around, arrival));
        }
    }

    fn ask(&mut self, host: Host, request: Request) {
        self.with(host, |node, around| node.ask(around, request));
    }

    /// Has a node do something, and notes when it wants to be woken.
    fn with(&mut self, host: Host, act: impl FnOnce(&mut Node, &mut Surroundings<'_>)) {
        let Some(node) = self.nodes.get_mut(host.0) else { return };
        let mut around = Surroundings {
            host,
            clock: node.clock(),
            is_calm: self.is_calm,
            mesh: &self.mesh,
            network: &mut self.network,
            queue: &mut self.queue,
            trace: &mut self.trace,
            checker: &mut self.checker,
        };
        act(node, &mut around);
        if let Some(at) = node.take_wake(self.queue.now()) {
            self.queue.put(at, Happening::Wake(host));
        }
    }

    /// Has a relay do something.
    fn with_relay(&mut self, host: Host, act: impl FnOnce(&mut RelayNode, &mut Surroundings<'_>)) {
        let at = host.0.checked_sub(self.nodes.len());
        let Some(relay) = at.and_then(|at| self.relays.get_mut(at)) else { return };
        let mut around = Surroundings {
            host,
            clock: relay.clock(),
            is_calm: self.is_calm,
            mesh: &self.mesh,
            network: &mut self.network,
            queue: &mut self.queue,
            trace: &mut self.trace,
            checker: &mut self.checker,
        };
        act(relay, &mut around);
    }

    /// A relay serves who is an agent, and knows from its session who that is.
    fn relay_hears(&mut self, host: Host, arrival: Arrival) {
        let Arrival::Letter { from, letter: Letter::Request(call, bytes) } = arrival else {
            return;
        };
        let Some(caller) = self.mesh.agent(from).map(Agent::id) else { return };
        self.with_relay(host, |relay, around| relay.asked(around, (from, caller), call, &bytes));
    }

    fn did(&mut self, host: Host, deed: &Deed) {
        self.trace.note(self.queue.now(), host, deed);
    }

    /// Somebody on the network who is no agent.
    fn phantom(&self) -> Host {
        Host(self.nodes.len() + self.relays.len())
    }

    fn phantom_hears(&mut self, arrival: &Arrival) {
        if let Arrival::Answered(stream) = arrival {
            let (phantom, length) = (self.phantom(), 1 + self.random.index(3_000));
            let bytes = self.garbage(length);
            self.network.write(phantom, *stream, bytes, &mut self.queue);
        }
    }

    fn garbage(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        meshwork_protocols::random::Random::fill(&mut self.random, &mut bytes);
        bytes
    }

    fn outcome(mut self) -> Outcome {
        Outcome {
            counts: self.checker.counts(),
            violation: self.checker.violation().cloned(),
            trace: self.trace.hash(),
            decisions: self.trace.decisions(),
            ended: self.queue.now(),
            seals: self.mesh.watched.recorder.used(),
            lines: self.trace.take_lines(),
        }
    }
}

/// The primitives of a run, under watch. Those of a group are published ones.
fn watched(plan: &Plan, random: &Seeded, options: Options) -> Watched {
    if plan.group.is_some() {
        let provider: Arc<dyn FleetProvider> = Arc::new(Pure);
        return Watched::with_fleets(&provider, random);
    }
    let provider: Arc<dyn DeferredProvider> = match options.primitives {
        Primitives::Simulated => Arc::new(Simulated::new(random)),
        Primitives::Pure => Arc::new(Pure),
    };
    Watched::new(&provider, random)
}

/// The agents start and meet before anything goes wrong.
const STORM_BEGINS: Duration = Duration::from_secs(3);

/// How often it is looked whether all has come to rest.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// How long it must stay at rest.
const QUIET: Duration = Duration::from_secs(60);

/// How long the calm may take: every wait that a storm can have stretched is over by then.
const LONGEST_CALM: Duration = Duration::from_secs(4 * 60 * 60);

/// The same where receipts go by mail: one that was lost on its way to a relay is said again after six
/// hours, and its answer may have been.
const LONGEST_CALM_BY_MAIL: Duration = Duration::from_secs(16 * 60 * 60);
