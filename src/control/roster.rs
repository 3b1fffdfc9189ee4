//! Finds the peer or the group that a person means.

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::{AgentId, Role};
use meshwork_router::{GroupSummary, Standing};

use super::named::Named;
use super::{Code, Fault};
use crate::agent::Whom;
use crate::{Addressee, Agent, Contact};

/// An agent with its local name.
pub(super) fn named(agent: &Agent, id: AgentId) -> Named {
    Named { agent: id, name: agent.name_of(id) }
}

/// The kept peer that a text means: an id, a contact's, or a local name.
pub(super) async fn find(agent: &Agent, text: &str) -> Result<AgentId, Fault> {
    let addressee = if text.contains('@') {
        Addressee::Id(contact(text)?.agent)
    } else if looks_like_id(text) {
        Addressee::Id(id(text)?)
    } else {
        Addressee::Name(text.to_owned())
    };
    match agent.peer(addressee).await? {
        Some(peer) => Ok(peer.id),
        None => Err(unknown(agent, text).await?),
    }
}

/// Nobody is meant; perhaps one of those that are called nearly so.
async fn unknown(agent: &Agent, text: &str) -> Result<Fault, Fault> {
    let fault = Fault::new(Code::UnknownPeer, format!("no peer {text} is known"));
    let peers = agent.peers().await?;
    let near = near(text, peers.iter().filter_map(|peer| peer.name.as_deref()));
    Ok(if near.is_empty() { fault } else { fault.advise(did_you_mean(&near, "peers")) })
}

/// Those of these names that may have been meant.
fn near<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.filter(|name| is_near(text, name)).take(SUGGESTIONS).collect()
}

/// The same; who stands behind a contact and is not known yet is met first.
pub(super) async fn find_or_meet(agent: &Agent, text: &str) -> Result<AgentId, Fault> {
    if !text.contains('@') {
        return find(agent, text).await;
    }
    let contact = contact(text)?;
    let id = contact.agent;
    let explained = agent.explain(id).await?;
    let connected = explained.situation.live.is_some();
    match explained.standing {
        // Only `peers accept` unblocks.
        Some(Standing::Blocked) => {}
        Some(Standing::Known) if connected => {}
        // It may have moved; if it is away, the message waits for it.
        Some(Standing::Known) => drop(meet(agent, contact, None).await),
        _ => drop(meet(agent, contact, None).await?),
    }
    Ok(id)
}

/// The group that a text means: its id, the start of one, or its name here.
pub(super) async fn find_group(agent: &Agent, text: &str) -> Result<GroupSummary, Fault> {
    let groups = agent.groups().all().await?;
    let found = pick(text, groups.iter().map(|group| (group.group, group.name.as_str())))?;
    let unknown = || {
        let fault = Fault::new(Code::UnknownGroup, format!("this agent is in no group {text}"));
        let near = near(text, groups.iter().map(|group| group.name.as_str()));
        if near.is_empty() { fault } else { fault.advise(did_you_mean(&near, "group")) }
    };
    match found.and_then(|found| groups.iter().find(|group| group.group == found)) {
        Some(group) => Ok(group.clone()),
        None => Err(unknown()),
    }
}

/// The group to which this agent is invited that a text means.
pub(super) async fn find_invitation(agent: &Agent, text: &str) -> Result<GroupId, Fault> {
    let all = agent.groups().invitations().await?;
    let found = pick(text, all.iter().map(|it| (it.group, it.name.as_str())))?;
    if let Some(group) = found {
        return Ok(group);
    }
    let is_in = find_group(agent, text).await;
    Err(match is_in {
        Ok(group) if !group.stranded => {
            let cause = format!("this agent is in the group {} already", group.name);
            Fault::new(Code::IsMember, cause)
        }
        _ => Fault::new(Code::NotInvited, format!("no invitation to {text} is here")),
    })
}

/// A member of a group, or a peer that is to be one.
pub(super) async fn find_member(
    agent: &Agent,
    group: &GroupSummary,
    text: &str,
) -> Result<AgentId, Fault> {
    // Members need not be peers of this agent.
    match text.parse::<AgentId>() {
        Ok(id) if group.members.contains(&id) || group.wanted.contains(&id) => Ok(id),
        _ => find(agent, text).await,
    }
}

