//! A group of agents over the log of a relay, on published primitives: members come, go, leave, write
//! and draw new keys, while agents and relays crash at every boundary of a commit, letters are lost,
//! some do not reach the log, and admins move it. Now and then twenty members commit at once, again
//! and again.

use std::time::Duration;

use super::{A_WHILE, GroupPlan, Plan, RelayWeather};
use crate::network::NetworkFaults;
use crate::node::{DiskFaults, Ways};
use crate::seeded::Seeded;

pub(super) fn plan(random: &mut Seeded) -> Plan {
    let mut plan = Plan::stormy(random);
    plan.habits.in_groups = true;
    // Each turn of a conversation costs some signatures and keys: no more of them than are asked for.
    plan.habits.heartbeat = None;
    plan.habits.prekeys = 1 + random.index(3);
    plan.habits.slowest_reading = random.span(Duration::ZERO, Duration::from_secs(8));
    plan.storm = random.span(Duration::from_secs(60), Duration::from_secs(180));
    if random.chance(CROWDS) { crowd(plan, random) } else { storm(plan, random) }
}

/// A few members, and all that can go wrong.
fn storm(mut plan: Plan, random: &mut Seeded) -> Plan {
    plan.agents = 3 + random.index(4);
    let live = if random.chance(150) { Ways::live(random) } else { Ways::default() };
    plan.habits.ways = Ways { deferred: true, ..live };
    plan.habits.longest_absence = random.span(Duration::from_secs(1), Duration::from_secs(40));
    plan.messages = random.index(4);
    plan.crashes += plan.agents;
    plan.relays = if random.chance(600) { 2 } else { 1 };
    plan.relay_weather = RelayWeather {
        crashes: random.index(4),
        losses: 0,
        long_crash: random.chance(100),
        long_cut: random.chance(100),
        away: random.span(A_WHILE / 6, A_WHILE * 3),
    };
    let mut group = GroupPlan {
        acts: 4 + random.index(12),
        messages: 4 + random.index(12),
        crowded: if random.chance(400) { 1 + random.below(4) } else { 0 },
        cuts: if random.chance(400) { 1 + random.index(2) } else { 0 },
        put_backs: if random.chance(500) { 1 + random.index(2) } else { 0 },
        moves: true,
    };
    if group.put_backs > 0 {
        // A relay that is away for an hour heals no log meanwhile.
        (plan.relay_weather.long_crash, plan.relay_weather.long_cut) = (false, false);
        group.moves = random.chance(500);
    }
    plan.group = Some(group);
    plan
}

/// Twenty members that are all there, and commit at once.
fn crowd(mut plan: Plan, random: &mut Seeded) -> Plan {
    plan.agents = 20;
    plan.habits.ways = Ways { deferred: true, ..Ways::default() };
    plan.habits.disk = DiskFaults { least_latency: MOMENT, most_latency: MOMENT * 2, ..NONE };
    plan.habits.slowest_reading = Duration::from_secs(2);
    plan.habits.prekeys = 1;
    plan.network = NetworkFaults {
        least_latency: MOMENT * 5,
        most_latency: MOMENT * 8,
        ..NetworkFaults::CALM
    };
    plan.storm = Duration::from_secs(60);
    (plan.messages, plan.crashes, plan.cuts) = (0, random.index(2), 0);
    plan.relays = 1;
    let (acts, messages, cuts) = (0, random.index(6), usize::from(random.chance(300)));
    plan.group =
        Some(GroupPlan { acts, messages, crowded: IN_A_ROW, cuts, put_backs: 0, moves: false });
    plan
}

/// Of a thousand seeds, those with twenty members.
const CROWDS: u64 = 25;

/// How many epochs all of twenty compete for in a row.
const IN_A_ROW: u64 = 40;

const MOMENT: Duration = Duration::from_millis(1);

/// A disk that does not fail.
const NONE: DiskFaults = DiskFaults {
    least_latency: Duration::ZERO,
    most_latency: Duration::ZERO,
    full: 0,
    failing: 0,
    dying_before: 0,
    dying_within: 0,
    dying_after: 0,
    dying_untold: 0,
    failing_reads: 0,
};
