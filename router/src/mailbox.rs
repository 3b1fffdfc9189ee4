//! The mailbox that a relay of ours keeps for us: our card is there, the depth of our pool is known,
//! and mail is fetched as it comes.
//!
//! Owns what is asked next and when. Knows no session: whoever makes the calls says what was
//! answered.

use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::{AgentId, Card, Sequence};
use meshwork_protocols::relay::{Answer, Depth, Fetch, Kept, MailNumber, Nudge, Request};

use crate::input::RelayFailure;

/// How long the relay waits for mail before it says that there is none: shorter than
/// [`MAX_WAIT`](meshwork_protocols::relay::MAX_WAIT), which it may not exceed.
pub const LONG_POLL: Duration = Duration::from_secs(45);

/// The most pieces fetched at once: what is not acknowledged yet is fetched once all the same.
const MOST: u16 = 256;

/// How often the mailbox is read from its start, for what could not be taken when it came, and the
/// pool is looked at.
const FROM_THE_START: Duration = Duration::from_secs(5 * 60);

/// The first wait after a relay did not answer; it doubles.
const FIRST_REST: Duration = Duration::from_millis(500);

/// The longest wait: a relay that is back is used again within it.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Our mailbox at one relay. Times are of the monotonic clock.
#[derive(Debug)]
pub struct Mailbox {
    own: AgentId,
    step: Step,
    /// The card that the relay has of us.
    card: Option<Sequence>,
    /// Mail up to this number was given to us since the mailbox was read from its start.
    after: MailNumber,
    /// When it is read from its start again.
    starts_again: Duration,
    /// How long the relay may wait with an answer: not before all that is there was fetched.
    wait: Duration,
    /// How long it is left alone when it does not answer the next time.
    rest: Duration,
    rests_until: Option<Duration>,
    /// Whether it did not answer, or was never asked, since it was last met.
    was_away: bool,
    /// Whether it said that our pool runs low.
    is_low: bool,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    PutCard,
    Depth,
    Fetch,
}

/// What is to be done next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Ask this.
    Ask(Request),
    /// Nothing before this moment.
    RestUntil(Duration),
}

/// What an answer brought.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Brought {
    /// What is left of our pools there.
    pub depth: Option<Depth>,
    /// Whether the relay answers again, or for the first time.
    pub is_back: bool,
    /// Mail, in its order.
    pub mail: Vec<Kept>,
    /// Whether the mailbox was read to its end.
    pub is_at_end: bool,
    /// Whether the relay did not do what it was asked.
    pub failed: bool,
}

impl Mailbox {
    /// That of an agent, which nobody has looked into.
    pub const fn new(own: AgentId) -> Self {
        Self {
            own,
            step: Step::PutCard,
            card: None,
            after: MailNumber(0),
            starts_again: Duration::ZERO,
            wait: Duration::ZERO,
            rest: FIRST_REST,
            rests_until: None,
            was_away: true,
            is_low: false,
        }
    }

    /// What is to be done now. `card` is our newest one.
    pub fn turn(&mut self, now: Duration, card: &Card) -> Turn {
        if let Some(until) = self.rests_until.filter(|until| now < *until) {
            return Turn::RestUntil(until);
        }
        self.rests_until = None;
        if self.card != Some(card.sequence())
            || self.step == Step::Fetch && now >= self.starts_again
        {
            self.step = Step::PutCard;
        }
        if core::mem::take(&mut self.is_low) && self.step == Step::Fetch {
            self.step = Step::Depth;
        }
        match self.step {
            Step::PutCard => {
                // What is put is what this turn has seen: an answer to it says so.
                self.card = Some(card.sequence());
                Turn::Ask(Request::PutCard(card.as_bytes().to_vec().into()))
            }
            Step::Depth => Turn::Ask(Request::Depth(self.own)),
            Step::Fetch => Turn::Ask(self.fetch()),
        }
    }

    /// What the relay answered to the last turn.
    pub fn answered(&mut self, now: Duration, answer: Result<Answer, RelayFailure>) -> Brought {
        let brought = match (self.step, answer) {
            (Step::PutCard, Ok(Answer::Done)) => {
                self.step = Step::Depth;
                Brought::default()
            }
            (Step::Depth, Ok(Answer::Depth(depth))) => self.met(now, depth),
            (Step::Fetch, Ok(Answer::Mail(mail))) => self.fetched(mail),
            _ => return self.failed(now),
        };
        self.rest = FIRST_REST;
        brought
    }

