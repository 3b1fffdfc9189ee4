//! A witness that is told of what is not durable yet.

use meshwork_state::{StoreId, Testimony, Witness, WitnessError};

/// A witness that leads by as many commits as may be on their way.
#[derive(Debug)]
pub struct Hasty<W>(pub W);

impl<W: Witness> Witness for Hasty<W> {
    fn read(&self, store: StoreId) -> Result<Option<Testimony>, WitnessError> {
        self.0.read(store)
    }

    fn write(&self, testimony: Testimony) -> Result<(), WitnessError> {
        self.0.write(Testimony { number: (testimony.number.as_u64() + 1).into(), ..testimony })
    }
}
