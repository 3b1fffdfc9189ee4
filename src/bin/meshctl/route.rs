//! `meshctl route`

use clap::{Args, Subcommand};
use meshwork::control::{Reply, Request};

use crate::access::Access;
use crate::context::Context;
use crate::output::Halt;
use crate::show;

/// Explain how messages go
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  $ meshctl route explain bob")]
pub(crate) struct Route {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show how a message to a peer or a group would go now, and why
    #[command(after_help = "\
Example:
  $ meshctl route explain bob
  to        bob mw1qrz3fh…
  protocol  live
  because   a live session with the peer stands")]
    Explain {
        /// Its id or local name, or those of a group
        peer: String,
    },
}

impl Route {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        let What::Explain { peer } = self.what;
        let access = Access::open(context).await?;
        let running = access.is_running();
        let replies = access.all(Request::Explain { peer }).await;
        for reply in access.close_after(replies).await? {
            context.output.object(&reply)?;
            match reply {
                Reply::Route(route) => show::route(context.output, &route)?,
                Reply::Group(group) => show::group(context.output, &group)?,
                _ => {}
            }
        }
        if !running {
            let up = context.command("up");
            context.output.note(format_args!("(no agent runs: `{up}` lets sessions stand)"))?;
        }
        Ok(())
    }
}
