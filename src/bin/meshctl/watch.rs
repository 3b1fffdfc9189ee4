//! `meshctl watch`

use clap::Args;
use meshwork::control::{Code, Fault, Reply, Request};

use crate::access::Access;
use crate::context::Context;
use crate::output::Halt;
use crate::show;

/// Show what happens to the running agent, one line an event
#[derive(Args, Debug)]
#[command(after_help = "\
Ends with Ctrl-C, or with the agent.

Example:
  $ meshctl watch --json")]
pub(crate) struct Watch {}

impl Watch {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        let access = Access::open(context).await?;
        if !access.is_running() {
            let up = context.command("up");
            let fault = Fault::new(Code::NotUp, "no agent runs on this state");
            return access
                .close_after(Err(fault.advise(format!("start it with `{up}`")).into()))
                .await;
        }
        let command = |rest: &str| context.command(rest);
        let each = async |reply| {
            context.output.object(&reply)?;
            match reply {
                Reply::Event(event) => context.output.say(show::event(&event, &command)),
                _ => Ok(()),
            }
        };
        access.ask(Request::Watch {}, each).await
    }
}
