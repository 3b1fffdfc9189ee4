//! How long a small call takes over loopback, idle and beside a stream that takes all it can, and how
//! many one-way messages of 16 KiB go in a second where nothing is durable: as calls that are answered
//! with nothing, and as messages whose state is in memory. What the bare sockets take for the same
//! round trip stands beside it: a machine that is slow to wake is so for both.
//!
//! ```text
//! cargo bench --bench calls [-- --seconds 10]
//! ```
//!
//! Each figure stands beside what is asked of it, and one that misses it fails the run. They are of
//! this machine, with both ends on it.
#![allow(
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured, or stops"
)]

mod bare;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use meshwork::{Agent, Serving, Streams, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

/// How often is called.
const EVERY: Duration = Duration::from_millis(10);

/// The body of a small call, and of its answer.
const SMALL: usize = 64;

/// The body of a one-way message.
const LARGE: usize = 16 << 10;

/// How many of those are under way at once.
const AT_ONCE: usize = 64;

/// How much is written to the stream at a time.
const CHUNK: usize = 64 << 10;

fn main() -> ExitCode {
    let seconds = seconds();
    let mut held = true;
    for transport in [Transport::Quic, Transport::Udp, Transport::Tcp] {
        held &= latency(&Pair::new(), transport, seconds);
    }
    let quic = one_way(&Pair::new(), Transport::Quic, seconds);
    let tcp = one_way(&Pair::new(), Transport::Tcp, seconds);
    held &= quic.max(tcp) >= 20_000.0;
    messages(&Pair::new(), seconds);
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How long each figure is measured.
fn seconds() -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--seconds");
    arguments.nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(10)
}

/// An agent on threads of its own, as in a process of its own.
struct Home {
    agent: Agent,
    runtime: Runtime,
}

impl Home {
    fn new() -> Self {
        let runtime = meshwork::runtime().worker_threads(1).build().unwrap();
        let start = Agent::builder().in_memory().listen("127.0.0.1:0").start();
        let agent = runtime.block_on(start).unwrap();
        Self { agent, runtime }
    }

    /// Runs it where the agent's own tasks run.
    fn run<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> T {
        self.runtime.block_on(self.runtime.spawn(task)).unwrap()
    }
}

struct Pair {
    alice: Home,
    bob: Home,
    _services: [Serving; 2],
}

impl Pair {
    fn new() -> Self {
        let (alice, bob) = (Home::new(), Home::new());
        for (one, other) in [(&alice, &bob), (&bob, &alice)] {
            let (one, card) = (one.agent.clone(), other.agent.card());
            alice.run(async move { one.meet(card).await }).unwrap();
        }
        let agent = bob.agent.clone();
        let services = bob.run(async move {
            let echo = agent.serve("echo", |asked| async { Ok(asked.body) });
            [echo, agent.serve("take", |_| async { Ok(Vec::new()) })].map(Result::unwrap)
        });
        Self { alice, bob, _services: services }
    }

    fn agents(&self) -> [Agent; 2] {
        [self.alice.agent.clone(), self.bob.agent.clone()]
    }
}

fn latency(pair: &Pair, transport: Transport, seconds: u64) -> bool {
    let bare = quantile(&bare::times(&pair.alice, &pair.bob, transport, seconds), 50);
    let idle = pair.alice.run(times(pair.agents(), transport, seconds));
    let [p50, p99] = [50, 99].map(|hundredths| quantile(&idle, hundredths));
    println!(
        "{transport:<5} small calls      p50 {} (at most 0.300 ms)  p99 {} (at most 1.000 ms)",
        millis(p50),
        millis(p99),
    );
    println!(
        "{transport:<5} bare socket      p50 {}, of which a call takes {:.2} times as long",
        millis(bare),
        p50.as_secs_f64() / bare.as_secs_f64(),
    );
    let stop = Arc::new(AtomicBool::new(false));
    let coming = pair.bob.agent.streams("bulk").unwrap();
    let reading = pair.bob.runtime.spawn(read(coming));
    let writing = pair.alice.runtime.spawn(saturate(pair.agents(), Arc::clone(&stop)));
    let beside = pair.alice.run(times(pair.agents(), transport, seconds));
    stop.store(true, Ordering::Relaxed);
    let rate = pair.alice.runtime.block_on(writing).unwrap();
    pair.bob.runtime.block_on(reading).unwrap();
    let ratio = quantile(&beside, 99).as_secs_f64() / p99.as_secs_f64();
    println!(
        "{transport:<5} beside a stream  p50 {}  p99 {}, {ratio:.1} times idle (at most 5), beside {rate:.0} MB/s",
        millis(quantile(&beside, 50)),
        millis(quantile(&beside, 99)),
    );
    p50 <= Duration::from_micros(300) && p99 <= Duration::from_millis(1) && ratio <= 5.0
}

/// The times of calls, one every 10 ms, in order of length.
async fn times([alice, bob]: [Agent; 2], via: Transport, seconds: u64) -> Vec<Duration> {
    // The session is made before.
    alice.call(bob.id(), "echo", [7; SMALL]).via(via).await.unwrap();
    let mut times = ticks(seconds);
    while times.next().await {
        alice.call(bob.id(), "echo", [7; SMALL]).via(via).await.unwrap();
    }
    times.sorted()
}

/// One round trip after the other, each begun at its time.
struct Ticks {
    tick: Interval,
    end: Instant,
    began: Option<Instant>,
    times: Vec<Duration>,
}

fn ticks(seconds: u64) -> Ticks {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let end = Instant::now() + Duration::from_secs(seconds);
    Ticks { tick, end, began: None, times: Vec::new() }
}

impl Ticks {
    /// Ends a round trip, and waits until the next one begins, if one does.
    async fn next(&mut self) -> bool {
        self.times.extend(self.began.take().map(|began| began.elapsed()));
        self.tick.tick().await;
        self.began = Some(Instant::now());
        self.began < Some(self.end)
    }

