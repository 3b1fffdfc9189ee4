//! A state in a real folder: what opens it, what does not, and what is told from a restore.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it set it up"
)]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::lineage::Incarnation;
use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::secret::{Secret, SecretBytes};
use meshwork_protocols::time::{Timestamp, WallTime};
use meshwork_state::suites::SeededRandom;
use meshwork_state::{
    Batch, Cipher, CreateError, FileWitness, KeyFileError, Namespace, OpenError, RedbStore,
    RestoreEvidence, Row, Rows, SESSION_KEY_LIFETIME, STORE_FILE, Sealing, State, StoreError,
    Unlock, UnlockError, UnlockKind, key_file,
};
use tempfile::TempDir;

const NOW: WallTime = WallTime::from_secs(1_800_000_000);

/// A folder for a state and one for its witness.
struct Home {
    root: TempDir,
    unlock: Unlock,
}

impl Home {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), unlock: Unlock::Key(Secret::new([7; 32])) }
    }

    fn directory(&self) -> PathBuf {
        self.root.path().join("state")
    }

    fn witness(&self) -> PathBuf {
        self.root.path().join("witness")
    }

    fn create(&self) -> Result<State, CreateError> {
        let witness = Box::new(FileWitness::in_folder(self.witness()));
        State::create(&self.directory(), witness, &self.unlock, sealing(), NOW)
    }

    fn open(&self) -> Result<State, OpenError> {
        self.open_with(&self.unlock)
    }

    fn open_with(&self, unlock: &Unlock) -> Result<State, OpenError> {
        let witness = Box::new(FileWitness::in_folder(self.witness()));
        State::open(&self.directory(), witness, unlock, sealing())
    }

    /// Every file of the state and of the witness.
    fn bytes(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut bytes = BTreeMap::new();
        for folder in [self.directory(), self.witness()] {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                bytes.insert(path.clone(), fs::read(path).unwrap());
            }
        }
        bytes
    }

    fn copy_state_to(&self, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(self.directory()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn sealing() -> Sealing {
    Sealing::new(Arc::new(Pure))
}

fn row(key: &str, value: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(Namespace::Own, key, SecretBytes::new(value.as_bytes().to_vec()));
    batch
}

fn value(state: &State, key: &str) -> Option<SecretBytes> {
    state.get(Namespace::Own, key.as_bytes()).unwrap()
}

/// Drops a state as a crash would: the witness is not told.
fn crash(state: State) {
    drop(state);
}

#[test]
fn what_was_committed_is_there_after_the_next_start() {
    let home = Home::new();
    let state = home.create().unwrap();
    let first = state.commit(&row("name", "ada")).unwrap();
    let second = state.commit(&row("name", "grace")).unwrap();
    assert!(second > first);
    state.close().unwrap();
    let state = home.open().unwrap();
    assert_eq!(value(&state, "name"), Some(SecretBytes::new(b"grace".to_vec())));
    assert_eq!(state.opening().restored, None);
    assert!(state.lineage().number > second.as_u64());
}

#[test]
fn each_start_names_its_own_incarnation_and_its_parents() {
    let home = Home::new();
    let state = home.create().unwrap();
    assert_eq!(state.lineage().parent, Incarnation::NONE);
    let mut parent = state.lineage().incarnation;
    crash(state);
    for _ in 0..3 {
        let state = home.open().unwrap();
        assert_eq!(state.lineage().parent, parent);
        assert_ne!(state.lineage().incarnation, parent);
        parent = state.lineage().incarnation;
        crash(state);
    }
}

#[test]
fn no_value_stands_in_the_file_in_clear() {
    let home = Home::new();
    let state = home.create().unwrap();
    state.commit(&row("name", "a value that is easily found")).unwrap();
    crash(state);
    let file = fs::read(home.directory().join(STORE_FILE)).unwrap();
    assert!(!file.windows(12).any(|window| window == b"easily found"));
    // The key of a row does; the search above would have found the value.
    assert!(file.windows(4).any(|window| window == b"name"));
}

#[test]
fn a_wrong_key_is_told_and_changes_no_byte() {
    let home = Home::new();
    crash(home.create().unwrap());
    let before = home.bytes();
    let wrong = Unlock::Key(Secret::new([8; 32]));
    assert_eq!(home.open_with(&wrong).unwrap_err(), OpenError::WrongKey);
    let passphrase = Unlock::Passphrase(SecretBytes::new(b"guess".to_vec()));
    assert_eq!(
        home.open_with(&passphrase).unwrap_err(),
        OpenError::Unlock(UnlockError::WrongKind(UnlockKind::Key))
    );
    let missing = Unlock::KeyFile(home.root.path().join("no such key"));
    assert_eq!(
        home.open_with(&missing).unwrap_err(),
        OpenError::Unlock(UnlockError::KeyFile(KeyFileError::Unreadable(
            std::io::ErrorKind::NotFound
        )))
    );
    assert_eq!(State::unlock_kind(&home.directory()), Ok(UnlockKind::Key));
    assert_eq!(home.bytes(), before);
    assert!(home.open().is_ok());
}

#[test]
fn a_wrong_key_changes_no_byte_of_a_file_that_a_crash_left_to_repair() {
    let home = Home::new();
    let state = home.create().unwrap();
    let copy = home.root.path().join("copy");
    for number in 0..20 {
        state.commit(&row(&format!("row {number}"), &"x".repeat(number * 50))).unwrap();
    }
    // As the file stands in the middle of a run: redb repairs it when it opens it.
    home.copy_state_to(&copy);
    crash(state);
    fs::remove_dir_all(home.directory()).unwrap();
    fs::rename(&copy, home.directory()).unwrap();
    let before = home.bytes();
    let wrong = Unlock::Key(Secret::new([8; 32]));
    assert_eq!(home.open_with(&wrong).unwrap_err(), OpenError::WrongKey);
    assert_eq!(home.bytes(), before);
    let state = home.open().unwrap();
    assert_eq!(value(&state, "row 19").unwrap().len(), 19 * 50);
    assert_ne!(home.bytes(), before);
}

#[test]
fn a_passphrase_opens_what_it_made_and_another_does_not() {
    let home = Home {
        unlock: Unlock::Passphrase(SecretBytes::new(b"correct horse".to_vec())),
        ..Home::new()
    };
    crash(home.create().unwrap());
    let before = home.bytes();
    let wrong = Unlock::Passphrase(SecretBytes::new(b"battery staple".to_vec()));
    assert_eq!(home.open_with(&wrong).unwrap_err(), OpenError::WrongKey);
    assert_eq!(State::unlock_kind(&home.directory()), Ok(UnlockKind::Passphrase));
    assert_eq!(home.bytes(), before);
    assert!(home.open().is_ok());
}

#[test]
fn a_key_file_opens_what_it_made() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("key");
    key_file::create(&path, &Pure, &mut *Pure.random()).unwrap();
    let home = Home { root, unlock: Unlock::KeyFile(path) };
    crash(home.create().unwrap());
    assert!(home.open().is_ok());
}

#[test]
fn a_truncated_file_is_told_and_changes_no_byte() {
    let home = Home::new();
    let state = home.create().unwrap();
    for number in 0..50 {
        state.commit(&row(&format!("row {number}"), &"x".repeat(500))).unwrap();
    }
    state.close().unwrap();
    let path = home.directory().join(STORE_FILE);
    let whole = fs::read(&path).unwrap();
    let lengths = (0..16).chain((1..64).map(|part| whole.len() * part / 64));
    for length in lengths.chain([whole.len() - 1]) {
        fs::write(&path, whole.get(..length).unwrap()).unwrap();
        let before = home.bytes();
        assert_eq!(home.open().unwrap_err(), OpenError::Damaged, "cut at {length}");
        assert_eq!(home.bytes(), before);
    }
    fs::write(&path, &whole).unwrap();
    assert!(home.open().is_ok());
}

#[test]
fn what_is_not_a_state_is_told_and_changes_no_byte() {
    let home = Home::new();
    fs::create_dir_all(home.directory()).unwrap();
    fs::create_dir_all(home.witness()).unwrap();
    assert_eq!(home.open().unwrap_err(), OpenError::NotAState);
    assert_eq!(home.bytes(), BTreeMap::new());
    fs::write(home.directory().join(STORE_FILE), "a text, and a long one ".repeat(1000)).unwrap();
    assert_eq!(home.open().unwrap_err(), OpenError::Damaged);
}

#[test]
fn a_second_opener_is_told_and_changes_no_byte() {
    let home = Home::new();
    let state = home.create().unwrap();
    let before = home.bytes();
    assert_eq!(home.open().unwrap_err(), OpenError::Locked);
    assert_eq!(home.create().unwrap_err(), CreateError::Locked);
    assert_eq!(home.bytes(), before);
    state.commit(&row("still", "writable")).unwrap();
    // The lock outlives the file that was there first.
    state.compact().unwrap();
    assert_eq!(home.open().unwrap_err(), OpenError::Locked);
    crash(state);
    assert!(home.open().is_ok());
}

#[test]
fn a_state_is_not_made_over_another() {
    let home = Home::new();
    let state = home.create().unwrap();
    state.commit(&row("name", "ada")).unwrap();
    crash(state);
    let before = home.bytes();
    assert_eq!(home.create().unwrap_err(), CreateError::Occupied);
    assert_eq!(home.bytes(), before);
}

#[test]
fn a_creation_cut_short_leaves_no_state_and_is_done_again() {
    let home = Home::new();
    // What stands in the folder at any moment before the rename: a part of a file, of no use.
    fs::create_dir_all(home.directory()).unwrap();
    fs::write(home.directory().join("state.new"), "half a store").unwrap();
    fs::write(home.directory().join("state.lock"), "").unwrap();
    assert_eq!(home.open().unwrap_err(), OpenError::NotAState);
    let state = home.create().unwrap();
    assert_eq!(state.opening().restored, None);
    crash(state);
    assert_eq!(home.open().unwrap().opening().restored, None);
}

#[test]
fn a_copied_back_folder_is_a_restore_at_every_start_until_it_is_accepted() {
    let home = Home::new();
    let copy = home.root.path().join("copy");
    let state = home.create().unwrap();
    state.commit(&row("name", "ada")).unwrap();
    state.close().unwrap();
    home.copy_state_to(&copy);
    let state = home.open().unwrap();
    for _ in 0..10 {
        state.commit(&row("name", "grace")).unwrap();
    }
    let ahead = state.lineage().number;
    state.close().unwrap();

    fs::remove_dir_all(home.directory()).unwrap();
    fs::rename(&copy, home.directory()).unwrap();
    let evidence = RestoreEvidence::Behind { store: 2.into(), witness: ahead.into() };
    for _ in 0..3 {
        let state = home.open().unwrap();
        assert_eq!(state.opening().restored, Some(evidence));
        // Its number passes the witness's; that does not make it forget.
        for _ in 0..10 {
            state.commit(&row("name", "joan")).unwrap();
        }
        assert!(!state.witness_due(Timestamp::default()));
        state.close().unwrap();
    }
    let state = home.open().unwrap();
    assert_eq!(state.opening().restored, Some(evidence));
    state.accept_restore().unwrap();
    crash(state);
    assert_eq!(home.open().unwrap().opening().restored, None);
}

#[test]
fn a_folder_brought_to_a_place_without_its_witness_is_a_restore() {
    let home = Home::new();
    home.create().unwrap().close().unwrap();
    fs::remove_dir_all(home.witness()).unwrap();
    let state = home.open().unwrap();
    assert_eq!(state.opening().restored, Some(RestoreEvidence::WitnessMissing));
    state.accept_restore().unwrap();
    state.close().unwrap();
    assert_eq!(home.open().unwrap().opening().restored, None);
}

#[test]
fn a_witness_of_another_store_or_of_no_sense_is_a_restore() {
    let (home, other) = (Home::new(), Home::new());
    home.create().unwrap().close().unwrap();
    let state = other.create().unwrap();
    let id = state.store_id();
    state.close().unwrap();
    let witness = || fs::read_dir(home.witness()).unwrap().next().unwrap().unwrap().path();
    fs::copy(other.witness().join(id.to_string()), witness()).unwrap();
    let state = home.open().unwrap();
    assert_eq!(state.opening().restored, Some(RestoreEvidence::WitnessOfAnother(id)));
    state.accept_restore().unwrap();
    crash(state);
    fs::write(witness(), "nonsense").unwrap();
    let state = home.open().unwrap();
    assert_eq!(state.opening().restored, Some(RestoreEvidence::WitnessUnreadable));
}

#[test]
fn the_witness_is_due_after_commits_and_then_rests_half_a_second() {
    let home = Home::new();
    let state = home.create().unwrap();
    let at = |millis| Timestamp { monotonic: Duration::from_millis(millis), wall: NOW };
    assert!(state.witness_due(at(0)));
    state.write_witness(at(0)).unwrap();
    assert!(!state.witness_due(at(10_000)), "nothing was committed since");
    state.commit(&row("name", "ada")).unwrap();
    assert!(!state.witness_due(at(499)));
    assert!(state.witness_due(at(500)));
    state.write_witness(at(500)).unwrap();
    let copy = home.root.path().join("copy");
    home.copy_state_to(&copy);
    state.commit(&row("name", "grace")).unwrap();
    state.write_witness(at(1_000)).unwrap();
    crash(state);
    fs::remove_dir_all(home.directory()).unwrap();
    fs::rename(&copy, home.directory()).unwrap();
    assert!(home.open().unwrap().opening().restored.is_some());
}

#[test]
fn meta_is_neither_read_nor_written_from_outside() {
    let home = Home::new();
    let state = home.create().unwrap();
    let mut batch = row("name", "ada");
    batch.put(Namespace::Meta, "format", SecretBytes::default());
    assert_eq!(state.commit(&batch), Err(StoreError::Reserved));
    assert_eq!(state.get(Namespace::Meta, b"format"), Err(StoreError::Reserved));
    assert_eq!(state.scan(Namespace::Meta, b"", None, 9), Err(StoreError::Reserved));
    assert_eq!(value(&state, "name"), None);
}

/// The sealed records of sessions and of the session key, as they stand in the file.
fn session_records(home: &Home) -> Vec<SecretBytes> {
    let copy = home.root.path().join("copy to look at");
    home.copy_state_to(&copy);
    let store = RedbStore::open(&copy.join(STORE_FILE)).unwrap();
    let mut records: Vec<_> = of_sessions(&store).into_iter().map(|(_, record)| record).collect();
    records.push(store.get(Namespace::Meta, b"session-key").unwrap().unwrap());
    drop(store);
    fs::remove_dir_all(copy).unwrap();
    records
}

/// All rows that stand under the session key.
fn of_sessions(rows: &dyn Rows) -> Vec<Row> {
    let scan = |namespace| rows.scan(namespace, b"", None, usize::MAX).unwrap();
    Namespace::OF_SESSIONS.into_iter().flat_map(scan).collect()
}

/// How many of the records stand in the file: each is known by eight bytes of its nonce.
fn count_in(file: &[u8], records: &[SecretBytes]) -> usize {
    let marks: HashSet<u64> = records
        .iter()
        .map(|record| u64::from_be_bytes(record.expose().get(2..10).unwrap().try_into().unwrap()))
        .collect();
    let mut found = HashSet::new();
    let mut window = 0;
    for byte in file {
        window = window << 8 | u64::from(*byte);
        if marks.contains(&window) {
            found.insert(window);
        }
    }
    found.len()
}

#[test]
fn a_new_session_key_leaves_neither_the_old_one_nor_what_it_sealed() {
    let home = Home::new();
    let state = home.create().unwrap();
    // Of rows like these redb's own compaction leaves some, in pages that stay free.
    for number in 0..40u32 {
        let mut batch = row(&format!("row {number}"), &"x".repeat(300));
        for peer in 0..number % 11 {
            let session = SecretBytes::new(vec![7; 5_000 * peer as usize]);
            let namespace = Namespace::OF_SESSIONS[number as usize % 2];
            batch.put(namespace, (number * 11 + peer).to_be_bytes(), session);
        }
        state.commit(&batch).unwrap();
    }
    let old = session_records(&home);
    let rows = of_sessions(&state);
    assert_eq!(rows.len() + 1, old.len());
    let path = home.directory().join(STORE_FILE);
    assert_eq!(count_in(&fs::read(&path).unwrap(), &old), old.len());

    let later = NOW + SESSION_KEY_LIFETIME;
    assert_eq!(state.session_key_age(later), Ok(SESSION_KEY_LIFETIME));
    state.rotate_session_key(later).unwrap();
    assert_eq!(state.session_key_age(later), Ok(Duration::ZERO));
    let after = fs::read(&path).unwrap();
    assert_eq!(count_in(&after, &old), 0);
    assert_eq!(count_in(&after, &session_records(&home)), old.len());

    assert_eq!(of_sessions(&state), rows);
    state.commit(&row("still", "writable")).unwrap();
    state.close().unwrap();
    let state = home.open().unwrap();
    assert_eq!(of_sessions(&state), rows);
    assert_eq!(state.session_key_age(later), Ok(Duration::ZERO));
}

#[test]
fn compaction_leaves_nothing_of_a_removed_row_and_everything_else() {
    let home = Home::new();
    let state = home.create().unwrap();
    let mut batch = Batch::new();
    for number in 0..500u32 {
        let key = [&b"removed key "[..], &number.to_be_bytes()].concat();
        batch.put(Namespace::Own, key, SecretBytes::new(vec![1; 300]));
    }
    state.commit(&batch).unwrap();
    state.commit(&row("kept", "value")).unwrap();
    let mut removal = Batch::new();
    for (_, key, _) in batch.changes() {
        removal.delete(Namespace::Own, key);
    }
    state.commit(&removal).unwrap();
    let path = home.directory().join(STORE_FILE);
    let before = fs::metadata(&path).unwrap().len();
    state.compact().unwrap();
    let after = fs::read(&path).unwrap();
    assert!((after.len() as u64) < before / 2);
    assert!(!after.windows(11).any(|window| window == b"removed key"));
    assert_eq!(value(&state, "kept"), Some(SecretBytes::new(b"value".to_vec())));
}

#[test]
fn records_of_either_cipher_are_read_whatever_is_configured() {
    let home = Home::new();
    crash(home.create().unwrap());
    for (key, cipher) in [("a", Cipher::Xaes256Gcm), ("b", Cipher::XChaCha20Poly1305)] {
        let witness = Box::new(FileWitness::in_folder(home.witness()));
        let sealing = sealing().with_cipher(cipher);
        let state = State::open(&home.directory(), witness, &home.unlock, sealing).unwrap();
        state.commit(&row(key, "value")).unwrap();
        crash(state);
    }
    let state = home.open().unwrap();
    for key in ["a", "b"] {
        assert_eq!(value(&state, key), Some(SecretBytes::new(b"value".to_vec())));
    }
}

#[test]
fn a_file_damaged_anywhere_gives_an_error_or_right_rows_and_never_a_panic() {
    let home = Home::new();
    let state = home.create().unwrap();
    let rows: Vec<_> = (0..100u32)
        .map(|number| {
            (number.to_be_bytes().to_vec(), SecretBytes::new(vec![1; 7 * number as usize]))
        })
        .collect();
    for (key, value) in &rows {
        let mut batch = Batch::new();
        batch.put(Namespace::Own, key.clone(), value.clone());
        state.commit(&batch).unwrap();
    }
    let path = home.directory().join(STORE_FILE);
    // One as a crash leaves it, one that was closed.
    let mut files = vec![fs::read(&path).unwrap()];
    state.close().unwrap();
    files.push(fs::read(&path).unwrap());

    let mut random = SeededRandom::new(1);
    let mut refused = 0;
    for round in 0..300 {
        let mut file = files[round % 2].clone();
        // Every third time where redb keeps what leads to the rest.
        let reach = if round % 3 == 0 { 4_096 } else { file.len() };
        for _ in 0..=random.below(4) {
            let at = random.below(u32::try_from(reach).unwrap()) as usize;
            file[at] ^= 1 << random.below(8);
        }
        fs::write(&path, &file).unwrap();
        let state = match home.open() {
            Ok(state) => state,
            Err(_) => {
                refused += 1;
                assert_eq!(fs::read(&path).unwrap(), file);
                continue;
            }
        };
        if let Ok(found) = state.scan(Namespace::Own, b"", None, usize::MAX) {
            assert!(found.iter().all(|row| rows.contains(row)), "round {round}");
        }
        // Whatever comes of it is no panic.
        let _committed = state.commit(&row("another", "row"));
    }
    assert!((30..270).contains(&refused), "{refused} of 300");
}
