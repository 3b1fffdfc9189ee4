//! A sealed state on redb on a disk that loses power: what was acknowledged is there, the commit
//! numbers and the lineage continue, and no power loss looks like a restore.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it set it up"
)]

use std::sync::{Arc, Mutex};

use meshwork_protocols::lineage::{Incarnation, Lineage};
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::secret::{Secret, SecretBytes};
use meshwork_protocols::time::{Timestamp, WallTime};
use meshwork_state::suites::{Disk, SeededRandom, power_loss};
use meshwork_state::{
    Batch, CreateError, Namespace, OpenError, RedbStore, Row, Rows, Sealing, State, Store,
    StoreError, StoreId, Testimony, Unlock, Witness, WitnessError,
};

/// A witness that outlives each process, as a file does.
#[derive(Clone, Debug, Default)]
struct Remembered(Arc<Mutex<Option<Testimony>>>);

impl Witness for Remembered {
    fn read(&self, _: StoreId) -> Result<Option<Testimony>, WitnessError> {
        Ok(*self.0.lock().unwrap())
    }

    fn write(&self, testimony: Testimony) -> Result<(), WitnessError> {
        *self.0.lock().unwrap() = Some(testimony);
        Ok(())
    }
}

/// A state in the place of a store, so that the suite can drive it.
#[derive(Debug)]
struct Sealed {
    state: State,
    random: Mutex<SeededRandom>,
    history: Arc<Mutex<History>>,
}

/// What the last process saw of itself.
#[derive(Debug)]
struct History {
    lineage: Option<Lineage>,
    witness: Remembered,
    starts: u64,
}

impl Sealed {
    fn check_number(&self) {
        let mut history = self.history.lock().unwrap();
        let lineage = self.state.lineage();
        assert!(history.lineage.is_none_or(|last| lineage.number >= last.number));
        history.lineage = Some(lineage);
    }
}

impl Rows for Sealed {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        self.state.get(namespace, key)
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.state.scan(namespace, prefix, after, limit)
    }
}

impl Store for Sealed {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let before = self.state.lineage().number;
        let number = self.state.commit(batch)?.as_u64();
        assert_eq!(number, before + 1);
        self.check_number();
        // The witness lags by a few commits.
        if self.random.lock().unwrap().one_in(4) {
            self.state.write_witness(Timestamp::default()).unwrap();
        }
        Ok(())
    }

    fn reopen(&self) -> Result<(), StoreError> {
        self.state.reopen()?;
        self.check_number();
        Ok(())
    }

    fn compact(&self) -> Result<(), StoreError> {
        // Half of the time by way of a new session key, which seals those rows anew.
        if self.random.lock().unwrap().one_in(2) {
            self.state.rotate_session_key(WallTime::default())
        } else {
            self.state.compact()
        }
    }
}

/// Opens the state, or makes it where the last attempt to did not come so far.
fn start(disk: &Disk, history: &Arc<Mutex<History>>) -> Result<State, StoreError> {
    let (witness, starts) = {
        let mut history = history.lock().unwrap();
        history.starts += 1;
        (history.witness.clone(), history.starts)
    };
    let unlock = Unlock::Key(Secret::new([1; 32]));
    let sealing = || Sealing::new(Arc::new(Pure)).with_random(Box::new(SeededRandom::new(starts)));
    let store =
        || -> Result<Box<dyn Store>, StoreError> { Ok(Box::new(RedbStore::on(disk.clone())?)) };
    match State::open_on(store()?, Box::new(witness.clone()), &unlock, sealing()) {
        Err(OpenError::NotAState) => {
            assert!(history.lock().unwrap().lineage.is_none(), "a state does not vanish");
            let now = WallTime::default();
            State::create_on(store()?, Box::new(witness), &unlock, sealing(), now).map_err(
                |error| match error {
                    CreateError::Store(error) => error,
                    error => panic!("a state is made wherever the disk is there: {error}"),
                },
            )
        }
        Err(OpenError::Store(error)) => Err(error),
        Err(error) => panic!("a state opens wherever the disk is there: {error}"),
        Ok(state) => Ok(state),
    }
}

#[test]
fn a_sealed_state_survives_500_power_losses_and_never_looks_restored() {
    let mut seed = 0;
    let mut history = new_history();
    let mut disks = None;
    let survived = power_loss::run(0..20, 25, |disk| {
        // Each seed has a disk of its own, and with it a state of its own.
        if !disks.as_ref().is_some_and(|known: &Disk| known.is_same(disk)) {
            (disks, history) = (Some(disk.clone()), new_history());
        }
        seed += 1;
        let state = start(disk, &history)?;
        let opened = state.opening();
        assert_eq!(opened.restored, None, "a power loss looks like a restore");
        if let Some(last) = history.lock().unwrap().lineage {
            assert!(opened.lineage.number > last.number);
            assert_ne!(opened.lineage.parent, Incarnation::NONE);
            assert_ne!(opened.lineage.incarnation, last.incarnation);
        }
        let sealed = Sealed {
            state,
            random: Mutex::new(SeededRandom::new(seed)),
            history: Arc::clone(&history),
        };
        sealed.check_number();
        Ok(Box::new(sealed))
    })
    .unwrap();
    assert_eq!(survived.losses, 500);
    let hits = [survived.in_opening, survived.in_commits, survived.in_compaction];
    assert!(hits.iter().all(|hits| *hits >= 20), "{survived:?}");
}

fn new_history() -> Arc<Mutex<History>> {
    Arc::new(Mutex::new(History { lineage: None, witness: Remembered::default(), starts: 0 }))
}
