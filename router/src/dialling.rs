//! When to look for a live session with a peer. Knows no address: the driver does.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::{AgentId, Transport};
use meshwork_protocols::random::Random;

use crate::choice::Dialling;
use crate::needs::Needs;
use crate::timers::Timers;

/// The first wait after a search that found nothing; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait: a peer that comes back is found within it.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// How long mail waits for a search: a peer that is there answers sooner, and one that is not is
/// found out only when each transport has given up.
const PATIENCE: Duration = Duration::from_secs(3);

/// A search whose end is never told counts as failed after this.
const DEADLINE: Duration = Duration::from_secs(30);

/// A session that dies younger than this counts as a failed search, so that a peer that accepts
/// and closes is not dialled in a loop.
const TOO_SHORT: Duration = Duration::from_secs(10);

/// A search: for whom, and for what.
type Wanted = (AgentId, Needs);

/// The searches for sessions that are wanted and do not stand.
#[derive(Debug, Default)]
pub(crate) struct Diallings {
    searches: BTreeMap<Wanted, Search>,
    /// When each search counts as failed, or may begin again.
    timers: Timers<Wanted>,
}

#[derive(Debug, Default)]
struct Search {
    /// In a row.
    failures: u32,
    step: Step,
    /// When it counts as failed, while it is under way.
    deadline: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
enum Step {
    #[default]
    Untried,
    UnderWay,
    /// For longer than mail waits.
    Late,
    /// For the next try.
    Waiting {
        since: Duration,
    },
    /// For nothing: the next try is due.
    Rested,
    Connected,
}

/// What time brought.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Due {
    /// Peers to look for again, if they are still wanted.
    pub(crate) rested: Vec<AgentId>,
    /// Searches whose end was never told.
    pub(crate) failed: Vec<Wanted>,
}

impl Diallings {
    /// How the search for such a session with this peer goes.
    pub(crate) fn state(&self, peer: &AgentId, needs: Needs) -> Dialling {
        let search = self.searches.get(&(*peer, needs));
        match search.map(|search| (search.step, search.failures)) {
            None | Some((Step::Untried | Step::Connected, 0)) => Dialling::Untried,
            // Once a search has failed, mail need not wait for each further one.
            Some((_, 1..)) => Dialling::Failed,
            Some((Step::UnderWay, _)) => Dialling::UnderWay,
            Some((Step::Late | Step::Waiting { .. } | Step::Rested, _)) => Dialling::Failed,
        }
    }

    /// Such a session is wanted and does not stand, or is to be replaced: whether to look for one
    /// now. One search for a peer is under way at a time: what it finds may do for the next.
    pub(crate) fn want(&mut self, peer: AgentId, needs: Needs, now: Duration) -> bool {
        let is_busy = self.is_looked_for(&peer);
        let search = self.searches.entry((peer, needs)).or_default();
        let start =
            !is_busy && matches!(search.step, Step::Untried | Step::Rested | Step::Connected);
        if start {
            (search.step, search.deadline) = (Step::UnderWay, now + DEADLINE);
            self.timers.set((peer, needs), now + PATIENCE);
        }
        start
    }

    /// Somebody waits for such a session: a try that is far off may begin now. `false` where the
    /// last one has only just failed.
    pub(crate) fn hurry(&mut self, peer: AgentId, needs: Needs, now: Duration) -> bool {
        let Some(search) = self.searches.get_mut(&(peer, needs)) else { return true };
        if let Step::Waiting { since } = search.step {
            if now < since + FIRST_WAIT {
                return false;
            }
            search.step = Step::Rested;
            self.timers.clear(&(peer, needs));
        }
        true
    }

    /// A session with the peer stands.
    pub(crate) fn connected(&mut self, peer: AgentId, transport: Transport) {
        self.searches.entry((peer, Needs::Any)).or_default();
        for wanted in met(peer, transport) {
            if let Some(search) = self.searches.get_mut(&wanted) {
                search.step = Step::Connected;
                self.timers.clear(&wanted);
            }
        }
    }

