//! When to look for a live session with a peer. Knows no address: the driver does.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::random::Random;

use crate::choice::Dialling;
use crate::timers::Timers;

/// The first wait after a search that found nothing; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait: a peer that comes back is found within it.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// A search whose end is never told counts as failed after this.
const DEADLINE: Duration = Duration::from_secs(30);

/// A session that dies younger than this counts as a failed search, so that a peer that accepts
/// and closes is not dialled in a loop.
const TOO_SHORT: Duration = Duration::from_secs(10);

/// The searches of all peers that are wanted and not connected.
#[derive(Debug, Default)]
pub(crate) struct Diallings {
    searches: BTreeMap<AgentId, Search>,
    /// When each search counts as failed, or may begin again.
    timers: Timers<AgentId>,
}

#[derive(Debug, Default)]
struct Search {
    /// In a row.
    failures: u32,
    step: Step,
}

#[derive(Clone, Copy, Debug, Default)]
enum Step {
    #[default]
    Untried,
    UnderWay,
    /// For the next try.
    Waiting,
    /// For nothing: the next try is due.
    Rested,
    Connected,
}

impl Diallings {
    /// How the search for this peer goes.
    pub(crate) fn state(&self, peer: &AgentId) -> Dialling {
        match self.searches.get(peer).map(|search| (search.step, search.failures)) {
            None | Some((Step::Untried | Step::Connected, 0)) => Dialling::Untried,
            // Once a search has failed, mail need not wait for each further one.
            Some((_, 1..)) => Dialling::Failed,
            Some((Step::UnderWay, _)) => Dialling::UnderWay,
            Some((Step::Waiting | Step::Rested, _)) => Dialling::Failed,
        }
    }

    /// The peer is wanted: whether to dial it now.
    pub(crate) fn want(&mut self, peer: AgentId, now: Duration) -> bool {
        let search = self.searches.entry(peer).or_default();
        let start = matches!(search.step, Step::Untried | Step::Rested);
        if start {
            search.step = Step::UnderWay;
            self.timers.set(peer, now + DEADLINE);
        }
        start
    }

    /// A session with the peer stands.
    pub(crate) fn connected(&mut self, peer: AgentId) {
        self.searches.entry(peer).or_default().step = Step::Connected;
        self.timers.clear(&peer);
    }

    /// Nothing answered, or what answered was gone at once. A session that the peer opened
    /// meanwhile is not touched by it.
    pub(crate) fn dial_failed(&mut self, peer: AgentId, now: Duration, random: &mut dyn Random) {
        let overtaken =
            self.searches.get(&peer).is_none_or(|search| matches!(search.step, Step::Connected));
        if !overtaken {
            self.failed(peer, now, random);
        }
    }

    /// The session, which stood for `age`, is gone.
    pub(crate) fn disconnected(
        &mut self,
        peer: AgentId,
        age: Duration,
        now: Duration,
        random: &mut dyn Random,
    ) {
        if age < TOO_SHORT {
            self.failed(peer, now, random);
        } else {
            self.forget(&peer);
        }
    }

    fn failed(&mut self, peer: AgentId, now: Duration, random: &mut dyn Random) {
        let search = self.searches.entry(peer).or_default();
        let wait = FIRST_WAIT.saturating_mul(1 << search.failures.min(16)).min(LONGEST_WAIT);
        search.failures += 1;
        search.step = Step::Waiting;
        self.timers.set(peer, now + jittered(wait, random));
    }

    /// Nobody wants this peer any more.
    pub(crate) fn forget(&mut self, peer: &AgentId) {
        self.searches.remove(peer);
        self.timers.clear(peer);
    }

    /// Searches that never ended count as failed; returns the peers whose wait is over.
    pub(crate) fn due(&mut self, now: Duration, random: &mut dyn Random) -> Vec<AgentId> {
        let mut rested = Vec::new();
        while let Some(peer) = self.timers.pop_due(now) {
            match self.searches.get_mut(&peer) {
                Some(Search { step: Step::UnderWay, .. }) => self.failed(peer, now, random),
                Some(search) => {
                    search.step = Step::Rested;
                    rested.push(peer);
                }
                None => {}
            }
        }
        rested
    }

    /// When [`Diallings::due`] has something to say.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }
}

/// Between three quarters and all of a wait, so that a thousand agents do not dial as one.
fn jittered(wait: Duration, random: &mut dyn Random) -> Duration {
    wait.mul_f64(0.75) + wait.mul_f64(f64::from(random.below(1_000)) / 4_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: AgentId = AgentId::from_bytes([2; 32]);

    /// No jitter below the whole: `below` returns its bound less one.
    #[derive(Debug)]
    struct Most;

    impl Random for Most {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(0xff);
        }
    }

    #[test]
    fn the_wait_doubles_up_to_its_bound() {
        let (mut diallings, mut now) = (Diallings::default(), Duration::ZERO);
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert!(diallings.want(PEER, now));
            assert!(!diallings.want(PEER, now), "one search at a time");
            diallings.dial_failed(PEER, now, &mut Most);
            let at = diallings.next_timeout().unwrap();
            let wait = (at - now).as_secs_f64();
            let expected = f64::from(expected);
            assert!(wait > expected * 0.99 && wait <= expected, "{wait} for {expected}");
            assert_eq!(diallings.due(at - Duration::from_millis(1), &mut Most), []);
            assert!(!diallings.want(PEER, at), "the wait is not over");
            assert_eq!(diallings.due(at, &mut Most), [PEER]);
            now = at;
        }
    }

    #[test]
    fn a_search_without_an_end_fails_at_its_deadline() {
        let mut diallings = Diallings::default();
        assert_eq!(diallings.state(&PEER), Dialling::Untried);
        diallings.want(PEER, Duration::ZERO);
        assert_eq!(diallings.state(&PEER), Dialling::UnderWay);
        assert_eq!(diallings.due(DEADLINE, &mut Most), []);
        assert_eq!(diallings.state(&PEER), Dialling::Failed);
    }

    #[test]
    fn a_session_that_dies_at_once_counts_as_a_failure_and_an_old_one_does_not() {
        let mut diallings = Diallings::default();
        diallings.connected(PEER);
        diallings.dial_failed(PEER, Duration::ZERO, &mut Most);
        assert_eq!(diallings.next_timeout(), None, "the session the peer opened stands");
        diallings.disconnected(PEER, TOO_SHORT - Duration::from_millis(1), TOO_SHORT, &mut Most);
        assert!(!diallings.want(PEER, TOO_SHORT));
        diallings.connected(PEER);
        diallings.disconnected(PEER, TOO_SHORT, TOO_SHORT, &mut Most);
        assert!(diallings.want(PEER, TOO_SHORT));
    }
}
