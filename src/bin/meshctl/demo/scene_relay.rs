//! The scene: two agents that are never up together, two relays between them, one of which is killed.

use std::time::{Duration, Instant};

use meshwork::control::{Code, Fault, Progress, Reply, Request};
use serde::Serialize;

use super::member::{Member, Part, ask, message};
use super::mesh::Mesh;
use super::scene_deferred::{read, soon};
use crate::output::{Halt, Output};
use crate::show;

/// What is said to the one that is away.
const SAID: [&str; 3] = ["left where you will find it", "by nobody you can reach", "at any hour"];

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    /// Messages that a relay took, durably, while the other was killed.
    relayed: usize,
    /// Of them those that their reader had, each once and as it was said, when their sender was gone.
    shown: usize,
    /// Of them those of which the sender heard that they were read, when their reader was gone.
    receipts: usize,
}

/// Plays it.
pub(super) async fn play(output: Output) -> Result<(), Halt> {
    let mut mesh = Mesh::new(false)?;
    let played = play_on(&mut mesh, output).await;
    mesh.end().await;
    played
}

async fn play_on(mesh: &mut Mesh, output: Output) -> Result<(), Halt> {
    output.say(
        "\nTwo relays start. dave and erin name both in their cards, and are never up together.",
    )?;
    mesh.start_parts([Part::relay("relay-1"), Part::relay("relay-2")].into()).await?;
    let relays: Vec<_> = mesh.members.iter().map(|member| member.contact.clone()).collect();
    // Each is up once, alone, and leaves its keys with the relays.
    let (mut dave, card_of_dave) = first_start(mesh, Part::agent("dave", &relays)).await?;
    let (mut erin, card_of_erin) = first_start(mesh, Part::agent("erin", &relays)).await?;
    // Each has the other's card, as from a mail.
    dave.restart().await?;
    learn(&dave, "erin", card_of_erin).await?;
    let Some(killed) = mesh.members.first_mut() else { return Ok(()) };
    killed.kill().await?;
    output.say(format_args!("{} is killed with SIGKILL. dave writes to erin:\n", killed.name))?;
    let mut sent = Vec::new();
    for text in SAID {
        let (id, request) = message("erin", text, true);
        ask(&dave.state, &request).await?;
        sent.push(id);
    }
    for id in &sent {
        let status = soon(&dave.state, *id, |status| status.level >= Progress::Relayed).await?;
        output.say(format_args!("  {}", show::status(&status)))?;
    }
    dave.stop().await?;
    erin.restart().await?;
    learn(&erin, "dave", card_of_dave).await?;
    output.say(
        "\ndave is stopped, and erin started. Its inbox, fetched from the relay that is left:\n",
    )?;
    let shown = awaited(&erin, &sent, output).await?;
    erin.stop().await?;
    dave.restart().await?;
    let mut receipts = 0;
    for id in &sent {
        let status = soon(&dave.state, *id, |status| status.level >= Progress::Processed).await?;
        receipts += usize::from(status.level == Progress::Processed);
    }
    output.say("\nerin is stopped, and dave started: it hears that all three were read.")?;
    dave.stop().await?;
    let verdict = Verdict { relayed: sent.len(), shown, receipts };
    output.object(&verdict)?;
    if (shown, receipts) == (SAID.len(), SAID.len()) {
        return Ok(());
    }
    let cause =
        format!("of three messages through a relay {shown} arrived once, {receipts} were settled");
    Err(Fault::new(Code::DemoFailed, cause).into())
}

/// Starts an agent, waits until both relays hand out its keys, and stops it; with its card.
async fn first_start(mesh: &Mesh, part: Part) -> Result<(Member, String), Fault> {
    let mut member = mesh.member(part).await?;
    until_published(&member).await?;
    let replies = ask(&member.state, &Request::Card {}).await?;
    let card = replies.into_iter().find_map(|reply| match reply {
        Reply::Card(card) => Some(card.text),
        _ => None,
    });
    member.stop().await?;
    let name = member.name;
    let missing = || Fault::new(Code::DemoFailed, format!("{name} has no card"));
    Ok((member, card.ok_or_else(missing)?))
}

/// Waits until all relays of an agent hand out its keys.
pub(super) async fn until_published(member: &Member) -> Result<(), Fault> {
    let patience = Instant::now() + PATIENCE;
    while !is_published(member).await? {
        if Instant::now() > patience {
            let cause = format!("the relays do not have the keys of {}", member.name);
            return Err(Fault::new(Code::DemoFailed, cause));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn is_published(member: &Member) -> Result<bool, Fault> {
    let replies = ask(&member.state, &Request::Prekeys {}).await?;
    Ok(replies.iter().any(|reply| match reply {
        Reply::Prekeys(prekeys) => {
            !prekeys.relays.is_empty()
                && prekeys.relays.iter().all(|relay| relay.one_time.is_some_and(|count| count > 0))
        }
        _ => false,
    }))
}

async fn learn(member: &Member, name: &str, card: String) -> Result<(), Fault> {
    let request = Request::Import { card, name: Some(name.to_owned()) };
    ask(&member.state, &request).await.map(drop)
}

/// Waits until everything is in the inbox, then reads it.
async fn awaited(
    member: &Member,
    sent: &[meshwork::MessageId],
    output: Output,
) -> Result<usize, Halt> {
    let patience = Instant::now() + PATIENCE;
    let count = async || {
        let replies = ask(&member.state, &Request::Inbox { follow: false }).await?;
        let delivered = replies.iter().filter(|reply| matches!(reply, Reply::Delivery(_)));
        Ok::<_, Fault>(delivered.count())
    };
    while count().await? < sent.len() && Instant::now() < patience {
        tokio::time::sleep(PAUSE).await;
    }
    read(&member.state, sent, SAID, output).await
}

/// Many times what each step takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
