//! Who is known, and how they stand.

use std::collections::BTreeMap;

use meshwork_protocols::identity::{AgentId, Unverified};
use meshwork_router::Standing;

use super::{Ended, Out, groups};
use crate::control::named::Named;
use crate::control::request::Stand;
use crate::control::{Fault, Reply, reply, roster};
use crate::{Agent, Card};

/// All of them, and how many messages are held of each stranger.
pub(super) async fn list(agent: &Agent, out: &Out) -> Result<(), Ended> {
    let held = held(agent).await?;
    for peer in agent.peers().await.map_err(Fault::from)? {
        let messages = held.get(&peer.id).copied().unwrap_or(0);
        out.say(Reply::Peer(facts(agent, peer, messages).await?)).await?;
    }
    Ok(())
}

/// Those of whom messages are held.
pub(super) async fn strangers(agent: &Agent, out: &Out) -> Result<(), Ended> {
    for (id, messages) in held(agent).await? {
        if let Some(peer) = agent.peer(id).await.map_err(Fault::from)? {
            out.say(Reply::Peer(facts(agent, peer, messages).await?)).await?;
        }
    }
    Ok(())
}

async fn held(agent: &Agent) -> Result<BTreeMap<AgentId, usize>, Fault> {
    Ok(agent.strangers().await?.iter().map(|it| (it.id, it.messages)).collect())
}

pub(super) async fn meet(
    agent: &Agent,
    contact: &str,
    name: Option<String>,
    out: &Out,
) -> Result<(), Ended> {
    let contact = roster::contact(contact)?;
    let id = roster::meet(agent, contact, name).await?;
    tell(agent, id, out).await
}

pub(super) async fn import(
    agent: &Agent,
    card: &str,
    name: Option<String>,
    out: &Out,
) -> Result<(), Ended> {
    let card = Unverified::<Card>::parse_text(card).map_err(Fault::from)?;
    let card = card.verify(&*agent.shared.provider(), agent.shared.clock.now().wall);
    let card = card.map_err(Fault::from)?;
    let id = roster::meet(agent, card, name).await?;
    tell(agent, id, out).await
}

pub(super) async fn stand(
    agent: &Agent,
    peer: &str,
    standing: Stand,
    out: &Out,
) -> Result<(), Ended> {
    let id = roster::find(agent, peer).await?;
    let standing = match standing {
        Stand::Known => Standing::Known,
        Stand::Blocked => Standing::Blocked,
    };
    agent.stand(id, standing).await.map_err(Fault::from)?;
    tell(agent, id, out).await
}

pub(super) async fn name(agent: &Agent, peer: &str, name: String, out: &Out) -> Result<(), Ended> {
    let id = roster::find(agent, peer).await?;
    agent.name(id, Some(roster::check_name(name)?)).await.map_err(Fault::from)?;
    tell(agent, id, out).await
}

pub(super) async fn forget(agent: &Agent, peer: &str) -> Result<(), Ended> {
    let id = roster::find(agent, peer).await?;
    Ok(agent.forget(id).await.map_err(Fault::from)?)
}

/// How a message would go.
pub(super) async fn explain(agent: &Agent, peer: &str, out: &Out) -> Result<(), Ended> {
    let id = match roster::find(agent, peer).await {
        Ok(id) => id,
        // Perhaps a group is meant.
        Err(unknown) => match roster::find_group(agent, peer).await {
            Ok(group) => return out.say(Reply::Group(groups::facts(agent, group))).await,
            Err(_) => return Err(unknown.into()),
        },
    };
    let explanation = agent.explain(id).await.map_err(Fault::from)?;
    let choice = explanation.choice;
    let route = reply::Route {
        to: roster::named(agent, id),
        standing: explanation.standing.unwrap_or(Standing::Stranger),
        protocol: choice.protocol,
        reason: choice.reason,
        why: choice.reason.to_string(),
        connected: explanation.situation.live.is_some(),
        dialling: explanation.situation.dialling.into(),
        stored: explanation.situation.stored.is_some(),
        relays: explanation.situation.relays.into(),
        waiting: explanation.waiting,
    };
    out.say(Reply::Route(route)).await
}

/// Shows one peer.
async fn tell(agent: &Agent, id: AgentId, out: &Out) -> Result<(), Ended> {
    let Some(peer) = agent.peer(id).await.map_err(Fault::from)? else { return Ok(()) };
    out.say(Reply::Peer(facts(agent, peer, 0).await?)).await
}

async fn facts(agent: &Agent, peer: crate::Peer, held: usize) -> Result<reply::Peer, Fault> {
    let explanation = agent.explain(peer.id).await?;
    Ok(reply::Peer {
        who: Named { agent: peer.id, name: peer.name },
        standing: peer.standing,
        contact: peer.contact,
        connected: explanation.situation.live.is_some(),
        held,
        dealings: peer.dealings.into(),
    })
}
