//! `meshctl id`

use clap::Args;
use meshwork::control::{Reply, Request};

use crate::access::Access;
use crate::context::Context;
use crate::output::Halt;
use crate::settings::Settings;

/// Show who this agent is
#[derive(Args, Debug)]
#[command(after_help = "\
The contact is one line for others to copy: `meshctl peers add CONTACT`, or `meshctl send CONTACT \
hello`. It needs not be kept secret, nor to come from a trusted place: whoever answers there must \
prove to be this agent.

Example:
  $ meshctl id
  agent    mw1qrz3fh…
  contact  mw1qrz3fh…@192.0.2.7:7400")]
pub(crate) struct Id {}

impl Id {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        let output = context.output;
        let replies = Access::once(context, Request::Id {}).await?;
        let name = Settings::read(&context.state)?.name;
        for reply in replies {
            output.object(&reply)?;
            let Reply::Identity(identity) = reply else { continue };
            if let Some(name) = &name {
                output.say(format_args!("name     {name}"))?;
            }
            output.say(format_args!("agent    {}", identity.agent))?;
            for contact in &identity.contacts {
                output.say(format_args!("contact  {contact}"))?;
            }
            if identity.contacts.is_empty() {
                let up = context.command("up");
                output.say(format_args!("contact  none yet: `{up}` listens, and prints it"))?;
            }
        }
        Ok(())
    }
}
