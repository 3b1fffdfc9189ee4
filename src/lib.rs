//! Peer-to-peer messaging for software agents: one `send`, and the message arrives once.
//!
//! An [`Agent`] has an identity of its own, keeps its state in a folder, and talks to its peers in
//! hybrid post-quantum sessions:
//!
//! - [`Agent::builder`] says where the state is and where to listen, and starts the agent.
//! - [`Agent::meet`] learns a peer from a contact string or a card.
//! - [`Agent::send`] takes a message on: when it returns, the message is durable here, and will be
//!   put into the peer's inbox exactly once, or end as expired or refused.
//! - [`Agent::inbox`] hands out what arrived; [`Delivery::processed`] tells the sender.
//! - [`Agent::call`] asks a service of a peer and waits for its answer; [`Agent::serve`] offers one.
//! - [`Agent::datagram`] sends what may be lost, [`Agent::datagrams`] hands it out.
//! - [`Agent::open_stream`] opens a stream of bytes to a peer, [`Agent::streams`] takes those that
//!   peers open.
//! - [`Agent::groups`] founds and joins groups: encrypted channels whose members come and go.
//! - [`Agent::relay`] keeps mail, prekeys, group logs and blobs for others.
//! - [`Agent::watch`] tells what happens, [`Agent::explain`] how a message would go and why.
//!
//! [`files`] sends files over streams, [`control`] lets other programs drive an agent, through a socket.
//!
//! Everything runs on the tokio runtime in which the agent was started; [`runtime`] makes one that suits
//! it. Every future here may be
//! dropped at any point; each method says what is left of what it had begun.

mod agent;
mod config;
#[cfg(unix)]
pub mod control;
mod driver;
pub mod files;
mod own;
mod relay;
mod runtime;
mod streams;

pub use agent::{
    Addressee, Agent, Asked, Call, CallError, CloseError, Counters, Datagram, DatagramError,
    Datagrams, Dealings, Declined, Delivery, Event, FetchError, GroupError, GroupMessage, Groups,
    Inbox, Logged, LoggedKind, MeetError, Message, Peer, PeerError, PrekeyError, ProcessError,
    ReachError, SealedEntry, SendError, ServeError, Serving, StatusError, Stopped, Stranger, Watch,
    Whom,
};
pub use config::{Builder, StartError};
pub use driver::RelayState;
pub use own::OwnError;
pub use relay::{RelaySettings, RelayStartError, Relaying};
pub use runtime::runtime;
pub use streams::{OpenStreamError, Stream, StreamError, Streams, TakeStreamsError};

pub use meshwork_protocols::deferred::agent::{BundleError, BundleNumber};
pub use meshwork_protocols::fleet::{Asks, GroupId};
pub use meshwork_protocols::identity::{Address, AgentId, Card, Contact, ServiceName, Transport};
pub use meshwork_protocols::live::call::{MAX_CALL_BODY, MAX_DEADLINE, Refusal};
pub use meshwork_protocols::live::datagram::MAX_DATAGRAM;
pub use meshwork_protocols::live::stream::{Progress as StreamProgress, StreamCode};
pub use meshwork_protocols::wire::{ContentType, MAX_BODY, MAX_LIFETIME, MessageId, RefusalReason};
pub use meshwork_protocols::{deferred, identity, live, posture, provider, secret, time};
pub use meshwork_relay::storage::StorageError as RelayStorageError;
pub use meshwork_relay::{Limits as RelayLimits, Metrics as RelayMetrics};
pub use meshwork_router::{
    Choice, Dialling, Explanation, FirstContact, GroupEvent, GroupStatus, GroupSummary,
    InvitationSummary, Level, Limits, Misbehaviour, PeerPrekeys, PrekeySettings, PrekeyStatus,
    Protocol, Reason, RelaySituation, Situation, Standing, Status, Suspicion, Trial, UpkeepError,
};
pub use meshwork_state::{
    CreateError, OpenError, RestoreEvidence, StoreError, Unlock, UnlockError, UnlockKind, key_file,
};

/// The example of the front page, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct FrontPage;
