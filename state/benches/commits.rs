//! What sealing and durable commits cost: prints one line a figure.
//!
//! `cargo bench -p meshwork-state`, in a folder on the disk in question (`TMPDIR`).
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints its figures, and ends where there are none"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::secret::{Secret, SecretBytes};
use meshwork_protocols::time::WallTime;
use meshwork_state::{
    Batch, Cipher, FileWitness, MemoryStore, Namespace, Rows, Sealing, State, Unlock,
};
use redb::{Database, TableDefinition};

fn main() {
    let folder = tempfile::tempdir().unwrap();
    for (name, provider) in
        [("aws-lc", Arc::new(AwsLc) as Arc<dyn Provider>), ("pure", Arc::new(Pure))]
    {
        for cipher in [Cipher::XChaCha20Poly1305, Cipher::Xaes256Gcm] {
            in_memory(folder.path(), name, &provider, cipher);
        }
    }
    for rows in [1, 4, 100, 1_000] {
        sealed_in_a_file(folder.path(), rows);
    }
    for rows in [1, 100] {
        for two_phase in [false, true] {
            redb_alone(folder.path(), rows, two_phase);
        }
    }
}

/// Sealing, opening and scanning, with no disk in the way.
fn in_memory(folder: &Path, name: &str, provider: &Arc<dyn Provider>, cipher: Cipher) {
    let state = State::create_on(
        Box::new(MemoryStore::new()),
        Box::new(FileWitness::in_folder(folder)),
        &unlock(),
        Sealing::new(Arc::clone(provider)).with_cipher(cipher),
        WallTime::default(),
    )
    .unwrap();
    let batch = batch(0, 1_000);
    let sealing = per_call(|_| {
        state.commit(&batch).unwrap();
    });
    let scanning = per_call(|_| {
        assert_eq!(state.scan(Namespace::Outbox, b"", None, 1_000).unwrap().len(), 1_000);
    });
    let getting = per_call(|_| {
        assert!(state.get(Namespace::Outbox, &[0; 16]).unwrap().is_some());
    });
    println!(
        "{name} {cipher:?}, rows of {VALUE} bytes in memory: commit {:?}, scan {:?}, get {:?} a row",
        sealing / 1_000,
        scanning / 1_000,
        getting,
    );
}

fn sealed_in_a_file(folder: &Path, rows: u32) {
    let state = State::create(
        &folder.join(format!("state {rows}")),
        Box::new(FileWitness::in_folder(folder)),
        &unlock(),
        Sealing::new(Arc::new(AwsLc)),
        WallTime::default(),
    )
    .unwrap();
    let commit = per_call(|round| {
        state.commit(&batch(round, rows)).unwrap();
    });
    print_rate("sealed state in a file", rows, commit);
    let key = batch(0, 1).changes().map(|(_, key, _)| key.to_vec()).next().unwrap();
    let get = per_call(|_| assert!(state.get(Namespace::Outbox, &key).unwrap().is_some()));
    let scan = per_call(|_| {
        let _rows = state.scan(Namespace::Outbox, b"", None, 100).unwrap();
    });
    println!("  then: get {get:?}, scan of 100 rows {scan:?}");
}

fn redb_alone(folder: &Path, rows: u32, two_phase: bool) {
    const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> =
        TableDefinition::new("rows");
    let database = Database::create(folder.join(format!("{rows} {two_phase}"))).unwrap();
    let commit = per_call(|round| {
        let mut transaction = database.begin_write().unwrap();
        transaction.set_two_phase_commit(two_phase);
        let mut table = transaction.open_table(ROWS).unwrap();
        for (_, key, _) in batch(round, rows).changes() {
            table.insert(key, &[7; VALUE][..]).unwrap();
        }
        drop(table);
        transaction.commit().unwrap();
    });
    let name = if two_phase { "redb alone, two phases" } else { "redb alone, one phase" };
    print_rate(name, rows, commit);
}

fn print_rate(name: &str, rows: u32, commit: Duration) {
    let commits = 1.0 / commit.as_secs_f64();
    let rate = commits * f64::from(rows);
    println!("{name}, {rows} rows a commit: {commits:.0} commits/s, {rate:.0} rows/s");
}

/// Rows whose keys come in no order, as message ids do.
fn batch(round: u32, rows: u32) -> Batch {
    let mut batch = Batch::new();
    for row in 0..rows {
        let number = u64::from(round) * u64::from(rows) + u64::from(row);
        let mut key = [0; 16];
        if let Some(start) = key.first_chunk_mut() {
            *start = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        }
        batch.put(Namespace::Outbox, key, SecretBytes::new(vec![7; VALUE]));
    }
    batch
}

fn unlock() -> Unlock {
    Unlock::Key(Secret::new([1; 32]))
}

/// The time of one call, over two seconds of them.
fn per_call(mut call: impl FnMut(u32)) -> Duration {
    let start = Instant::now();
    let mut calls = 0;
    while start.elapsed() < Duration::from_secs(2) {
        call(calls);
        calls += 1;
    }
    start.elapsed() / calls
}

/// Bytes of a value: most rows are about this long.
const VALUE: usize = 100;
