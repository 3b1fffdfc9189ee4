//! What redb's many errors mean to a caller.

use redb::{
    CommitError, CompactionError, DatabaseError, StorageError, TableError, TransactionError,
};

use crate::StoreError;

/// Any error of redb's, already judged.
#[derive(Debug)]
pub(super) struct Failure(StoreError);

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        // redb says that a file is not its own, or ends too early, with an I/O error.
        Self(match error.kind() {
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => {
                StoreError::Damaged
            }
            kind => StoreError::Disk(kind),
        })
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Io(error) => error.into(),
            StorageError::PreviousIo
            | StorageError::DatabaseClosed
            | StorageError::LockPoisoned(_) => Self(StoreError::Poisoned),
            StorageError::ValueTooLarge(_) => {
                Self(StoreError::Disk(std::io::ErrorKind::FileTooLarge))
            }
            _ => Self(StoreError::Damaged),
        }
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Storage(error) => error.into(),
            DatabaseError::DatabaseAlreadyOpen => Self(StoreError::Locked),
            DatabaseError::UpgradeRequired(_) => Self(StoreError::TooNew),
            _ => Self(StoreError::Damaged),
        }
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            // A redb file, but not with our table in it.
            _ => Self(StoreError::Damaged),
        }
    }
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => error.into(),
            _ => Self(StoreError::Poisoned),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => error.into(),
            _ => Self(StoreError::Poisoned),
        }
    }
}

impl From<CompactionError> for Failure {
    fn from(error: CompactionError) -> Self {
        match error {
            CompactionError::Storage(error) => error.into(),
            _ => Self(StoreError::Poisoned),
        }
    }
}
