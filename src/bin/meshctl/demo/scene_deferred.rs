//! The scene: an agent is stopped, gets three messages, starts, and shows them.

use std::path::Path;
use std::time::{Duration, Instant};

use meshwork::control::{Code, Fault, Progress, Reply, Request, Status};
use meshwork::{MessageId, Protocol};
use serde::Serialize;

use super::member::{PAUSE, ask, message, until};
use super::mesh::Mesh;
use crate::output::{Halt, Output};
use crate::show;

/// What is said to the one that is away.
const SAID: [&str; 3] = ["the first, while you were away", "the second", "and a third"];

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    /// Messages that were sealed to the one that was away.
    sealed_while_away: usize,
    /// Of them those that it had once it was back, each once and as it was said.
    shown: usize,
}

/// Plays it.
pub(super) async fn play(mesh: &mut Mesh, output: Output) -> Result<(), Halt> {
    let Some((away, others)) = mesh.members.split_last_mut() else { return Ok(()) };
    let Some(sender) = others.first() else { return Ok(()) };
    let (from, to) = (sender.name, away.name);
    // What it was given of the other's prekeys came with the sessions of before.
    knows(&sender.state, to).await?;
    away.stop().await?;
    output.say(format_args!("\n{to} is stopped. {from} writes to it all the same:\n"))?;
    let mut sealed = Vec::new();
    for text in SAID {
        let (id, request) = message(to, text, true);
        ask(&sender.state, &request).await?;
        sealed.push(id);
    }
    for id in &sealed {
        let status = soon(&sender.state, *id, |status| status.protocol == Protocol::Deferred);
        output.say(format_args!("  {}", show::status(&status.await?)))?;
    }
    away.restart().await?;
    for id in &sealed {
        soon(&sender.state, *id, |status| status.level >= Progress::Delivered).await?;
    }
    output.say(format_args!("\n{to} is up again, and has in its inbox:\n"))?;
    let shown = read(&away.state, &sealed, SAID, output).await?;
    let verdict = Verdict { sealed_while_away: sealed.len(), shown };
    output.object(&verdict)?;
    if shown == SAID.len() {
        return Ok(());
    }
    let cause = format!("of three messages to an agent that was away {shown} arrived once");
    Err(Fault::new(Code::DemoFailed, cause).into())
}

/// Waits until `to` can be written to while it is away.
async fn knows(state: &Path, to: &str) -> Result<(), Fault> {
    let patience = Instant::now() + PATIENCE;
    while Instant::now() < patience {
        for reply in ask(state, &Request::Prekeys {}).await? {
            let Reply::Prekeys(prekeys) = reply else { continue };
            if prekeys.peers.iter().any(|peer| peer.who.name.as_deref() == Some(to)) {
                return Ok(());
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Fault::new(Code::DemoFailed, format!("no prekeys of {to} came")))
}

/// Waits until a message is as far as is wanted, but not for ever.
pub(super) async fn soon(
    state: &Path,
    message: MessageId,
    wanted: impl Fn(&Status) -> bool,
) -> Result<Status, Fault> {
    let reached = tokio::time::timeout(PATIENCE, until(state, message, wanted)).await;
    reached.map_err(|_| Fault::new(Code::DemoFailed, format!("message {message} did not get on")))
}

/// Shows what is in the inbox and marks it; how many of these are there once, as they were said.
pub(super) async fn read(
    state: &Path,
    sealed: &[MessageId],
    said: [&str; 3],
    output: Output,
) -> Result<usize, Halt> {
    let mut arrived = Vec::new();
    for reply in ask(state, &Request::Inbox { follow: false }).await? {
        let Reply::Delivery(delivery) = reply else { continue };
        show::delivery(output, &delivery)?;
        let (sender, message) = (delivery.sender.agent, delivery.message);
        ask(state, &Request::Processed { sender, message }).await?;
        if delivery.protocol == Protocol::Deferred {
            arrived.push((message, delivery.body.0));
        }
    }
    let once = |(id, said): &(&MessageId, &str)| {
        let mut same = arrived.iter().filter(|(message, _)| message == *id);
        same.next().is_some_and(|(_, body)| body == said.as_bytes()) && same.next().is_none()
    };
    Ok(sealed.iter().zip(said).filter(once).count())
}

/// Many times what each step takes.
const PATIENCE: Duration = Duration::from_secs(20);
