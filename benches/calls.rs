//! How long a small call takes over loopback, idle and beside one saturating stream of messages,
//! and how many one-way messages of 16 KiB go in a second where nothing is durable.
//!
//! ```text
//! cargo bench --bench calls [-- --seconds 10]
//! ```
//!
//! Each figure stands beside what is asked of it. They are of this machine, with both ends on it.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic, reason = "a benchmark")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use meshwork::{Agent, Serving, Transport};
use tokio::runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval};

/// How often is called.
const EVERY: Duration = Duration::from_millis(10);

/// The body of a small call, and of its answer.
const SMALL: usize = 64;

/// The body of a one-way message.
const LARGE: usize = 16 << 10;

fn main() {
    let seconds = seconds();
    let runtime = Runtime::new().unwrap();
    for transport in [Transport::Quic, Transport::Udp, Transport::Tcp] {
        runtime.block_on(latency(transport, seconds));
    }
    runtime.block_on(messages(seconds));
}

/// How long each figure is measured.
fn seconds() -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--seconds");
    arguments.nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(10)
}

struct Pair {
    alice: Agent,
    bob: Agent,
    _echo: Serving,
}

impl Pair {
    async fn new() -> Self {
        let start = || Agent::builder().in_memory().listen("127.0.0.1:0").start();
        let (alice, bob) = (start().await.unwrap(), start().await.unwrap());
        alice.meet(bob.card()).await.unwrap();
        bob.meet(alice.card()).await.unwrap();
        let echo = bob.serve("echo", |asked| async { Ok(asked.body) }).unwrap();
        Self { alice, bob, _echo: echo }
    }
}

async fn latency(transport: Transport, seconds: u64) {
    let pair = Pair::new().await;
    let first = pair.alice.call(pair.bob.id(), "echo", [0; SMALL]).via(transport).await;
    if let Err(error) = first {
        println!("{transport:<5} small calls        not measured: {error}");
        return;
    }
    let idle = times(&pair, transport, seconds).await;
    println!(
        "{transport:<5} small calls        p50 {} (asked: at most 0.300 ms)  p99 {} (asked: at most 1.000 ms)",
        millis(quantile(&idle, 50)),
        millis(quantile(&idle, 99)),
    );
    let stop = Arc::new(AtomicBool::new(false));
    let busy = tokio::spawn(saturate(pair.alice.clone(), pair.bob.clone(), Arc::clone(&stop)));
    let beside = times(&pair, transport, seconds).await;
    stop.store(true, Ordering::Relaxed);
    let rate = busy.await.unwrap();
    let ratio = quantile(&beside, 99).as_secs_f64() / quantile(&idle, 99).as_secs_f64();
    println!(
        "{transport:<5} beside messages    p50 {}  p99 {}, {ratio:.1} times idle (asked: at most 5), beside {rate:.0} messages of 16 KiB a second",
        millis(quantile(&beside, 50)),
        millis(quantile(&beside, 99)),
    );
}

/// The times of calls, one every 10 ms, in order of length.
async fn times(pair: &Pair, transport: Transport, seconds: u64) -> Vec<Duration> {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut times, start) = (Vec::new(), Instant::now());
    while start.elapsed() < Duration::from_secs(seconds) {
        tick.tick().await;
        let called = Instant::now();
        pair.alice.call(pair.bob.id(), "echo", [7; SMALL]).via(transport).await.unwrap();
        times.push(called.elapsed());
    }
    times.sort_unstable();
    times
}

/// Sends messages as fast as they go; how many went in a second.
async fn saturate(alice: Agent, bob: Agent, stop: Arc<AtomicBool>) -> f64 {
    let reading = tokio::spawn({
        let bob = bob.clone();
        async move {
            let mut inbox = bob.inbox();
            while let Some(delivery) = inbox.next().await {
                delivery.processed().await.unwrap();
            }
        }
    });
    let (mut sent, start) = (0_u32, Instant::now());
    let mut senders = Vec::new();
    for _ in 0..64 {
        let (alice, bob, stop) = (alice.clone(), bob.id(), Arc::clone(&stop));
        senders.push(tokio::spawn(async move {
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                match alice.send(bob, vec![7; LARGE]).await {
                    Ok(_) => sent += 1,
                    Err(error) if error.is_worth_a_retry() => {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            sent
        }));
    }
    for sender in senders {
        sent += sender.await.unwrap();
    }
    let rate = f64::from(sent) / start.elapsed().as_secs_f64();
    reading.abort();
    rate
}

/// Messages one way, state in memory.
async fn messages(seconds: u64) {
    let pair = Pair::new().await;
    let stop = Arc::new(AtomicBool::new(false));
    let sending = tokio::spawn(saturate(pair.alice.clone(), pair.bob.clone(), Arc::clone(&stop)));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    let rate = sending.await.unwrap();
    println!("messages of 16 KiB, in memory     {rate:.0} a second (asked: at least 20000)");
}

fn quantile(sorted: &[Duration], hundredths: usize) -> Duration {
    let place = (sorted.len() * hundredths / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or_default()
}

fn millis(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1_000.0)
}
