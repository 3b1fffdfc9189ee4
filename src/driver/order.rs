//! What a handle asks of the driver.

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Entry, Logged};
use meshwork_protocols::wire::MessageId;
use meshwork_router::{
    CommandError, Explanation, GroupStatus, GroupSummary, InvitationSummary, PrekeyStatus, Request,
    Status, Trial,
};
use meshwork_state::StoreError;
use tokio::sync::oneshot;

use crate::agent::{Answered, CloseError, Stranger};

/// A request, and where its answer goes. Nobody may be waiting for it any more.
#[derive(Debug)]
pub(crate) enum Order {
    /// Something for the router, answered when it is durable.
    Request { request: Request, answer: oneshot::Sender<Answered> },
    /// How a message would go.
    Explain { peer: AgentId, answer: oneshot::Sender<Explanation> },
    /// How far a message got.
    Status { id: MessageId, answer: oneshot::Sender<Result<Option<Status>, StoreError>> },
    /// The strangers that wrote.
    Strangers { answer: oneshot::Sender<Vec<Stranger>> },
    /// The agent's prekeys.
    Prekeys { answer: oneshot::Sender<Result<Option<PrekeyStatus>, StoreError>> },
    /// The agent's newest bundle.
    Bundle { answer: oneshot::Sender<Result<Option<Vec<u8>>, StoreError>> },
    /// The groups that the agent is in.
    Groups { answer: oneshot::Sender<Result<Vec<GroupSummary>, StoreError>> },
    /// How far a message to a group got.
    GroupStatus { id: MessageId, answer: oneshot::Sender<Result<Option<GroupStatus>, StoreError>> },
    /// The groups that it is invited to.
    Invitations { answer: oneshot::Sender<Result<Vec<InvitationSummary>, StoreError>> },
    /// What the log of a group has behind this place.
    GroupLog {
        group: GroupId,
        after: u64,
        answer: oneshot::Sender<Result<Vec<Logged>, CommandError>>,
    },
    /// What an entry of a group's log would come to here.
    TryEntry {
        group: GroupId,
        entry: Entry,
        answer: oneshot::Sender<Result<Result<Trial, CommandError>, StoreError>>,
    },
    /// Stop in good order.
    Close { answer: Closed },
}

/// Who waits for the end.
pub(super) type Closed = oneshot::Sender<Result<(), CloseError>>;
