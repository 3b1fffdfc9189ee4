//! Whom to tell that something waits, so that nobody is told twice of what it has not looked at.

use std::collections::HashSet;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::Nudge;

/// What is to be said, and who was told of mail.
#[derive(Debug, Default)]
pub(crate) struct Nudges {
    due: Vec<(AgentId, Nudge)>,
    told: HashSet<AgentId>,
}

impl Nudges {
    /// Mail came for this agent. It is told once, and again when it has fetched.
    pub(crate) fn mail(&mut self, owner: AgentId) {
        if self.told.len() >= MAX_TOLD {
            self.told.clear();
        }
        if self.told.insert(owner) {
            self.due.push((owner, Nudge::Mail));
        }
    }

    /// This agent looks for its mail.
    pub(crate) fn fetches(&mut self, owner: &AgentId) {
        self.told.remove(owner);
    }

    /// Something else happened that this agent is to hear of.
    pub(crate) fn push(&mut self, agent: AgentId, nudge: Nudge) {
        self.due.push((agent, nudge));
    }

    /// What is to be said, each thing once.
    pub(crate) fn take(&mut self) -> Vec<(AgentId, Nudge)> {
        let mut due = std::mem::take(&mut self.due);
        due.sort_unstable();
        due.dedup();
        due
    }
}

/// Of how many agents is kept that they were told: 4 MiB. Past it all may be told once more.
const MAX_TOLD: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(number: usize) -> AgentId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        AgentId::from_bytes(id)
    }

    #[test]
    fn an_agent_is_told_of_mail_once_until_it_fetches() {
        let mut nudges = Nudges::default();
        nudges.mail(agent(1));
        nudges.mail(agent(1));
        nudges.mail(agent(2));
        assert_eq!(nudges.take(), [(agent(1), Nudge::Mail), (agent(2), Nudge::Mail)]);
        nudges.mail(agent(1));
        assert_eq!(nudges.take(), []);
        nudges.fetches(&agent(1));
        nudges.mail(agent(1));
        nudges.push(agent(2), Nudge::LowPool);
        assert_eq!(nudges.take(), [(agent(1), Nudge::Mail), (agent(2), Nudge::LowPool)]);
    }

    #[test]
    fn one_more_than_is_kept_of_lets_all_be_told_again() {
        let mut nudges = Nudges::default();
        (0..MAX_TOLD).for_each(|number| nudges.mail(agent(number)));
        assert_eq!(nudges.take().len(), MAX_TOLD);
        nudges.mail(agent(0));
        assert_eq!(nudges.take(), [(agent(0), Nudge::Mail)]);
        assert_eq!(nudges.told.len(), 1);
    }
}
