//! Messages of ours.

use std::time::Duration;

use meshwork_protocols::wire::MessageId;

use super::{Ended, Out, groups};
use crate::control::request::{Send, Wait, WaitFor};
use crate::control::{Fault, Reply, reply, roster};
use crate::{Agent, Status};

pub(super) async fn send(agent: &Agent, message: Send, out: &Out) -> Result<(), Ended> {
    let to = roster::find_or_meet(agent, &message.to).await?;
    let mut outgoing = agent.message(to).content_type(message.content_type);
    if let Some(id) = message.message {
        outgoing = outgoing.id(id);
    }
    if let Some(seconds) = message.lifetime_seconds {
        outgoing = outgoing.lifetime(Duration::from_secs(seconds));
    }
    if message.ordered {
        outgoing = outgoing.ordered();
    }
    let id = outgoing.send(message.body.0).await.map_err(Fault::from)?;
    status(agent, id, out).await?;
    match message.wait {
        Some(wait) => await_level(agent, id, wait, out).await,
        None => Ok(()),
    }
}

pub(super) async fn status(agent: &Agent, id: MessageId, out: &Out) -> Result<(), Ended> {
    match agent.status(id).await.map_err(Fault::from)? {
        Some(status) => tell(agent, id, status, out).await,
        None => groups::status(agent, id, out).await,
    }
}

/// Waits, and tells how far it got by then.
async fn await_level(agent: &Agent, id: MessageId, wait: Wait, out: &Out) -> Result<(), Ended> {
    let reached = async {
        match wait.level {
            WaitFor::Delivered => agent.delivered(id).await,
            WaitFor::Processed => agent.settled(id).await,
        }
    };
    match tokio::time::timeout(Duration::from_secs(wait.seconds), reached).await {
        Ok(Ok(there)) => tell(agent, id, there, out).await,
        Ok(Err(error)) => Err(Fault::from(error).into()),
        Err(_elapsed) => status(agent, id, out).await,
    }
}

async fn tell(agent: &Agent, id: MessageId, status: Status, out: &Out) -> Result<(), Ended> {
    let to = roster::named(agent, status.to);
    out.say(Reply::Status(reply::Status::new(id, to, status.level, status.choice))).await
}
