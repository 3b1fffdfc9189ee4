//! Mail: kept, given to its owner, repeated without harm, within quotas.

use meshwork_protocols::relay::*;
use meshwork_relay::{Asked, Limits, Outcome};

use crate::common::*;

#[test]
fn mail_is_given_to_its_owner_in_order_until_it_is_acknowledged() {
    let owner = Agent::new(1, 3);
    let mut relay = serving(&owner, Limits::default());
    for number in 1..=3 {
        let left = deposit(&mut relay, someone(number), owner.id(), &[number as u8]);
        assert_eq!(left, Ok(MailNumber(number.into())));
    }
    let mail = fetched(&mut relay, owner.id());
    let expected: Vec<_> = (1..=3)
        .map(|number: u16| Kept {
            number: MailNumber(number.into()),
            sender: someone(number),
            since: NOW.wall,
            packet: vec![number as u8].into(),
        })
        .collect();
    assert_eq!(mail, expected);
    assert_eq!(ask(&mut relay, owner.id(), acknowledge(owner.id(), &[1, 3])), Answer::Done);
    assert_eq!(fetched(&mut relay, owner.id()), expected[1..2]);
    // Once more, as if the answer had been lost; and the number is not used again.
    assert_eq!(ask(&mut relay, owner.id(), acknowledge(owner.id(), &[1, 3])), Answer::Done);
    assert_eq!(deposit(&mut relay, someone(4), owner.id(), b"next"), Ok(MailNumber(4)));
}

#[test]
fn a_repeated_deposit_is_answered_as_the_first_and_kept_once() {
    let owner = Agent::new(1, 3);
    let mut relay = serving(&owner, Limits::default());
    for _ in 0..3 {
        assert_eq!(deposit(&mut relay, someone(1), owner.id(), b"sealed"), Ok(MailNumber(1)));
    }
    // Also within one request, and within one batch.
    let twice = Request::Deposit(vec![mail(owner.id(), b"two"), mail(owner.id(), b"two")]);
    let numbers = vec![Ok(MailNumber(2)), Ok(MailNumber(2))];
    assert_eq!(ask(&mut relay, someone(1), twice), Answer::Deposited(numbers));
    assert_eq!(fetched(&mut relay, owner.id()).len(), 2);
    assert_eq!(relay.metrics().repeated_deposits, 3);
    assert_eq!(relay.take_nudges(), [(owner.id(), Nudge::Mail)]);
}

#[test]
fn a_deposit_repeated_in_the_batch_that_acknowledges_it_is_answered_as_the_first() {
    let owner = Agent::new(1, 3);
    let mut relay = serving(&owner, Limits::default());
    assert_eq!(deposit(&mut relay, someone(1), owner.id(), b"sealed"), Ok(MailNumber(1)));
    let again = Request::Deposit(vec![mail(owner.id(), b"sealed")]);
    let batch = [
        Asked { caller: owner.id(), request: acknowledge(owner.id(), &[1]) },
        Asked { caller: someone(1), request: again },
    ];
    let outcomes = relay.serve(NOW, &batch).unwrap();
    let as_before = Answer::Deposited(vec![Ok(MailNumber(1))]);
    assert_eq!(outcomes, [Outcome::Answer(Answer::Done), Outcome::Answer(as_before)]);
    assert_eq!(fetched(&mut relay, owner.id()), []);
    assert_eq!(deposit(&mut relay, someone(1), owner.id(), b"sealed"), Ok(MailNumber(1)));
}

#[test]
fn a_full_mailbox_says_so_and_takes_mail_again_after_an_acknowledgement() {
    let owner = Agent::new(1, 3);
    let limits = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        limits
    };
    let by_pieces = limits(|limits| limits.mailbox_pieces = 3);
    let by_bytes = limits(|limits| limits.mailbox_bytes = 3);
    let by_share = limits(|limits| limits.share_pieces = 3);
    let by_share_bytes = limits(|limits| limits.share_bytes = 3);
    for limits in [by_pieces, by_bytes, by_share, by_share_bytes] {
        let mut relay = serving(&owner, limits);
        for number in 1..=3 {
            assert!(deposit(&mut relay, someone(1), owner.id(), &[number]).is_ok());
        }
        let full = deposit(&mut relay, someone(1), owner.id(), &[4]).unwrap_err();
        assert!(full.retry_after().is_some_and(|secs| secs > 0), "{full:?}");
        ask(&mut relay, owner.id(), acknowledge(owner.id(), &[2]));
        assert_eq!(deposit(&mut relay, someone(1), owner.id(), &[4]), Ok(MailNumber(4)));
    }
    let mut relay = serving(&owner, by_share);
    for number in 1..=4 {
        assert_eq!(deposit(&mut relay, someone(1), owner.id(), &[number]).is_ok(), number < 4);
    }
    assert!(deposit(&mut relay, someone(2), owner.id(), b"another's share").is_ok());
}

