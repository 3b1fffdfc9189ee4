//! Decides how a message reaches its peer, and when it is safe to say so.
//!
//! [`Router`] is a pure state machine of three verbs: [`Router::handle`] takes what happened and
//! finishes its transition, [`Router::poll`] hands out what is to be done, and
//! [`Router::next_timeout`] says when time itself will matter. It opens no socket and no file and
//! reads no clock; rows come through [`meshwork_state::Rows`], and changes go out as batches.
//!
//! **The invariant.** Nothing sealed under a key or counter that a restart could hand out again
//! leaves before the batch that retires it is durable; and nothing received is acknowledged before
//! it and the state it advanced are durable. One place keeps it: `Ledger` releases an output only
//! when every batch made before it is durable.
#![no_std]
extern crate alloc;

mod away;
mod cards;
mod choice;
mod command;
mod deferred;
mod desk;
mod dialling;
mod errand;
mod event;
mod fleet;
mod fleets;
mod gap;
mod group_commit;
mod heartbeat;
mod held;
mod inbox;
mod incoming;
mod input;
mod ledger;
mod lineage;
mod mailbox;
mod needs;
mod outbox;
mod outgoing;
mod output;
mod owed;
mod path;
mod peer;
mod policy;
mod reach;
mod relaying;
mod relays;
mod router;
mod row;
mod rules;
mod seen;
mod sent;
mod stored;
mod strangers;
mod timers;
mod transition;
mod trouble;
mod upkeep;

pub use choice::{
    Choice, Dialling, LogSituation, Protocol, Reason, RelaySituation, Route, Situation,
    StoredSituation, Way, choose,
};
pub use command::{Answer, Command, CommandError, Outgoing, Request, Ticket};
pub use deferred::{Deferred, PeerPrekeys, PrekeySettings, PrekeyStatus, UpkeepError};
pub use desk::Config;
pub use errand::{ERRANDS, Errand, Errands};
pub use event::{Event, GroupEvent, Level, Misbehaviour};
pub use fleet::Fleet;
pub use fleets::{
    ASKED_MESSAGES, AskId, GROUP_MESSAGES, GroupRequest, GroupStatus, GroupSummary,
    INVITATIONS_OF_ONE, InvitationSummary, MAX_GROUP_BODY, MAX_GROUPS, MAX_INVITATIONS, MAX_NAMED,
    Trial,
};
pub use group_commit::{Group, GroupCommit};
pub use heartbeat::HEARTBEAT;
pub use inbox::{Delivery, INBOX_BYTES, INBOX_MESSAGES};
pub use input::{
    Input, PathChange, PathKind, PathOpened, PathRenewed, RelayFailure, RelayMail, RelayNews,
    TakenKey, TakenPrekeys,
};
pub use lineage::Suspicion;
pub use mailbox::{Brought, LONG_POLL, Mailbox, Turn};
pub use meshwork_protocols::live::admission::{Admission, Admitted, Applicant, Limits};
pub use needs::Needs;
pub use outbox::{OUTBOX_BYTES, OUTBOX_MESSAGES, PEER_BYTES, PEER_MESSAGES};
pub use output::{BatchId, CloseReason, Output, PathId, RelayPool};
pub use peer::{Meeting, PeerFacts, Standing};
pub use policy::{FirstContact, Policy};
pub use relays::{DepositId, TakeId};
pub use router::{Explanation, Router};
pub use sent::Status;
pub use stored::{Look, Opened, Sealed, Stored, StoredError, StoredProtocol, View};
