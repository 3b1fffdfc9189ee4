//! A call that is about to be made.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use meshwork_protocols::identity::{ServiceName, Transport};
use meshwork_protocols::live::call::{CallRefused, MAX_DEADLINE};
use meshwork_router::Needs;
use tokio::time::{Instant, timeout_at};

use super::{Addressee, Agent, CallError, ReachError};
use crate::driver::CallNotBegun;

/// How long a call may take unless its caller says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a session that ends just then is replaced by another before the caller is told.
const TRIES: usize = 3;

/// The options of a call, until it is awaited: then it is made, and gives the answer.
///
/// Dropped while it is awaited, the call is cancelled: the peer's handler is dropped where it
/// stands. What it has done by then is done.
#[derive(Clone, Debug)]
#[must_use = "nothing is called before it is awaited"]
pub struct Call<'a> {
    agent: &'a Agent,
    to: Addressee,
    service: String,
    body: Vec<u8>,
    patience: Duration,
    via: Option<Transport>,
}

impl<'a> Call<'a> {
    pub(super) fn new(agent: &'a Agent, to: Addressee, service: String, body: Vec<u8>) -> Self {
        Self { agent, to, service, body, patience: PATIENCE, via: None }
    }

    /// How long the call may take, from now until the answer is here, at most an hour. The peer
    /// learns it, and does not go on past it. The default is 30 seconds.
    pub fn deadline(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Goes over this transport and no other. The default is the session that stands, or what
    /// answers first.
    pub fn via(self, transport: Transport) -> Self {
        Self { via: Some(transport), ..self }
    }

    async fn make(self) -> Result<Vec<u8>, CallError> {
        if self.patience.is_zero() || self.patience > MAX_DEADLINE {
            return Err(CallError::BadDeadline);
        }
        let deadline = Instant::now() + self.patience;
        let service: ServiceName = self.service.parse().map_err(CallError::BadName)?;
        let mut needs = Needs::from(self.via);
        for _ in 0..TRIES {
            let shared = &self.agent.shared;
            let reaching = timeout_at(deadline, shared.reach(&self.to, needs));
            let session = reaching.await.map_err(|_| CallError::NotReachedInTime)??;
            let left = deadline.saturating_duration_since(Instant::now());
            let now = shared.clock.now();
            match session.call(now, service.clone(), &self.body, left) {
                Ok(pending) => return Ok(pending.await?),
                Err(CallNotBegun::Over) => {}
                // What one packet's path cannot carry goes over one that can.
                Err(CallNotBegun::Refused(CallRefused::TooLargeForPath)) if self.via.is_none() => {
                    needs = Needs::Bulk;
                }
                Err(CallNotBegun::Refused(refused)) => return Err(refused.into()),
            }
        }
        Err(ReachError::Unreachable.into())
    }
}

impl<'a> IntoFuture for Call<'a> {
    type Output = Result<Vec<u8>, CallError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}
