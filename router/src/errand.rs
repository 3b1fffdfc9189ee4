//! What is wanted of one relay, as requests; and what came of them, as news.
//!
//! Owns what goes into which request, and in which order. Knows no session: whoever makes the calls
//! says what was answered.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::{AgentId, Relay};
use meshwork_protocols::relay::{
    Answer, Deposit, KeyKind, MAX_DEPOSITS, MailNumber, OneTime, Publication, Publish, PublishMode,
    Refusal, Request, Rules, SignedKeys, TakeId as WireTakeId, Taken,
};
use meshwork_protocols::time::WallTime;

use crate::input::{RelayFailure, RelayNews, TakenKey, TakenPrekeys};
use crate::output::{Output, RelayPool};
use crate::relays::{DepositId, TakeId};

/// The most errands that wait for one relay: with the largest frames a gigabyte would, with usual
/// ones a few megabytes. Beyond it a relay counts as one that takes no more now.
pub const ERRANDS: usize = 1_024;

/// When an errand that found no room is tried again.
const NO_ROOM: RelayFailure = RelayFailure::NotNow { retry_after: Duration::from_secs(5) };

/// The most bytes of packets in one request: with what is around each it stays below what a call
/// carries, and one of the largest goes alone.
const PACKETS: usize = 512 << 10;

/// Something to do at a relay.
#[derive(Debug)]
pub struct Errand(Kind);

#[derive(Debug)]
enum Kind {
    /// Leave a packet for somebody.
    Deposit(DepositId, Deposit),
    /// Mail need not be kept any more.
    Acknowledge(MailNumber),
    /// What is not gathered.
    Alone(Alone),
}

/// What goes in a request of its own.
#[derive(Debug)]
enum Alone {
    /// Ask for somebody's prekeys: first for the card that says whose signature counts.
    Take { request: TakeId, of: AgentId },
    /// The same, behind the card.
    Keys { request: TakeId, of: AgentId, card: Option<Vec<u8>> },
    /// Keep own prekeys.
    Publish { bundle: Vec<u8>, pool: Option<RelayPool> },
    /// Hold to these.
    Rules(Box<Rules>),
}

impl Errand {
    /// The errand that an output is, and the relay that it goes to; `None` for any other output. Of
    /// a relay of one's own only the id is said.
    pub fn of(output: Output) -> Option<(Relay, Self)> {
        let named = |agent| Relay { agent, addresses: Vec::new() };
        let (relay, kind) = match output {
            Output::Deposit { deposit, relay, to, expires, frame } => {
                (relay, Kind::deposit(deposit, to, expires, frame))
            }
            Output::TakePrekeys { request, relay, of } => {
                (relay, Kind::Alone(Alone::Take { request, of }))
            }
            Output::Acknowledge { relay, entry } => {
                (named(relay), Kind::Acknowledge(MailNumber(entry)))
            }
            Output::Publish { relay, bundle, pool } => {
                (named(relay), Kind::Alone(Alone::Publish { bundle, pool }))
            }
            Output::SetRules { relay, rules } => (named(relay), Kind::Alone(Alone::Rules(rules))),
            Output::Commit(..)
            | Output::Transmit { .. }
            | Output::Dial { .. }
            | Output::Close { .. }
            | Output::AskRelay { .. }
            | Output::Event(_) => return None,
        };
        Some((relay, Self(kind)))
    }

    /// What an errand that found no room came to; `None` for one that comes again by itself.
    pub fn found_no_room(&self, relay: AgentId) -> Option<RelayNews<'static>> {
        match self.0 {
            Kind::Deposit(deposit, _) => Some(RelayNews::NotDeposited { deposit, why: NO_ROOM }),
            Kind::Alone(Alone::Take { of, .. } | Alone::Keys { of, .. }) => {
                Some(RelayNews::Taken { relay, of, prekeys: Err(NO_ROOM) })
            }
            Kind::Acknowledge(_) | Kind::Alone(Alone::Publish { .. } | Alone::Rules(_)) => None,
        }
    }
}

