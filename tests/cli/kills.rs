//! A sending and a receiving agent are killed at random moments while messages flow.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use meshwork::MessageId;
use meshwork::control::{Body, Client, Fault, Reply, Request, Send};

use super::home::{Home, PATIENCE, Up};

#[test]
fn six_sigkills_lose_nothing_and_double_nothing() {
    storm(3);
}

#[test]
#[ignore = "half a minute long: `.ci/run` runs it"]
fn forty_sigkills_lose_nothing_and_double_nothing() {
    storm(20);
}

/// Kills the sender and the receiver that many times each, then waits for calm.
fn storm(kills_each: usize) {
    let home = Home::with(&["alice", "bob"]);
    let mut ups = [home.up("alice"), home.up("bob")];
    home.run("alice", &["peers", "add", &ups[1].contact, "--name", "bob"]).ok();
    home.run("bob", &["peers", "add", &ups[0].contact, "--name", "alice"]).ok();
    let over = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(Mutex::new(Seen::default()));
    let sender = {
        let (state, over) = (home.path("alice"), Arc::clone(&over));
        thread::spawn(move || send_until(&state, &over))
    };
    let reader = {
        let (state, seen) = (home.path("bob"), Arc::clone(&seen));
        let over = Arc::clone(&over);
        thread::spawn(move || read_until(&state, &seen, &over))
    };
    let kills = kill_by_turns(&home, &mut ups, kills_each);
    over.store(true, Ordering::Relaxed);
    let sent = sender.join().unwrap();
    reader.join().unwrap();
    assert!(sent.len() > kills, "too little was sent between {kills} kills: {}", sent.len());
    calm(&home, &seen, &sent);
}

/// Sender, receiver, sender, ..: each killed at a random moment and started again.
fn kill_by_turns(home: &Home, ups: &mut [Up; 2], each: usize) -> usize {
    let mut moments = Moments::new();
    for _ in 0..each {
        for (up, agent) in ups.iter_mut().zip(["alice", "bob"]) {
            thread::sleep(moments.next());
            up.kill();
            *up = home.up(agent);
        }
    }
    2 * each
}

/// After the storm: each message that was accepted was shown, and nothing else was.
fn calm(home: &Home, seen: &Mutex<Seen>, sent: &HashSet<MessageId>) {
    let limit = Instant::now() + PATIENCE;
    while seen.lock().unwrap().shown != *sent {
        read(&home.path("bob"), seen).ok();
        let missing = sent.difference(&seen.lock().unwrap().shown).count();
        assert!(Instant::now() < limit, "{missing} of {} messages are lost", sent.len());
        thread::sleep(Duration::from_millis(50));
    }
    for id in sent {
        super::home::until("the receipt", || {
            let status = home.json("alice", &["status", &id.to_string()]);
            (status[0]["level"] == "processed").then_some(())
        });
    }
    read(&home.path("bob"), seen).unwrap();
    assert_eq!(seen.lock().unwrap().shown, *sent);
    assert_eq!(home.json("bob", &["inbox", "--keep"]).len(), 0);
}

/// Sends one after the other, each until its acceptance was heard.
fn send_until(state: &Path, over: &AtomicBool) -> HashSet<MessageId> {
    let mut sent = HashSet::new();
    while !over.load(Ordering::Relaxed) {
        let number = u128::try_from(sent.len()).unwrap();
        let id = MessageId::from_bytes(number.to_be_bytes());
        let message = Send {
            to: "bob".into(),
            body: Body(number.to_string().into_bytes()),
            content_type: "number".parse().unwrap(),
            message: Some(id),
            lifetime_seconds: None,
            ordered: false,
            wait: None,
        };
        while ask(state, &Request::Send(message.clone())).is_err() {
            thread::sleep(Duration::from_millis(5));
        }
        sent.insert(id);
    }
    sent
}

fn read_until(state: &Path, seen: &Mutex<Seen>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        // While the agent is dead, nobody answers.
        let _ = read(state, seen);
        thread::sleep(Duration::from_millis(5));
    }
}

/// What the receiving application knows.
#[derive(Default)]
struct Seen {
    /// What it was shown, once or, where it had not marked it, more often.
    shown: HashSet<MessageId>,
    /// Those whose mark was answered: they must not come again.
    marked: HashSet<MessageId>,
}

/// Reads the inbox once and marks what is in it.
fn read(state: &Path, seen: &Mutex<Seen>) -> Result<(), Fault> {
    let mut here = HashSet::new();
    for reply in ask(state, &Request::Inbox { follow: false })? {
        let Reply::Delivery(delivery) = reply else { continue };
        let id = delivery.message;
        assert!(here.insert(id), "{id} is twice in the inbox");
        assert!(!seen.lock().unwrap().marked.contains(&id), "{id} came again after its mark");
        let number = u128::from_be_bytes(*id.as_bytes());
        assert_eq!(delivery.body.0, number.to_string().as_bytes());
        seen.lock().unwrap().shown.insert(id);
        // An answer that a kill swallowed leaves open whether it is marked.
        let sender = delivery.sender.agent;
        ask(state, &Request::Processed { sender, message: id })?;
        seen.lock().unwrap().marked.insert(id);
    }
    Ok(())
}

pub(crate) fn ask(state: &Path, request: &Request) -> Result<Vec<Reply>, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::connect(state).await?;
        let lost = || Fault::new(meshwork::control::Code::NotUp, "nobody answers");
        let mut client = client.ok_or_else(lost)?;
        let mut replies = client.ask(request).await?;
        let mut all = Vec::new();
        while let Some(reply) = replies.next().await? {
            all.push(reply);
        }
        Ok(all)
    })
}

/// Random spans.
pub(crate) struct Moments(u64);

impl Moments {
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let seed = u64::try_from(now.as_nanos() & u128::from(u32::MAX)).unwrap();
        println!("moments of seed {seed}");
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> Duration {
        Duration::from_millis(self.draw() % 250)
    }

    /// One of that many.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.draw()).unwrap() % count
    }

    const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0 >> 33
    }
}
