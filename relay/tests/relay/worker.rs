//! The thread: many who ask at once, long polls, nudges, and the end of it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::*;
use meshwork_protocols::time::Timestamp;
use meshwork_relay::{Limits, Surroundings, Worker};

use crate::common::*;

fn start(agent: &Agent) -> (Worker, Receiver<(AgentId, Nudge)>) {
    let relay = serving(agent, Limits::default());
    let (nudges, nudged): (Sender<(AgentId, Nudge)>, _) = channel();
    let began = Instant::now();
    let clock = Box::new(move || Timestamp {
        monotonic: NOW.monotonic + began.elapsed(),
        wall: NOW.wall + began.elapsed(),
    });
    let nudge = Box::new(move |agent, nudge| {
        let _gone = nudges.send((agent, nudge));
    });
    (Worker::start(relay, Surroundings { clock, nudge }).unwrap(), nudged)
}

fn ask(worker: &Worker, caller: AgentId, request: &Request) -> Receiver<Answer> {
    let (answer, answered) = channel();
    let reply = Box::new(move |bytes: Vec<u8>| {
        let _gone = answer.send(Answer::decode(&bytes).unwrap());
    });
    worker.ask(caller, &request.encode(), reply);
    answered
}

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_thousand_deposits_at_once_cost_few_transactions() {
    let owner = Agent::new(1, 3);
    let (worker, nudged) = start(&owner);
    let deposit = |number: u16| Request::Deposit(vec![mail(owner.id(), &number.to_be_bytes())]);
    let answers: Vec<_> =
        (0..1_000).map(|number| ask(&worker, someone(number), &deposit(number))).collect();
    for answer in answers {
        assert!(
            matches!(answer.recv_timeout(SOON).unwrap(), Answer::Deposited(of) if of[0].is_ok())
        );
    }
    assert_eq!(nudged.recv_timeout(SOON).unwrap(), (owner.id(), Nudge::Mail));
    let all = ask(&worker, owner.id(), &fetch(owner.id(), 0)).recv_timeout(SOON).unwrap();
    assert!(matches!(all, Answer::Mail(mail) if mail.len() == 1_000));
}

#[test]
fn a_long_poll_is_answered_by_what_comes_or_when_its_time_is_over() {
    let owner = Agent::new(1, 3);
    let (worker, _nudged) = start(&owner);
    let poll =
        |wait| Request::Fetch(Fetch { mailbox: owner.id(), after: MailNumber(0), most: 9, wait });
    let over = ask(&worker, owner.id(), &poll(50)).recv_timeout(SOON).unwrap();
    assert_eq!(over, Answer::Mail(vec![]));
    let waits = ask(&worker, owner.id(), &poll(60_000));
    assert!(waits.recv_timeout(Duration::from_millis(300)).is_err());
    ask(&worker, someone(1), &Request::Deposit(vec![mail(owner.id(), b"sealed")]));
    assert!(matches!(waits.recv_timeout(SOON).unwrap(), Answer::Mail(mail) if mail.len() == 1));
}

#[test]
fn bytes_that_are_no_request_are_refused_by_name_and_counted() {
    let owner = Agent::new(1, 3);
    let (worker, _nudged) = start(&owner);
    let (answer, answered) = channel();
    worker.ask(someone(1), b"\x01\xff", Box::new(move |bytes| answer.send(bytes).unwrap()));
    let answer = Answer::decode(&answered.recv_timeout(SOON).unwrap()).unwrap();
    assert_eq!(answer, Answer::Refused(Refusal::Malformed));
    let deadline = Instant::now() + SOON;
    while worker.metrics().refusals.get("malformed") != Some(&1) {
        assert!(Instant::now() < deadline, "it was not counted");
        std::thread::sleep(Duration::from_millis(50));
    }
}