#[test]
fn one_sender_has_its_hour_and_a_full_relay_still_lets_owners_make_room() {
    let owner = Agent::new(1, 3);
    let limits = Limits { sender_pieces: 2, ..limits() };
    let mut relay = serving(&owner, limits);
    assert!(deposit(&mut relay, someone(1), owner.id(), b"1").is_ok());
    assert!(deposit(&mut relay, someone(1), owner.id(), b"2").is_ok());
    let refused = deposit(&mut relay, someone(1), owner.id(), b"3").unwrap_err();
    assert_eq!(refused, Refusal::NotNow { retry_after: 3_601 });
    assert!(deposit(&mut relay, someone(2), owner.id(), b"3").is_ok());

    let stored = relay.metrics().stored_bytes;
    let mut relay = serving(&owner, Limits { total_bytes: stored, ..self::limits() });
    let mut number = 0;
    while ask(&mut relay, someone(1), Request::Deposit(vec![mail(owner.id(), &[number])]))
        == Answer::Deposited(vec![Ok(MailNumber(u64::from(number) + 1))])
    {
        number += 1;
    }
    let full = ask(&mut relay, someone(1), Request::Deposit(vec![mail(owner.id(), b"more")]));
    assert!(matches!(full, Answer::Refused(Refusal::NotNow { .. })), "{full:?}");
    assert_eq!(ask(&mut relay, owner.id(), acknowledge(owner.id(), &[1])), Answer::Done);
}

fn limits() -> Limits {
    Limits::default()
}

#[test]
fn strangers_have_what_the_rules_leave_them_and_known_senders_are_not_bound_by_it() {
    let owner = Agent::new(1, 3);
    let mut relay = serving(&owner, limits());
    let known = [someone(1), someone(2)];
    let strangers = StrangerQuota { pieces: 2, bytes: 1 << 20 };
    let rules = Rules::new(PROVIDER, 1, RulesKey([3; 32]), known.iter(), strangers);
    assert_eq!(ask(&mut relay, owner.id(), Request::SetRules(rules)), Answer::Done);
    for number in 0..9 {
        assert!(deposit(&mut relay, known[0], owner.id(), &[number]).is_ok());
        let strange =
            deposit(&mut relay, someone(50 + u16::from(number)), owner.id(), &[100 + number]);
        assert_eq!(strange.is_ok(), number < 2, "{number}");
    }
}

#[test]
fn mail_past_its_time_is_neither_given_nor_kept() {
    let owner = Agent::new(1, 3);
    let mut relay = serving(&owner, limits());
    deposit(&mut relay, someone(1), owner.id(), b"sealed").unwrap();
    let stored = relay.metrics().stored_entries;
    let late = NOW + DAY;
    assert_eq!(ask_at(&mut relay, late, owner.id(), fetch(owner.id(), 0)), Answer::Mail(vec![]));
    for _ in 0..3 {
        relay.sweep(late).unwrap();
    }
    assert_eq!(relay.metrics().stored_entries, stored - 1);
    assert_eq!(deposit(&mut relay, someone(1), owner.id(), b"next"), Ok(MailNumber(2)));
}

#[test]
fn an_answer_holds_what_fits_and_the_rest_comes_behind_the_last_number() {
    let owner = Agent::new(1, 3);
    let mut relay = serving(&owner, limits());
    for number in 0..5 {
        deposit(&mut relay, someone(1), owner.id(), &vec![number; 400_000]).unwrap();
    }
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let Answer::Mail(mail) = ask(&mut relay, owner.id(), fetch(owner.id(), after)) else {
            panic!()
        };
        let Some(last) = mail.last() else { break };
        after = last.number.0;
        seen.extend(mail.iter().map(|kept| kept.number.0));
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    let most = vec![0; MAX_PACKET];
    assert!(deposit(&mut relay, someone(1), owner.id(), &most).is_ok());
    assert_eq!(fetched(&mut relay, owner.id()).len(), 2);
}
