//! What tests of a member need: agents by number, and one in a group without rows.

use alloc::string::String;
use alloc::vec::Vec;

use meshwork_protocols::identity::{AgentId, Relay};

use super::Member;
use crate::fleet::{GroupRow, Stage};

pub(super) fn agent(number: usize) -> AgentId {
    let mut bytes = [0; 32];
    for (byte, of_number) in bytes.iter_mut().zip(number.to_be_bytes()) {
        *byte = of_number;
    }
    AgentId::from_bytes(bytes)
}

pub(super) fn member() -> Member {
    let holder = Relay { agent: agent(9), addresses: Vec::new() };
    Member::new(GroupRow::new(String::new(), holder, Stage::Member, 0))
}
