//! How fast a stream is from one agent to another over loopback: all of the library's path, with
//! both ends in this process.
//!
//! `cargo bench --bench streams`, or with `-- --test` for one short round.
#![allow(
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints what it measured, or stops"
)]

use std::fs;
use std::time::{Duration, Instant};

use meshwork::{Agent, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How much goes through in a round.
const ROUND: usize = 1 << 30;

/// The same where it is only to be seen that it runs.
const SHORT: usize = 16 << 20;

/// How much is written and read at a time.
const CHUNK: usize = 256 << 10;

fn main() {
    let short = std::env::args().any(|argument| argument == "--test");
    let (bytes, rounds) = if short { (SHORT, 1) } else { (ROUND, 5) };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for transport in transports() {
        let mut rates = Vec::new();
        for _ in 0..rounds {
            rates.push(runtime.block_on(round(transport, bytes)));
        }
        rates.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (wall, cpu) = rates.swap_remove(rounds / 2);
        println!("{transport}: {wall:.0} MB/s, {cpu:.0} MB a CPU second of both ends");
    }
}

fn transports() -> Vec<Transport> {
    vec![Transport::Tcp]
}

/// Megabytes a second, by the clock and by the processor.
async fn round(transport: Transport, bytes: usize) -> (f64, f64) {
    let agent = async || Agent::builder().in_memory().listen("127.0.0.1:0").start().await.unwrap();
    let (alice, bob) = (agent().await, agent().await);
    alice.meet(bob.card()).await.unwrap();
    bob.meet(alice.card()).await.unwrap();
    let mut coming = bob.streams("bulk").unwrap();
    let mut stream = alice.open_stream_via(bob.id(), "bulk", transport).await.unwrap();
    let reading = tokio::spawn(async move {
        let mut stream = coming.next().await.unwrap();
        let (mut chunk, mut read) = (vec![0; CHUNK], 0);
        loop {
            match stream.read(&mut chunk).await.unwrap() {
                0 => return read,
                count => read += count,
            }
        }
    });
    let (began, worked) = (Instant::now(), processor());
    let chunk = vec![7; CHUNK];
    for _ in 0..bytes / CHUNK {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.finish().await.unwrap();
    assert_eq!(reading.await.unwrap(), bytes);
    let (took, worked) = (began.elapsed(), processor().saturating_sub(worked));
    let rate = |span: Duration| bytes as f64 / 1e6 / span.as_secs_f64();
    (rate(took), rate(worked))
}

/// What this process has had of the processors, in ticks of 10 ms; nothing where no file says so.
fn processor() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis(10 * (ticks(12) + ticks(13)))
}
