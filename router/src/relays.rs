//! Which relays answered lately, and what is under way with them. Knows no message, no row and no
//! address: the driver does.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::{AgentId, Relay};
use meshwork_protocols::random::Random;
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::MessageId;

use crate::choice::RelaySituation;
use crate::timers::Timers;

/// The first rest of a relay that did not answer; it doubles with each failure.
const FIRST_REST: Duration = Duration::from_secs(1);

/// The longest rest: a relay that comes back is used again within it.
const LONGEST_REST: Duration = Duration::from_secs(5 * 60);

/// How long a relay that has nothing for a peer, or refused something for it, is not asked again
/// for that peer.
pub(crate) const REFUSED_REST: Duration = Duration::from_secs(5 * 60);

/// The most rests and requests that are remembered, some hundred bytes each; what is not is tried
/// again at once.
const REMEMBERED: usize = 16_384;

/// The most receipts and the like that are being left with relays, some kilobytes each. One that is
/// not said is asked for again.
pub(crate) const SAYINGS: usize = 4_096;

/// Names a deposit; never given twice in one process.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DepositId(pub u64);

/// Names a request for prekeys, so that one that is repeated is answered as the first was.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TakeId(pub [u8; 16]);

/// A relay, and the peer for which alone it rests.
type Resting = (AgentId, Option<AgentId>);

/// What rests and what is under way.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    rests: BTreeMap<Resting, Rest>,
    timers: Timers<Resting>,
    deposits: BTreeMap<DepositId, Deposit>,
    next_deposit: u64,
    /// What is to be said to peers whose relays all rest.
    unsaid: BTreeMap<AgentId, Vec<Mail>>,
    /// How many pieces only this keeps.
    sayings: usize,
    /// The peers whose prekeys are being asked for.
    asking: BTreeSet<AgentId>,
    /// Requests that no relay has answered, by relay and peer.
    requests: BTreeMap<(AgentId, AgentId), TakeId>,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    /// In a row.
    failures: u32,
    /// Whether it is over: the next try may come.
    over: bool,
}

/// A piece of mail for a peer.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) to: AgentId,
    pub(crate) expires: WallTime,
    pub(crate) frame: Vec<u8>,
}

/// Something that is being left with a relay.
#[derive(Clone, Debug)]
pub(crate) struct Deposit {
    pub(crate) relay: AgentId,
    pub(crate) to: AgentId,
    pub(crate) what: Left,
}

/// What is being left.
#[derive(Clone, Debug)]
pub(crate) enum Left {
    /// A message, which the outbox keeps.
    Message(MessageId),
    /// What is said about messages: only this keeps it.
    Saying(Mail),
}

impl Relays {
    /// What the relays of a peer could do now.
    pub(crate) fn situation(&self, relays: &[Relay], peer: &AgentId) -> RelaySituation {
        match self.usable(relays, peer, 0) {
            Some(relay) => RelaySituation::Usable(relay.agent),
            None if relays.is_empty() => RelaySituation::None,
            None => RelaySituation::Unreachable,
        }
    }

