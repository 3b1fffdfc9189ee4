//! Whether a state continues where it stopped, or was put back.

use std::io;

use serde::{Deserialize, Serialize};

use crate::witness::{Testimony, WitnessError};
use crate::{CommitNumber, StoreId};

/// Why a state is taken for a restored or copied one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreEvidence {
    /// The witness has seen commits that the store does not have.
    #[error("the store ends at commit {store}, and its witness has seen commit {witness}")]
    Behind {
        /// The store's last commit.
        store: CommitNumber,
        /// The one that the witness remembers.
        witness: CommitNumber,
    },
    /// There is no witness. Each store has one from before its first commit, so that this one was
    /// brought from elsewhere, or the witness was removed.
    #[error("the store's witness is missing")]
    WitnessMissing,
    /// There is a witness that makes no sense.
    #[error("the store's witness is damaged")]
    WitnessUnreadable,
    /// The witness is another store's.
    #[error("the witness speaks of another store, {0}")]
    WitnessOfAnother(StoreId),
}

/// What the witness's answer says of a store with this id and last commit. A witness that cannot
/// be reached says nothing, and is an error.
pub(crate) fn judge(
    store: StoreId,
    number: CommitNumber,
    answer: Result<Option<Testimony>, WitnessError>,
) -> Result<Option<RestoreEvidence>, WitnessError> {
    Ok(match answer {
        Ok(None) => Some(RestoreEvidence::WitnessMissing),
        Ok(Some(said)) if said.store != store => {
            Some(RestoreEvidence::WitnessOfAnother(said.store))
        }
        Ok(Some(said)) if said.number > number => {
            Some(RestoreEvidence::Behind { store: number, witness: said.number })
        }
        Ok(Some(_)) => None,
        Err(WitnessError(io::ErrorKind::InvalidData)) => Some(RestoreEvidence::WitnessUnreadable),
        Err(error) => return Err(error),
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{RestoreEvidence, judge};
    use crate::witness::{Testimony, WitnessError};
    use crate::{CommitNumber, StoreId};

    #[test]
    fn a_witness_that_lags_or_keeps_up_is_a_crash_and_all_else_a_restore() {
        let store = StoreId::from_bytes([1; 16]);
        let other = StoreId::from_bytes([2; 16]);
        let at = |store, number: u64| Ok(Some(Testimony { store, number: number.into() }));
        let ten = CommitNumber::from(10);
        let behind = RestoreEvidence::Behind { store: ten, witness: 11.into() };
        for (answer, verdict) in [
            (at(store, 0), None),
            (at(store, 9), None),
            (at(store, 10), None),
            (at(store, 11), Some(behind)),
            (at(other, 10), Some(RestoreEvidence::WitnessOfAnother(other))),
            (Ok(None), Some(RestoreEvidence::WitnessMissing)),
            (
                Err(WitnessError(io::ErrorKind::InvalidData)),
                Some(RestoreEvidence::WitnessUnreadable),
            ),
        ] {
            assert_eq!(judge(store, ten, answer), Ok(verdict));
        }
        let unreachable = WitnessError(io::ErrorKind::PermissionDenied);
        assert_eq!(judge(store, ten, Err(unreachable)), Err(unreachable));
    }
}
