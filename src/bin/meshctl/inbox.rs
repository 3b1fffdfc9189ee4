//! `meshctl inbox`

use clap::Args;
use meshwork::control::{Delivery, Reply, Request};

use crate::access::Access;
use crate::context::Context;
use crate::output::Halt;
use crate::show;

/// Show what arrived, and mark it as processed
#[derive(Args, Debug)]
#[command(after_help = "\
A message is marked once it was printed, and then leaves the inbox; its sender learns. With --keep \
nothing is marked, and the same messages are shown again next time.

Examples:
  $ meshctl inbox
  from bob  2026-05-01 14:03:59Z  live, hybrid encryption, hybrid authentication  5f0c8e6f…
    hello
  $ meshctl inbox --follow --json")]
pub(crate) struct Inbox {
    /// Go on with what arrives, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// Mark nothing
    #[arg(long)]
    keep: bool,
}

impl Inbox {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        let access = Access::open(context).await?;
        let done = self.show(context, &access).await;
        access.close_after(done).await
    }

    async fn show(&self, context: &Context, access: &Access) -> Result<(), Halt> {
        if self.follow && !access.is_running() {
            let up = context.command("up");
            context
                .output
                .note(format_args!("(no agent runs: nobody can reach this one; `{up}`)"))?;
        }
        access.fetch().await;
        let mut shown = 0_usize;
        let each = async |reply| {
            let Reply::Delivery(delivery) = reply else { return Ok(()) };
            shown += 1;
            self.one(context, access, delivery).await
        };
        access.ask(Request::Inbox { follow: self.follow }, each).await?;
        let held = strangers(context, access).await?;
        if shown == 0 && !held { nothing(context, access.is_running()) } else { Ok(()) }
    }

    /// Marked only once it was shown: what was not read to its end comes again.
    async fn one(
        &self,
        context: &Context,
        access: &Access,
        delivery: Delivery,
    ) -> Result<(), Halt> {
        show::delivery(context.output, &delivery)?;
        let (sender, message) = (delivery.sender.agent, delivery.message);
        context.output.object(&Reply::Delivery(delivery))?;
        if self.keep {
            return Ok(());
        }
        access.all(Request::Processed { sender, message }).await.map(drop)
    }
}

/// Says who waits to be let in; whether anybody does.
async fn strangers(context: &Context, access: &Access) -> Result<bool, Halt> {
    let mut any = false;
    for reply in access.all(Request::Strangers {}).await? {
        let Reply::Peer(peer) = reply else { continue };
        any = true;
        let id = peer.who.agent;
        context.output.say(format_args!("A stranger wrote ({} held): {id}", peer.held))?;
        let (accept, block) = (format!("peers accept {id}"), format!("peers block {id}"));
        context.output.say(format_args!("  let it in:  {}", context.command(&accept)))?;
        context.output.say(format_args!("  or not:     {}", context.command(&block)))?;
    }
    Ok(any)
}

fn nothing(context: &Context, running: bool) -> Result<(), Halt> {
    let output = context.output;
    output.say("Nothing is here.")?;
    if running {
        let id = context.command("id");
        let follow = context.command("inbox --follow");
        output.say(format_args!("Give others the contact that `{id}` shows, or wait: `{follow}`"))
    } else {
        let up = context.command("up");
        output.say(format_args!("No agent runs, so nothing can arrive: start it with `{up}`"))
    }
}
