//! A message to a group that is about to be sent.

use std::time::Duration;

use meshwork_protocols::fleet::{Asks, GroupId};
use meshwork_protocols::wire::{ContentType, MessageId};
use meshwork_router::{Answer, GroupRequest};

use super::{GroupError, Groups};
use crate::agent::LIFETIME;

/// The options of a message to a group, until [`GroupMessage::send`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `send`"]
pub struct GroupMessage<'a> {
    groups: &'a Groups,
    group: GroupId,
    id: Option<MessageId>,
    content_type: ContentType,
    lifetime: Duration,
    asks: Asks,
}

impl<'a> GroupMessage<'a> {
    pub(super) fn new(groups: &'a Groups, group: GroupId) -> Self {
        let content_type = ContentType::default();
        let asks = Asks::Nothing;
        Self { groups, group, id: None, content_type, lifetime: LIFETIME, asks }
    }

    /// An id of the sender's own, which makes a repeated send safe: the same message under the
    /// same id is taken on once. The default is a random one.
    pub fn id(self, id: MessageId) -> Self {
        Self { id: Some(id), ..self }
    }

    /// What the body is: a media type, or any short name that all applications know. The default
    /// is none.
    pub fn content_type(self, content_type: ContentType) -> Self {
        Self { content_type, ..self }
    }

    /// How long it counts, from a second to 30 days: what does not stand in the log by then has
    /// expired. The default is 7 days.
    pub fn lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// What every member is to say of it. The default is nothing: that it stands in the log is
    /// enough. Each member says it some seconds later, and in a large group up to a minute, for
    /// all messages at once.
    pub fn asks(self, asks: Asks) -> Self {
        Self { asks, ..self }
    }

    /// Takes the message on, as [`Groups::send`] does.
    pub async fn send(self, body: impl Into<Vec<u8>>) -> Result<MessageId, GroupError> {
        let Self { groups, group, id, content_type, lifetime, asks } = self;
        let body = body.into();
        let send = GroupRequest::Send { group, id, content_type, body, lifetime, asks };
        match groups.ask(send).await? {
            Answer::Accepted(id) => Ok(id),
            _ => Err(GroupError::Broken),
        }
    }
}
