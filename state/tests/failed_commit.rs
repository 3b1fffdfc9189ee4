//! A commit that failed is there or not there once the store is opened again, and the state goes on
//! from what it finds.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it set it up")]

use std::sync::Arc;
use std::sync::Mutex;

use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::secret::{Secret, SecretBytes};
use meshwork_protocols::time::WallTime;
use meshwork_state::{
    Batch, FileWitness, MemoryStore, Namespace, Row, Rows, Sealing, State, Store, StoreError,
    Unlock,
};

/// What becomes of a commit.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Succeeds,
    FailsAndIsThere,
    FailsAndIsNotThere,
    /// It failed, and the store was not opened again.
    Failed,
}

#[derive(Debug)]
struct Fateful {
    rows: MemoryStore,
    fate: Mutex<Fate>,
}

impl Fateful {
    fn alive(&self) -> Result<(), StoreError> {
        match *self.fate.lock().unwrap() {
            Fate::Failed => Err(StoreError::Poisoned),
            _ => Ok(()),
        }
    }
}

impl Rows for Fateful {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        self.alive()?;
        self.rows.get(namespace, key)
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.alive()?;
        self.rows.scan(namespace, prefix, after, limit)
    }
}

impl Store for Fateful {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.alive()?;
        let mut fate = self.fate.lock().unwrap();
        if *fate != Fate::FailsAndIsNotThere {
            self.rows.commit(batch)?;
        }
        if *fate == Fate::Succeeds {
            return Ok(());
        }
        *fate = Fate::Failed;
        Err(StoreError::Disk(std::io::ErrorKind::Other))
    }

    fn reopen(&self) -> Result<(), StoreError> {
        *self.fate.lock().unwrap() = Fate::Succeeds;
        Ok(())
    }

    fn compact(&self) -> Result<(), StoreError> {
        self.alive()
    }
}

fn row(value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(Namespace::Session, *b"peer", SecretBytes::new(value.to_vec()));
    batch
}

fn state_on(store: &Arc<Fateful>, folder: &tempfile::TempDir) -> State {
    State::create_on(
        Box::new(Arc::clone(store)),
        Box::new(FileWitness::in_folder(folder.path())),
        &Unlock::Key(Secret::new([1; 32])),
        Sealing::new(Arc::new(Pure)),
        WallTime::default(),
    )
    .unwrap()
}

/// Fails `change` with that fate, opens the store again, and gives the number of commits and the
/// row that are there then.
fn after(fate: Fate, change: impl Fn(&State) -> Result<(), StoreError>) -> (u64, SecretBytes) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Fateful { rows: MemoryStore::new(), fate: Mutex::new(Fate::Succeeds) });
    let state = state_on(&store, &folder);
    state.commit(&row(b"old")).unwrap();
    *store.fate.lock().unwrap() = fate;
    assert_eq!(change(&state), Err(StoreError::Disk(std::io::ErrorKind::Other)));
    assert_eq!(state.commit(&row(b"too early")), Err(StoreError::Poisoned));
    assert_eq!(state.get(Namespace::Session, b"peer"), Err(StoreError::Poisoned));
    state.reopen().unwrap();
    let number = state.lineage().number;
    let there = state.get(Namespace::Session, b"peer").unwrap().unwrap();
    assert_eq!(state.commit(&row(b"next")).unwrap().as_u64(), number + 1);
    (number, there)
}

#[test]
fn a_failed_commit_that_is_there_is_counted_and_one_that_is_not_is_not() {
    let commit = |state: &State| state.commit(&row(b"new")).map(|_| ());
    assert_eq!(after(Fate::FailsAndIsThere, commit), (3, SecretBytes::new(b"new".to_vec())));
    assert_eq!(after(Fate::FailsAndIsNotThere, commit), (2, SecretBytes::new(b"old".to_vec())));
}

#[test]
fn a_session_key_whose_commit_failed_is_the_one_that_is_there() {
    let rotate = |state: &State| state.rotate_session_key(WallTime::from_secs(9));
    assert_eq!(after(Fate::FailsAndIsThere, rotate), (3, SecretBytes::new(b"old".to_vec())));
    assert_eq!(after(Fate::FailsAndIsNotThere, rotate), (2, SecretBytes::new(b"old".to_vec())));
}
