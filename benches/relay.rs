//! A relay under load, over loopback, with the relay and its clients in processes of their own:
//!
//! - `deposits`: 64 connected agents leave mail of 1 KiB; how many are durable in a second, and how
//!   long each takes.
//! - `stored`: a million pieces in 100,000 mailboxes; how long a relay takes to start over them, and
//!   a fetch at its worker.
//! - `idle`: how much memory 10,000 connected agents that ask nothing take (not part of a run
//!   without arguments).
//!
//! ```text
//! cargo bench --bench relay [-- deposits|stored|idle [COUNT]]
//! ```
//!
//! Each figure stands beside what is asked of it, and one that misses it fails the run.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured, or stops"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime};

use meshwork::time::{Timestamp, WallTime};
use meshwork::{Agent, AgentId, RelayLimits, RelaySettings, Transport};
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::relay::{Answer, Deposit, Fetch, MailNumber, Request, SERVICE};
use meshwork_relay::storage::{Change, Condition, RedbStorage, Storage, Subject};
use meshwork_relay::{Asked, Relay, Surroundings, Worker};
use tokio::task::JoinSet;

/// Agents that leave mail, and how many pieces each has under way.
const AGENTS: usize = 64;
const AT_ONCE: usize = 8;
const SECONDS: u64 = 10;
const BODY: usize = 1_024;

/// What is stored.
const MAILBOXES: u64 = 100_000;
const PIECES: u64 = 10;

/// Which part of this program a process is.
const ROLE: &str = "MESHWORK_BENCH_ROLE";

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match std::env::var(ROLE).as_deref() {
        Ok("relay") => {
            runtime.block_on(be_relay());
            return ExitCode::SUCCESS;
        }
        Ok("clients") => return runtime.block_on(leave_mail()),
        Ok("idle") => return runtime.block_on(stay_connected()),
        _ => {}
    }
    let arguments: Vec<_> = std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let wants = |name: &str| match arguments.first() {
        None => name != "idle",
        Some(only) => only == name,
    };
    let mut held = true;
    if wants("deposits") {
        held &= deposits();
    }
    if wants("stored") {
        held &= stored();
    }
    if wants("idle") {
        held &= idle(arguments.get(1).and_then(|it| it.parse().ok()).unwrap_or(10_000));
    }
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn deposits() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let (mut relay, contact) = start_relay(folder.path());
    let clients = process("clients", &[&contact]).status().unwrap();
    stop(&mut relay);
    clients.success()
}

