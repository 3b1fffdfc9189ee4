//! Live sessions over TCP, QUIC and UDP: crashes at every step of a commit, partitions, streams that break,
//! and sessions that both ends open at once.

use super::Plan;
use crate::seeded::Seeded;

pub(super) fn plan(random: &mut Seeded) -> Plan {
    Plan::stormy(random)
}
