//! Drives an agent from outside its process: one JSON object a line over a Unix socket.
//!
//! [`Server`] answers on a socket beside the state of a running [`Agent`](crate::Agent); a
//! [`Client`] asks there. Whoever can open the socket is the agent's owner: it stands in a
//! directory of mode 0700, with mode 0600. What the lines say is [`Request`] and [`Reply`], published in
//! `docs/control.md` and `docs/control.schema.json`, so that any language can drive an agent.
//! [`answer`] does what a request asks for, with or without a socket in between.
//!
//! ```no_run
//! # async fn serve(agent: meshwork::Agent) -> Result<(), meshwork::control::Fault> {
//! let server = meshwork::control::Server::bind("/var/lib/alice".as_ref())?;
//! server.run(&agent).await; // until somebody asks to stop
//! # Ok(())
//! # }
//! ```
//!
//! Knows nothing of terminals, nor of how an agent delivers.

mod body;
mod client;
mod event;
mod fault;
mod groups;
mod lines;
mod moment;
mod named;
mod outsourced;
mod place;
mod prekeys;
mod relay;
mod reply;
mod request;
mod roster;
mod server;
mod service;
mod text;
mod transfer;

#[cfg(test)]
mod published;

pub(crate) use outsourced::Outsourced;

pub use body::Body;
pub use client::{Client, Replies};
pub use event::{Event, Happening};
pub use fault::{Code, Fault};
pub use groups::{
    EntryKind, EntryTrial, Group, GroupEntry, GroupMember, GroupMessage, GroupState, Invitation,
};
pub use lines::MAX_LINE;
pub use moment::Moment;
pub use named::Named;
pub use place::{MAX_SOCKET_PATH, SOCKET_FILE, socket_path};
pub use prekeys::{BundleFacts, PeerBundle, Prekeys, RelayPool};
pub use relay::RelayFigures;
pub use reply::{
    Answer as CallAnswer, Asked, CardFacts, Dealings, Delivery, Identity, MailRelays, Peer,
    Progress, Protection, Reply, Route, Search, Status,
};
pub use request::{
    Call, ChangeGroup, Decline, GroupChange, Request, Send, SendToGroup, Stand, Via, Wait, WaitFor,
};
pub use server::{MAX_CONNECTIONS, Server};
pub use service::{Answer, answer};
pub use transfer::{Direction, SendFile, Transfer, TransferState};

/// The version of what the lines say. It grows when something is said differently; what is only
/// added leaves it as it is.
pub const VERSION: u32 = 1;