impl Kind {
    fn deposit(deposit: DepositId, to: AgentId, expires: WallTime, frame: Vec<u8>) -> Self {
        Self::Deposit(deposit, Deposit { recipient: to, expires, packet: frame.into() })
    }
}

/// The errands that wait for one relay, and the one request that is under way.
#[derive(Debug)]
pub struct Errands {
    own: AgentId,
    relay: AgentId,
    /// What others wait for a key for: in the order in which it came, before all else.
    first: VecDeque<Alone>,
    deposits: VecDeque<(DepositId, Deposit)>,
    acknowledged: Vec<MailNumber>,
    under_way: Option<UnderWay>,
}

/// What the answer that is waited for is about.
#[derive(Debug)]
enum UnderWay {
    Card { request: TakeId, of: AgentId },
    Keys { of: AgentId, card: Option<Vec<u8>> },
    Publish { pool: Option<u64> },
    Rules { revision: u64 },
    Deposits(Vec<DepositId>),
    Acknowledge,
}

impl Errands {
    /// None yet, of an agent at a relay.
    pub const fn new(own: AgentId, relay: AgentId) -> Self {
        Self {
            own,
            relay,
            first: VecDeque::new(),
            deposits: VecDeque::new(),
            acknowledged: Vec::new(),
            under_way: None,
        }
    }

    /// One more waits. Where there is no room for it, it comes back.
    pub fn push(&mut self, errand: Errand) -> Result<(), Errand> {
        if self.first.len() + self.deposits.len() + self.acknowledged.len() >= ERRANDS {
            return Err(errand);
        }
        match errand.0 {
            Kind::Deposit(id, deposit) => self.deposits.push_back((id, deposit)),
            Kind::Acknowledge(number) => self.acknowledged.push(number),
            Kind::Alone(errand) => self.first.push_back(errand),
        }
        Ok(())
    }

    /// The next request; `None` while one is under way, and where nothing waits.
    pub fn next_request(&mut self) -> Option<Request> {
        if self.under_way.is_some() {
            return None;
        }
        let (request, under_way) = match self.first.pop_front() {
            Some(errand) => begin(errand),
            None if !self.deposits.is_empty() => self.gather_deposits(),
            None if !self.acknowledged.is_empty() => self.gather_acknowledgements(),
            None => return None,
        };
        self.under_way = Some(under_way);
        Some(request)
    }

    /// What the request under way came to.
    pub fn answered(&mut self, answer: Result<Answer, RelayFailure>) -> Vec<RelayNews<'static>> {
        let relay = self.relay;
        match self.under_way.take() {
            Some(UnderWay::Card { request, of }) => self.card_came(request, of, answer),
            Some(UnderWay::Keys { of, card }) => {
                let prekeys = answer.and_then(|answer| taken(answer, card));
                [RelayNews::Taken { relay, of, prekeys }].into()
            }
            Some(UnderWay::Publish { pool }) if matches!(answer, Ok(Answer::Depth(_))) => {
                [RelayNews::Published { relay, pool }].into()
            }
            Some(UnderWay::Rules { revision }) if answer == Ok(Answer::Done) => {
                [RelayNews::Ruled { relay, revision }].into()
            }
            Some(UnderWay::Deposits(ids)) => deposited(ids, answer),
            // One that is lost is made again when the relay is met, or the mail comes again.
            Some(UnderWay::Publish { .. } | UnderWay::Rules { .. } | UnderWay::Acknowledge)
            | None => Vec::new(),
        }
    }

    fn card_came(
        &mut self,
        request: TakeId,
        of: AgentId,
        answer: Result<Answer, RelayFailure>,
    ) -> Vec<RelayNews<'static>> {
        let why = match answer {
            Ok(Answer::Card(card)) => {
                let card = card.map(|card| card.0);
                self.first.push_front(Alone::Keys { request, of, card });
                return Vec::new();
            }
            Ok(_) => RelayFailure::Refused,
            Err(why) => why,
        };
        [RelayNews::Taken { relay: self.relay, of, prekeys: Err(why) }].into()
    }

    /// As many deposits as go together.
    fn gather_deposits(&mut self) -> (Request, UnderWay) {
        let (mut ids, mut together, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some((_, next)) = self.deposits.front() {
            bytes += next.packet.len();
            if !together.is_empty() && (together.len() == MAX_DEPOSITS || bytes > PACKETS) {
                break;
            }
            if let Some((id, deposit)) = self.deposits.pop_front() {
                ids.push(id);
                together.push(deposit);
            }
        }
        (Request::Deposit(together), UnderWay::Deposits(ids))
    }

    fn gather_acknowledgements(&mut self) -> (Request, UnderWay) {
        let mut numbers = core::mem::take(&mut self.acknowledged);
        numbers.sort_unstable();
        numbers.dedup();
        (Request::Acknowledge { mailbox: self.own, numbers }, UnderWay::Acknowledge)
    }
}

