//! The state of the agent, shared by whoever reads it, until it is given up.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use meshwork_protocols::lineage::Lineage;
use meshwork_protocols::secret::SecretBytes;
use meshwork_state::{Namespace, Row, Rows, State, StoreError};

/// A state that many use and one gives up. Whoever comes after that finds it
/// [`StoreError::Poisoned`].
pub(crate) struct Vault {
    state: RwLock<Option<State>>,
    /// Where the state stood when it was opened.
    opened: Lineage,
}

impl Vault {
    pub(crate) fn new(state: State) -> Self {
        let opened = state.opening().lineage;
        Self { state: RwLock::new(Some(state)), opened }
    }

    /// Uses the state, which is not given up meanwhile.
    pub(crate) fn with<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&State) -> Result<T, E>,
    ) -> Result<T, E> {
        // A panic elsewhere left nothing half done here: the state keeps itself whole.
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        work(state.as_ref().ok_or(StoreError::Poisoned)?)
    }

    /// Takes the state out, once nobody uses it.
    pub(crate) fn give_up(&self) -> Option<State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Where the state stands: the last commit that is durable.
    pub(crate) fn lineage(&self) -> Lineage {
        self.with(|state| Ok::<_, StoreError>(state.lineage())).unwrap_or(self.opened)
    }
}

impl Rows for Vault {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        self.with(|state| state.get(namespace, key))
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.with(|state| state.scan(namespace, prefix, after, limit))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("opened", &self.opened).finish_non_exhaustive()
    }
}
