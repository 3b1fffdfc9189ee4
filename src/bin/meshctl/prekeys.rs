//! `meshctl prekeys`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use meshwork::control::{BundleFacts, Code, Fault, Prekeys as Told, RelayPool, Reply, Request};
use meshwork::deferred::agent::Bundle;
use meshwork::identity::Unverified;

use crate::access::Access;
use crate::context::Context;
use crate::output::{Halt, Output};
use crate::plain::Plain;
use crate::table::Table;
use crate::{card, crypto, show, start};

/// Show and exchange the keys by which agents that are away are written to
#[derive(Args, Debug)]
#[command(after_help = "\
A message for a peer that does not answer is sealed to its prekeys at once, and waits here until a way \
opens. Agents that know each other exchange bundles of prekeys by themselves when they meet, each with \
a one-time key for the other alone; a bundle also travels as a file, without one. It holds no secret.

Example:
  $ meshctl prekeys status
  $ meshctl prekeys export --out alice.prekeys     here
  $ meshctl prekeys import alice.prekeys           there, where alice is known")]
pub(crate) struct Prekeys {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show this agent's prekeys, and which peers can be written to while they are away
    #[command(after_help = "Example:\n  $ meshctl prekeys status")]
    Status,
    /// Sign the bundle anew and give it to every known peer that is here
    #[command(after_help = "\
The bundle then counts for two weeks more. Peers that are away get it when a session with them opens.

Example:
  $ meshctl prekeys publish")]
    Publish,
    /// Replace the signed prekeys now, as happens by itself each week
    #[command(after_help = "\
What was sealed to the replaced ones still opens, for 40 days.

Example:
  $ meshctl prekeys rotate")]
    Rotate,
    /// Print the newest bundle, for a file or a mail
    #[command(after_help = "Example:\n  $ meshctl prekeys export --out alice.prekeys")]
    Export {
        /// Write it to this file instead
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Take the bundle of a known peer from a file
    #[command(after_help = "Example:\n  $ meshctl prekeys import bob.prekeys")]
    Import {
        /// The file; - is standard input
        file: String,
    },
    /// Check a bundle against its agent's card and show what it says; needs no agent
    #[command(after_help = "Example:\n  $ meshctl prekeys verify bob.prekeys --card bob.card")]
    Verify {
        /// The file; - is standard input
        file: String,
        /// The card file of its agent
        #[arg(long, value_name = "FILE")]
        card: String,
    },
}

impl Prekeys {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        match self.what {
            What::Status => status(context, Request::Prekeys {}).await,
            What::Publish => status(context, Request::PublishPrekeys {}).await,
            What::Rotate => status(context, Request::RotatePrekeys {}).await,
            What::Export { out } => export(context, out).await,
            What::Import { file } => {
                let bundle = card::read_text(&file)?;
                show(context, &ask(context, Request::ImportPrekeys { bundle }).await?)
            }
            What::Verify { file, card } => show(context, &verify(&file, &card)?),
        }
    }
}

async fn ask(context: &Context, request: Request) -> Result<BundleFacts, Halt> {
    let replies = Access::once(context, request).await?;
    let bundle = replies.into_iter().find_map(|reply| match reply {
        Reply::Bundle(bundle) => Some(bundle),
        _ => None,
    });
    Ok(bundle.ok_or_else(|| Fault::new(Code::Broken, "no bundle came"))?)
}

async fn export(context: &Context, out: Option<PathBuf>) -> Result<(), Halt> {
    let output = context.output;
    let bundle = ask(context, Request::ExportPrekeys {}).await?;
    match out {
        None => output.say(bundle.text.trim_end())?,
        Some(path) => {
            std::fs::write(&path, &bundle.text)
                .map_err(|error| Fault::new(Code::Disk, format!("{}: {error}", path.display())))?;
            output.say(format_args!("Written to {}.", path.display()))?;
        }
    }
    output.object(&Reply::Bundle(bundle))
}

fn verify(file: &str, of: &str) -> Result<BundleFacts, Fault> {
    let bundle = Unverified::<Bundle>::parse_text(&card::read_text(file)?)?;
    let card = card::verify(of)?;
    let facts = BundleFacts::new(&bundle, None);
    bundle.verify(&*crypto::provider(), &card, None, start::now())?;
    Ok(facts)
}

fn show(context: &Context, bundle: &BundleFacts) -> Result<(), Halt> {
    let output = context.output;
    output.object(&Reply::Bundle(bundle.clone()))?;
    let name = bundle.of.name.as_deref().unwrap_or_default();
    output.say(format_args!("agent      {} {}", bundle.of.agent, Plain(name)))?;
    output.say(format_args!("number     {}", bundle.number))?;
    let (from, until) = (show::time(bundle.not_before), show::time(bundle.not_after));
    output.say(format_args!("counts     {from} to {until}"))?;
    output.say("signature  holds, both halves of it")
}

async fn status(context: &Context, request: Request) -> Result<(), Halt> {
    for reply in Access::once(context, request).await? {
        context.output.object(&reply)?;
        if let Reply::Prekeys(prekeys) = reply {
            tell(context, &prekeys)?;
        }
    }
    Ok(())
}

/// What each relay has of them.
fn relays(output: Output, relays: &[RelayPool]) -> Result<(), Halt> {
    if relays.is_empty() {
        return Ok(());
    }
    output.say("\nAt the relays that keep its mail:")?;
    let mut table = Table::with_heads(&["NAME", "ANSWERS", "ONE-TIME KEYS", "FETCHED", "ID"]);
    for relay in relays {
        let name = relay.who.name.as_deref();
        table.row([
            name.map_or_else(|| "-".into(), |it| Plain(it).to_string()),
            if relay.answers { "yes".into() } else { "no".into() },
            relay.one_time.map_or_else(|| "not known".into(), |count| count.to_string()),
            relay.fetched.to_string(),
            relay.who.agent.to_string(),
        ]);
    }
    table.lines().try_for_each(|line| output.say(line))
}

fn tell(context: &Context, prekeys: &Told) -> Result<(), Halt> {
    let output = context.output;
    let Told { generations, pool_size, available, handed_out, bundle, .. } = prekeys;
    let due = show::time(prekeys.rotation_due);
    output.say(format_args!("signed    {generations} kept; the newest is replaced {due}"))?;
    output.say(format_args!(
        "one-time  {available} of {pool_size} free, {handed_out} given and not used"
    ))?;
    let (from, until) = (show::time(prekeys.not_before), show::time(prekeys.not_after));
    output.say(format_args!("bundle    number {bundle}, counts {from} to {until}"))?;
    relays(output, &prekeys.relays)?;
    if prekeys.peers.is_empty() {
        return output.say("peers     none can be written to while it is away");
    }
    output.say("\nCan be written to while they are away:")?;
    let mut table = Table::with_heads(&["NAME", "BUNDLE", "UNTIL", "ONE-TIME KEY", "ID"]);
    for peer in &prekeys.peers {
        let name = peer.who.name.as_deref().map_or_else(|| "-".into(), |it| Plain(it).to_string());
        let one_time = if peer.one_time { "yes" } else { "no" };
        table.row([
            name,
            peer.bundle.to_string(),
            show::time(peer.until),
            one_time.into(),
            peer.who.agent.to_string(),
        ]);
    }
    table.lines().try_for_each(|line| output.say(line))
}
