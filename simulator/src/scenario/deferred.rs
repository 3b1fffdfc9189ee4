//! Conversations by deferred sessions among up to fifty agents: crashes at every boundary of a commit,
//! mail that is lost, doubled and overtaken, and states that are put back or lost at one end.

use std::time::Duration;

use super::Plan;
use crate::node::Ways;
use crate::seeded::Seeded;

pub(super) fn plan(random: &mut Seeded) -> Plan {
    let mut plan = Plan::stormy(random);
    // Large meshes show what small ones do, at the price of many.
    plan.agents = match random.below(20) {
        0 => 50,
        1 => 10 + random.index(30),
        _ => 2 + random.index(6),
    };
    plan.circle = 1 + random.index(2);
    let live = if random.chance(500) { Ways::live(random) } else { Ways::default() };
    plan.habits.ways = Ways { mail: true, deferred: true, ..live };
    plan.habits.longest_absence = random.span(Duration::from_secs(1), Duration::from_secs(60));
    plan.messages += 3 * plan.agents;
    plan.crashes += plan.agents;
    plan.put_backs = if random.chance(400) { 1 + random.index(2) } else { 0 };
    plan.losses = usize::from(random.chance(250));
    plan
}
