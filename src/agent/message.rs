//! A message that is about to be sent.

use std::time::Duration;

use meshwork_protocols::wire::{ContentType, MAX_LIFETIME, MessageId};
use meshwork_router::{Answer, Outgoing, Request};

use super::{Addressee, Agent, SendError};

/// How long a message is tried unless its sender says otherwise.
pub(crate) const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The options of a message, until [`Message::send`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `send`"]
pub struct Message<'a> {
    agent: &'a Agent,
    to: Addressee,
    id: Option<MessageId>,
    content_type: ContentType,
    lifetime: Duration,
    ordered: bool,
}

impl<'a> Message<'a> {
    pub(super) fn new(agent: &'a Agent, to: Addressee) -> Self {
        let content_type = ContentType::default();
        Self { agent, to, id: None, content_type, lifetime: LIFETIME, ordered: false }
    }

    /// An id of the sender's own, which makes a repeated send safe: the same message under the
    /// same id is taken on once. The default is a random one.
    pub fn id(self, id: MessageId) -> Self {
        Self { id: Some(id), ..self }
    }

    /// What the body is: a media type, or any short name that both applications know. The default
    /// is none.
    pub fn content_type(self, content_type: ContentType) -> Self {
        Self { content_type, ..self }
    }

    /// How long to try, from a second to 30 days. The default is 7 days.
    pub fn lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// The peer's inbox gets it behind the earlier ordered messages of this agent. The default is
    /// as soon as it arrives.
    pub fn ordered(self) -> Self {
        Self { ordered: true, ..self }
    }

    /// Takes the message on, as [`Agent::send`] does.
    pub async fn send(self, body: impl Into<Vec<u8>>) -> Result<MessageId, SendError> {
        let Self { agent, to, id, content_type, lifetime, ordered } = self;
        let to = agent.shared.find(&to).ok_or(SendError::UnknownPeer)?;
        let body = body.into();
        let outgoing = Outgoing { to, id, content_type, body, lifetime, ordered };
        match agent.shared.request(Request::Send(outgoing)).await?? {
            Answer::Accepted(id) => Ok(id),
            _ => Err(SendError::Broken),
        }
    }
}

const _: () = assert!(LIFETIME.as_secs() <= MAX_LIFETIME.as_secs());
