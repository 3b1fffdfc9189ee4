//! A relay in a process of its own, killed at random points while agents leave mail, take keys and
//! write to a log.

mod keys;
mod log;
mod mail;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use meshwork::{Agent, AgentId, Contact, Transport};
use meshwork_protocols::relay::{Answer, Request, SERVICE};
use tokio::time::sleep;

use super::home::{Home, PATIENCE, Up};

/// No limit of an hour is to hide what goes out.
const UP: &[&str] = &["--relay", "--relay-keys", "1000000", "--relay-mailbox", "10000000"];

#[tokio::test(flavor = "multi_thread")]
async fn sigkills_of_a_relay_lose_no_deposit_that_was_answered_and_double_none() {
    storm(8).await;
}

/// As many as `KILLS` says.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "eight minutes long: `.ci/nightly relay_kills` runs it"]
async fn five_hundred_sigkills_of_a_relay_lose_nothing_and_double_no_key_and_no_entry() {
    let kills = std::env::var("KILLS").map_or(500, |kills| kills.parse().unwrap());
    storm(kills).await;
}

/// Kills the relay so often under load, and looks at everything afterwards.
async fn storm(kills: u32) {
    let home = Home::with(&["relay"]);
    let relay = home.up_with("relay", UP);
    let contact: Contact = relay.contact.parse().unwrap();
    let storm = Arc::new(Storm::default());
    let mail = mail::Load::start(&contact, &storm).await;
    let keys = keys::Load::start(&contact, &storm).await;
    let log = log::Load::start(&contact, &storm).await;
    let relay = kill_at_random_points(&home, relay, kills, &storm).await;
    storm.over.store(true, Ordering::Relaxed);
    let mail = mail.check().await;
    let keys = keys.check(kills).await;
    let entries = log.check(kills).await;
    println!("{kills} kills: {mail} deposits, {keys} keys and {entries} entries were answered");
    drop(relay);
}

/// What those who load the relay share with who kills it.
#[derive(Default)]
struct Storm {
    /// Pieces of mail whose deposit was answered.
    deposits: AtomicUsize,
    over: AtomicBool,
}

impl Storm {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    async fn until(&self, deposits: usize) {
        let enough = async {
            while self.deposits.load(Ordering::Relaxed) < deposits {
                sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.expect("nothing more is answered");
    }
}

/// Each time at a random point of the work, or in a fourth of the lives of the start.
async fn kill_at_random_points(home: &Home, mut relay: Up, kills: u32, storm: &Storm) -> Up {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut seed = u64::from(since.subsec_nanos());
    println!("moments of seed {seed}");
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    for _ in 0..kills {
        if random(4) > 0 {
            storm.until(storm.deposits.load(Ordering::Relaxed) + A_LIFE).await;
        }
        sleep(Duration::from_micros(random(200_000))).await;
        relay.kill();
        relay = home.up_with("relay", UP);
    }
    relay
}

/// Pieces answered in a life of the relay before it may end under load.
const A_LIFE: usize = 64;

/// An agent that knows the relay.
async fn client(relay: &Contact) -> Agent {
    // Over TCP the end of a process is known at once.
    let agent = Agent::builder().in_memory().transports(&[Transport::Tcp]).start().await.unwrap();
    // It may be gone, and be back.
    while agent.meet(relay.clone()).await.is_err() {
        sleep(Duration::from_millis(20)).await;
    }
    agent
}

/// Asks until there is an answer: the relay may be gone, and be back.
async fn ask(agent: &Agent, relay: AgentId, request: &Request) -> Answer {
    let mut last = None;
    let asking = async {
        loop {
            let call = agent.call(relay, SERVICE, request.encode());
            match call.deadline(Duration::from_secs(5)).await {
                Ok(answer) => return Answer::decode(&answer).unwrap(),
                Err(error) => {
                    last = Some(error);
                    sleep(Duration::from_millis(20)).await;
                }
            }
        }
    };
    let answered = tokio::time::timeout(PATIENCE, asking).await;
    answered.unwrap_or_else(|_| panic!("the relay did not come back: {last:?} for {request:?}"))
}
