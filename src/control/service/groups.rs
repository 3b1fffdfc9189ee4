//! Groups.

use std::collections::BTreeSet;
use std::time::Duration;

use meshwork_protocols::fleet::{Asks, GroupId};
use meshwork_protocols::identity::{AgentId, Contact, Relay, Transport};
use meshwork_protocols::wire::MessageId;
use meshwork_router::{GroupEvent, GroupStatus, GroupSummary};

use super::{Ended, Out};
use crate::control::groups::{
    EntryKind, EntryTrial, Group, GroupEntry, GroupMember, GroupMessage, GroupState, Invitation,
};
use crate::control::request::{ChangeGroup, GroupChange, SendToGroup, WaitFor};
use crate::control::{Body, Code, Fault, Reply, roster};
use crate::{Agent, Event, GroupError, Logged, LoggedKind, SealedEntry, Stopped, Watch};

/// Those that the agent is in, and those that it is invited to.
pub(super) async fn list(agent: &Agent, out: &Out) -> Result<(), Ended> {
    for summary in agent.groups().all().await.map_err(Fault::from)? {
        out.say(Reply::Group(facts(agent, summary))).await?;
    }
    for invitation in agent.groups().invitations().await.map_err(Fault::from)? {
        let invitation = Invitation {
            group: invitation.group,
            name: invitation.name,
            by: roster::named(agent, invitation.by),
            received: invitation.received.into(),
            holder: roster::named(agent, invitation.holder),
        };
        out.say(Reply::Invitation(invitation)).await?;
    }
    Ok(())
}

/// One of them.
pub(super) async fn one(agent: &Agent, text: &str, out: &Out) -> Result<(), Ended> {
    let summary = roster::find_group(agent, text).await?;
    out.say(Reply::Group(facts(agent, summary))).await
}

pub(super) async fn create(
    agent: &Agent,
    name: String,
    relay: Option<&str>,
    out: &Out,
) -> Result<(), Ended> {
    let holder = relay.map(roster::contact).transpose()?.as_ref().map(relay_at);
    let group = agent.groups().create_at(name, holder).await.map_err(Fault::from)?;
    tell(agent, group, out).await
}

/// A contact says no transport, and relays serve those that lose nothing.
fn relay_at(contact: &Contact) -> Relay {
    let addresses = contact.addresses([Transport::Quic, Transport::Tcp]);
    Relay { agent: contact.agent, addresses }
}

pub(super) async fn join(agent: &Agent, text: &str, out: &Out) -> Result<(), Ended> {
    let group = roster::find_invitation(agent, text).await?;
    agent.groups().join(group).await.map_err(Fault::from)?;
    tell(agent, group, out).await
}

pub(super) async fn decline(agent: &Agent, text: &str) -> Result<(), Ended> {
    let group = roster::find_invitation(agent, text).await?;
    Ok(agent.groups().decline(group).await.map_err(Fault::from)?)
}

pub(super) async fn forget(agent: &Agent, text: &str) -> Result<(), Ended> {
    let group = roster::find_group(agent, text).await?.group;
    Ok(agent.groups().forget(group).await.map_err(Fault::from)?)
}

/// Has a group changed, and waits as long as is asked for.
pub(super) async fn change(agent: &Agent, asked: ChangeGroup, out: &Out) -> Result<(), Ended> {
    let ChangeGroup { group, change, members, relay, wait_seconds } = asked;
    let to = relay.as_deref().map(roster::contact).transpose()?.as_ref().map(relay_at);
    if to.is_some() != (change == GroupChange::Move) {
        let cause = "a relay is named where the log moves, and nowhere else";
        return Err(Fault::new(Code::Malformed, cause).into());
    }
    let before = roster::find_group(agent, &group).await?;
    let mut whom = Vec::with_capacity(members.len());
    for member in &members {
        whom.push(roster::find_member(agent, &before, member).await?);
    }
    // Watched before it is asked for, so that nothing falls between.
    let mut watch = agent.watch();
    let holder = to.as_ref().map(|to| to.agent);
    ask(agent, before.group, (change, to), &whom).await.map_err(Fault::from)?;
    if let Some(seconds) = wait_seconds {
        let (own, before) = (agent.id(), &before);
        let wanted = Wanted { change, whom: &whom, holder, own, before };
        let made = tokio::time::timeout(
            Duration::from_secs(seconds),
            made(agent, &mut watch, before.group, &wanted),
        );
        match made.await {
            Ok(made) => made?,
            Err(_elapsed) => return Err(late(agent, before, &whom).await?.into()),
        }
    }
    tell(agent, before.group, out).await
}

