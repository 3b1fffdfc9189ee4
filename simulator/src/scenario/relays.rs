//! Mail through relays: agents whose cards name two or three of them, crashes of agents and of relays,
//! and now and then a relay that is away for hours, or loses its disk.

use std::time::Duration;

use super::{A_WHILE, Plan, RelayWeather};
use crate::node::Ways;
use crate::seeded::Seeded;

pub(super) fn plan(random: &mut Seeded) -> Plan {
    let mut plan = Plan::stormy(random);
    plan.agents = 2 + random.index(4);
    plan.circle = 1 + random.index(2);
    let live = if random.chance(400) { Ways::live(random) } else { Ways::default() };
    plan.habits.ways = Ways { deferred: true, ..live };
    plan.habits.longest_absence = random.span(Duration::from_secs(1), Duration::from_secs(60));
    plan.crashes += plan.agents;
    plan.put_backs = usize::from(random.chance(200));
    plan.losses = usize::from(random.chance(150));
    if plan.put_backs + plan.losses > 0 {
        // The bundle of a state that is lost has the time for its number: where the clock was set back
        // as well, relays take it for an older one until the next.
        plan.clocks_set = 0;
    }
    plan.relays = 2 + random.index(2);
    plan.relay_weather = RelayWeather {
        crashes: random.index(6),
        losses: usize::from(random.chance(100)),
        long_crash: random.chance(400),
        long_cut: random.chance(400),
        away: random.span(A_WHILE, A_WHILE * 4),
    };
    plan
}
