//! The rows of [`Namespace::Fleet`], as members of fleets read and write them.

use core::cell::Cell;
use core::fmt;

use meshwork_protocols::fleet::{RowChange, Rows, StoreError as FleetStoreError};
use meshwork_protocols::secret::SecretBytes;
use meshwork_state::{Batch, Namespace, StoreError};

use crate::transition::Transition;

/// The rows as they will be once a step is durable.
pub(super) struct FleetRows<'a> {
    step: &'a Transition<'a>,
    failed: Cell<Option<StoreError>>,
}

impl<'a> FleetRows<'a> {
    pub(super) const fn new(step: &'a Transition<'a>) -> Self {
        Self { step, failed: Cell::new(None) }
    }

    /// What the store said, where a row could not be read.
    pub(super) fn failure(&self) -> Option<StoreError> {
        self.failed.get()
    }
}

impl Rows for FleetRows<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<SecretBytes>, FleetStoreError> {
        self.step.get(Namespace::Fleet, key).map_err(|error| {
            self.failed.set(Some(error));
            FleetStoreError::Unreadable
        })
    }
}

impl fmt::Debug for FleetRows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FleetRows(..)")
    }
}

/// The changes as a batch.
pub(super) fn changes_of(changes: impl IntoIterator<Item = RowChange>) -> Batch {
    let mut batch = Batch::new();
    for RowChange { key, value } in changes {
        match value {
            Some(value) => batch.put(Namespace::Fleet, key, value),
            None => batch.delete(Namespace::Fleet, key),
        }
    }
    batch
}
