//! Two ends on virtual time, joined by a network that a test decides over.

extern crate std;

mod copied_state;
mod hostile;
mod loss;
mod mutated;
mod pair;
mod refused;
mod standing;
mod vectors;
