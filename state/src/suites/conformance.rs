//! Whether a store answers as [`Rows`] and [`Store`] say.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use meshwork_protocols::random::Random;
use meshwork_protocols::secret::SecretBytes;

use super::{SeededRandom, Violation, claim};
use crate::{Batch, Change, Namespace, Row, Rows, Store};

/// Runs every check, each on a new, empty store.
pub fn run(mut make: impl FnMut() -> Box<dyn Store>) -> Result<(), Violation> {
    an_empty_store_has_no_rows(&*make())?;
    rows_are_put_replaced_and_deleted(&*make())?;
    namespaces_are_apart(&*make())?;
    any_bytes_are_a_key_and_a_value(&*make())?;
    scans_are_ordered_and_bounded(&*make())?;
    what_is_committed_stays(&*make())?;
    a_batch_is_seen_whole(&*make())?;
    for seed in 0..RANDOM_RUNS {
        it_answers_as_a_map_does(&*make(), seed).map_err(|error| error.with_seed(seed))?;
    }
    Ok(())
}

fn an_empty_store_has_no_rows(store: &dyn Store) -> Result<(), Violation> {
    for namespace in Namespace::ALL {
        claim(get(store, namespace, b"")?.is_none(), "an empty store has no row")?;
        claim(scan(store, namespace, b"", None, 9)?.is_empty(), "an empty store scans as empty")?;
    }
    commit(store, &Batch::new())?;
    claim(scan(store, Namespace::Own, b"", None, 9)?.is_empty(), "an empty batch adds no row")
}

fn rows_are_put_replaced_and_deleted(store: &dyn Store) -> Result<(), Violation> {
    let own = |key: &[u8]| get(store, Namespace::Own, key);
    commit(store, &puts(Namespace::Own, &[(b"a", b"1"), (b"b", b"2")]))?;
    claim(own(b"a")? == Some(bytes(b"1")), "a row that was put is there")?;
    claim(own(b"c")?.is_none(), "a row that was not put is not there")?;
    commit(store, &puts(Namespace::Own, &[(b"a", b"longer than before")]))?;
    claim(own(b"a")? == Some(bytes(b"longer than before")), "a row is replaced")?;
    let mut batch = Batch::new();
    batch.delete(Namespace::Own, *b"a");
    batch.delete(Namespace::Own, *b"never there");
    commit(store, &batch)?;
    claim(own(b"a")?.is_none(), "a deleted row is gone")?;
    claim(own(b"b")? == Some(bytes(b"2")), "another row stays")
}

fn namespaces_are_apart(store: &dyn Store) -> Result<(), Violation> {
    let mut batch = Batch::new();
    for namespace in Namespace::ALL {
        batch.put(namespace, *b"same key", bytes(&[namespace.number()]));
    }
    commit(store, &batch)?;
    for namespace in Namespace::ALL {
        let there = vec![(b"same key".to_vec(), bytes(&[namespace.number()]))];
        let found = scan(store, namespace, b"", None, 9)?;
        claim(found == there, "a scan stays in its namespace")?;
    }
    let mut batch = Batch::new();
    batch.delete(Namespace::Peer, *b"same key");
    commit(store, &batch)?;
    claim(
        get(store, Namespace::Own, b"same key")?.is_some()
            && get(store, Namespace::Outbox, b"same key")?.is_some(),
        "a row is deleted in its namespace only",
    )
}

fn any_bytes_are_a_key_and_a_value(store: &dyn Store) -> Result<(), Violation> {
    let long_key = vec![0xfe; 1_000];
    let all: Vec<u8> = (0..=255).collect();
    let keys: [&[u8]; 7] = [b"", b"\0", b"\0\0", b"\xff", b"\xff\xff", &all, &long_key];
    for (number, key) in keys.into_iter().enumerate() {
        for length in [0, 1, 4_096, 1_000_000] {
            let value = SecretBytes::new(vec![u8::try_from(number).unwrap_or(0); length]);
            let mut batch = Batch::new();
            batch.put(Namespace::Inbox, key, value.clone());
            commit(store, &batch)?;
            let found = get(store, Namespace::Inbox, key)?;
            claim(found == Some(value), "any bytes are a key and a value")?;
        }
    }
    let found = scan(store, Namespace::Inbox, b"", None, 99)?;
    claim(found.len() == keys.len(), "each key is a row of its own")
}

