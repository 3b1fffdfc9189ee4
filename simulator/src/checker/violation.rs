//! Promises that were not kept.

use std::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::wire::MessageId;
use meshwork_router::{Level, Suspicion};

use super::memory::Twice;
use crate::network::Host;
use crate::recorder::Reuse;

/// A promise that was not kept.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what the fields are")]
pub enum Violation {
    #[error(transparent)]
    KeyReused(#[from] Reuse),
    #[error("{host}: what a session sealed was sent again as it was")]
    SentAsItWas { host: Host },
    #[error("{host}: message {id} to {to} was accepted and is {level:?}; came: {came}")]
    NotKept { host: Host, to: Host, id: MessageId, level: Option<Level>, came: bool },
    #[error("{host}: message {id} of {from} came twice: {how}")]
    CameTwice { host: Host, from: Host, id: MessageId, how: Twice },
    #[error("{host}: message {id} of {from} is not what was sent")]
    NotAsSent { host: Host, from: Host, id: MessageId },
    #[error("{host}: message {id} of {from} came before one that it was to follow")]
    OutOfOrder { host: Host, from: Host, id: MessageId },
    #[error("{host}: the application was told of message {id} of {from}, which is not durable")]
    ToldBeforeDurable { host: Host, from: Host, id: MessageId },
    #[error("{host}: {to} was told that message {id} is delivered, and that is not durable")]
    AcknowledgedBeforeDurable { host: Host, to: Host, id: MessageId },
    #[error("{host}: relay {relay} was told to forget mail, and what that brought is not durable")]
    MailAcknowledgedBeforeDurable { host: Host, relay: Host },
    #[error("relay {relay}: mail {number} of {owner} was kept, and its owner was never given it")]
    MailLost { relay: Host, owner: AgentId, number: u64 },
    #[error("relay {relay}: the number {number} was given to two pieces of mail of {owner}")]
    MailNumberTwice { relay: Host, owner: AgentId, number: u64 },
    #[error("relay {relay}: mail {number} of {owner} came before an earlier one")]
    MailOutOfOrder { relay: Host, owner: AgentId, number: u64 },
    #[error("a one-time key of {owner} was given to two agents")]
    KeyGivenTwice { owner: AgentId },
    #[error("two commits led to epoch {epoch} of a group")]
    TwoWinners { epoch: u64 },
    #[error("a log has two entries {index}")]
    TwoEntries { index: u64 },
    #[error("{host}: its group is broken: {how}")]
    GroupBroken { host: Host, how: String },
    #[error("{host}: message {id} of {from} to its group did not come")]
    GroupMessageLost { host: Host, from: Host, id: MessageId },
    #[error("{host}: message {id} of {from} to a group came, and it was not there any more")]
    GroupMessageAstray { host: Host, from: Host, id: MessageId },
    #[error("{host}: message {id} of {from} to a group came, and its sender took it for out")]
    GroupMessageToOneOut { host: Host, from: Host, id: MessageId },
    #[error("{host}: message {id} to its group is said to be with members that have it not")]
    ReceiptsLie { host: Host, id: MessageId },
    #[error("{host}: what it had before it was removed from a group opens what came after")]
    OpenedAfterRemoval { host: Host },
    #[error("{host}: what was sealed for a group left before it was durable")]
    AppendedBeforeDurable { host: Host },
    #[error("{host}: it is in the epoch of {other}, with other keys")]
    EpochsDiffer { host: Host, other: Host },
    #[error("{host}: its log was put back, and the group is not one again after {after:?}: {left}")]
    HealedLate { host: Host, after: Duration, left: String },
    #[error("{host}: {to} is not known and was answered")]
    StrangerAnswered { host: Host, to: Host },
    #[error("{host}: message {id} went back from {before:?} to {after:?}")]
    MovedBack { host: Host, id: MessageId, before: Level, after: Level },
    #[error("{host}: the id {id} was given to two messages")]
    IdGivenTwice { host: Host, id: MessageId },
    #[error("{host}: a state that was put back was not recognised")]
    RestoreNotSeen { host: Host },
    #[error("{host}: a state that only crashed was taken for one that was put back")]
    CrashTakenForRestore { host: Host },
    #[error("{host}: suspects {suspect}, whose state was never put back: {suspicion:?}")]
    CrashSuspected { host: Host, suspect: Host, suspicion: Suspicion },
    #[error("{host}: a commit failed on a disk that works")]
    CommitFailed { host: Host },
    #[error("{host}: the state does not open on a disk that works")]
    DoesNotOpen { host: Host },
    #[error("{host}: did not come to rest in the calm: {left}")]
    NotConverged { host: Host, left: String },
    #[error("the routers decided otherwise on the real primitives")]
    DecidedDifferently,
    #[error("the simulator could not begin: {0}")]
    NotBegun(String),
}
