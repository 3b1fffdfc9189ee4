//! Services: what an agent does for the calls of its peers.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Weak};

use meshwork_protocols::identity::{AgentId, NameError, ServiceName};
use meshwork_protocols::live::call::Refusal;
use meshwork_protocols::time::Timestamp;

use super::Agent;
use crate::driver::{Handler, NotRegistered, Registration, Shared};

/// A call of a peer's, as its handler gets it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Asked {
    /// Who calls, proved. Only peers that are known get here.
    pub caller: AgentId,
    /// Which service.
    pub service: ServiceName,
    /// What it is told.
    pub body: Vec<u8>,
    /// When the caller stops waiting. A handler that has not ended by then is dropped.
    pub deadline: Timestamp,
}

impl Asked {
    /// The body as text, where it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked")
            .field("caller", &self.caller)
            .field("service", &self.service.as_str())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// Why a handler does not answer: all that its caller learns of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Declined {
    /// It failed. An error that a handler returns with `?` becomes this, and is logged here.
    Failed,
    /// This caller may not have it.
    NotAllowed,
    /// It has too much to do: the caller may try again later.
    Busy,
}

impl<E: std::error::Error> From<E> for Declined {
    fn from(error: E) -> Self {
        tracing::warn!(%error, "a service failed");
        Self::Failed
    }
}

impl From<Declined> for Refusal {
    fn from(declined: Declined) -> Self {
        match declined {
            Declined::Failed => Self::HandlerFailed,
            Declined::NotAllowed => Self::NotAllowed,
            Declined::Busy => Self::Busy,
        }
    }
}

/// A service that is offered until this is dropped. Calls that run then go on.
///
/// A handler that holds an [`Agent`] keeps it running as long as the service is offered.
#[must_use = "dropped, the service is offered no more"]
pub struct Serving {
    shared: Weak<Shared>,
    name: ServiceName,
    registration: Registration,
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.services.remove(&self.name, self.registration);
        }
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Serving").field(&self.name.as_str()).finish()
    }
}

/// Why a service is not offered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// It is no name of a service.
    #[error("not the name of a service: {0}")]
    BadName(NameError),
    /// A service of this name is offered already.
    #[error("a service of this name is offered already")]
    NameTaken,
    /// As many services are offered as may be.
    #[error("as many services are offered as may be")]
    TooMany,
}

pub(super) fn serve<H, F>(agent: &Agent, name: &str, handler: H) -> Result<Serving, ServeError>
where
    H: Fn(Asked) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Vec<u8>, Declined>> + Send + 'static,
{
    let name: ServiceName = name.parse().map_err(ServeError::BadName)?;
    let handler: Handler = Arc::new(move |asked| {
        let answering = handler(asked);
        Box::pin(async move { answering.await.map_err(Refusal::from) })
    });
    let registered = agent.shared.services.register(name.clone(), handler);
    let registration = registered.map_err(|error| match error {
        NotRegistered::NameTaken => ServeError::NameTaken,
        NotRegistered::TooMany => ServeError::TooMany,
    })?;
    Ok(Serving { shared: Arc::downgrade(&agent.shared), name, registration })
}
