//! Mail of 1 KiB from 64 connected agents, each durable when it is answered.
//!
//! What waits for one relay goes in one request, as the client of an agent sends it: each agent has
//! one request with [`TOGETHER`] pieces under way, and the next goes when it is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use meshwork::{Agent, AgentId};
use meshwork_protocols::relay::{Answer, Request};
use tokio::task::JoinSet;

use crate::clients::{ask, connected};
use crate::process::{Other, argument, start_relay};
use crate::{deposit, percentile};

const AGENTS: usize = 64;
const TOGETHER: usize = 8;
const SPAN: Duration = Duration::from_secs(10);

pub(crate) fn measure(together: Option<usize>) -> bool {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (relay, contact) = start_relay(folder.path(), 50);
    let together = together.unwrap_or(TOGETHER).to_string();
    let held = Other::start("deposits", &[&contact, &together]).wait();
    relay.end() && held
}

/// Leaves mail for as long as a figure is measured.
pub(crate) async fn leave_mail() -> bool {
    let together: usize = argument(2).parse().unwrap();
    let (relay, agents) = connected(&argument(1), AGENTS).await;
    let ids: Arc<[AgentId]> = agents.iter().map(Agent::id).collect();
    let number = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut leaving = JoinSet::new();
    for (place, agent) in agents.iter().cloned().enumerate() {
        let (ids, number) = (Arc::clone(&ids), Arc::clone(&number));
        leaving.spawn(async move {
            let mut took = Vec::new();
            while began.elapsed() < SPAN {
                let piece = |lane| {
                    let recipient = ids[(place + lane + 1) % ids.len()];
                    deposit(recipient, number.fetch_add(1, Ordering::Relaxed))
                };
                let request = Request::Deposit((0..together).map(piece).collect());
                let asked = Instant::now();
                let answer = ask(&agent, relay, &request).await;
                took.push(asked.elapsed());
                let Answer::Deposited(outcomes) = answer else { panic!("{answer:?}") };
                assert!(outcomes.len() == together && outcomes.iter().all(Result::is_ok));
            }
            took
        });
    }
    let mut took: Vec<Duration> = leaving.join_all().await.into_iter().flatten().collect();
    let rate = (took.len() * together) as f64 / began.elapsed().as_secs_f64();
    let (p50, p99) = (percentile(&mut took, 0.5), percentile(&mut took, 0.99));
    println!(
        "durable deposits of 1 KiB, {AGENTS} agents, each one request of {together} under way: \
         {rate:.0}/s   (asked: at least 15000)"
    );
    println!("  p50 {p50:.1} ms, p99 {p99:.1} ms   (asked: p99 at most 50)");
    rate >= 15_000.0 && p99 <= 50.0
}
