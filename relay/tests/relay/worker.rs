//! The thread: many who ask at once, long polls, nudges, and the end of it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::relay::*;
use meshwork_protocols::time::Timestamp;
use meshwork_relay::storage::{
    Applied, Change, Key, MemoryStorage, Most, Record, Storage, StorageError, Subject, Totals,
};
use meshwork_relay::{Limits, Relay, Surroundings, Worker};

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

/// A storage of which one change fails, and which then does not open for a while.
#[derive(Debug)]
struct Failing {
    storage: MemoryStorage,
    /// Changes until one fails.
    changes: u32,
    /// Openings that fail then.
    openings: u32,
    error: StorageError,
}

impl Storage for Failing {
    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Applied>, StorageError> {
        let left = self.changes;
        self.changes = left.saturating_sub(1);
        if left == 1 { Err(self.error) } else { self.storage.apply(changes) }
    }

    fn reopen(&mut self) -> Result<(), StorageError> {
        let left = self.openings;
        self.openings = left.saturating_sub(1);
        if left > 0 { Err(self.error) } else { Ok(()) }
    }

    fn read(&self, subject: &Subject, after: u64, most: Most) -> Result<Vec<Record>, StorageError> {
        self.storage.read(subject, after, most)
    }

    fn last(&self, subject: &Subject) -> Result<u64, StorageError> {
        self.storage.last(subject)
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StorageError> {
        self.storage.get(key)
    }

    fn subjects(&self, after: Option<&Subject>, most: usize) -> Result<Vec<Subject>, StorageError> {
        self.storage.subjects(after, most)
    }

    fn values(
        &self,
        after: Option<&Key>,
        most: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, StorageError> {
        self.storage.values(after, most)
    }

    fn totals(&self) -> Result<Totals, StorageError> {
        self.storage.totals()
    }
}

/// A relay that serves an agent, over a storage whose third change fails.
fn failing(owner: &Agent, error: StorageError, openings: u32) -> Worker {
    let storage = Failing { storage: MemoryStorage::new(), changes: 3, openings, error };
    let mut relay = Relay::new(storage, Arc::new(AwsLc), Limits::default());
    assert_eq!(super::common::ask(&mut relay, owner.id(), owner.put_card()), Answer::Done);
    let first = deposit(&mut relay, someone(1), owner.id(), b"first");
    assert!(first.is_ok());
    let clock = Box::new(|| NOW);
    Worker::start(relay, Surroundings { clock, nudge: Box::new(|_, _| {}) }).unwrap()
}

#[test]
fn a_relay_whose_disk_failed_answers_nothing_of_that_batch_refuses_by_name_and_goes_on() {
    let owner = Agent::new(1, 3);
    let worker = failing(&owner, StorageError::Disk(std::io::ErrorKind::StorageFull), 4);
    let deposit = Request::Deposit(vec![mail(owner.id(), b"second")]);
    // Nobody knows what became of it, and so nothing is said.
    assert!(ask(&worker, someone(1), &deposit).recv_timeout(SOON).is_err());
    let deadline = Instant::now() + SOON;
    loop {
        let answer = ask(&worker, someone(1), &deposit).recv_timeout(SOON).unwrap();
        if matches!(&answer, Answer::Deposited(of) if of[0].is_ok()) {
            break;
        }
        assert_eq!(answer, Answer::Refused(Refusal::NotNow { retry_after: 5 }));
        assert!(Instant::now() < deadline, "it did not go on");
        std::thread::sleep(Duration::from_millis(5));
    }
    let all = ask(&worker, owner.id(), &fetch(owner.id(), 0)).recv_timeout(SOON).unwrap();
    assert!(matches!(all, Answer::Mail(mail) if mail.len() == 2));
    assert_eq!(worker.failure(), None);
    let metrics = worker.metrics();
    assert_eq!(metrics.recoveries, 1);
    assert!(metrics.refusals.get("not-now").is_some_and(|count| *count > 0), "{metrics:?}");
}

#[test]
fn a_relay_whose_storage_is_damaged_says_nothing_more() {
    let owner = Agent::new(1, 3);
    let worker = failing(&owner, StorageError::Damaged, 0);
    let deposit = Request::Deposit(vec![mail(owner.id(), b"second")]);
    for _ in 0..2 {
        assert!(ask(&worker, someone(1), &deposit).recv_timeout(SOON).is_err());
    }
    assert_eq!(worker.failure(), Some(StorageError::Damaged));
}

#[test]
fn who_waits_for_mail_over_a_failure_gets_what_comes_after_it() {
    let owner = Agent::new(1, 3);
    let worker = failing(&owner, StorageError::Disk(std::io::ErrorKind::Other), 0);
    let poll = Fetch { mailbox: owner.id(), after: MailNumber(1), most: 9, wait: 60_000 };
    let waits = ask(&worker, owner.id(), &Request::Fetch(poll));
    assert_eq!(waits.recv_timeout(Duration::from_millis(300)), Err(RecvTimeoutError::Timeout));
    let deposit = Request::Deposit(vec![mail(owner.id(), b"second")]);
    assert!(ask(&worker, someone(1), &deposit).recv_timeout(SOON).is_err());
    let deadline = Instant::now() + SOON;
    while !matches!(
        ask(&worker, someone(1), &deposit).recv_timeout(SOON), Ok(Answer::Deposited(of)) if of[0].is_ok()
    ) {
        assert!(Instant::now() < deadline, "it did not go on");
    }
    assert!(matches!(waits.recv_timeout(SOON).unwrap(), Answer::Mail(mail) if mail.len() == 1));
}