fn begin(errand: Alone) -> (Request, UnderWay) {
    match errand {
        Alone::Take { request, of } => (Request::GetCard(of), UnderWay::Card { request, of }),
        Alone::Keys { request: TakeId(id), of, card } => {
            let id = WireTakeId(id);
            let request = Request::Take { target: of, kind: KeyKind::Prekeys, id };
            (request, UnderWay::Keys { of, card })
        }
        Alone::Publish { bundle, pool } => {
            let number = pool.as_ref().map(|pool| pool.number);
            (publication(bundle, pool), UnderWay::Publish { pool: number })
        }
        Alone::Rules(rules) => {
            let revision = rules.revision;
            (Request::SetRules(*rules), UnderWay::Rules { revision })
        }
    }
}

fn publication(bundle: Vec<u8>, pool: Option<RelayPool>) -> Request {
    let replaces = pool.as_ref().is_some_and(|pool| pool.replaces);
    let mode = if replaces { PublishMode::Replace } else { PublishMode::Add };
    let pool = pool.map(|pool| SignedKeys { pool: pool.signed.into(), keys: pool.keys });
    let publication = Publication::Prekeys { bundle: bundle.into(), pool };
    Request::Publish(Publish { mode, publication })
}

fn taken(answer: Answer, card: Option<Vec<u8>>) -> Result<TakenPrekeys, RelayFailure> {
    let Answer::Taken(Taken::Prekeys { bundle, one_time }) = answer else {
        return Err(RelayFailure::Refused);
    };
    let one_time = one_time.map(|OneTime { pool, key }| TakenKey { pool: pool.0, key });
    Ok(TakenPrekeys { card, bundle: bundle.0, one_time })
}

/// What became of each deposit. One that the relay is silent about is not there.
fn deposited(ids: Vec<DepositId>, answer: Result<Answer, RelayFailure>) -> Vec<RelayNews<'static>> {
    let (outcomes, otherwise) = match answer {
        Ok(Answer::Deposited(outcomes)) => (outcomes, RelayFailure::Gone),
        Ok(_) => (Vec::new(), RelayFailure::Refused),
        Err(why) => (Vec::new(), why),
    };
    let mut outcomes = outcomes.into_iter();
    let news = |deposit| match outcomes.next() {
        Some(Ok(_)) => RelayNews::Deposited(deposit),
        Some(Err(refusal)) => RelayNews::NotDeposited { deposit, why: refusal.into() },
        None => RelayNews::NotDeposited { deposit, why: otherwise },
    };
    ids.into_iter().map(news).collect()
}