    /// Nothing answered, or what answered was gone at once; whether that was the end of a search. A
    /// session that the peer opened meanwhile is not touched by it.
    pub(crate) fn dial_failed(
        &mut self,
        peer: AgentId,
        needs: Needs,
        now: Duration,
        random: &mut dyn Random,
    ) -> bool {
        let wanted = (peer, needs);
        let overtaken =
            self.searches.get(&wanted).is_none_or(|search| matches!(search.step, Step::Connected));
        if !overtaken {
            self.failed(wanted, now, random);
        }
        !overtaken
    }

    /// The last session that offered this, which stood for `age`, is gone.
    pub(crate) fn disconnected(
        &mut self,
        peer: AgentId,
        needs: Needs,
        age: Duration,
        now: Duration,
        random: &mut dyn Random,
    ) {
        let wanted = (peer, needs);
        if age >= TOO_SHORT {
            self.forget(wanted);
        } else if needs == Needs::Any || self.searches.contains_key(&wanted) {
            self.failed(wanted, now, random);
        }
    }

    fn is_looked_for(&self, peer: &AgentId) -> bool {
        let under_way = |needs| {
            let search = self.searches.get(&(*peer, needs));
            search.is_some_and(|search| matches!(search.step, Step::UnderWay | Step::Late))
        };
        Needs::ALL.into_iter().any(under_way)
    }

    fn failed(&mut self, wanted: Wanted, now: Duration, random: &mut dyn Random) {
        let search = self.searches.entry(wanted).or_default();
        let wait = FIRST_WAIT.saturating_mul(1 << search.failures.min(16)).min(LONGEST_WAIT);
        search.failures = search.failures.saturating_add(1);
        search.step = Step::Waiting { since: now };
        self.timers.set(wanted, now + jittered(wait, random));
    }

    /// Nobody wants such a session any more. A failure is remembered for a moment all the same, so
    /// that whoever asks in a loop does not dial in one.
    pub(crate) fn let_go(&mut self, peer: &AgentId, needs: Needs, now: Duration) {
        let wanted = (*peer, needs);
        match self.searches.get(&wanted).map(|search| search.step) {
            Some(Step::Waiting { since }) if now < since + FIRST_WAIT => {
                self.timers.set(wanted, since + FIRST_WAIT);
            }
            _ => self.forget(wanted),
        }
    }

    fn forget(&mut self, wanted: Wanted) {
        self.searches.remove(&wanted);
        self.timers.clear(&wanted);
    }

    /// Searches that never ended count as failed; the wait of others is over.
    pub(crate) fn due(&mut self, now: Duration, random: &mut dyn Random) -> Due {
        let mut due = Due::default();
        while let Some(wanted) = self.timers.pop_due(now) {
            match self.searches.get_mut(&wanted) {
                Some(search @ Search { step: Step::UnderWay, .. }) => {
                    search.step = Step::Late;
                    self.timers.set(wanted, search.deadline);
                    due.rested.push(wanted.0);
                }
                Some(Search { step: Step::Late, .. }) => {
                    self.failed(wanted, now, random);
                    due.failed.push(wanted);
                }
                Some(search) => {
                    search.step = Step::Rested;
                    due.rested.push(wanted.0);
                }
                None => {}
            }
        }
        due
    }

    /// When [`Diallings::due`] has something to say.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }
}

