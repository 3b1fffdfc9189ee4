//! A witness in memory: it stands outside the disk, so that putting the disk back leaves it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meshwork_state::{StoreId, Testimony, Witness, WitnessError};

/// The witness of one machine. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MachineWitness(Arc<Mutex<Option<Testimony>>>);

impl MachineWitness {
    /// The number that it remembers.
    pub fn number(&self) -> Option<u64> {
        self.said().map(|said| said.number.as_u64())
    }

    fn said(&self) -> MutexGuard<'_, Option<Testimony>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for MachineWitness {
    fn read(&self, _: StoreId) -> Result<Option<Testimony>, WitnessError> {
        Ok(*self.said())
    }

    fn write(&self, testimony: Testimony) -> Result<(), WitnessError> {
        *self.said() = Some(testimony);
        Ok(())
    }
}