fn idle(count: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let (mut relay, contact) = start_relay(folder.path());
    let before = resident(relay.id());
    let mut clients = process("idle", &[&contact, &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = first_line(&mut clients);
    let after = resident(relay.id());
    println!("{line}: the relay has {after} MiB, {before} before       (asked: at most 200)");
    stop(&mut clients);
    stop(&mut relay);
    after <= 200
}

/// Starts a relay over what is in a folder, and returns the line by which it is reached.
fn start_relay(folder: &Path) -> (Child, String) {
    let mut relay = process("relay", &[folder.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let contact = first_line(&mut relay);
    (relay, contact)
}

fn process(role: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ROLE, role).args(arguments);
    command
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// It ends with its standard input.
fn stop(child: &mut Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

fn argument(place: usize) -> String {
    std::env::args().nth(place).unwrap()
}

async fn be_relay() {
    let folder = std::path::PathBuf::from(argument(1));
    let builder = Agent::builder().in_memory().listen("127.0.0.1:0");
    let agent = builder.start().await.unwrap();
    let mut settings = RelaySettings::new(folder.join("relay.redb"));
    settings.limits = unlimited();
    let relaying = agent.relay(settings).await.unwrap();
    println!("{}", agent.contact().unwrap());
    std::io::stdout().flush().unwrap();
    let until = tokio::task::spawn_blocking(|| std::io::stdin().lines().count());
    until.await.unwrap();
    let metrics = relaying.metrics();
    if metrics.deposits > 0 {
        let each = metrics.deposits as f64 / metrics.batches.max(1) as f64;
        println!("  {} deposits, {each:.0} in each transaction", metrics.deposits);
    }
    agent.close().await.unwrap();
}

fn unlimited() -> RelayLimits {
    RelayLimits {
        mailbox_pieces: usize::MAX,
        mailbox_bytes: u64::MAX,
        share_pieces: usize::MAX,
        share_bytes: u64::MAX,
        sender_pieces: u64::MAX,
        sender_bytes: u64::MAX,
        ..RelayLimits::default()
    }
}

/// Agents with a session to the relay each.
async fn connected(contact: &str, count: usize) -> (AgentId, Vec<Agent>) {
    let contact: meshwork::Contact = contact.parse().unwrap();
    let (relay, mut starting, mut agents) = (contact.agent, JoinSet::new(), vec![]);
    for _ in 0..count {
        if starting.len() >= 16 {
            agents.push(starting.join_next().await.unwrap().unwrap());
        }
        let contact = contact.clone();
        starting.spawn(async move {
            let agent = Agent::builder().in_memory().start().await.unwrap();
            agent.meet(contact).await.unwrap();
            let own = Request::PutCard(agent.card().as_bytes().to_vec().into());
            assert_eq!(ask(&agent, relay, &own).await, Answer::Done);
            agent
        });
    }
    while let Some(agent) = starting.join_next().await {
        agents.push(agent.unwrap());
    }
    (relay, agents)
}

async fn ask(agent: &Agent, relay: AgentId, request: &Request) -> Answer {
    let call = agent.call(relay, SERVICE, request.encode()).via(Transport::Tcp);
    Answer::decode(&call.await.unwrap()).unwrap()
}

/// Leaves mail for as long as a figure is measured.
async fn leave_mail() -> ExitCode {
    let (relay, agents) = connected(&argument(1), AGENTS).await;
    let ids: Vec<_> = agents.iter().map(Agent::id).collect();
    let number = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let until = began + Duration::from_secs(SECONDS);
    let mut leaving = JoinSet::new();
    for (place, agent) in agents.iter().enumerate() {
        for lane in 0..AT_ONCE {
            let (agent, number) = (agent.clone(), Arc::clone(&number));
            let recipient = ids[(place + lane + 1) % ids.len()];
            leaving.spawn(async move {
                let mut took = Vec::new();
                while Instant::now() < until {
                    let request = deposit(recipient, number.fetch_add(1, Ordering::Relaxed));
                    let asked = Instant::now();
                    let answer = ask(&agent, relay, &request).await;
                    took.push(asked.elapsed());
                    assert!(matches!(answer, Answer::Deposited(of) if of[0].is_ok()));
                }
                took
            });
        }
    }
    let mut took: Vec<Duration> = leaving.join_all().await.into_iter().flatten().collect();
    let rate = took.len() as f64 / began.elapsed().as_secs_f64();
    let p99 = percentile(&mut took, 0.99);
    println!(
        "durable deposits of 1 KiB from {AGENTS} agents: {rate:.0}/s   (asked: at least 15000)"
    );
    println!("  p99 {p99:.1} ms                                      (asked: at most 50)");
    if rate >= 15_000.0 && p99 <= 50.0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn stay_connected() -> ExitCode {
    let (_, agents) = connected(&argument(1), argument(2).parse().unwrap()).await;
    println!("{} connected agents", agents.len());
    std::io::stdout().flush().unwrap();
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await.unwrap();
    ExitCode::SUCCESS
}

fn deposit(recipient: AgentId, number: u64) -> Request {
    let mut packet = vec![0x5a; BODY];
    packet[..8].copy_from_slice(&number.to_be_bytes());
    let expires = now().wall + Duration::from_secs(24 * 60 * 60);
    Request::Deposit(vec![Deposit { recipient, expires, packet: packet.into() }])
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp { monotonic: since, wall: WallTime::from_millis(since.as_millis() as u64) }
}

fn percentile(took: &mut [Duration], part: f64) -> f64 {
    took.sort_unstable();
    let place = ((took.len() as f64 * part) as usize).min(took.len() - 1);
    took[place].as_secs_f64() * 1_000.0
}

fn stored() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.redb");
    fill(&file);
    let began = Instant::now();
    let (mut relay, _) = start_relay(folder.path());
    let start = began.elapsed().as_secs_f64();
    // Killed, so that the next start finds what a crash leaves.
    relay.kill().unwrap();
    relay.wait().unwrap();
    let began = Instant::now();
    let (mut relay, _) = start_relay(folder.path());
    let after_kill = began.elapsed().as_secs_f64();
    stop(&mut relay);
    println!(
        "start over a million pieces: {start:.2} s, after a kill {after_kill:.2} s   (asked: at most 5)"
    );
    let p99 = fetches(&file);
    println!(
        "fetch from 100,000 mailboxes, 64 at once: p99 {p99:.1} ms          (asked: at most 20)"
    );
    start <= 5.0 && after_kill <= 5.0 && p99 <= 20.0
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
        let asked = |number| Asked { caller, request: deposit(owner(number / PIECES), number) };
        let batch: Vec<_> = (first..first + 5_000).map(asked).collect();
        relay.serve(now(), &batch).unwrap();
    }
}

/// Fetches at the worker, as its callers see them without a network.
fn fetches(file: &Path) -> f64 {
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
        let reply = Box::new(move |bytes: Vec<u8>| answer.send((asked.elapsed(), bytes)).unwrap());
        worker.ask(mailbox, &Request::Fetch(fetch).encode(), reply);
    };
    (0..64).for_each(&mut begin);
    for number in 64..50_064 {
        let (elapsed, bytes) = answered.recv().unwrap();
        took.push(elapsed);
        let answer = Answer::decode(&bytes).unwrap();
        assert!(matches!(answer, Answer::Mail(mail) if mail.len() as u64 == PIECES));
        begin(number);
    }
    percentile(&mut took, 0.99)
}