    /// The relay says that something waits, so it is there.
    pub fn nudged(&mut self, nudge: Nudge) {
        (self.rests_until, self.rest) = (None, FIRST_REST);
        self.is_low |= nudge == Nudge::LowPool;
    }

    fn fetch(&self) -> Request {
        let wait = u32::try_from(self.wait.as_millis()).unwrap_or(0);
        Request::Fetch(Fetch { mailbox: self.own, after: self.after, most: MOST, wait })
    }

    /// The relay has our card: mail is read from its start.
    fn met(&mut self, now: Duration, depth: Depth) -> Brought {
        self.step = Step::Fetch;
        self.after = MailNumber(0);
        self.wait = Duration::ZERO;
        self.starts_again = now + FROM_THE_START;
        let is_back = core::mem::replace(&mut self.was_away, false);
        Brought { depth: Some(depth), is_back, ..Brought::default() }
    }

    fn fetched(&mut self, mail: Vec<Kept>) -> Brought {
        // What is there already comes first, without a wait.
        self.wait = if mail.is_empty() { LONG_POLL } else { Duration::ZERO };
        self.after = mail.iter().map(|kept| kept.number).fold(self.after, Ord::max);
        Brought { is_at_end: mail.is_empty(), mail, ..Brought::default() }
    }

    fn failed(&mut self, now: Duration) -> Brought {
        (self.step, self.was_away) = (Step::PutCard, true);
        self.rests_until = Some(now + self.rest);
        self.rest = (self.rest * 2).min(LONGEST_REST);
        Brought { failed: true, ..Brought::default() }
    }
}

const _: () = assert!(LONG_POLL.as_secs() < meshwork_protocols::relay::MAX_WAIT.as_secs());

#[cfg(test)]
mod tests {
    use alloc::vec;

    use meshwork_protocols::identity::{CardBody, LiveKey, Root, SigningPair, Validity};
    use meshwork_protocols::provider::pure::Pure;
    use meshwork_protocols::random::Random;
    use meshwork_protocols::time::WallTime;

    use super::*;

    const OWN: AgentId = AgentId::from_bytes([1; 32]);
    const NOW: Duration = Duration::from_secs(100);

    #[derive(Debug)]
    struct Counting(u8);

    impl Random for Counting {
        fn fill(&mut self, out: &mut [u8]) {
            self.0 += 1;
            out.fill(self.0);
        }
    }

    fn signed(sequence: u64) -> Card {
        let mut random = Counting(0);
        let root = Root::generate(&Pure, &mut random).unwrap();
        let signing = SigningPair::generate(&Pure, &mut random).unwrap();
        let live = LiveKey::generate(&Pure, &mut random);
        let validity = Validity::starting(WallTime::from_secs(1), Duration::from_secs(1_000));
        let signing = signing.public().clone();
        let body = CardBody::new(Sequence::new(sequence), validity, signing, *live.public());
        root.sign_card(&Pure, body, &mut random).unwrap()
    }

    fn kept(number: u64) -> Kept {
        let (number, since) = (MailNumber(number), WallTime::from_secs(1));
        Kept { number, sender: OWN, since, packet: vec![1].into() }
    }

    /// What is asked, and how long the relay may wait.
    fn asked(mailbox: &mut Mailbox, card: &Card, now: Duration) -> (Request, Duration) {
        match mailbox.turn(now, card) {
            Turn::Ask(request) => {
                let wait = request.wait();
                (request, wait)
            }
            Turn::RestUntil(until) => panic!("rests until {until:?}"),
        }
    }

    fn fetched_after(mailbox: &mut Mailbox, card: &Card, now: Duration) -> (u64, Duration) {
        match asked(mailbox, card, now) {
            (Request::Fetch(fetch), wait) => (fetch.after.0, wait),
            (request, _) => panic!("{request:?}"),
        }
    }

    /// A mailbox whose relay has the card and answered for the first time.
    fn met(card: &Card) -> Mailbox {
        let mut mailbox = Mailbox::new(OWN);
        assert!(matches!(asked(&mut mailbox, card, NOW).0, Request::PutCard(_)));
        mailbox.answered(NOW, Ok(Answer::Done));
        assert_eq!(asked(&mut mailbox, card, NOW).0, Request::Depth(OWN));
        let brought = mailbox.answered(NOW, Ok(Answer::Depth(Depth::default())));
        assert!(brought.is_back && brought.depth.is_some());
        mailbox
    }

