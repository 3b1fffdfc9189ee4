//! What a store or a key file hands back, changed by whoever can write the disk.

use std::sync::{Arc, LazyLock};

use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::secret::{Secret, SecretBytes};
use meshwork_state::{
    Batch, CommitNumber, MemoryStore, Namespace, Row, Rows, Sealing, State, Store, StoreError,
    StoreId, Testimony, Unlock, Witness, WitnessError, key_file,
};

use crate::agent::{NOW, PROVIDER, Seeded};

/// A key is taken from the one text that says it.
pub fn key_file(data: &[u8]) {
    let Ok(key) = key_file::parse(&Pure, data) else { return };
    let text = key_file::text(&Pure, &key);
    let same = data.trim_ascii().eq_ignore_ascii_case(text.expose().trim_ascii());
    assert!(same, "two texts for one key");
}

/// A store in which one row is another: the first byte says which, the others are its record. What
/// opens is what was sealed in that place.
pub fn state_rows(data: &[u8]) {
    let Some((row, record)) = data.split_first() else { return };
    let store = MemoryStore::clone(&STORE);
    let rows = rows(&store);
    let (namespace, key, _) = rows[usize::from(*row) % rows.len()].clone();
    let mut batch = Batch::new();
    batch.put(namespace, key, SecretBytes::new(record.to_vec()));
    store.commit(&batch).unwrap();
    let Ok(state) = State::open_on(Box::new(store), Box::new(Trusting), &unlock(), sealing(2))
    else {
        return;
    };
    for (namespace, key, value) in VALUES {
        if let Ok(opened) = state.get(*namespace, key) {
            assert!(opened.is_some_and(|opened| opened.expose() == *value), "a forged row");
        }
    }
}

/// A sealed state with a row in each of two namespaces, under either of its keys.
pub(crate) static STORE: LazyLock<MemoryStore> = LazyLock::new(|| {
    let store = Shared(Arc::new(MemoryStore::new()));
    let on = Box::new(store.clone());
    let state = State::create_on(on, Box::new(Trusting), &unlock(), sealing(1), NOW.wall).unwrap();
    let mut batch = Batch::new();
    for (namespace, key, value) in VALUES {
        batch.put(*namespace, *key, SecretBytes::new(value.to_vec()));
    }
    state.commit(&batch).unwrap();
    MemoryStore::clone(&store.0)
});

/// Every row of a store, sealed as it lies there.
pub(crate) fn rows(store: &MemoryStore) -> Vec<(Namespace, Vec<u8>, SecretBytes)> {
    [Namespace::Meta, Namespace::Own, Namespace::Session]
        .into_iter()
        .flat_map(|namespace| {
            let rows = store.scan(namespace, &[], None, usize::MAX).unwrap();
            rows.into_iter().map(move |(key, record)| (namespace, key, record))
        })
        .collect()
}

/// A key file's text.
pub(crate) fn key_file_text() -> SecretBytes {
    key_file::text(&Pure, &Secret::new([0xab; 32]))
}

fn unlock() -> Unlock {
    Unlock::Key(Secret::new([8; 32]))
}

fn sealing(seed: u64) -> Sealing {
    Sealing::new(PROVIDER.clone()).with_random(Box::new(Seeded::new(seed)))
}

/// A store that somebody else can look at.
#[derive(Clone, Debug)]
struct Shared(Arc<MemoryStore>);

impl Rows for Shared {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        self.0.get(namespace, key)
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.0.scan(namespace, prefix, after, limit)
    }
}

impl Store for Shared {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.0.commit(batch)
    }

    fn reopen(&self) -> Result<(), StoreError> {
        self.0.reopen()
    }

    fn compact(&self) -> Result<(), StoreError> {
        self.0.compact()
    }
}

/// A witness that contradicts no store.
#[derive(Debug)]
struct Trusting;

impl Witness for Trusting {
    fn read(&self, store: StoreId) -> Result<Option<Testimony>, WitnessError> {
        Ok(Some(Testimony { store, number: CommitNumber::ZERO }))
    }

    fn write(&self, _: Testimony) -> Result<(), WitnessError> {
        Ok(())
    }
}

const VALUES: &[(Namespace, &[u8], &[u8])] =
    &[(Namespace::Own, b"card", b"what I am"), (Namespace::Session, b"peer", b"a chain")];
