//! The scene: four agents form a group over a relay; one of them is killed and comes back, and one is
//! taken out, whose saved state is then tried on everything that was said.

use std::path::Path;
use std::time::{Duration, Instant};

use meshwork::MessageId;
use meshwork::control::{
    Body, ChangeGroup, Code, Fault, Group, GroupChange, GroupEntry, GroupMessage, Progress, Reply,
    Request, SendToGroup, WaitFor,
};
use serde::Serialize;

use super::member::{Member, Part, ask};
use super::mesh::Mesh;
use super::scene_relay::until_published;
use crate::output::{Halt, Output};
use crate::show;

const GROUP: &str = "crew";

/// What is said while one of them is dead.
const SAID: [(usize, &str); 3] =
    [(FAY, "gil is gone"), (HAL, "it will read this"), (FAY, "once it is back")];

/// What is said when one of them is a member no more.
const SECRET: [(usize, &str); 2] = [(GIL, "ida cannot read this"), (HAL, "nor this")];

/// Their places among the members of the mesh, in the order of their names; the relay is the last.
const FAY: usize = 0;
const GIL: usize = 1;
const HAL: usize = 2;
const IDA: usize = 3;
const RELAY: usize = 4;

const NAMES: [&str; 4] = ["fay", "gil", "hal", "ida"];

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    /// Who was in the group.
    members: usize,
    /// Messages that were sent while one of them was killed.
    said_meanwhile: usize,
    /// Of them those that it had once it was back, each once and as it was said.
    shown: usize,
    /// Entries behind the one that took one of them out, as the relay had them.
    tried_behind: usize,
    /// Of them those that its saved state opened.
    opened_behind: usize,
    /// Messages before that entry, behind the saved state, that it opened: the trial can succeed.
    opened_before: usize,
}

impl Verdict {
    fn holds(&self) -> bool {
        self.members == NAMES.len()
            && self.shown == self.said_meanwhile
            && self.tried_behind > SECRET.len()
            && (self.opened_behind, self.opened_before) == (0, 1)
    }
}

/// Plays it.
pub(super) async fn play(output: Output) -> Result<(), Halt> {
    let mut mesh = Mesh::new(false)?;
    let played = play_on(&mut mesh, output).await;
    mesh.end().await;
    played
}

async fn play_on(mesh: &mut Mesh, output: Output) -> Result<(), Halt> {
    output.say("\nA relay starts, and fay, gil, hal and ida, whose keys it hands out.")?;
    mesh.start_parts([Part::relay("relay-3")].into()).await?;
    let relays: Vec<_> = mesh.members.iter().map(|member| member.contact.clone()).collect();
    mesh.start_parts(NAMES.map(|name| Part::agent(name, &relays)).to_vec()).await?;
    acquaint(&mesh.members).await?;
    for member in mesh.members.iter().take(NAMES.len()) {
        until_published(member).await?;
    }
    let group = found(&mesh.members).await?;
    let members = group.members.len();
    output.say(format_args!(
        "fay founds the group {GROUP} and adds the others, who join: {members} members."
    ))?;
    let shown = killed(mesh, output).await?;
    let (tried_behind, opened_behind, opened_before) = taken_out(mesh, output).await?;
    let said_meanwhile = SAID.len();
    let verdict =
        Verdict { members, said_meanwhile, shown, tried_behind, opened_behind, opened_before };
    output.object(&verdict)?;
    if verdict.holds() {
        return Ok(());
    }
    let cause = format!("the group was not as it should be: {verdict:?}");
    Err(Fault::new(Code::DemoFailed, cause).into())
}

/// Each learns each.
async fn acquaint(members: &[Member]) -> Result<(), Fault> {
    let agents = || members.iter().take(NAMES.len());
    for one in agents() {
        for other in agents().filter(|other| other.name != one.name) {
            let (contact, name) = (other.contact.clone(), Some(other.name.to_owned()));
            ask(&one.state, &Request::Meet { contact, name }).await?;
        }
    }
    Ok(())
}