fn scans_are_ordered_and_bounded(store: &dyn Store) -> Result<(), Violation> {
    let keys: [&[u8]; 8] = [b"", b"a", b"a\0", b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\xff"];
    let mut batch = Batch::new();
    // A neighbour on either side, whose rows no scan may show.
    for namespace in [Namespace::Outbox, Namespace::Sent, Namespace::Inbox] {
        for key in keys.iter().rev() {
            batch.put(namespace, *key, bytes(&[namespace.number()]));
        }
    }
    commit(store, &batch)?;
    let afters = keys.iter().map(|key| Some(*key)).chain([None, Some(&b"a\x01"[..]), Some(b"c")]);
    for after in afters {
        for prefix in [&b""[..], b"a", b"a\xff", b"b", b"c", b"\xff", b"\xff\xff\xff"] {
            for limit in [0, 1, 2, 3, 8, usize::MAX] {
                let wanted: Vec<_> = keys
                    .iter()
                    .filter(|key| {
                        key.starts_with(prefix) && after.is_none_or(|after| **key > after)
                    })
                    .take(limit)
                    .map(|key| (key.to_vec(), bytes(&[Namespace::Sent.number()])))
                    .collect();
                claim(
                    scan(store, Namespace::Sent, prefix, after, limit)? == wanted,
                    "a scan gives the rows of the prefix after the key, in order, up to the limit",
                )?;
            }
        }
    }
    Ok(())
}

fn what_is_committed_stays(store: &dyn Store) -> Result<(), Violation> {
    for round in 0..5u8 {
        let key = [round];
        commit(store, &puts(Namespace::Own, &[(&key, b"kept"), (b"last", &key)]))?;
        store.compact().map_err(Violation::failed("a store compacts"))?;
        store.reopen().map_err(Violation::failed("a store opens again"))?;
        let found = scan(store, Namespace::Own, b"", None, 99)?;
        let kept = found.len() == usize::from(round) + 2
            && found.last() == Some(&(b"last".to_vec(), bytes(&key)));
        claim(kept, "what is committed stays when the store compacts and opens again")?;
    }
    Ok(())
}

/// A reader beside the writer sees all rows of a batch or none of them.
fn a_batch_is_seen_whole(store: &dyn Store) -> Result<(), Violation> {
    let round = |number: u8| {
        let mut batch = Batch::new();
        for row in 0..ROWS_TOGETHER {
            batch.put(Namespace::Peer, [row], bytes(&[number]));
        }
        batch
    };
    commit(store, &round(0))?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let rows = scan(store, Namespace::Peer, b"", None, usize::MAX)?;
                let (_, first) = rows.first().ok_or(Violation::of("a committed row is there"))?;
                let whole = rows.len() == usize::from(ROWS_TOGETHER)
                    && rows.iter().all(|(_, value)| value == first);
                claim(whole, "a batch is seen whole or not at all")?;
            }
            Ok(())
        });
        let written = (1..=100).try_for_each(|number| commit(store, &round(number)));
        done.store(true, Ordering::Release);
        let read = reader.join().unwrap_or(Err(Violation::of("a reader does not panic")));
        written.and(read)
    })
}

/// Random changes and questions, answered by the store and by a map.
fn it_answers_as_a_map_does(store: &dyn Store, seed: u64) -> Result<(), Violation> {
    let mut random = SeededRandom::new(seed);
    let mut map = BTreeMap::new();
    for _ in 0..RANDOM_ROUNDS {
        let batch = random_batch(&mut random);
        commit(store, &batch)?;
        for (namespace, key, change) in batch.changes() {
            match change {
                Change::Put(value) => map.insert((namespace, key.to_vec()), value.clone()),
                Change::Delete => map.remove(&(namespace, key.to_vec())),
            };
        }
        match random.below(20) {
            0 => store.reopen().map_err(Violation::failed("a store opens again"))?,
            1 => store.compact().map_err(Violation::failed("a store compacts"))?,
            _ => {}
        }
        let (namespace, key) = random_place(&mut random);
        let wanted = map.get(&(namespace, key.clone())).cloned();
        claim(get(store, namespace, &key)? == wanted, "a row is as it was last committed")?;
        let prefix = key.get(..1).unwrap_or_default();
        let wanted: Vec<Row> = map
            .iter()
            .filter(|((place, key), _)| *place == namespace && key.starts_with(prefix))
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect();
        claim(
            scan(store, namespace, prefix, None, usize::MAX)? == wanted,
            "a scan shows what was last committed",
        )?;
    }
    Ok(())
}

fn random_batch(random: &mut SeededRandom) -> Batch {
    let mut batch = Batch::new();
    for _ in 0..random.below(12) {
        let (namespace, key) = random_place(random);
        if random.one_in(3) {
            batch.delete(namespace, key);
        } else {
            let mut value = vec![0; random.below(200) as usize];
            random.fill(&mut value);
            batch.put(namespace, key, SecretBytes::new(value));
        }
    }
    batch
}

fn random_place(random: &mut SeededRandom) -> (Namespace, Vec<u8>) {
    let namespace = Namespace::ALL.get(random.below(4) as usize).copied();
    let mut key = vec![0; random.below(3) as usize];
    for byte in &mut key {
        *byte = u8::try_from(random.below(4)).unwrap_or(0).wrapping_sub(2);
    }
    (namespace.unwrap_or(Namespace::Own), key)
}

fn puts(namespace: Namespace, rows: &[(&[u8], &[u8])]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in rows {
        batch.put(namespace, *key, bytes(value));
    }
    batch
}

fn bytes(bytes: &[u8]) -> SecretBytes {
    SecretBytes::new(bytes.to_vec())
}

fn commit(store: &dyn Store, batch: &Batch) -> Result<(), Violation> {
    store.commit(batch).map_err(Violation::failed("a batch is committed"))
}

fn get(
    rows: &dyn Rows,
    namespace: Namespace,
    key: &[u8],
) -> Result<Option<SecretBytes>, Violation> {
    rows.get(namespace, key).map_err(Violation::failed("a row is read"))
}

fn scan(
    rows: &dyn Rows,
    namespace: Namespace,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<Row>, Violation> {
    rows.scan(namespace, prefix, after, limit).map_err(Violation::failed("rows are scanned"))
}

/// How many seeds are compared with a map.
const RANDOM_RUNS: u64 = 5;

/// How many batches each.
const RANDOM_ROUNDS: u32 = 200;

/// How many rows a batch has that is watched while it is committed.
const ROWS_TOGETHER: u8 = 16;
