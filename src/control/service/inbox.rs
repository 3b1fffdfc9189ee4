//! Messages that arrived.

use super::{Ended, Out};
use crate::control::{Body, Reply, reply, roster};
use crate::{Agent, Delivery};

/// Shows what is there, and where it is asked for, what comes.
pub(super) async fn show(agent: &Agent, follow: bool, out: &Out) -> Result<(), Ended> {
    let mut inbox = if follow { agent.inbox() } else { agent.unread() };
    while let Some(delivery) = inbox.next().await {
        out.say(Reply::Delivery(shown(agent, &delivery))).await?;
    }
    Ok(())
}

fn shown(agent: &Agent, delivery: &Delivery) -> reply::Delivery {
    reply::Delivery {
        message: delivery.id,
        sender: roster::named(agent, delivery.sender),
        protocol: delivery.protocol,
        posture: delivery.posture.into(),
        received: delivery.received.into(),
        created: delivery.sent.into(),
        content_type: delivery.content_type.clone(),
        body: Body(delivery.body.clone()),
        repeat: delivery.repeat,
        group: delivery.group,
    }
}
