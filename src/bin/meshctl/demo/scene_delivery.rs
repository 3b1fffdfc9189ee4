//! The scene: messages both ways between all, one agent killed in the middle.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use meshwork::control::{Fault, Progress, Reply, Request};
use tokio::task::JoinSet;

use super::member::{Member, PAUSE, ask, message, until};
use super::mesh::Mesh;
use super::tally::{self, Verdict, Way};
use crate::output::{Halt, Output};

/// Plays it, and counts what came of it.
pub(super) async fn play(mesh: &mut Mesh, output: Output) -> Result<Verdict, Halt> {
    let accepted = Arc::new(AtomicUsize::new(0));
    let mut sending = send_all(&mesh.members, &accepted);
    let total = sending.len() * MESSAGES;
    if let Some(victim) = mesh.members.last_mut() {
        reach(&accepted, total / 3).await;
        let (name, process) = (victim.name, victim.process().unwrap_or_default());
        victim.kill().await?;
        output.say(format_args!(
            "{name} (process {process}) is killed with SIGKILL after {} of {total} messages.",
            accepted.load(Ordering::Relaxed)
        ))?;
        // The others go on: what they send to it waits in their outboxes.
        reach(&accepted, total / 2).await;
        victim.restart().await?;
        output.say(format_args!("{name} is up again on the state that the kill left."))?;
    }
    let mut ways = Vec::new();
    while let Some(sent) = sending.join_next().await {
        ways.push(
            sent.map_err(|error| Fault::new(meshwork::control::Code::Broken, error.to_string()))?,
        );
    }
    ways.sort_by_key(|way| (way.from, way.to));
    let states: HashMap<_, _> =
        mesh.members.iter().map(|member| (member.name, member.state.clone())).collect();
    settle(&mut ways, &states, Progress::Delivered).await;
    output.say("Every message has its receipt; now each inbox is read.\n")?;
    read_inboxes(&mut ways, &states).await?;
    settle(&mut ways, &states, Progress::Processed).await;
    // Once more: what came twice may have come late.
    read_inboxes(&mut ways, &states).await?;
    let rows: Vec<_> = ways.iter().map(Way::row).collect();
    tally::show(output, &rows)?;
    Ok(Verdict::of(&rows))
}

/// From each to each, all at once.
fn send_all(members: &[Member], accepted: &Arc<AtomicUsize>) -> JoinSet<Way> {
    let mut sending = JoinSet::new();
    for from in members {
        for to in members.iter().filter(|to| to.name != from.name) {
            let (state, way) = (from.state.clone(), Way::new(from.name, to.name));
            sending.spawn(send(state, way, Arc::clone(accepted)));
        }
    }
    sending
}

/// Sends, a little apart. While the sender is dead, the message is asked for again under its id:
/// whether the first request was accepted or not, it is sent once.
async fn send(state: PathBuf, mut way: Way, accepted: Arc<AtomicUsize>) -> Way {
    for number in 1..=MESSAGES {
        let text = format!("message {number} from {} to {}", way.from, way.to);
        let (id, request) = message(way.to, &text, false);
        while ask(&state, &request).await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
        way.sent.insert(id, text);
        accepted.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(GAP).await;
    }
    way
}

async fn reach(accepted: &AtomicUsize, count: usize) {
    while accepted.load(Ordering::Relaxed) < count {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until each sender knows that each of its messages got at least that far.
async fn settle(ways: &mut [Way], states: &HashMap<&str, PathBuf>, level: Progress) {
    for way in ways {
        let Some(state) = states.get(way.from) else { continue };
        let ids: Vec<_> = way.sent.keys().copied().collect();
        for id in ids {
            way.told(&until(state, id, |status| status.level >= level).await);
        }
    }
}

/// Reads each inbox and marks what is in it.
async fn read_inboxes(ways: &mut [Way], states: &HashMap<&str, PathBuf>) -> Result<(), Fault> {
    for (to, state) in states {
        for reply in ask(state, &Request::Inbox { follow: false }).await? {
            let Reply::Delivery(delivery) = reply else { continue };
            let from = delivery.sender.name.as_deref().unwrap_or_default();
            if let Some(way) = ways.iter_mut().find(|way| way.from == from && way.to == *to) {
                way.arrived(&delivery);
            }
            let (sender, message) = (delivery.sender.agent, delivery.message);
            ask(state, &Request::Processed { sender, message }).await?;
        }
    }
    Ok(())
}

/// From each to each.
const MESSAGES: usize = 8;

/// Between two messages of one sender to one receiver: the kill comes in the middle of them.
const GAP: Duration = Duration::from_millis(60);
