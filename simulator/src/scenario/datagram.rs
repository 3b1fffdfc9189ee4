//! Live sessions over datagrams, UDP and QUIC: whatever is lost has to be sealed and sent again.

use super::Plan;
use crate::node::Ways;
use crate::seeded::Seeded;

pub(super) fn plan(random: &mut Seeded) -> Plan {
    let mut plan = Plan::stormy(random);
    plan.habits.ways = Ways::datagrams(random);
    plan
}
