//! Agents that do not know who writes to them, owners who hold, accept or drop first contacts and
//! decide later, and now and then an agent that sends what no honest one sends.

use std::time::Duration;

use meshwork_router::{FirstContact, Policy};

use super::Plan;
use crate::network::Host;
use crate::seeded::Seeded;

pub(super) fn plan(random: &mut Seeded) -> Plan {
    let mut plan = Plan::stormy(random);
    plan.agents = 3 + random.index(2);
    plan.introduced = random.chance(200);
    plan.policies = [FirstContact::Hold, FirstContact::Accept, FirstContact::Drop]
        .map(|first_contact| {
            let mut policy = Policy::default();
            policy.first_contact = first_contact;
            policy
        })
        .to_vec();
    if random.chance(600) {
        plan.hostile = Some(Host(random.index(plan.agents)));
        plan.habits.mischief = 50 + random.below(400);
    }
    // What a stranger is not answered it tries until it expires.
    plan.lifetimes = vec![Duration::from_secs(60), Duration::from_secs(10 * 60)];
    plan.knocks = random.index(20);
    plan
}
