//! redb, as the product uses it, on a disk that loses, tears and reorders what was not synced. A
//! commit of redb costs a hundred of the journal's, so that less happens.

use super::Plan;
use crate::disk::Backend;
use crate::seeded::Seeded;

pub(super) fn plan(random: &mut Seeded) -> Plan {
    let mut plan = Plan::stormy(random);
    plan.agents = 2;
    plan.backend = Backend::Redb;
    plan.messages = 6 + random.index(10);
    plan.habits.disk.dying_within += random.below(40);
    plan.habits.disk.failing += random.below(40);
    plan
}
