//! How one agent, its application and its machine behave in one run.

use std::time::Duration;

use meshwork_protocols::identity::Transport;
use meshwork_protocols::wire::{Frame, Payload};
use meshwork_router::Policy;

use super::DiskFate;
use crate::broken::Broken;
use crate::seeded::Seeded;

/// How one agent, its application and its machine behave. The chances are per thousand.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// What the owner allows.
    pub policy: Policy,
    /// Which ways it has.
    pub ways: Ways,
    /// How its disk fails.
    pub disk: DiskFaults,
    /// How long its application takes to read, at most.
    pub slowest_reading: Duration,
    /// Messages that its application does not read before the calm.
    pub unread: u64,
    /// How long a process that ended stays away, at most.
    pub longest_absence: Duration,
    /// Frames that it sends changed, during the storm.
    pub mischief: u64,
    /// How many one-time keys it has for others.
    pub prekeys: usize,
    /// How often its conversations by deferred sessions are kept moving.
    pub heartbeat: Option<Duration>,
    /// Whether it takes part in groups.
    pub in_groups: bool,
    /// How it is broken, if it is.
    pub broken: Option<Broken>,
}

/// Which ways an agent has to others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ways {
    /// Live sessions over TCP.
    pub tcp: bool,
    /// Live sessions over QUIC.
    pub quic: bool,
    /// Live sessions over UDP.
    pub udp: bool,
    /// Mail.
    pub mail: bool,
    /// Deferred sessions.
    pub deferred: bool,
}

impl Ways {
    /// Live sessions over one transport or over all, each as often as another.
    pub fn live(random: &mut Seeded) -> Self {
        let only = random.below(4);
        let has = |number| only == number || only == 3;
        Self { tcp: has(0), quic: has(1), udp: has(2), ..Self::default() }
    }

    /// Whether a message of any size has a way.
    pub const fn carry_all(self) -> bool {
        self.tcp || self.quic || self.deferred
    }

    /// Live sessions over what may be lost, doubled and late.
    pub fn datagrams(random: &mut Seeded) -> Self {
        let only = random.below(3);
        Self { quic: only != 0, udp: only != 1, ..Self::default() }
    }
}

/// How a disk fails. The chances are per thousand commits.
#[derive(Clone, Copy, Debug)]
pub struct DiskFaults {
    /// The least time that a commit takes.
    pub least_latency: Duration,
    /// The most.
    pub most_latency: Duration,
    /// There is no room.
    pub full: u64,
    /// The sync fails.
    pub failing: u64,
    /// The power goes before anything is written.
    pub dying_before: u64,
    /// The power goes while it is written.
    pub dying_within: u64,
    /// The power goes when it is durable.
    pub dying_after: u64,
    /// The process dies between the commit and what it releases.
    pub dying_untold: u64,
    /// Reads that fail, of a thousand.
    pub failing_reads: u64,
}

impl DiskFaults {
    /// A disk that fails in some of the ways.
    pub fn storm(random: &mut Seeded) -> Self {
        let mut up_to = |most| if random.chance(500) { random.below(most) } else { 0 };
        let (full, failing, failing_reads) = (up_to(40), up_to(40), up_to(10));
        let (dying_before, dying_within, dying_after) = (up_to(30), up_to(30), up_to(30));
        let dying_untold = up_to(40);
        let least_latency = random.span(Duration::from_micros(100), Duration::from_millis(20));
        // Slow ones have several batches in flight.
        let slowest = if random.chance(300) { 1_500 } else { 60 };
        let spread = random.span(Duration::ZERO, Duration::from_millis(slowest));
        Self {
            least_latency,
            most_latency: least_latency + spread,
            full,
            failing,
            dying_before,
            dying_within,
            dying_after,
            dying_untold,
            failing_reads,
        }
    }

    pub(crate) fn fate(&self, is_calm: bool, random: &mut Seeded) -> DiskFate {
        let fates = [
            (self.full, DiskFate::IsFull),
            (self.failing, DiskFate::Fails),
            (self.dying_before, DiskFate::DiesBefore),
            (self.dying_within, DiskFate::DiesWithin),
            (self.dying_after, DiskFate::DiesAfter),
            (self.dying_untold, DiskFate::DiesUntold),
        ];
        let drawn = fates.into_iter().find(|(per_mille, _)| random.chance(*per_mille));
        drawn.filter(|_| !is_calm).map_or(DiskFate::Works, |(_, fate)| fate)
    }
}

impl Habits {
    /// The transports to try, the last first. The product races them; here each comes first now
    /// and then.
    pub(super) fn transports(&self, random: &mut Seeded) -> Vec<Transport> {
        let Ways { tcp, quic, udp, .. } = self.ways;
        let all = [(tcp, Transport::Tcp), (udp, Transport::Udp), (quic, Transport::Quic)];
        let mut transports: Vec<_> =
            all.into_iter().filter(|(has, _)| *has).map(|(_, transport)| transport).collect();
        let first = random.index(transports.len());
        transports.rotate_left(first);
        transports
    }

    /// How long the application takes to read a message; nothing where it leaves it unread.
    pub(super) fn reads_after(&self, is_calm: bool, random: &mut Seeded) -> Option<Duration> {
        let delay = random.span(Duration::ZERO, self.slowest_reading);
        let leaves = random.chance(self.unread);
        (is_calm || !leaves).then_some(delay)
    }

    /// What a misbehaving agent sends in place of `frame`.
    pub(super) fn mischief(
        &self,
        is_calm: bool,
        frame: &[u8],
        random: &mut Seeded,
    ) -> Option<Vec<u8>> {
        if is_calm || !random.chance(self.mischief) {
            return None;
        }
        let mut changed = frame.to_vec();
        match random.below(4) {
            // Another content under the same id: the body is the message's end.
            0 => {
                if let Ok(Frame::Clear(Payload::Message { lowest_wanted, mut message })) =
                    Frame::decode(frame)
                {
                    if let Some(last) = message.last_mut() {
                        *last ^= 1;
                    }
                    changed = Frame::Clear(Payload::Message { lowest_wanted, message }).encode();
                }
            }
            1 => {
                let at = random.index(changed.len());
                if let Some(byte) = changed.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            2 => changed.truncate(random.index(changed.len()).max(1)),
            // A type that sessions carry and no frame has.
            _ => {
                changed = vec![0x42; 1 + random.index(64)];
            }
        }
        Some(changed)
    }
}
