//! What becomes of a request, before anything of it is durable.

use meshwork_protocols::relay::{Answer, Refusal};

use crate::storage::{Change, StorageError};

/// An answer, and what has to be durable before it is given.
#[derive(Debug)]
pub(crate) struct Decision {
    pub changes: Vec<Change>,
    pub answer: Answer,
}

impl Decision {
    /// Nothing is to be changed.
    pub(crate) fn answer(answer: Answer) -> Self {
        Self { changes: Vec::new(), answer }
    }

    pub(crate) fn change(change: Change, answer: Answer) -> Self {
        Self { changes: vec![change], answer }
    }
}

/// Why there is no decision. Nothing was changed, in memory neither.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    Refused(Refusal),
    Storage(StorageError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}
