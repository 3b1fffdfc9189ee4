//! What a backend must pass, as library functions: a backend outside this workspace calls them from
//! its own tests.
//!
//! - [`conformance::run`] judges what a [`Store`](crate::Store) answers.
//! - [`power_loss::run`] judges what is left of it when the power goes, on an emulated [`Disk`].
//!
//! Neither knows a backend. Each is tested itself, against backends broken on purpose.

pub mod conformance;
mod disk;
pub mod power_loss;
mod seeded;

pub use disk::{Disk, Medium};
pub use seeded::SeededRandom;

use crate::StoreError;

/// What a backend did not keep.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{claim}{}{}", Cause(*.cause), Seed(*.seed))]
pub struct Violation {
    /// What was to hold.
    pub claim: &'static str,
    /// How the store failed, where it did.
    pub cause: Option<StoreError>,
    /// The seed that shows it again, where one was used.
    pub seed: Option<u64>,
}

impl Violation {
    fn of(claim: &'static str) -> Self {
        Self { claim, cause: None, seed: None }
    }

    /// For `map_err`: the store failed where it was to do what `claim` says.
    fn failed(claim: &'static str) -> impl Fn(StoreError) -> Self {
        move |cause| Self { claim, cause: Some(cause), seed: None }
    }

    fn with_seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }
}

/// `Ok` where `held`.
fn claim(held: bool, claim: &'static str) -> Result<(), Violation> {
    if held { Ok(()) } else { Err(Violation::of(claim)) }
}

struct Cause(Option<StoreError>);

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

struct Seed(Option<u64>);

impl std::fmt::Display for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |seed| write!(f, " (seed {seed})"))
    }
}
