//! The witness of a state that is gone when its process is.

use std::sync::{Mutex, PoisonError};

use meshwork_state::{StoreId, Testimony, Witness, WitnessError};

/// A witness in memory.
#[derive(Debug, Default)]
pub(super) struct MemoryWitness(Mutex<Option<Testimony>>);

impl Witness for MemoryWitness {
    fn read(&self, _: StoreId) -> Result<Option<Testimony>, WitnessError> {
        Ok(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, testimony: Testimony) -> Result<(), WitnessError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(testimony);
        Ok(())
    }
}