    fn sorted(mut self) -> Vec<Duration> {
        self.times.sort_unstable();
        self.times
    }
}

/// Reads one stream to its end.
async fn read(mut coming: Streams) {
    let mut stream = coming.next().await.unwrap();
    let mut chunk = vec![0; CHUNK];
    while stream.read(&mut chunk).await.unwrap() > 0 {}
}

/// Writes to a stream as fast as it goes; megabytes a second.
async fn saturate([alice, bob]: [Agent; 2], stop: Arc<AtomicBool>) -> f64 {
    let mut stream = alice.open_stream(bob.id(), "bulk").await.unwrap();
    let (mut written, start) = (0_u32, Instant::now());
    let chunk = vec![7; CHUNK];
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(&chunk).await.unwrap();
        written += 1;
    }
    stream.finish().await.unwrap();
    f64::from(written) * CHUNK as f64 / 1e6 / start.elapsed().as_secs_f64()
}

/// Calls of 16 KiB that are answered with nothing, many at once: how many in a second.
fn one_way(pair: &Pair, via: Transport, seconds: u64) -> f64 {
    let (start, mut callers) = (Instant::now(), Vec::new());
    for _ in 0..AT_ONCE {
        let [alice, bob] = pair.agents();
        callers.push(pair.alice.runtime.spawn(async move {
            let mut answered = 0_u32;
            while start.elapsed() < Duration::from_secs(seconds) {
                alice.call(bob.id(), "take", vec![7; LARGE]).via(via).await.unwrap();
                answered += 1;
            }
            answered
        }));
    }
    let answered: u32 =
        callers.into_iter().map(|caller| pair.alice.runtime.block_on(caller).unwrap()).sum();
    let rate = f64::from(answered) / start.elapsed().as_secs_f64();
    println!("{via:<5} 16 KiB one way   {rate:.0} a second (at least 20000 over one of them)");
    rate
}

/// Messages with receipts, state sealed in memory.
fn messages(pair: &Pair, seconds: u64) {
    let start = Instant::now();
    let end = move || start.elapsed() >= Duration::from_secs(seconds);
    for _ in 0..AT_ONCE {
        let [alice, bob] = pair.agents();
        pair.alice.runtime.spawn(async move {
            while !end() {
                match alice.send(bob.id(), vec![7; LARGE]).await {
                    Err(error) if error.is_worth_a_retry() => sleep(EVERY).await,
                    sent => drop(sent.unwrap()),
                }
            }
        });
    }
    let bob = pair.bob.agent.clone();
    let arrived = pair.bob.run(async move {
        let (mut inbox, mut arrived, mut processing) = (bob.inbox(), 0_u32, JoinSet::new());
        while !end() {
            let delivery = inbox.next().await.unwrap();
            processing.spawn(async move { delivery.processed().await.unwrap() });
            arrived += 1;
        }
        arrived
    });
    let rate = f64::from(arrived) / start.elapsed().as_secs_f64();
    println!("      16 KiB messages  {rate:.0} a second, each with its receipts (shown only)");
}

fn quantile(sorted: &[Duration], hundredths: usize) -> Duration {
    let place = (sorted.len() * hundredths / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or_default()
}

fn millis(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1_000.0)
}