/// The searches that a session over `transport` ends.
fn met(peer: AgentId, transport: Transport) -> impl Iterator<Item = Wanted> {
    let met = Needs::ALL.into_iter().filter(move |needs| needs.allow(transport));
    met.map(move |needs| (peer, needs))
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

    const ANY: Needs = Needs::Any;
    const A_MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn the_wait_doubles_up_to_its_bound() {
        let (mut diallings, mut now) = (Diallings::default(), Duration::ZERO);
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert!(diallings.want(PEER, ANY, now));
            assert!(!diallings.want(PEER, ANY, now), "one search at a time");
            assert!(diallings.dial_failed(PEER, ANY, now, &mut Most));
            let at = diallings.next_timeout().unwrap();
            let wait = (at - now).as_secs_f64();
            let expected = f64::from(expected);
            assert!(wait > expected * 0.99 && wait <= expected, "{wait} for {expected}");
            assert_eq!(diallings.due(at - A_MOMENT, &mut Most), Due::default());
            assert!(!diallings.want(PEER, ANY, at), "the wait is not over");
            assert_eq!(diallings.due(at, &mut Most).rested, [PEER]);
            now = at;
        }
    }

    #[test]
    fn a_search_without_an_end_fails_at_its_deadline() {
        let mut diallings = Diallings::default();
        assert_eq!(diallings.state(&PEER, ANY), Dialling::Untried);
        diallings.want(PEER, ANY, Duration::ZERO);
        assert_eq!(diallings.state(&PEER, ANY), Dialling::UnderWay);
        // Mail waits no longer, and the search goes on.
        assert_eq!(diallings.due(PATIENCE - A_MOMENT, &mut Most), Due::default());
        assert_eq!(diallings.due(PATIENCE, &mut Most).rested, [PEER]);
        assert_eq!(diallings.state(&PEER, ANY), Dialling::Failed);
        assert!(!diallings.want(PEER, ANY, PATIENCE));
        assert_eq!(diallings.due(DEADLINE - A_MOMENT, &mut Most), Due::default());
        assert_eq!(diallings.due(DEADLINE, &mut Most).failed, [(PEER, ANY)]);
        assert_eq!(diallings.state(&PEER, ANY), Dialling::Failed);
    }

    #[test]
    fn a_session_that_dies_at_once_counts_as_a_failure_and_an_old_one_does_not() {
        let mut diallings = Diallings::default();
        let gone = |diallings: &mut Diallings, age| {
            diallings.disconnected(PEER, ANY, age, TOO_SHORT, &mut Most);
        };
        diallings.connected(PEER, Transport::Tcp);
        assert!(!diallings.dial_failed(PEER, ANY, Duration::ZERO, &mut Most));
        assert_eq!(diallings.next_timeout(), None, "the session the peer opened stands");
        gone(&mut diallings, TOO_SHORT - A_MOMENT);
        assert!(!diallings.want(PEER, ANY, TOO_SHORT));
        diallings.connected(PEER, Transport::Tcp);
        gone(&mut diallings, TOO_SHORT);
        assert!(diallings.want(PEER, ANY, TOO_SHORT));
    }

    #[test]
    fn one_search_for_a_peer_is_under_way_and_a_session_ends_those_that_it_will_do_for() {
        let mut diallings = Diallings::default();
        let want = |diallings: &mut Diallings, needs| diallings.want(PEER, needs, DEADLINE);
        assert!(want(&mut diallings, ANY));
        assert!(!want(&mut diallings, Needs::Bulk), "the other may find one that will do");
        diallings.connected(PEER, Transport::Udp);
        assert!(want(&mut diallings, Needs::Bulk));
        diallings.connected(PEER, Transport::Udp);
        assert_eq!(diallings.state(&PEER, Needs::Bulk), Dialling::UnderWay);
        diallings.connected(PEER, Transport::Tcp);
        assert_eq!(diallings.state(&PEER, Needs::Bulk), Dialling::Untried);
        assert_eq!(diallings.next_timeout(), None);
    }

    #[test]
    fn who_waits_for_a_session_makes_it_looked_for_at_once_but_not_again_within_a_second() {
        let mut diallings = Diallings::default();
        let mut now = Duration::ZERO;
        for _ in 0..8 {
            assert!(diallings.hurry(PEER, ANY, now) && diallings.want(PEER, ANY, now));
            assert!(diallings.hurry(PEER, ANY, now), "it waits for the search under way");
            diallings.dial_failed(PEER, ANY, now, &mut Most);
            assert!(!diallings.hurry(PEER, ANY, now + FIRST_WAIT - A_MOMENT));
            now += FIRST_WAIT;
        }
    }
}
