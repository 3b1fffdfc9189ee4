//! A message that arrived.

use std::fmt;
use std::sync::Arc;

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::posture::Posture;
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::{ContentType, MessageId};
use meshwork_router::{Protocol, Request};

use super::ProcessError;
use crate::driver::Shared;

/// A message from a peer, durable in the inbox until it is processed.
#[derive(Clone)]
#[non_exhaustive]
pub struct Delivery {
    /// Who sent it, proved.
    pub sender: AgentId,
    /// Its id, which is the sender's to choose: unique only together with the sender.
    pub id: MessageId,
    /// What the body is.
    pub content_type: ContentType,
    /// The body.
    pub body: Vec<u8>,
    /// When the sender accepted it, by the sender's clock.
    pub sent: WallTime,
    /// When it came, by our clock.
    pub received: WallTime,
    /// Which protocol brought it.
    pub protocol: Protocol,
    /// How it was protected on its way.
    pub posture: Posture,
    /// The group that it was sent to; `None` for one that was sent to this agent alone.
    pub group: Option<GroupId>,
    /// Whether it was there before this start of the agent, so that the application may have seen
    /// it before.
    pub repeat: bool,
    /// Who holds it.
    shared: Arc<Shared>,
}

impl Delivery {
    pub(super) fn new(
        delivery: meshwork_router::Delivery,
        repeat: bool,
        shared: Arc<Shared>,
    ) -> Self {
        let meshwork_router::Delivery {
            sender, protocol, posture, received, message, group, ..
        } = delivery;
        Self {
            sender,
            id: message.id,
            content_type: message.content_type,
            body: message.body,
            sent: message.created,
            received,
            protocol,
            posture,
            group,
            repeat,
            shared,
        }
    }

    /// The body as text, where it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }

    /// Marks the message as processed: it leaves the inbox, durably when this returns, and the
    /// sender is told. Marking it again does nothing. Dropped before, it was marked or was not.
    pub async fn processed(&self) -> Result<(), ProcessError> {
        process(&self.shared, self.sender, self.id).await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("sender", &self.sender)
            .field("id", &self.id)
            .field("content_type", &self.content_type)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("protocol", &self.protocol)
            .field("posture", &self.posture)
            .field("group", &self.group)
            .field("repeat", &self.repeat)
            .finish_non_exhaustive()
    }
}

pub(super) async fn process(
    shared: &Shared,
    sender: AgentId,
    id: MessageId,
) -> Result<(), ProcessError> {
    shared.request(Request::Process { sender, id }).await?.map(drop).map_err(ProcessError::from)
}