impl From<Refusal> for RelayFailure {
    fn from(refusal: Refusal) -> Self {
        match refusal.retry_after() {
            Some(seconds) => Self::NotNow { retry_after: Duration::from_secs(seconds.into()) },
            None => Self::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const OWN: AgentId = AgentId::from_bytes([1; 32]);
    const RELAY: AgentId = AgentId::from_bytes([2; 32]);
    const PEER: AgentId = AgentId::from_bytes([3; 32]);

    fn errands() -> Errands {
        Errands::new(OWN, RELAY)
    }

    fn deposit(number: u64, size: usize) -> Errand {
        let expires = WallTime::from_secs(1);
        Errand(Kind::deposit(DepositId(number), PEER, expires, vec![0; size]))
    }

    /// How many deposits each request holds.
    fn lengths(sizes: &[usize]) -> Vec<usize> {
        let mut errands = errands();
        for (number, size) in (0..).zip(sizes) {
            errands.push(deposit(number, *size)).unwrap();
        }
        let mut lengths = Vec::new();
        while let Some(request) = errands.next_request() {
            let Request::Deposit(deposits) = request else { panic!("{request:?}") };
            lengths.push(deposits.len());
            errands.answered(Err(RelayFailure::Gone));
        }
        lengths
    }

    #[test]
    fn deposits_go_together_up_to_the_bounds_of_a_request_and_one_past_goes_alone() {
        assert_eq!(lengths(&[1; MAX_DEPOSITS]), [MAX_DEPOSITS]);
        assert_eq!(lengths(&[1; MAX_DEPOSITS + 1]), [MAX_DEPOSITS, 1]);
        assert_eq!(lengths(&[PACKETS / 2, PACKETS / 2, 1]), [2, 1]);
        assert_eq!(lengths(&[PACKETS + 1, 1, PACKETS + 1]), [1, 1, 1]);
        assert!(lengths(&[]).is_empty());
    }

    #[test]
    fn errands_are_taken_up_to_the_bound_and_one_past_is_told_to_come_again() {
        let mut errands = errands();
        (0..ERRANDS as u64).for_each(|number| errands.push(deposit(number, 1)).unwrap());
        let back = errands.push(deposit(7, 1)).unwrap_err();
        assert!(matches!(
            back.found_no_room(RELAY),
            Some(RelayNews::NotDeposited { deposit: DepositId(7), why: NO_ROOM })
        ));
    }

    #[test]
    fn one_request_is_under_way_and_keys_are_asked_for_first_behind_their_card() {
        let mut errands = errands();
        errands.push(deposit(0, 1)).unwrap();
        let take = Alone::Take { request: TakeId([5; 16]), of: PEER };
        errands.push(Errand(Kind::Alone(take))).unwrap();
        assert_eq!(errands.next_request(), Some(Request::GetCard(PEER)));
        assert_eq!(errands.next_request(), None, "one is under way");
        assert!(errands.answered(Ok(Answer::Card(None))).is_empty());
        let id = WireTakeId([5; 16]);
        let take = Request::Take { target: PEER, kind: KeyKind::Prekeys, id };
        assert_eq!(errands.next_request(), Some(take));
        let news = errands.answered(Ok(Answer::Refused(Refusal::NoKeys)));
        assert!(matches!(
            news.as_slice(),
            [RelayNews::Taken { of: PEER, prekeys: Err(RelayFailure::Refused), .. }]
        ));
        assert!(matches!(errands.next_request(), Some(Request::Deposit(_))));
    }

    #[test]
    fn each_deposit_hears_what_became_of_it_and_one_without_an_answer_is_not_there() {
        let mut errands = errands();
        (0..3).for_each(|number| errands.push(deposit(number, 1)).unwrap());
        errands.next_request();
        let full = Refusal::NotNow { retry_after: 9 };
        let news = errands.answered(Ok(Answer::Deposited(vec![Ok(MailNumber(1)), Err(full)])));
        let wait = RelayFailure::NotNow { retry_after: Duration::from_secs(9) };
        assert!(matches!(
            news.as_slice(),
            [
                RelayNews::Deposited(DepositId(0)),
                RelayNews::NotDeposited { deposit: DepositId(1), why },
                RelayNews::NotDeposited { deposit: DepositId(2), why: RelayFailure::Gone },
            ] if *why == wait
        ));
    }

    #[test]
    fn acknowledgements_go_together_in_order_and_once() {
        let mut errands = errands();
        for number in [3, 1, 3, 2] {
            errands.push(Errand(Kind::Acknowledge(MailNumber(number)))).unwrap();
        }
        let numbers = [1, 2, 3].map(MailNumber).into();
        let expected = Request::Acknowledge { mailbox: OWN, numbers };
        assert_eq!(errands.next_request(), Some(expected));
        assert_eq!(errands.next_request(), None);
    }
}
