//! Versions of a state's format, and the steps from each to the next.
//!
//! A state of a newer version is refused before anything is written. An older one is brought up
//! step by step, each step one transaction together with the version that it leads to: a crash
//! between two leaves a state of the version between them.

use meshwork_protocols::random::Random;

use crate::meta::{self, Format, Progress};
use crate::opening::Unlocked;
use crate::view::View;
use crate::{Batch, Namespace, Rows, Store, StoreError};

/// A step from one version to the next: reads the rows and says what changes.
pub(crate) type Step = fn(&dyn Rows, &mut Batch) -> Result<(), StoreError>;

/// The versions that are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Versions {
    /// The oldest that is read.
    oldest: u16,
    /// The step from each to the next, from the oldest on.
    steps: &'static [Step],
}

impl Versions {
    /// The version that is written.
    pub(crate) fn current(&self) -> u16 {
        let steps = u16::try_from(self.steps.len()).unwrap_or(u16::MAX);
        self.oldest.saturating_add(steps)
    }

    /// Whether a state of `version` can be read, by itself or after steps.
    pub(crate) fn know(&self, version: u16) -> bool {
        (self.oldest..=self.current()).contains(&version)
    }

    /// Brings an unlocked state to the current version.
    pub(crate) fn bring_up(
        &self,
        store: &dyn Store,
        unlocked: &mut Unlocked,
        random: &mut dyn Random,
    ) -> Result<(), StoreError> {
        let done = unlocked.format.version.saturating_sub(self.oldest);
        for step in self.steps.iter().skip(usize::from(done)) {
            let mut batch = Batch::new();
            step(&View { sealed: store, keys: &unlocked.keys }, &mut batch)?;
            let mut sealed = unlocked.keys.seal(&batch, random)?;
            let format = Format { version: unlocked.format.version + 1, ..unlocked.format };
            sealed.put(Namespace::Meta, meta::FORMAT, format.record());
            let number = unlocked.number.next();
            let progress = Progress { number, version: format.version };
            unlocked.keys.put_meta(&mut sealed, meta::PROGRESS, &progress, random)?;
            store.commit(&sealed)?;
            (unlocked.format, unlocked.number) = (format, number);
        }
        Ok(())
    }
}

