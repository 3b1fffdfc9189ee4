//! Stored sessions by mail: no agent answers a call. Packets are lost, doubled and overtaken,
//! states go back by a crash within a commit, and a disk or two is put back to an old copy.

use super::Plan;
use crate::node::Ways;
use crate::seeded::Seeded;

pub(super) fn plan(random: &mut Seeded) -> Plan {
    let mut plan = Plan::stormy(random);
    plan.agents = 2 + random.index(2);
    plan.habits.ways = Ways { mail: true, deferred: true, ..Ways::default() };
    plan.put_backs = if random.chance(400) { 1 + random.index(2) } else { 0 };
    plan.rotations = random.index(3);
    plan
}