    #[test]
    fn mail_that_is_there_comes_without_a_wait_and_then_the_relay_waits_for_more() {
        let card = signed(1);
        let mut mailbox = met(&card);
        assert_eq!(fetched_after(&mut mailbox, &card, NOW), (0, Duration::ZERO));
        let brought = mailbox.answered(NOW, Ok(Answer::Mail(vec![kept(3), kept(5)])));
        assert_eq!((brought.mail.len(), brought.is_at_end), (2, false));
        assert_eq!(fetched_after(&mut mailbox, &card, NOW), (5, Duration::ZERO));
        assert!(mailbox.answered(NOW, Ok(Answer::Mail(vec![]))).is_at_end);
        assert_eq!(fetched_after(&mut mailbox, &card, NOW), (5, LONG_POLL));
    }

    #[test]
    fn the_mailbox_is_read_from_its_start_now_and_then_and_where_the_card_is_new() {
        let card = signed(1);
        let mut mailbox = met(&card);
        mailbox.answered(NOW, Ok(Answer::Mail(vec![kept(3)])));
        let before = NOW + FROM_THE_START - Duration::from_millis(1);
        assert_eq!(fetched_after(&mut mailbox, &card, before), (3, Duration::ZERO));
        let due = NOW + FROM_THE_START;
        assert!(matches!(asked(&mut mailbox, &card, due).0, Request::PutCard(_)));
        mailbox.answered(due, Ok(Answer::Done));
        let brought = mailbox.answered(due, Ok(Answer::Depth(Depth::default())));
        assert!(!brought.is_back, "it was never away");
        assert_eq!(fetched_after(&mut mailbox, &card, due), (0, Duration::ZERO));
        let newer = signed(2);
        assert!(matches!(asked(&mut mailbox, &newer, due).0, Request::PutCard(_)));
    }

    #[test]
    fn a_relay_that_does_not_answer_rests_twice_as_long_each_time_up_to_the_bound() {
        let (card, mut now) = (signed(1), NOW);
        let mut mailbox = Mailbox::new(OWN);
        for millis in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            assert!(matches!(asked(&mut mailbox, &card, now).0, Request::PutCard(_)));
            assert!(mailbox.answered(now, Err(RelayFailure::Gone)).failed);
            let until = now + Duration::from_millis(millis);
            let shortly_before = until - Duration::from_millis(1);
            assert_eq!(mailbox.turn(shortly_before, &card), Turn::RestUntil(until));
            now = until;
        }
        asked(&mut mailbox, &card, now);
        mailbox.answered(now, Ok(Answer::Done));
        assert!(mailbox.answered(now, Ok(Answer::Depth(Depth::default()))).is_back);
    }

    #[test]
    fn a_nudge_ends_a_rest_and_one_for_a_low_pool_has_its_depth_asked_for() {
        let card = signed(1);
        let mut mailbox = met(&card);
        mailbox.nudged(Nudge::Mail);
        assert_eq!(fetched_after(&mut mailbox, &card, NOW), (0, Duration::ZERO));
        mailbox.nudged(Nudge::LowPool);
        let answered = mailbox.answered(NOW, Ok(Answer::Mail(vec![])));
        assert!(answered.is_at_end, "what was under way still counts");
        assert_eq!(asked(&mut mailbox, &card, NOW).0, Request::Depth(OWN));
        mailbox.answered(NOW, Err(RelayFailure::Gone));
        assert!(matches!(mailbox.turn(NOW, &card), Turn::RestUntil(_)));
        mailbox.nudged(Nudge::Mail);
        assert!(matches!(asked(&mut mailbox, &card, NOW).0, Request::PutCard(_)));
    }

    #[test]
    fn an_answer_to_something_else_is_a_failure() {
        let card = signed(1);
        for wrong in [Answer::Done, Answer::Depth(Depth::default())] {
            let mut mailbox = met(&card);
            asked(&mut mailbox, &card, NOW);
            assert!(mailbox.answered(NOW, Ok(wrong)).failed);
        }
    }
}