/// What is told of a change that is not made in time.
async fn late(agent: &Agent, before: &GroupSummary, whom: &[AgentId]) -> Result<Fault, Fault> {
    let (now, name) = (agent.groups().one(before.group).await?, &before.name);
    let waits = now.wanted.iter().filter(|agent| whom.contains(agent));
    let waits: Vec<_> = waits.map(|id| roster::named(agent, *id).to_string()).collect();
    let cause = if waits.is_empty() {
        format!("the change of {name} is not made yet")
    } else {
        format!("no relay has keys of {} yet, by which to come into {name}", waits.join(", "))
    };
    Ok(Fault::new(Code::ChangeNotYet, cause))
}

async fn ask(
    agent: &Agent,
    group: GroupId,
    (change, to): (GroupChange, Option<Relay>),
    whom: &[AgentId],
) -> Result<(), GroupError> {
    let groups = agent.groups();
    match change {
        GroupChange::Invite => groups.invite(group, whom).await,
        GroupChange::Heal => groups.heal(group, whom).await,
        GroupChange::Remove => groups.remove(group, whom).await,
        GroupChange::Appoint | GroupChange::Dismiss => {
            for member in whom {
                groups.appoint(group, member, change == GroupChange::Appoint).await?;
            }
            Ok(())
        }
        GroupChange::Rotate => groups.rotate(group).await,
        GroupChange::Move => match to {
            Some(to) => groups.move_log(group, to).await,
            None => Err(GroupError::NoRelay),
        },
        GroupChange::Leave => groups.leave(group).await,
    }
}

/// What a group is to look like.
struct Wanted<'a> {
    change: GroupChange,
    whom: &'a [AgentId],
    /// The relay that is to hold the log.
    holder: Option<AgentId>,
    own: AgentId,
    before: &'a GroupSummary,
}

impl Wanted<'_> {
    fn is_met(&self, now: &GroupSummary) -> bool {
        let all = |holds: &dyn Fn(&AgentId) -> bool| self.whom.iter().all(holds);
        match self.change {
            GroupChange::Invite => all(&|agent| now.members.contains(agent)),
            GroupChange::Remove => {
                all(&|agent| !now.members.contains(agent) && !now.wanted.contains(agent))
            }
            GroupChange::Appoint => all(&|agent| now.admins.contains(agent)),
            GroupChange::Dismiss => all(&|agent| !now.admins.contains(agent)),
            GroupChange::Heal | GroupChange::Rotate => {
                let is_made = now.epoch > self.before.epoch && now.changes == 0;
                is_made && all(&|agent| !now.wanted.contains(agent))
            }
            GroupChange::Move => {
                let is_made = now.moves > self.before.moves || now.changes == 0;
                is_made && Some(now.holder) == self.holder
            }
            GroupChange::Leave => !now.members.contains(&self.own),
        }
    }
}

