//! Messages that keep their order: some are tried for seconds only, so that those behind them wait
//! for a place that nobody will fill.

use std::time::Duration;

use super::{A_DAY, Plan};
use crate::node::Ways;
use crate::seeded::Seeded;

pub(super) fn plan(random: &mut Seeded) -> Plan {
    let mut plan = Plan::stormy(random);
    plan.agents = 2;
    plan.habits.ways = match random.below(3) {
        0 | 1 => Ways::live(random),
        _ => Ways { mail: true, deferred: true, ..Ways::live(random) },
    };
    plan.lifetimes = vec![Duration::from_secs(2), Duration::from_secs(15), A_DAY, A_DAY];
    plan.ordered = 700 + random.below(301);
    plan.messages += 20;
    plan
}
