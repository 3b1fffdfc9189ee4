//! All ways at once: agents come and go, and a message begins on one way and ends on another.

use std::time::Duration;

use super::Plan;
use crate::node::Ways;
use crate::seeded::Seeded;

pub(super) fn plan(random: &mut Seeded) -> Plan {
    let mut plan = Plan::stormy(random);
    plan.habits.ways = Ways { mail: true, deferred: true, ..Ways::live(random) };
    plan.habits.longest_absence = random.span(Duration::from_secs(1), Duration::from_secs(60));
    plan.crashes += 2;
    plan.put_backs = usize::from(random.chance(150));
    plan.rotations = random.index(2);
    plan
}