/// Waits until the group looks like that, or it is told that it will not.
async fn made(
    agent: &Agent,
    watch: &mut Watch,
    group: GroupId,
    wanted: &Wanted<'_>,
) -> Result<(), Fault> {
    loop {
        match agent.groups().one(group).await {
            Ok(now) if wanted.is_met(&now) => return Ok(()),
            Ok(_) => {}
            // It is left.
            Err(GroupError::UnknownGroup) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        loop {
            match watch.next().await {
                None => return Err(Stopped.into()),
                Some(Event::Missed(_)) => break,
                Some(Event::Group { group: of, what }) if of == group => {
                    if let Some(fault) = failure(agent, wanted, what) {
                        return Err(fault);
                    }
                    break;
                }
                Some(_) => {}
            }
        }
    }
}

/// What is told of a change that is not made.
fn failure(agent: &Agent, wanted: &Wanted<'_>, what: GroupEvent) -> Option<Fault> {
    let code = match what {
        GroupEvent::NotAdded(peer) if wanted.whom.contains(&peer) => {
            let peer = roster::named(agent, peer);
            let cause = format!("for a week no relay of {peer} had keys of it to add it by");
            return Some(Fault::new(Code::NotAdded, cause));
        }
        GroupEvent::NotMoved { to } if wanted.holder == Some(to) => Code::LogNotMoved,
        GroupEvent::NotAdmin => Code::NotAdmin,
        GroupEvent::NotChanged { why } => return Some(GroupError::Rule(why).into()),
        GroupEvent::Refused => Code::LogAway,
        GroupEvent::NotListed | GroupEvent::Stranded => Code::GroupStranded,
        _ => return None,
    };
    Some(Fault::new(code, what.to_string()))
}

pub(super) async fn send(agent: &Agent, message: SendToGroup, out: &Out) -> Result<(), Ended> {
    let SendToGroup { group, body, content_type, message, lifetime_seconds, asks, wait_seconds } =
        message;
    let group = roster::find_group(agent, &group).await?.group;
    let groups = agent.groups();
    let mut outgoing = groups.message(group).content_type(content_type);
    if let Some(id) = message {
        outgoing = outgoing.id(id);
    }
    if let Some(seconds) = lifetime_seconds {
        outgoing = outgoing.lifetime(Duration::from_secs(seconds));
    }
    let outgoing = outgoing.asks(match asks {
        None => Asks::Nothing,
        Some(WaitFor::Delivered) => Asks::Delivered,
        Some(WaitFor::Processed) => Asks::Processed,
    });
    let id = outgoing.send(body.0).await.map_err(Fault::from)?;
    let wait = Duration::from_secs(wait_seconds.unwrap_or(0));
    match tokio::time::timeout(wait, groups.settled(id)).await {
        Ok(settled) => {
            out.say(Reply::GroupMessage(how_far(agent, id, settled.map_err(Fault::from)?))).await
        }
        Err(_elapsed) => status(agent, id, out).await,
    }
}

/// How far a message to a group got.
pub(super) async fn status(agent: &Agent, id: MessageId, out: &Out) -> Result<(), Ended> {
    let status = agent.groups().status(id).await.map_err(Fault::from)?;
    let unknown = || Fault::new(Code::UnknownMessage, format!("no message {id} is known"));
    out.say(Reply::GroupMessage(how_far(agent, id, status.ok_or_else(unknown)?))).await
}

fn how_far(agent: &Agent, message: MessageId, status: GroupStatus) -> GroupMessage {
    let named = |agents: BTreeSet<AgentId>| {
        agents.into_iter().map(|id| roster::named(agent, id)).collect::<Vec<_>>()
    };
    GroupMessage {
        group: status.group,
        message,
        level: status.level.into(),
        asks: match status.asks {
            Asks::Nothing => None,
            Asks::Delivered => Some(WaitFor::Delivered),
            Asks::Processed => Some(WaitFor::Processed),
        },
        delivered: status.delivered,
        processed: status.processed,
        undelivered: named(status.undelivered),
        unprocessed: named(status.unprocessed),
    }
}

/// The log, from a place to its end.
pub(super) async fn log(
    agent: &Agent,
    text: &str,
    (after, sealed): (u64, bool),
    out: &Out,
) -> Result<(), Ended> {
    let group = roster::find_group(agent, text).await?.group;
    let mut after = after;
    loop {
        let entries = agent.groups().log(group, after).await.map_err(Fault::from)?;
        let Some(last) = entries.last() else { return Ok(()) };
        // A holder that repeats itself is not followed for ever.
        if last.index <= after {
            return Ok(());
        }
        after = last.index;
        for entry in entries {
            let bytes = sealed.then(|| Body(entry.sealed.clone()));
            let entry = GroupEntry { sealed: bytes, ..shown(agent, entry) };
            out.say(Reply::GroupEntry(entry)).await?;
        }
    }
}

/// What an entry would come to here.
pub(super) async fn try_entry(
    agent: &Agent,
    text: &str,
    (kind, sealed): (EntryKind, Vec<u8>),
    out: &Out,
) -> Result<(), Ended> {
    let group = roster::find_group(agent, text).await?.group;
    let entry = match kind {
        EntryKind::Commit => SealedEntry::Commit(sealed),
        EntryKind::Message => SealedEntry::Message(sealed),
        _ => {
            let cause = "only commits and messages are sealed";
            return Err(Fault::new(Code::Malformed, cause).into());
        }
    };
    let trial = match agent.groups().try_entry(group, entry).await {
        Ok(trial) => EntryTrial { opens: true, what: trial.to_string() },
        Err(GroupError::Rule(why)) => EntryTrial { opens: false, what: why.to_string() },
        Err(error) => return Err(Fault::from(error).into()),
    };
    out.say(Reply::EntryTrial(trial)).await
}

fn shown(agent: &Agent, logged: Logged) -> GroupEntry {
    let Logged { index, author, since, kind, sealed } = logged;
    let named = |agents: Vec<AgentId>| {
        agents.into_iter().map(|id| roster::named(agent, id)).collect::<Vec<_>>()
    };
    let mut entry = GroupEntry {
        index,
        author: roster::named(agent, author),
        at: since.into(),
        kind: EntryKind::Message,
        epoch: None,
        on: None,
        admitted: Vec::new(),
        removed: Vec::new(),
        bytes: sealed.len(),
        sealed: None,
    };
    match kind {
        LoggedKind::Founding => entry.kind = EntryKind::Founding,
        LoggedKind::Message => {}
        LoggedKind::Commit { epoch, admitted, removed } => {
            (entry.kind, entry.epoch) = (EntryKind::Commit, Some(epoch));
            (entry.admitted, entry.removed) = (named(admitted), named(removed));
        }
        LoggedKind::Confirmed(on) => (entry.kind, entry.on) = (EntryKind::Confirmed, Some(on)),
        LoggedKind::CannotProcess(on) => {
            (entry.kind, entry.on) = (EntryKind::CannotProcess, Some(on));
        }
        LoggedKind::PutsBack(on) => (entry.kind, entry.on) = (EntryKind::PutsBack, Some(on)),
        LoggedKind::Refounding(on) => (entry.kind, entry.on) = (EntryKind::Refounding, Some(on)),
    }
    entry
}

/// Shows one group, where the agent is in it.
async fn tell(agent: &Agent, group: GroupId, out: &Out) -> Result<(), Ended> {
    match agent.groups().one(group).await {
        Ok(summary) => out.say(Reply::Group(facts(agent, summary))).await,
        Err(GroupError::UnknownGroup) => Ok(()),
        Err(error) => Err(Fault::from(error).into()),
    }
}

pub(super) fn facts(agent: &Agent, summary: GroupSummary) -> Group {
    let own = agent.id();
    let (admins, in_again): (BTreeSet<AgentId>, _) = (summary.admins, summary.in_again);
    let member = |id: AgentId| GroupMember {
        who: roster::named(agent, id),
        admin: admins.contains(&id),
        own: id == own,
        in_again: in_again.contains(&id),
    };
    let state = match (summary.stranded, summary.follows) {
        (true, _) => GroupState::Stranded,
        (false, true) => GroupState::Follows,
        (false, false) => GroupState::Founding,
    };
    Group {
        group: summary.group,
        name: summary.name,
        holder: roster::named(agent, summary.holder),
        state,
        epoch: summary.epoch,
        moves: summary.moves,
        members: summary.members.into_iter().map(member).collect(),
        read: summary.read,
        waiting: summary.waiting,
        changes: summary.changes,
        wanted: summary.wanted.into_iter().map(|id| roster::named(agent, id)).collect(),
        protocol: summary.choice.protocol,
        reason: summary.choice.reason,
        why: summary.choice.reason.to_string(),
    }
}
