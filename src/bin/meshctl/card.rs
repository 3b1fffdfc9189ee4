//! `meshctl card`

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use meshwork::control::{CardFacts, Code, Fault, Reply, Request};
use meshwork::identity::{Unverified, card::MAX_CARD_LENGTH};

use crate::access::{self, Access};
use crate::context::Context;
use crate::output::Halt;
use crate::plain::Plain;
use crate::settings::Settings;
use crate::{crypto, show, start, up};

/// Show, export, import, verify or renew cards
#[derive(Args, Debug)]
#[command(after_help = "\
A card is what an agent's root says of it: its keys, where it listens, what it can do. It holds no \
secret, and proves itself wherever it comes from.

Example:
  $ meshctl card export > alice.card       here
  $ meshctl card import alice.card --name alice     there")]
pub(crate) struct Card {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show what this agent's card says
    Show,
    /// Print this agent's card, for a file or a mail
    #[command(after_help = "Example:\n  $ meshctl card export --out alice.card")]
    Export {
        /// Write it to this file instead
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Learn the peer of a card file, as `peers add` does
    #[command(after_help = "Example:\n  $ meshctl card import bob.card --name bob")]
    Import {
        /// The file; - is standard input
        file: String,
        /// A local name for the peer
        #[arg(long)]
        name: Option<String>,
    },
    /// Check a card file and show what it says; needs no agent
    #[command(after_help = "Example:\n  $ meshctl card verify bob.card")]
    Verify {
        /// The file; - is standard input
        file: String,
    },
    /// Sign a new card, before the one in use ends
    #[command(after_help = "\
A card counts for 30 days. An agent whose root is in its state renews it by itself; one whose root \
is kept apart asks for this after 15 days. The agent must not be up.

Example:
  $ meshctl card renew --root-file /media/stick/alice.root")]
    Renew {
        /// The file that `init --root-file` wrote, where the root is kept apart
        #[arg(long, value_name = "FILE")]
        root_file: Option<PathBuf>,
    },
}

impl Card {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        match self.what {
            What::Show => show(context, &own(context).await?),
            What::Export { out } => export(context, own(context).await?, out).await,
            What::Import { file, name } => import(context, &file, name).await,
            What::Verify { file } => show(context, &(&verify(&file)?).into()),
            What::Renew { root_file } => renew(context, root_file.as_deref()).await,
        }
    }
}

async fn own(context: &Context) -> Result<CardFacts, Halt> {
    let replies = Access::once(context, Request::Card {}).await?;
    let card = replies.into_iter().find_map(|reply| match reply {
        Reply::Card(card) => Some(card),
        _ => None,
    });
    Ok(card.ok_or_else(|| Fault::new(Code::Broken, "no card came"))?)
}

async fn export(context: &Context, card: CardFacts, out: Option<PathBuf>) -> Result<(), Halt> {
    let output = context.output;
    let Some(path) = out else {
        output.say(card.text.trim_end())?;
        return output.object(&Reply::Card(card));
    };
    std::fs::write(&path, &card.text)
        .map_err(|error| Fault::new(Code::Disk, format!("{}: {error}", path.display())))?;
    output.say(format_args!("Written to {}.", path.display()))?;
    output.object(&Reply::Card(card))
}

/// Listens as `up` does, so that the card says where it will be.
async fn renew(context: &Context, root_file: Option<&Path>) -> Result<(), Halt> {
    let settings = Settings::read(&context.state)?;
    let open = async || {
        let mut builder = start::builder(context)?.fresh_card();
        if let Some(path) = root_file {
            builder = builder.root(start::read_root(path)?);
        }
        if let Some(listen) = &settings.listen {
            builder = builder.listen(listen);
        }
        if let Some(advertise) = &settings.advertise {
            builder = builder.advertise(up::address(advertise)?);
        }
        start::existing(context, builder).await
    };
    let agent = access::alone(context, open).await?;
    let card = CardFacts::from(&*agent.card());
    agent.close().await.map_err(Fault::from)?;
    show(context, &card)
}

async fn import(context: &Context, file: &str, name: Option<String>) -> Result<(), Halt> {
    let card = read_text(file)?;
    for reply in Access::once(context, Request::Import { card, name }).await? {
        context.output.object(&reply)?;
        if let Reply::Peer(peer) = reply {
            show::peers(context.output, &[peer])?;
        }
    }
    Ok(())
}

/// The card of a file, if it proves itself.
pub(crate) fn verify(file: &str) -> Result<meshwork::Card, Fault> {
    let card = Unverified::<meshwork::Card>::parse_text(&read_text(file)?)?;
    Ok(card.verify(&*crypto::provider(), start::now())?)
}

/// The text of a card file; no more than the longest card.
pub(crate) fn read_text(file: &str) -> Result<String, Fault> {
    let mut text = String::new();
    let read = if file == "-" {
        std::io::stdin().lock().take(LONGEST).read_to_string(&mut text)
    } else {
        let opened = std::fs::File::open(Path::new(file));
        opened.and_then(|opened| opened.take(LONGEST).read_to_string(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(Fault::new(Code::InputFile, format!("{file}: {error}"))),
    }
}

fn show(context: &Context, card: &CardFacts) -> Result<(), Halt> {
    let output = context.output;
    output.object(&Reply::Card(card.clone()))?;
    output.say(format_args!("agent      {}", card.agent))?;
    output.say(format_args!("number     {}", card.sequence))?;
    let (from, until) = (show::time(card.not_before), show::time(card.not_after));
    output.say(format_args!("counts     {from} to {until}"))?;
    list(context, "addresses", &card.addresses)?;
    list(context, "relays", &card.relays)?;
    list(context, "services", &card.services)?;
    if let Some(region) = &card.region {
        output.say(format_args!("region     {}", Plain(region)))?;
    }
    output.say("signature  holds, both halves of it")
}

fn list(context: &Context, head: &str, items: &[String]) -> Result<(), Halt> {
    let shown = if items.is_empty() { "-".into() } else { items.join(", ") };
    context.output.say(format_args!("{head:<9}  {}", Plain(&shown)))
}

/// Base64 of the longest card with its line ends and marker lines, and then some.
const LONGEST: u64 = 2 * MAX_CARD_LENGTH as u64 + 2_048;
