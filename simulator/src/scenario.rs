//! What a run is about: how many agents, which ways between them, what goes wrong, and how much.
//!
//! One file a scenario. Each seed draws its own mix of faults, and leaves half of them out: a
//! fault that always comes with all others hides what it does alone.

mod datagram;
mod deferred;
mod disk;
mod fleets;
mod live;
mod mixed;
mod ordered;
mod relays;
mod stored;
mod strangers;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use meshwork_router::Policy;

use crate::broken::Broken;
use crate::disk::Backend;
use crate::network::{Host, NetworkFaults};
use crate::node::{DiskFaults, Habits, Ways};
use crate::seeded::Seeded;

/// What a run is about.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Scenario {
    /// Live sessions over TCP, QUIC and UDP.
    Live,
    /// Live sessions over QUIC and UDP.
    Datagram,
    /// Stored sessions by mail, and disks that are put back.
    Stored,
    /// All ways at once, and agents that are away for long.
    Mixed,
    /// Messages that keep their order, over gaps and expiries.
    Ordered,
    /// Agents that do not know each other, and some that misbehave.
    Strangers,
    /// redb on a disk that tears and loses writes.
    Disk,
    /// Conversations by deferred sessions, among many.
    Deferred,
    /// Mail through relays.
    Relays,
    /// A group over a relay's log, on published primitives.
    Fleets,
}

impl Scenario {
    /// Those that seeds are dealt over. A group is not among them: on published primitives a seed
    /// takes many times as long.
    pub const DEALT: [Self; 9] = [
        Self::Live,
        Self::Datagram,
        Self::Stored,
        Self::Mixed,
        Self::Ordered,
        Self::Strangers,
        Self::Disk,
        Self::Deferred,
        Self::Relays,
    ];

    /// The scenario that a seed is dealt to: one after the other.
    pub fn of(seed: u64) -> Self {
        let dealt = seed % Self::DEALT.len() as u64;
        let at = usize::try_from(dealt).unwrap_or(0);
        Self::DEALT.get(at).copied().unwrap_or(Self::Live)
    }

    /// Whether its routers decide alike on all primitives. With several relays they do not: an agent
    /// goes through its relays by their ids, which are hashes of keys, and what it asks them first
    /// arrives at another time. A group has published ones alone.
    pub const fn is_comparable(self) -> bool {
        !matches!(self, Self::Relays | Self::Fleets)
    }

    /// What it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Datagram => "datagram",
            Self::Stored => "stored",
            Self::Mixed => "mixed",
            Self::Ordered => "ordered",
            Self::Strangers => "strangers",
            Self::Disk => "disk",
            Self::Deferred => "deferred",
            Self::Relays => "relays",
            Self::Fleets => "fleets",
        }
    }

    /// What happens in the run of a seed.
    pub fn plan(self, random: &mut Seeded) -> Plan {
        let mut plan = match self {
            Self::Live => live::plan(random),
            Self::Datagram => datagram::plan(random),
            Self::Stored => stored::plan(random),
            Self::Mixed => mixed::plan(random),
            Self::Ordered => ordered::plan(random),
            Self::Strangers => strangers::plan(random),
            Self::Disk => disk::plan(random),
            Self::Deferred => deferred::plan(random),
            Self::Relays => relays::plan(random),
            Self::Fleets => fleets::plan(random),
        };
        if !plan.habits.ways.carry_all() {
            plan.largest = plan.largest.min(FITS_UDP);
        }
        plan
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(text: &str) -> Result<Self, UnknownScenario> {
        let mut all = Self::DEALT.into_iter().chain([Self::Fleets]);
        all.find(|scenario| scenario.name() == text).ok_or(UnknownScenario)
    }
}

/// No scenario has this name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "no such scenario; there are live, datagram, stored, mixed, ordered, strangers, disk, deferred, relays and fleets"
)]
pub struct UnknownScenario;

