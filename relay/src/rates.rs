//! What each agent did in the hour that runs. In memory alone: a restart forgives.

use std::collections::HashMap;
use std::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::Refusal;
use meshwork_protocols::time::Timestamp;

/// Counts by agent.
#[derive(Debug, Default)]
pub(crate) struct Rates(HashMap<AgentId, Hour>);

#[derive(Debug, Default)]
struct Hour {
    began: Duration,
    counts: [u64; 4],
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counted {
    Pieces = 0,
    Bytes = 1,
    Takes = 2,
    Foundings = 3,
}

impl Rates {
    /// Whether `more` still fits, and when to come again if not.
    pub(crate) fn check(
        &mut self,
        agent: &AgentId,
        now: Timestamp,
        counted: Counted,
        more: u64,
        most: u64,
    ) -> Result<(), Refusal> {
        let Some(hour) = self.running(agent, now) else { return Ok(()) };
        let count = hour.counts.get(counted as usize).copied().unwrap_or_default();
        if count.saturating_add(more) <= most {
            return Ok(());
        }
        let left = (hour.began + HOUR).saturating_sub(now.monotonic).as_secs() + 1;
        Err(Refusal::NotNow { retry_after: u16::try_from(left).unwrap_or(u16::MAX) })
    }

    pub(crate) fn count(&mut self, agent: &AgentId, now: Timestamp, counted: Counted, more: u64) {
        if self.0.len() >= MAX_AGENTS {
            self.0.retain(|_, hour| hour.runs(now));
        }
        let hour = self.0.entry(*agent).or_default();
        if !hour.runs(now) {
            *hour = Hour { began: now.monotonic, counts: [0; 4] };
        }
        if let Some(count) = hour.counts.get_mut(counted as usize) {
            *count = count.saturating_add(more);
        }
    }

    fn running(&self, agent: &AgentId, now: Timestamp) -> Option<&Hour> {
        self.0.get(agent).filter(|hour| hour.runs(now))
    }
}

impl Hour {
    fn runs(&self, now: Timestamp) -> bool {
        self.counts != [0; 4] && now.monotonic < self.began + HOUR
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Beyond this many, hours that have passed are dropped: 10 MiB.
const MAX_AGENTS: usize = 100_000;

#[cfg(test)]
mod tests {
    use meshwork_protocols::time::Timestamp;

    use super::*;

    #[test]
    fn an_hour_has_its_most_and_the_next_one_anew() {
        let (agent, other) = (AgentId::from_bytes([1; 32]), AgentId::from_bytes([2; 32]));
        let start = Timestamp::default() + Duration::from_secs(5);
        let mut rates = Rates::default();
        rates.count(&agent, start, Counted::Takes, 9);
        let check = |rates: &mut Rates, agent, now| rates.check(agent, now, Counted::Takes, 1, 10);
        assert_eq!(check(&mut rates, &agent, start), Ok(()));
        rates.count(&agent, start, Counted::Takes, 1);
        let later = start + Duration::from_secs(3_590);
        assert_eq!(check(&mut rates, &agent, later), Err(Refusal::NotNow { retry_after: 11 }));
        assert_eq!(check(&mut rates, &other, later), Ok(()));
        assert_eq!(rates.check(&agent, later, Counted::Bytes, 1, 1), Ok(()));
        assert_eq!(check(&mut rates, &agent, start + HOUR), Ok(()));
    }
}
