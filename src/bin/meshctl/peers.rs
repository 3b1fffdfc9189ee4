//! `meshctl peers`

use std::path::Path;

use clap::{Args, Subcommand};
use meshwork::control::{Peer, Reply, Request, Stand};

use crate::access::Access;
use crate::card;
use crate::context::Context;
use crate::output::Halt;
use crate::plain::Plain;
use crate::show;

/// List, add, accept, block, name or remove peers
#[derive(Args, Debug)]
#[command(after_help = "\
A peer is known (its messages come in), a stranger (it wrote first; held until you decide) or \
blocked (nothing of it is wanted).

Example:
  $ meshctl peers add mw1qrz3fh…@192.0.2.7:7400 --name bob
  $ meshctl send bob hello
  $ meshctl peers accept mw1q0p8zk…")]
pub(crate) struct Peers {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show all peers (the default)
    List,
    /// Learn a peer: by its contact line, whose card is fetched, or by a card file
    #[command(after_help = "Example:\n  $ meshctl peers add mw1qrz3fh…@192.0.2.7:7400 --name bob")]
    Add {
        /// A contact, mw1..@host:port, or the path of a card file
        #[arg(value_name = "CONTACT|CARDFILE")]
        whom: String,
        /// A local name for it
        #[arg(long)]
        name: Option<String>,
    },
    /// Let a stranger's or blocked peer's messages in, held ones too
    #[command(after_help = "Example:\n  $ meshctl peers accept mw1q0p8zk…")]
    Accept {
        /// Its id or local name
        peer: String,
    },
    /// Want nothing of a peer any more
    #[command(after_help = "Example:\n  $ meshctl peers block mw1q0p8zk…")]
    Block {
        /// Its id or local name
        peer: String,
    },
    /// Give a peer a local name
    #[command(after_help = "Example:\n  $ meshctl peers name mw1q0p8zk… bob")]
    Name {
        /// Its id or local name
        peer: String,
        /// The name: a-z, 0-9, '-' and '.', a letter first
        name: String,
    },
    /// Forget a peer; what was sent to it and not delivered expires
    #[command(after_help = "Example:\n  $ meshctl peers remove bob")]
    Remove {
        /// Its id or local name
        peer: String,
    },
}

impl Peers {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        let what = self.what.unwrap_or(What::List);
        let request = request(&what)?;
        let replies = Access::once(context, request).await?;
        for reply in &replies {
            context.output.object(reply)?;
        }
        let peers: Vec<Peer> = replies.into_iter().filter_map(peer).collect();
        tell(context, &what, &peers)
    }
}

fn request(what: &What) -> Result<Request, Halt> {
    Ok(match what {
        What::List => Request::Peers {},
        What::Add { whom, name } => {
            let name = name.clone();
            if whom.contains('@') && !Path::new(whom).exists() {
                Request::Meet { contact: whom.clone(), name }
            } else {
                Request::Import { card: card::read_text(whom)?, name }
            }
        }
        What::Accept { peer } => Request::Stand { peer: peer.clone(), standing: Stand::Known },
        What::Block { peer } => Request::Stand { peer: peer.clone(), standing: Stand::Blocked },
        What::Name { peer, name } => Request::Name { peer: peer.clone(), name: name.clone() },
        What::Remove { peer } => Request::Forget { peer: peer.clone() },
    })
}

fn peer(reply: Reply) -> Option<Peer> {
    match reply {
        Reply::Peer(peer) => Some(peer),
        _ => None,
    }
}

fn tell(context: &Context, what: &What, peers: &[Peer]) -> Result<(), Halt> {
    let output = context.output;
    match what {
        What::Remove { peer } => return output.say(format_args!("forgotten: {}", Plain(peer))),
        What::List if peers.is_empty() => {
            let add = context.command("peers add CONTACT");
            return output.say(format_args!("Nobody is known yet. Add the first with `{add}`."));
        }
        _ => {}
    }
    show::peers(output, peers)
}
