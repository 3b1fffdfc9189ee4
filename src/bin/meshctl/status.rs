//! `meshctl status`: how far a message got, or what a relay does.

use clap::Args;
use meshwork::MessageId;
use meshwork::control::{Code, Fault, Reply, Request};

use crate::access::Access;
use crate::context::Context;
use crate::output::Halt;
use crate::show;

/// Show how far a message got, or what this agent does as a relay
#[derive(Args, Debug)]
#[command(after_help = "\
queued     durable here
sent       on its way
relayed    with a relay that keeps the peer's mail, or in the log of the group
delivered  durable in the peer's inbox
processed  marked by the peer's application (`meshctl inbox` marks what it shows)
expired    no longer tried; a late receipt can still move it on
refused    the peer will never take it

Example:
  $ meshctl status 5f0c8e6f2a1b4c3d9e8f7a6b5c4d3e2f
  processed  5f0c8e6f2a1b4c3d9e8f7a6b5c4d3e2f  to bob  live: a live session with the peer stands
  $ meshctl status --relay
  mail         1204 waiting, 310 in the fullest mailbox, the oldest for 2 h")]
pub(crate) struct Status {
    /// The message's id, as `send` printed it
    #[arg(required_unless_present = "relay")]
    id: Option<String>,
    /// What this agent does as a relay, since it started as one
    #[arg(long, conflicts_with = "id")]
    relay: bool,
}

impl Status {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        match self.id {
            Some(id) => of_message(context, message_id(&id)?).await,
            None => of_relay(context).await,
        }
    }
}

async fn of_message(context: &Context, message: MessageId) -> Result<(), Halt> {
    for reply in Access::once(context, Request::Status { message }).await? {
        context.output.object(&reply)?;
        match reply {
            Reply::Status(status) => context.output.say(show::status(&status))?,
            Reply::GroupMessage(message) => context.output.say(show::group_message(&message))?,
            _ => {}
        }
    }
    Ok(())
}

async fn of_relay(context: &Context) -> Result<(), Halt> {
    let replies = Access::once(context, Request::Relay {}).await?;
    if replies.is_empty() {
        context
            .output
            .say("this agent is no relay: `meshctl relay` or `meshctl up --relay` makes it one")?;
    }
    for reply in replies {
        context.output.object(&reply)?;
        if let Reply::Relay(figures) = reply {
            context.output.say(show::relay(&figures))?;
        }
    }
    Ok(())
}

pub(crate) fn message_id(text: &str) -> Result<MessageId, Fault> {
    text.parse().map_err(|error| Fault::new(Code::BadMessageId, format!("{text}: {error}")))
}