/// The first founds the group and brings the others in, who join.
async fn found(members: &[Member]) -> Result<Group, Fault> {
    let founder = &at(members, FAY)?.state;
    let create = Request::CreateGroup { name: GROUP.to_owned(), relay: None };
    ask(founder, &create).await?;
    // Those whose keys are not at the relay yet are waited for.
    let others = NAMES.iter().skip(1).map(|name| (*name).to_owned()).collect();
    change(founder, GroupChange::Invite, others).await?;
    for member in members.iter().take(NAMES.len()).skip(1) {
        soon("an agent joins", async || {
            let join = Request::JoinGroup { group: GROUP.to_owned() };
            match ask(&member.state, &join).await {
                Ok(_) => Ok(Some(())),
                Err(fault) if matches!(fault.code, Code::NotInvited | Code::LogAway) => Ok(None),
                Err(fault) => Err(fault),
            }
        })
        .await?;
    }
    group(founder).await
}

/// One is killed, is spoken to, and comes back: how much of it it has once.
async fn killed(mesh: &mut Mesh, output: Output) -> Result<usize, Halt> {
    at_mut(&mut mesh.members, GIL)?.kill().await?;
    output.say("gil is killed with SIGKILL. The others go on; gil is started again, and has:\n")?;
    let sent = say(&mesh.members, &SAID).await?;
    let gil = at_mut(&mut mesh.members, GIL)?;
    gil.restart().await?;
    let state = gil.state.clone();
    soon("gil reads on", async || {
        let count = deliveries(&state).await?.len();
        Ok((count >= SAID.len()).then_some(()))
    })
    .await?;
    let mut arrived = Vec::new();
    for delivery in deliveries(&state).await? {
        show::delivery(output, &delivery)?;
        let (sender, message) = (delivery.sender.agent, delivery.message);
        ask(&state, &Request::Processed { sender, message }).await?;
        arrived.push((message, delivery.body.0));
    }
    output.say(format_args!("\nhal asks who is there, and every member says that it has it:"))?;
    output.say(format_args!("  {}", show::group_message(&asked(&mesh.members).await?)))?;
    let once = |(id, text): &(MessageId, &str)| {
        let mut same = arrived.iter().filter(|(message, _)| message == id);
        same.next().is_some_and(|(_, body)| body == text.as_bytes()) && same.next().is_none()
    };
    Ok(sent.iter().filter(|it| once(it)).count())
}

/// One is taken out. What it had saved before is tried on each entry that the relay has since:
/// how many there are behind its end, how many of them open, and how many of those before it.
async fn taken_out(mesh: &mut Mesh, output: Output) -> Result<(usize, usize, usize), Halt> {
    let ida = at_mut(&mut mesh.members, IDA)?;
    ida.stop().await?;
    let saved = ida.save()?;
    ida.restart().await?;
    let end = soon("the log", async || Ok(log(&at(&mesh.members, FAY)?.state).await.ok()))
        .await?
        .last()
        .map_or(0, |entry| entry.index);
    say(&mesh.members, &[(HAL, "ida may still read this")]).await?;
    let (fay, gil) = (&at(&mesh.members, FAY)?.state, &at(&mesh.members, GIL)?.state);
    change(fay, GroupChange::Remove, vec!["ida".to_owned()]).await?;
    say(&mesh.members, &SECRET).await?;
    change(gil, GroupChange::Rotate, Vec::new()).await?;
    let mut log = log(fay).await?;
    log.retain(|entry| entry.index > end && entry.kind.is_sealed());
    let out = log.iter().find(|entry| !entry.removed.is_empty()).map_or(0, |entry| entry.index);
    output.say(
        "\nfay takes ida out; gil and hal go on. What ida had saved before, its keys with it, is tried \
         on every sealed entry of the log since:\n",
    )?;
    // Alone with what it has: nobody tells it anything new.
    at_mut(&mut mesh.members, RELAY)?.kill().await?;
    at_mut(&mut mesh.members, IDA)?.stop().await?;
    let mut saved = Member::resume(saved, "ida", false).await?;
    let mut opened = Vec::new();
    for entry in &log {
        let (opens, what) = tried(&saved.state, entry).await?;
        let words = if opens { "opens:" } else { "stays closed:" };
        output.say(format_args!("  entry {:<3} {words:<14} {what}", entry.index))?;
        if opens {
            opened.push(entry.index);
        }
    }
    saved.kill().await?;
    let behind = |index: &&u64| **index > out;
    let tried = log.iter().filter(|entry| entry.index > out).count();
    let before = opened.iter().filter(|index| **index < out).count();
    Ok((tried, opened.iter().filter(behind).count(), before))
}