/// The versions of this build: the first one, and no step yet.
pub(crate) const VERSIONS: Versions = Versions { oldest: 1, steps: &[] };

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use meshwork_protocols::provider::pure::Pure;
    use meshwork_protocols::secret::{Secret, SecretBytes};
    use meshwork_protocols::time::WallTime;

    use super::{VERSIONS, Versions};
    use crate::opening::Unlocked;
    use crate::{
        Batch, FileWitness, MemoryStore, Namespace, OpenError, Row, Rows, Sealing, State, Store,
        StoreError, Unlock,
    };

    /// Two versions that never were: each appends to a row, so that a step taken twice shows.
    const LATER: Versions = Versions {
        oldest: 1,
        steps: &[|rows, batch| append(rows, batch, b'2'), |rows, batch| append(rows, batch, b'3')],
    };

    fn append(rows: &dyn Rows, batch: &mut Batch, digit: u8) -> Result<(), StoreError> {
        let row = rows.get(Namespace::Own, b"steps")?.unwrap_or_default();
        let row = [row.expose(), &[digit]].concat();
        batch.put(Namespace::Own, *b"steps", SecretBytes::new(row));
        Ok(())
    }

    /// A store that dies after so many commits.
    #[derive(Debug)]
    struct Dying {
        rows: MemoryStore,
        commits_left: AtomicU32,
    }

    impl Rows for Dying {
        fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
            self.rows.get(namespace, key)
        }

        fn scan(
            &self,
            namespace: Namespace,
            prefix: &[u8],
            after: Option<&[u8]>,
            limit: usize,
        ) -> Result<Vec<Row>, StoreError> {
            self.rows.scan(namespace, prefix, after, limit)
        }
    }

    impl Store for Dying {
        fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
            let left = self.commits_left.load(Ordering::Relaxed);
            let left = left.checked_sub(1).ok_or(StoreError::Poisoned)?;
            self.commits_left.store(left, Ordering::Relaxed);
            self.rows.commit(batch)
        }

        fn reopen(&self) -> Result<(), StoreError> {
            Ok(())
        }

        fn compact(&self) -> Result<(), StoreError> {
            Ok(())
        }
    }

    struct Home {
        folder: tempfile::TempDir,
        store: Arc<Dying>,
    }

    impl Home {
        /// With a state of version 1.
        fn new() -> Self {
            let store = Dying { rows: MemoryStore::new(), commits_left: AtomicU32::new(u32::MAX) };
            let home = Self { folder: tempfile::tempdir().unwrap(), store: Arc::new(store) };
            let now = WallTime::default();
            let (store, witness) = (Box::new(Arc::clone(&home.store)), home.witness());
            State::create_on(store, witness, &unlock(), sealing(), now).unwrap();
            home
        }

        fn witness(&self) -> Box<FileWitness> {
            Box::new(FileWitness::at(self.folder.path().join("witness")))
        }

        fn open_as(&self, versions: &Versions) -> Result<State, OpenError> {
            let store = Box::new(Arc::clone(&self.store));
            let unlocked = Unlocked::read(&*store, versions, &unlock(), &sealing())?;
            State::start(store, self.witness(), unlocked, None, (versions, sealing()))
        }
    }

    fn unlock() -> Unlock {
        Unlock::Key(Secret::new([1; 32]))
    }

    fn sealing() -> Sealing {
        Sealing::new(Arc::new(Pure))
    }

    fn steps_taken(state: &State) -> SecretBytes {
        state.get(Namespace::Own, b"steps").unwrap().unwrap_or_default()
    }

    #[test]
    fn an_older_state_is_brought_up_step_by_step_and_once() {
        let home = Home::new();
        for _ in 0..3 {
            let state = home.open_as(&LATER).unwrap();
            assert_eq!(steps_taken(&state), SecretBytes::new(b"23".to_vec()));
            state.commit(&Batch::new()).unwrap();
        }
    }

    #[test]
    fn a_crash_between_two_steps_repeats_neither() {
        for commits in 0..3 {
            let home = Home::new();
            home.store.commits_left.store(commits, Ordering::Relaxed);
            assert_eq!(home.open_as(&LATER).unwrap_err(), OpenError::Store(StoreError::Poisoned));
            home.store.commits_left.store(u32::MAX, Ordering::Relaxed);
            let state = home.open_as(&LATER).unwrap();
            assert_eq!(steps_taken(&state), SecretBytes::new(b"23".to_vec()));
        }
    }

    #[test]
    fn each_step_is_a_numbered_commit() {
        let home = Home::new();
        // The first commit, two steps, and the start.
        assert_eq!(home.open_as(&LATER).unwrap().lineage().number, 4);
    }

    #[test]
    fn a_newer_state_is_refused_and_nothing_is_written() {
        let home = Home::new();
        drop(home.open_as(&LATER).unwrap());
        home.store.commits_left.store(0, Ordering::Relaxed);
        let refused = OpenError::TooNew { found: 3, known: 1 };
        assert_eq!(home.open_as(&VERSIONS).unwrap_err(), refused);
    }

    #[test]
    fn a_version_changed_in_the_clear_is_seen() {
        let home = Home::new();
        let mut format = crate::meta::Format::read(&*home.store).unwrap().unwrap();
        format.version = 2;
        let mut batch = Batch::new();
        batch.put(Namespace::Meta, crate::meta::FORMAT, format.record());
        home.store.commit(&batch).unwrap();
        assert_eq!(home.open_as(&LATER).unwrap_err(), OpenError::Damaged);
    }
}
