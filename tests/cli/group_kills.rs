//! The members of a group are killed at random moments while messages flow and one of them joins and
//! is taken out, again and again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use meshwork::MessageId;
use meshwork::control::{
    Body, ChangeGroup, Code, Fault, Group, GroupChange, GroupState, Reply, Request, SendToGroup,
};

use super::groups::Crew;
use super::kills::{Moments, ask};

/// The admin, one that stays, and one that comes and goes.
const AGENTS: [&str; 3] = ["alice", "bob", "carol"];

/// How long each step may take on a busy machine on which its agents die all the time.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn nine_sigkills_of_a_group_break_nothing() {
    storm(9);
}

#[test]
#[ignore = "minutes long: `.ci/nightly` runs it"]
fn two_hundred_sigkills_of_a_group_break_nothing() {
    storm(200);
}

fn storm(kills: usize) {
    let mut crew = Crew::new(&AGENTS);
    crew.home.run("alice", &["group", "create", "crew"]).ok();
    crew.bring_in("alice", "crew", &["bob"]);
    let states = AGENTS.map(|agent| crew.home.path(agent));
    let (over, seen) = (Arc::new(AtomicBool::new(false)), [(); 3].map(|()| Arc::default()));
    let senders = [0, 1].map(|at: usize| {
        let (state, over) = (states[at].clone(), Arc::clone(&over));
        thread::spawn(move || send_until(&state, AGENTS[at], &over))
    });
    let readers = [0, 1, 2].map(|at: usize| {
        let (state, seen, over) = (states[at].clone(), Arc::clone(&seen[at]), Arc::clone(&over));
        thread::spawn(move || read_until(&state, &seen, &over))
    });
    let joins = Arc::new(AtomicUsize::new(0));
    let churn = {
        let (states, over, joins) = (states.clone(), Arc::clone(&over), Arc::clone(&joins));
        thread::spawn(move || come_and_go(&states, &over, &joins))
    };
    kill(&mut crew, kills);
    // Under kills it takes as long as it takes; that it ends is what is shown.
    over.store(true, Ordering::Relaxed);
    churn.join().unwrap();
    let sent = senders.map(|sender| sender.join().unwrap());
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    println!(
        "{kills} kills, {} joins, {} messages that were accepted",
        joins.load(Ordering::Relaxed),
        sent.iter().map(|sent| sent.accepted.len()).sum::<usize>(),
    );
    calm(&states, &seen, &sent);
}

/// Kills one after the other at random moments, and starts it again.
fn kill(crew: &mut Crew, kills: usize) {
    let mut moments = Moments::new();
    for _ in 0..kills {
        thread::sleep(2 * moments.next());
        let at = moments.below(AGENTS.len());
        crew.ups[at].kill();
        crew.ups[at] = crew.home.up(AGENTS[at]);
    }
}

/// After the storm: all follow one history, and each message that was accepted is there once.
fn calm(states: &[PathBuf; 3], seen: &[Arc<Mutex<Seen>>; 3], sent: &[Sent; 2]) {
    let [alice, bob, carol] = states;
    is_in(alice, carol);
    let last = "the last word";
    until("the last word is accepted", || send(carol, last).ok());
    for (reader, other, state) in [(0, 1, alice), (1, 0, bob)] {
        let missing = || -> Vec<String> {
            // While it is dead, nobody answers.
            let _ = read(state, &seen[reader]);
            let seen = seen[reader].lock().unwrap();
            let wanted = sent[other].accepted.iter().map(String::as_str).chain([last]);
            wanted.filter(|body| !seen.shown.contains_key(*body)).map(str::to_owned).collect()
        };
        let limit = Instant::now() + PATIENCE;
        while !missing().is_empty() {
            let groups = || states.iter().map(|state| group(state)).collect::<Vec<_>>();
            assert!(Instant::now() < limit, "{}: {:?} {:#?}", AGENTS[reader], missing(), groups());
            thread::sleep(Duration::from_millis(50));
        }
        let seen = seen[reader].lock().unwrap();
        let known = |body: &&String| sent[other].tried.contains(*body) || *body == last;
        assert_eq!(seen.shown.keys().filter(|body| !known(body)).count(), 0);
    }
    until("all agree", || {
        let groups: Option<Vec<Group>> = states.iter().map(|state| group(state)).collect();
        let groups = groups?;
        let views: HashSet<_> = groups.iter().map(view).collect();
        let settled = groups.iter().all(|it| it.waiting == 0 && it.changes == 0);
        (views.len() == 1 && settled).then_some(())
    });
}

/// What all see alike of a group.
fn view(group: &Group) -> (GroupState, u64, BTreeSet<String>) {
    let members = group.members.iter().map(|member| member.who.agent.to_string());
    (group.state, group.epoch, members.collect())
}