/// What happens in one run. The chances are per thousand.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many agents there are.
    pub agents: usize,
    /// To how many on either side each of them writes.
    pub circle: usize,
    /// What their stores stand on.
    pub backend: Backend,
    /// How they behave.
    pub habits: Habits,
    /// The policies that their owners choose from.
    pub policies: Vec<Policy>,
    /// Whether all know each other from the start; else only senders know receivers.
    pub introduced: bool,
    /// The one that misbehaves, if one does.
    pub hostile: Option<Host>,
    /// How bad the network is.
    pub network: NetworkFaults,
    /// How long it goes on.
    pub storm: Duration,
    /// How many messages are sent.
    pub messages: usize,
    /// How long they are tried: one of these each.
    pub lifetimes: Vec<Duration>,
    /// Messages whose id the application chooses.
    pub named: u64,
    /// Messages that keep their order.
    pub ordered: u64,
    /// The largest body.
    pub largest: usize,
    /// Processes that end without any work of theirs at hand.
    pub crashes: usize,
    /// Partitions.
    pub cuts: usize,
    /// Wall clocks that are set.
    pub clocks_set: usize,
    /// Disks that are put back.
    pub put_backs: usize,
    /// Disks that break.
    pub losses: usize,
    /// Session keys that are replaced.
    pub rotations: usize,
    /// Strangers without any identity that send garbage.
    pub knocks: usize,
    /// How many relays there are.
    pub relays: usize,
    /// What becomes of them.
    pub relay_weather: RelayWeather,
    /// What happens in the group, where there is one.
    pub group: Option<GroupPlan>,
}

/// What happens in the group of one run.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupPlan {
    /// What its owners do.
    pub acts: usize,
    /// Messages to it.
    pub messages: usize,
    /// In so many epochs in a row all commit at once.
    pub crowded: u64,
    /// How often some members do not reach the relays for a while.
    pub cuts: usize,
    /// How often its log is put back to what it was before.
    pub put_backs: usize,
    /// Whether admins move its log, where there are several relays.
    pub moves: bool,
}

/// What becomes of the relays of one run.
#[derive(Clone, Copy, Debug, Default)]
pub struct RelayWeather {
    /// Relays that end without any work of theirs at hand.
    pub crashes: usize,
    /// Disks that break.
    pub losses: usize,
    /// Whether one is down for long, far into the calm.
    pub long_crash: bool,
    /// Whether one reaches nobody for long.
    pub long_cut: bool,
    /// How long that is.
    pub away: Duration,
}

impl Plan {
    /// What most scenarios have in common: two to four agents that know each other, live sessions
    /// over one transport or all, a bad network, bad disks, and some crashes.
    fn stormy(random: &mut Seeded) -> Self {
        let habits = Habits {
            policy: Policy::default(),
            ways: Ways::live(random),
            disk: DiskFaults::storm(random),
            slowest_reading: random.span(Duration::ZERO, Duration::from_secs(20)),
            unread: if random.chance(500) { random.below(600) } else { 0 },
            longest_absence: random.span(Duration::from_millis(200), Duration::from_secs(20)),
            mischief: 0,
            prekeys: 1 + random.index(8),
            heartbeat: random.chance(500).then(|| random.span(A_SECOND * 5, A_SECOND * 60)),
            in_groups: false,
            broken: None,
        };
        Self {
            agents: 2 + random.index(3),
            circle: usize::MAX,
            backend: Backend::Journal,
            habits,
            policies: vec![Policy::default()],
            introduced: true,
            hostile: None,
            network: NetworkFaults::storm(random),
            storm: random.span(Duration::from_secs(20), Duration::from_secs(80)),
            messages: 10 + random.index(30),
            lifetimes: vec![A_WHILE, A_DAY],
            named: random.below(1_000),
            ordered: random.below(300),
            largest: match random.below(1_000) {
                0..50 => TOO_LARGE_FOR_UDP,
                50..150 => FITS_UDP,
                _ => 200,
            },
            crashes: random.index(8),
            cuts: random.index(4),
            clocks_set: random.index(3),
            put_backs: 0,
            losses: 0,
            rotations: 0,
            knocks: random.index(2),
            relays: 0,
            relay_weather: RelayWeather::default(),
            group: None,
        }
    }

    /// Whether no session brings the agents each other's prekeys, so that their owners have to.
    pub fn are_bundles_files(&self) -> bool {
        let Ways { tcp, quic, udp, deferred, .. } = self.habits.ways;
        deferred && self.relays == 0 && !(tcp || quic || udp)
    }

    /// The same run by agents that are broken.
    #[must_use]
    pub fn broken(mut self, broken: Option<Broken>) -> Self {
        self.habits.broken = broken;
        self
    }

    /// The same run on a network that turns no bit: a changed key is refused at another point by
    /// another provider, which is no decision of a router.
    #[must_use]
    pub fn without_corruption(mut self) -> Self {
        self.network.corruption = 0;
        self
    }
}

/// A body of several datagrams.
const FITS_UDP: usize = 40_000;

/// A body that takes another way than a session over UDP.
const TOO_LARGE_FOR_UDP: usize = 120_000;

const A_SECOND: Duration = Duration::from_secs(1);

/// Long enough for a storm, with clocks that differ by minutes.
const A_WHILE: Duration = Duration::from_secs(30 * 60);

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