/// Which of these a text means; nothing where it means none.
fn pick<'a>(
    text: &str,
    groups: impl Iterator<Item = (GroupId, &'a str)>,
) -> Result<Option<GroupId>, Fault> {
    let typed = text.to_lowercase();
    let is_id =
        |group: &GroupId| typed.len() >= SHORTEST_ID && group.to_string().starts_with(&typed);
    let meant: Vec<_> = groups.filter(|(id, name)| *name == text || is_id(id)).collect();
    match meant.as_slice() {
        [] => Ok(None),
        [(group, _)] => Ok(Some(*group)),
        several => {
            let ids: Vec<_> = several.iter().map(|(id, _)| id.to_string()).collect();
            let cause = format!("{text} may be each of {}", ids.join(", "));
            Err(Fault::new(Code::AmbiguousGroup, cause))
        }
    }
}

/// Learns a peer.
pub(super) async fn meet(
    agent: &Agent,
    whom: impl Into<Whom>,
    name: Option<String>,
) -> Result<AgentId, Fault> {
    let met = match name {
        Some(name) => agent.meet_as(whom, check_name(name)?).await,
        None => agent.meet(whom).await,
    };
    Ok(met?)
}

/// A contact, told from an id with its own advice.
pub(super) fn contact(text: &str) -> Result<Contact, Fault> {
    text.parse().map_err(|error| Fault::new(Code::BadContact, format!("{text}: {error}")))
}

/// A name that no terminal, table or shell trips over, and that is never taken for an id.
pub(super) fn check_name(name: String) -> Result<String, Fault> {
    let bad = |why: String| Fault::new(Code::BadName, why);
    if looks_like_id(&name) {
        return Err(bad(format!("{name} looks like an agent's id")));
    }
    name.parse::<Role>().map_err(|error| bad(format!("{name:?}: {error}")))?;
    Ok(name)
}

fn looks_like_id(text: &str) -> bool {
    text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("mw1"))
}

fn id(text: &str) -> Result<AgentId, Fault> {
    text.parse().map_err(|error| Fault::new(Code::BadId, format!("{text}: {error}")))
}

fn did_you_mean(names: &[&str], list: &str) -> String {
    format!("did you mean {}? `meshctl {list}` lists all", names.join(" or "))
}

/// Whether someone who typed one name may have meant the other: a start of it, or at most a third
/// of its characters, and two, apart.
fn is_near(typed: &str, name: &str) -> bool {
    let (typed, name) = (typed.to_lowercase(), name.to_lowercase());
    let apart = name.chars().count().div_ceil(3).min(2);
    name.starts_with(&typed)
        || typed.starts_with(&name)
        || distance(&typed, &name) <= apart
        || is_swapped(&typed, &name)
}

/// Whether two neighbours changed places, which fingers do most.
fn is_swapped(one: &str, other: &str) -> bool {
    let (one, mut other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    (1..other.len()).any(|at| {
        other.swap(at - 1, at);
        let same = one == other;
        other.swap(at - 1, at);
        same
    })
}

/// How many characters to change, add or drop to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, left) in one.chars().take(LONGEST).enumerate() {
        let mut before = at;
        let mut last = at + 1;
        for (right, cell) in other.iter().zip(row.iter_mut().skip(1)) {
            let changed = before + usize::from(left != *right);
            before = *cell;
            last = changed.min(before + 1).min(last + 1);
            *cell = last;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Names that are suggested at most: more is a list, which `meshctl peers` gives.
const SUGGESTIONS: usize = 3;

/// The shortest start of a group's id that counts as one: shorter ones are names.
const SHORTEST_ID: usize = 6;

/// Characters that are compared: those of the longest name and some that were typed too much.
const LONGEST: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_changes() {
        for (one, other, expected) in [
            ("", "", 0),
            ("bob", "bob", 0),
            ("bob", "rob", 1),
            ("bob", "bobb", 1),
            ("alice", "alcie", 2),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn near_names_are_suggested_and_others_are_not() {
        for (typed, name) in
            [("Bob", "bob"), ("bbo", "bob"), ("bb", "bob"), ("al", "alice"), ("alcie", "alice")]
        {
            assert!(is_near(typed, name), "{typed} {name}");
        }
        for (typed, name) in [("carol", "bob"), ("x", "bob"), ("ace", "alice-two")] {
            assert!(!is_near(typed, name), "{typed} {name}");
        }
    }

    #[test]
    fn a_name_is_never_taken_for_an_id_and_never_breaks_a_line() {
        assert!(check_name("bob-2".into()).is_ok());
        for name in ["mw1bob", "MW1", "", "Bob", "b ob", "b\nob", "b\u{1b}", &"b".repeat(33)] {
            assert_eq!(check_name(name.into()).unwrap_err().code, Code::BadName, "{name:?}");
        }
    }
}
