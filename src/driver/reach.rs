//! Finding the session that a handle needs: the one that stands, or one that the router opens.

use std::sync::Arc;

use meshwork_router::{Answer, CommandError, Needs, Request, Standing};

use super::session::Session;
use super::shared::Shared;
use crate::agent::{Addressee, ReachError};

/// How often a session that ends before it is used is asked for again.
const TRIES: usize = 3;

impl Shared {
    /// A session with a known peer that offers what is needed.
    pub(crate) async fn reach(
        &self,
        peer: &Addressee,
        needs: Needs,
    ) -> Result<Arc<Session>, ReachError> {
        let peer = self.find(peer).ok_or(ReachError::UnknownPeer)?;
        match self.peers.standing(&peer) {
            Some(Standing::Known) => {}
            Some(Standing::Blocked) => return Err(ReachError::Blocked),
            Some(Standing::Stranger) | None => return Err(ReachError::UnknownPeer),
        }
        // One that stands is used without a turn of the driver: it may be at the disk.
        if let Some(session) = self.sessions.current(&peer, needs) {
            return Ok(session);
        }
        for _ in 0..TRIES {
            match self.request(Request::Reach { peer, needs }).await? {
                Ok(Answer::Reached(path)) => {
                    if let Some(session) = self.sessions.get(path) {
                        return Ok(session);
                    }
                }
                Ok(_) => return Err(ReachError::Broken),
                Err(CommandError::UnknownPeer) => return Err(ReachError::UnknownPeer),
                Err(CommandError::Blocked) => return Err(ReachError::Blocked),
                Err(CommandError::Busy) => return Err(ReachError::Busy),
                Err(CommandError::Store(error)) => return Err(ReachError::Store(error)),
                Err(_) => return Err(ReachError::Unreachable),
            }
        }
        Err(ReachError::Unreachable)
    }
}