    /// The relay of a peer for what was left with one so often before, without an answer: the first
    /// that does not rest, then the one after it.
    pub(crate) fn usable<'a>(
        &self,
        relays: &'a [Relay],
        peer: &AgentId,
        before: u32,
    ) -> Option<&'a Relay> {
        let usable = || relays.iter().filter(|relay| !self.rests(&relay.agent, peer));
        let count = usable().count();
        let before = usize::try_from(before).unwrap_or(0);
        usable().nth(before.checked_rem(count)?)
    }

    /// A relay did not answer: it rests, for all.
    pub(crate) fn gone(&mut self, relay: AgentId, now: Duration, random: &mut dyn Random) {
        let failures = self.rests.get(&(relay, None)).map_or(0, |rest| rest.failures);
        let rest = FIRST_REST.saturating_mul(1 << failures.min(16)).min(LONGEST_REST);
        let jitter = f64::from(random.below(1_000)) / 4_000.0;
        self.rest((relay, None), failures.saturating_add(1), now + rest.mul_f64(1.0 - jitter));
    }

    /// A relay takes nothing for this peer for a while.
    pub(crate) fn put_off(&mut self, relay: AgentId, peer: AgentId, until: Duration) {
        self.rest((relay, Some(peer)), 0, until);
    }

    /// A relay answered.
    pub(crate) fn answered(&mut self, relay: AgentId) {
        self.rests.remove(&(relay, None));
        self.timers.clear(&(relay, None));
    }

    /// The relays whose rest is over.
    pub(crate) fn due(&mut self, now: Duration) -> Vec<AgentId> {
        let mut relays = Vec::new();
        while let Some(resting) = self.timers.pop_due(now) {
            match resting {
                (_, Some(_)) => {
                    self.rests.remove(&resting);
                }
                (_, None) => {
                    if let Some(rest) = self.rests.get_mut(&resting) {
                        rest.over = true;
                    }
                }
            }
            relays.push(resting.0);
        }
        relays
    }

    /// When [`Relays::due`] has something to say.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// Whether more may be said of which only this keeps a copy.
    pub(crate) fn has_room(&self) -> bool {
        self.sayings < SAYINGS
    }

    /// A deposit begins.
    pub(crate) fn leave(&mut self, deposit: Deposit) -> DepositId {
        self.sayings += usize::from(matches!(deposit.what, Left::Saying(_)));
        let id = DepositId(self.next_deposit);
        self.next_deposit += 1;
        self.deposits.insert(id, deposit);
        id
    }

    /// A deposit came to its end; `None` for one that nobody waits for any more.
    pub(crate) fn ended(&mut self, id: DepositId) -> Option<Deposit> {
        let ended = self.deposits.remove(&id)?;
        self.sayings -= usize::from(matches!(ended.what, Left::Saying(_)));
        Some(ended)
    }

    /// Keeps what no relay can be given now.
    pub(crate) fn hold(&mut self, mail: Mail) {
        self.sayings += 1;
        self.unsaid.entry(mail.to).or_default().push(mail);
    }

    /// Takes what is held for some peers.
    pub(crate) fn take_unsaid(&mut self, of: impl Fn(&AgentId) -> bool) -> Vec<Mail> {
        let peers: Vec<_> = self.unsaid.keys().copied().filter(of).collect();
        let unsaid: Vec<_> =
            peers.iter().filter_map(|peer| self.unsaid.remove(peer)).flatten().collect();
        self.sayings -= unsaid.len();
        unsaid
    }

    /// Nothing that is under way is waited for: the rows are loaded anew.
    pub(crate) fn forget_under_way(&mut self) {
        self.deposits.clear();
        self.unsaid.clear();
        self.sayings = 0;
        // An answer that came while nothing could be read was taken by nobody. What is asked for
        // again goes under the same name.
        self.asking.clear();
    }

    /// Asks a relay for a peer's prekeys, unless one is being asked. A request that this relay has
    /// not answered is made again under its name.
    pub(crate) fn ask(
        &mut self,
        relay: AgentId,
        peer: AgentId,
        random: &mut dyn Random,
    ) -> Option<TakeId> {
        if !self.asking.insert(peer) {
            return None;
        }
        if let Some(request) = self.requests.get(&(relay, peer)) {
            return Some(*request);
        }
        let request = TakeId(random.array());
        if self.requests.len() < REMEMBERED {
            self.requests.insert((relay, peer), request);
        }
        Some(request)
    }

    /// Nobody is asked for this peer's prekeys any more; whether the relay has answered.
    pub(crate) fn asked(&mut self, relay: AgentId, peer: AgentId, answered: bool) {
        self.asking.remove(&peer);
        if answered {
            self.requests.remove(&(relay, peer));
        }
    }

    fn rests(&self, relay: &AgentId, peer: &AgentId) -> bool {
        let rests = |resting| self.rests.get(&resting).is_some_and(|rest| !rest.over);
        rests((*relay, None)) || rests((*relay, Some(*peer)))
    }

    fn rest(&mut self, resting: Resting, failures: u32, until: Duration) {
        if self.rests.len() < REMEMBERED || self.rests.contains_key(&resting) {
            self.rests.insert(resting, Rest { failures, over: false });
            self.timers.set(resting, until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: AgentId = AgentId::from_bytes([9; 32]);
    const OTHER: AgentId = AgentId::from_bytes([8; 32]);

    /// No jitter below the whole: `below` returns its bound less one.
    #[derive(Debug)]
    struct Most;

    impl Random for Most {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(0xff);
        }
    }

    fn three() -> Vec<Relay> {
        [1, 2, 3].map(|n| Relay { agent: id(n), addresses: Vec::new() }).into()
    }

    fn id(number: u8) -> AgentId {
        AgentId::from_bytes([number; 32])
    }

    fn usable(relays: &Relays, before: u32) -> Option<AgentId> {
        relays.usable(&three(), &PEER, before).map(|relay| relay.agent)
    }

    #[test]
    fn relays_are_tried_in_order_and_one_that_fails_is_passed_over_for_a_while() {
        let mut relays = Relays::default();
        assert_eq!(usable(&relays, 0), Some(id(1)));
        relays.gone(id(1), Duration::ZERO, &mut Most);
        assert_eq!(usable(&relays, 0), Some(id(2)));
        relays.gone(id(2), Duration::ZERO, &mut Most);
        relays.gone(id(3), Duration::ZERO, &mut Most);
        assert_eq!(relays.situation(&three(), &PEER), RelaySituation::Unreachable);
        assert_eq!(relays.situation(&[], &PEER), RelaySituation::None);
        assert_eq!(relays.due(FIRST_REST), [id(1), id(2), id(3)]);
        assert_eq!(relays.situation(&three(), &PEER), RelaySituation::Usable(id(1)));
    }

    #[test]
    fn the_rest_doubles_up_to_its_bound_and_an_answer_ends_it() {
        let (mut relays, mut now) = (Relays::default(), Duration::ZERO);
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            relays.gone(id(1), now, &mut Most);
            let at = relays.next_timeout().unwrap();
            let rest = (at - now).as_secs_f64();
            let expected = f64::from(expected);
            assert!(rest >= expected * 0.74 && rest <= expected, "{rest} for {expected}");
            assert_eq!(relays.due(at), [id(1)]);
            now = at;
        }
        relays.answered(id(1));
        relays.gone(id(1), now, &mut Most);
        assert!(relays.next_timeout().unwrap() <= now + FIRST_REST);
    }

    #[test]
    fn who_has_no_answer_goes_to_the_next_relay_and_then_round() {
        let relays = Relays::default();
        let order: Vec<_> = (0..4).filter_map(|before| usable(&relays, before)).collect();
        assert_eq!(order, [id(1), id(2), id(3), id(1)]);
    }

    #[test]
    fn a_relay_that_is_full_for_one_peer_is_used_for_another() {
        let mut relays = Relays::default();
        relays.put_off(id(1), PEER, REFUSED_REST);
        assert_eq!(usable(&relays, 0), Some(id(2)));
        let for_other = relays.usable(&three(), &OTHER, 0).map(|relay| relay.agent);
        assert_eq!(for_other, Some(id(1)));
        assert_eq!(relays.due(REFUSED_REST), [id(1)]);
        assert_eq!(usable(&relays, 0), Some(id(1)));
    }

    #[test]
    fn a_request_that_has_no_answer_is_made_again_under_its_name() {
        let mut relays = Relays::default();
        let first = relays.ask(id(1), PEER, &mut Most);
        assert!(first.is_some());
        assert_eq!(relays.ask(id(1), PEER, &mut Most), None, "one is asked at a time");
        relays.asked(id(1), PEER, false);
        assert_eq!(relays.ask(id(1), PEER, &mut Counting(1)), first);
        relays.asked(id(1), PEER, true);
        assert_ne!(relays.ask(id(1), PEER, &mut Counting(2)), first);
    }

    #[derive(Debug)]
    struct Counting(u8);

    impl Random for Counting {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }
}