/// The third joins and is taken out, and the second draws new keys, until the storm is over.
fn come_and_go(states: &[PathBuf; 3], over: &AtomicBool, joins: &AtomicUsize) {
    let [alice, bob, carol] = states;
    while !over.load(Ordering::Relaxed) {
        is_in(alice, carol);
        joins.fetch_add(1, Ordering::Relaxed);
        // One that a kill swallowed is as good.
        let _ = change(bob, GroupChange::Rotate, &[]);
        until("it is taken out", || match change(alice, GroupChange::Remove, &["carol"]) {
            Ok(()) => Some(()),
            Err(fault) => (fault.code == Code::NoMember).then_some(()),
        });
    }
}

/// Brings the third in. Once it was added, what it needs is there, whatever dies: it is not added a
/// second time.
fn is_in(alice: &Path, carol: &Path) {
    until("it is added", || match change(alice, GroupChange::Invite, &["carol"]) {
        Ok(()) => Some(()),
        Err(fault) => (fault.code == Code::IsMember).then_some(()),
    });
    let wanted = until("the group", || group(alice)).epoch;
    until("it joins", || {
        // One of before may not know yet that it was taken out.
        if group(carol).is_some_and(|it| it.state == GroupState::Follows && it.epoch >= wanted) {
            return Some(());
        }
        let _ = ask(carol, &Request::JoinGroup { group: "crew".into() });
        None
    });
}

fn change(state: &Path, change: GroupChange, members: &[&str]) -> Result<(), Fault> {
    let members = members.iter().map(|member| (*member).to_owned()).collect();
    let (group, relay, wait_seconds) = ("crew".to_owned(), None, Some(5));
    let change = ChangeGroup { group, change, members, relay, wait_seconds };
    let request = Request::ChangeGroup(change);
    ask(state, &request).map(drop)
}

fn group(state: &Path) -> Option<Group> {
    let replies = ask(state, &Request::Groups { group: Some("crew".into()) }).ok()?;
    replies.into_iter().find_map(|reply| match reply {
        Reply::Group(group) => Some(group),
        _ => None,
    })
}

/// What one of them sent.
#[derive(Default)]
struct Sent {
    /// What was tried. Where a kill swallowed the answer it may be there or not.
    tried: HashSet<String>,
    /// What was accepted, as its sender heard.
    accepted: HashSet<String>,
}

/// Sends one after the other, each once.
fn send_until(state: &Path, name: &str, over: &AtomicBool) -> Sent {
    let mut sent = Sent::default();
    while !over.load(Ordering::Relaxed) {
        let body = format!("{name} {}", sent.tried.len());
        sent.tried.insert(body.clone());
        if send(state, &body).is_ok() {
            sent.accepted.insert(body);
        }
        thread::sleep(Duration::from_millis(20));
    }
    sent
}

fn send(state: &Path, body: &str) -> Result<(), Fault> {
    let message = SendToGroup {
        group: "crew".into(),
        body: Body(body.as_bytes().to_vec()),
        content_type: Default::default(),
        message: None,
        lifetime_seconds: None,
        asks: None,
        wait_seconds: None,
    };
    ask(state, &Request::SendToGroup(message)).map(drop)
}

/// What a reader knows.
#[derive(Default)]
struct Seen {
    /// What it was shown, once or, where it had not marked it, more often; under which id.
    shown: HashMap<String, MessageId>,
    /// Those whose mark was answered: they must not come again.
    marked: HashSet<MessageId>,
}

fn read_until(state: &Path, seen: &Mutex<Seen>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        // While the agent is dead, nobody answers.
        let _ = read(state, seen);
        thread::sleep(Duration::from_millis(10));
    }
}

/// Reads the inbox once and marks what is in it.
fn read(state: &Path, seen: &Mutex<Seen>) -> Result<(), Fault> {
    for reply in ask(state, &Request::Inbox { follow: false })? {
        let Reply::Delivery(delivery) = reply else { continue };
        let (id, sender) = (delivery.message, delivery.sender.agent);
        let body = String::from_utf8(delivery.body.0).unwrap();
        {
            let mut seen = seen.lock().unwrap();
            assert!(!seen.marked.contains(&id), "{body} came again after its mark");
            let before = seen.shown.insert(body.clone(), id);
            assert!(before.is_none_or(|before| before == id), "{body} came under two ids");
        }
        // An answer that a kill swallowed leaves open whether it is marked.
        ask(state, &Request::Processed { sender, message: id })?;
        seen.lock().unwrap().marked.insert(id);
    }
    Ok(())
}

fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(Instant::now() < limit, "in vain: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
