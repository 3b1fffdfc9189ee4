//! A relay over a million pieces in 100,000 mailboxes: its start, and fetches.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Instant;

use meshwork::AgentId;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::relay::{Answer, Fetch, MailNumber, Request};
use meshwork_relay::storage::{Change, Condition, RedbStorage, Storage, Subject};
use meshwork_relay::{Asked, Relay, Surroundings, Worker};

use crate::process::{start_relay, unlimited};
use crate::{deposit, now, percentile};

const MAILBOXES: u64 = 100_000;
const PIECES: u64 = 10;

/// Fetches that are under way at once.
const AT_ONCE: u64 = 64;
const FETCHES: u64 = 50_000;

pub(crate) fn measure() -> bool {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = folder.path().join("relay.redb");
    fill(&file);
    let began = Instant::now();
    let (relay, _) = start_relay(folder.path(), 50);
    let start = began.elapsed().as_secs_f64();
    // Killed, so that the next start finds what a crash leaves.
    relay.kill();
    let began = Instant::now();
    let (relay, _) = start_relay(folder.path(), 50);
    let after_kill = began.elapsed().as_secs_f64();
    println!(
        "start over a million pieces: {start:.2} s, after a kill {after_kill:.2} s   (asked: at most 5)"
    );
    let ended = relay.end();
    let (p50, p99) = fetches(&file);
    println!(
        "fetch from 100,000 mailboxes, {AT_ONCE} at once: p50 {p50:.1} ms, p99 {p99:.1} ms   \
         (asked: p99 at most 20)"
    );
    ended && start <= 5.0 && after_kill <= 5.0 && p99 <= 20.0
}

fn owner(number: u64) -> AgentId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[8..16].copy_from_slice(&number.to_be_bytes());
    AgentId::from_bytes(id)
}

/// A million pieces. Whose mailbox it is has a card, here one byte of one.
fn fill(file: &Path) {
    let mut storage = RedbStorage::open(file, 256 << 20).unwrap();
    for first in (0..MAILBOXES).step_by(10_000) {
        let card = |number| Change {
            condition: Some(Condition::Append {
                subject: Subject::new(2, owner(number).as_bytes()),
                sequence: 1,
                record: vec![0],
            }),
            then: vec![],
        };
        let changes: Vec<_> = (first..first + 10_000).map(card).collect();
        storage.apply(&changes).unwrap();
    }
    let mut relay = Relay::new(storage, Arc::new(AwsLc), unlimited());
    let caller = owner(u64::MAX);
    for first in (0..MAILBOXES * PIECES).step_by(5_000) {
        let asked = |number| Asked {
            caller,
            request: Request::Deposit(vec![deposit(owner(number / PIECES), number)]),
        };
        let batch: Vec<_> = (first..first + 5_000).map(asked).collect();
        relay.serve(now(), &batch).unwrap();
    }
}

/// Fetches at the worker, as its callers see them without a network: the median and p99.
fn fetches(file: &Path) -> (f64, f64) {
    let relay =
        Relay::new(RedbStorage::open(file, 64 << 20).unwrap(), Arc::new(AwsLc), unlimited());
    let surroundings = Surroundings { clock: Box::new(now), nudge: Box::new(|_, _| {}) };
    let worker = Worker::start(relay, surroundings).unwrap();
    let (answer, answered) = channel();
    let mut took = Vec::new();
    let mut begin = |number: u64| {
        let mailbox = owner(number.wrapping_mul(7_919) % MAILBOXES);
        let fetch = Fetch { mailbox, after: MailNumber(0), most: 1_024, wait: 0 };
        let (asked, answer) = (Instant::now(), answer.clone());
        let reply = Box::new(move |bytes: Vec<u8>| drop(answer.send((asked.elapsed(), bytes))));
        worker.ask(mailbox, &Request::Fetch(fetch).encode(), reply);
    };
    (0..AT_ONCE).for_each(&mut begin);
    for number in AT_ONCE..AT_ONCE + FETCHES {
        let (elapsed, bytes) = answered.recv().unwrap();
        took.push(elapsed);
        let answer = Answer::decode(&bytes).unwrap();
        assert!(matches!(answer, Answer::Mail(mail) if mail.len() as u64 == PIECES));
        begin(number);
    }
    (percentile(&mut took, 0.5), percentile(&mut took, 0.99))
}