/// Whether an entry opens to a state, and what it is, or why not.
async fn tried(state: &Path, entry: &GroupEntry) -> Result<(bool, String), Fault> {
    let sealed = entry.sealed.clone().unwrap_or(Body(Vec::new()));
    let (group, kind) = (GROUP.to_owned(), entry.kind);
    for reply in ask(state, &Request::TryEntry { group, kind, sealed }).await? {
        if let Reply::EntryTrial(trial) = reply {
            return Ok((trial.opens, trial.what));
        }
    }
    Err(Fault::new(Code::Broken, "no trial came"))
}

/// Sends these, one after the other, each once it stands in the log.
async fn say<'a>(
    members: &[Member],
    said: &[(usize, &'a str)],
) -> Result<Vec<(MessageId, &'a str)>, Fault> {
    let mut sent = Vec::with_capacity(said.len());
    for (who, text) in said {
        let message = SendToGroup {
            group: GROUP.to_owned(),
            body: Body((*text).into()),
            content_type: Default::default(),
            message: None,
            lifetime_seconds: None,
            asks: None,
            wait_seconds: Some(PATIENCE.as_secs()),
        };
        for reply in ask(&at(members, *who)?.state, &Request::SendToGroup(message)).await? {
            if let Reply::GroupMessage(message) = reply {
                sent.push((message.message, *text));
            }
        }
    }
    Ok(sent)
}

/// One asks all others to say that they have what it sends.
async fn asked(members: &[Member]) -> Result<GroupMessage, Fault> {
    let message = SendToGroup {
        group: GROUP.to_owned(),
        body: Body("all there?".into()),
        content_type: Default::default(),
        message: None,
        lifetime_seconds: None,
        asks: Some(WaitFor::Delivered),
        wait_seconds: Some(PATIENCE.as_secs()),
    };
    let replies = ask(&at(members, HAL)?.state, &Request::SendToGroup(message)).await?;
    let message = replies.into_iter().find_map(|reply| match reply {
        Reply::GroupMessage(message) => Some(message),
        _ => None,
    });
    let message = message.ok_or_else(|| Fault::new(Code::Broken, "no answer came"))?;
    if message.level != Progress::Delivered {
        let cause = format!("a message to the group is {} so far", message.level.as_str());
        return Err(Fault::new(Code::DemoFailed, cause));
    }
    Ok(message)
}

async fn change(state: &Path, change: GroupChange, members: Vec<String>) -> Result<(), Fault> {
    let (group, wait_seconds) = (GROUP.to_owned(), Some(PATIENCE.as_secs()));
    let change = ChangeGroup { group, change, members, relay: None, wait_seconds };
    let request = Request::ChangeGroup(change);
    ask(state, &request).await.map(drop)
}

async fn group(state: &Path) -> Result<Group, Fault> {
    let groups = ask(state, &Request::Groups { group: Some(GROUP.to_owned()) }).await?;
    let group = groups.into_iter().find_map(|reply| match reply {
        Reply::Group(group) => Some(group),
        _ => None,
    });
    group.ok_or_else(|| Fault::new(Code::Broken, "no group came"))
}

async fn log(state: &Path) -> Result<Vec<GroupEntry>, Fault> {
    let request = Request::GroupLog { group: GROUP.to_owned(), after: 0, sealed: true };
    let entries = ask(state, &request).await?.into_iter().filter_map(|reply| match reply {
        Reply::GroupEntry(entry) => Some(entry),
        _ => None,
    });
    Ok(entries.collect())
}

async fn deliveries(state: &Path) -> Result<Vec<meshwork::control::Delivery>, Fault> {
    let replies = ask(state, &Request::Inbox { follow: false }).await?;
    let deliveries = replies.into_iter().filter_map(|reply| match reply {
        Reply::Delivery(delivery) => Some(delivery),
        _ => None,
    });
    Ok(deliveries.collect())
}

/// Tries until it comes out, but not for ever.
async fn soon<T>(
    what: &str,
    attempt: impl AsyncFn() -> Result<Option<T>, Fault>,
) -> Result<T, Fault> {
    let patience = Instant::now() + PATIENCE;
    while Instant::now() < patience {
        if let Some(done) = attempt().await? {
            return Ok(done);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Fault::new(Code::DemoFailed, format!("in vain: {what}")))
}

fn at(members: &[Member], place: usize) -> Result<&Member, Fault> {
    members.get(place).ok_or_else(missing)
}

fn at_mut(members: &mut [Member], place: usize) -> Result<&mut Member, Fault> {
    members.get_mut(place).ok_or_else(missing)
}

fn missing() -> Fault {
    Fault::new(Code::Broken, "an agent of the demo is missing")
}

/// Many times what each step takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
