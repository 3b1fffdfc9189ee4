//! `meshctl status`

use clap::Args;
use meshwork::MessageId;
use meshwork::control::{Code, Fault, Reply, Request};

use crate::access::Access;
use crate::context::Context;
use crate::output::Halt;
use crate::show;

/// Show how far a message got
#[derive(Args, Debug)]
#[command(after_help = "\
queued     durable here
sent       on its way
delivered  durable in the peer's inbox
processed  marked by the peer's application (`meshctl inbox` marks what it shows)
expired    no longer tried; a late receipt can still move it on
refused    the peer will never take it

Example:
  $ meshctl status 5f0c8e6f2a1b4c3d9e8f7a6b5c4d3e2f
  processed  5f0c8e6f2a1b4c3d9e8f7a6b5c4d3e2f  to bob  live: a live session with the peer stands")]
pub(crate) struct Status {
    /// The message's id, as `send` printed it
    id: String,
}

impl Status {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        let message = message_id(&self.id)?;
        for reply in Access::once(context, Request::Status { message }).await? {
            context.output.object(&reply)?;
            if let Reply::Status(status) = reply {
                context.output.say(show::status(&status))?;
            }
        }
        Ok(())
    }
}

pub(crate) fn message_id(text: &str) -> Result<MessageId, Fault> {
    text.parse().map_err(|error| Fault::new(Code::BadMessageId, format!("{text}: {error}")))
}
