//! The agent's identity as its sessions use it, which a new card replaces.

use std::sync::{Arc, PoisonError, RwLock};

use meshwork_protocols::live::Local;

/// What new sessions are opened with. Those that stand keep theirs.
#[derive(Debug)]
pub(crate) struct Identity {
    local: RwLock<Arc<Local>>,
}

impl Identity {
    pub(crate) fn new(local: Local) -> Self {
        Self { local: RwLock::new(Arc::new(local)) }
    }

    /// What is in use now.
    pub(crate) fn local(&self) -> Arc<Local> {
        Arc::clone(&self.local.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Uses another from now on.
    pub(crate) fn replace(&self, local: Local) {
        *self.local.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(local);
    }
}
