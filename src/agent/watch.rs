//! A watcher of events.

use std::collections::VecDeque;

use meshwork_protocols::wire::MessageId;
use meshwork_router::{Level, Status};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::{Agent, Event, StatusError, Stopped};
use crate::driver::Shared;

/// What happens to an agent, as it happens.
///
/// A watcher that does not keep up loses the oldest events and is told how many
/// ([`Event::Missed`]), so that a slow one costs bounded memory and delays nobody.
#[derive(Debug)]
pub struct Watch {
    /// What stands since before the watch began.
    standing: VecDeque<Event>,
    events: broadcast::Receiver<Event>,
}

impl Watch {
    pub(super) fn open(shared: &Shared) -> Self {
        let (standing, events) = shared.notices.subscribe();
        Self { standing, events }
    }

    /// The next event; `None` once the agent has stopped. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.standing.pop_front() {
            return Some(event);
        }
        match self.events.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(Event::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

/// Waits until the level of a message is one that `enough` accepts.
pub(super) async fn wait(
    agent: &Agent,
    id: MessageId,
    enough: impl Fn(Level) -> bool,
) -> Result<Status, StatusError> {
    // Watched before it is asked, so that nothing falls between.
    let mut watch = agent.watch();
    loop {
        let status = agent.status(id).await?.ok_or(StatusError::UnknownMessage)?;
        if enough(status.level) {
            return Ok(status);
        }
        loop {
            match watch.next().await {
                Some(Event::Moved { id: moved, .. }) if moved == id => break,
                Some(Event::Missed(_)) => break,
                Some(_) => {}
                None => return Err(Stopped.into()),
            }
        }
    }
}
