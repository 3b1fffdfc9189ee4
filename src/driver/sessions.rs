//! The sessions that stand, so that a handle uses one without asking the router first.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};

use meshwork_protocols::identity::AgentId;
use meshwork_router::{Needs, PathId};
use tokio::sync::Notify;

use super::session::Session;
use crate::agent::StandingSessions;

/// The sessions by path, and which one of a peer's the router uses.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    table: RwLock<Table>,
    /// Another session may be used.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    by_path: HashMap<PathId, Arc<Session>>,
    current: HashMap<AgentId, PathId>,
}

impl Sessions {
    /// The session of this path.
    pub(crate) fn get(&self, path: PathId) -> Option<Arc<Session>> {
        self.read(|table| table.by_path.get(&path).cloned())
    }

    /// The session with a peer that is to be used, if it offers what is needed.
    pub(crate) fn current(&self, peer: &AgentId, needs: Needs) -> Option<Arc<Session>> {
        self.read(|table| {
            let session = table.by_path.get(table.current.get(peer)?)?;
            session.meets(needs).then(|| Arc::clone(session))
        })
    }

    /// What stands between a peer and us.
    pub(crate) fn standing(&self, peer: &AgentId) -> StandingSessions {
        self.read(|table| {
            let current = table.current.get(peer).and_then(|path| table.by_path.get(path));
            let all = table.by_path.values().filter(|session| session.peer == *peer);
            StandingSessions {
                sessions: all.count(),
                transport: current.map(|session| session.carries.transport),
            }
        })
    }

    pub(super) fn insert(&self, session: Arc<Session>) {
        self.write(|table| table.by_path.insert(session.path, session));
    }

    pub(super) fn remove(&self, path: PathId) -> Option<Arc<Session>> {
        self.write(|table| table.by_path.remove(&path))
    }

    /// The router uses this one from now on, or none.
    pub(super) fn prefer(&self, peer: AgentId, path: Option<PathId>) {
        self.write(|table| match path {
            Some(path) => table.current.insert(peer, path),
            None => table.current.remove(&peer),
        });
        self.changed.notify_waiters();
    }

    /// Waits for a session with a peer that offers what is needed. Dropping the future loses nothing.
    pub(crate) async fn until_current(&self, peer: &AgentId, needs: Needs) -> Arc<Session> {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From now on no change is missed.
            changed.as_mut().enable();
            if let Some(session) = self.current(peer, needs) {
                return session;
            }
            changed.await;
        }
    }

    fn read<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        change(&mut self.table.write().unwrap_or_else(PoisonError::into_inner))
    }
}
