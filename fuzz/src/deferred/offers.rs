//! What others offer of themselves: bundles, pools and introductions. Each counts only as it was
//! made by who holds the signing pair.

use std::sync::LazyLock;

use meshwork_protocols::deferred::agent::introduction::Beginning;
use meshwork_protocols::deferred::agent::{Bundle, Envelope, Introduction, Pool, PoolKey};
use meshwork_protocols::deferred::wire::FirstMessage;
use meshwork_protocols::identity::Unverified;
use meshwork_protocols::provider::pure::Pure;

use super::writer::{ALICE, BOB, MOMENTS};
use crate::agent::{NOW, Seeded};

/// A bundle keeps its bytes, and verifies only if its agent's signing pair signed those.
pub fn bundle(data: &[u8]) {
    let Ok(unverified) = Unverified::<Bundle>::parse(data) else { return };
    for writer in [&*ALICE, &*BOB] {
        if let Ok(bundle) = unverified.clone().verify(&Pure, &writer.card, None, NOW.wall) {
            assert_eq!(bundle.as_bytes(), data);
            assert_eq!(bundle, writer.bundle, "a bundle that nobody signed");
        }
    }
}

/// A pool's signed part likewise.
pub fn pool(data: &[u8]) {
    let Ok(unverified) = Unverified::<Pool>::parse(data) else { return };
    for writer in [&*ALICE, &*BOB] {
        if let Ok(pool) = unverified.clone().verify(&Pure, &writer.card) {
            assert_eq!(pool, writer.pool.0, "a pool that nobody signed");
        }
    }
}

/// A one-time key counts only if its path leads to the root of its pool.
pub fn pool_key(data: &[u8]) {
    let Ok(key) = postcard::from_bytes::<PoolKey>(data) else { return };
    for writer in [&*ALICE, &*BOB] {
        let (pool, keys) = &writer.pool;
        if pool.verify_key(&Pure, &key, NOW.wall).is_ok() {
            assert!(keys.contains(&key), "a key that was never in the pool");
        }
    }
}

/// An introduction counts only if its card's pair signed this very beginning.
pub fn introduction(data: &[u8]) {
    let Ok(introduction) = postcard::from_bytes::<Introduction>(data) else { return };
    let (genuine, beginning) = &*INTRODUCTION;
    if let Ok(card) = introduction.verify(&Pure, beginning, NOW.wall) {
        assert_eq!(card, ALICE.card);
        assert_eq!(&introduction, genuine, "an introduction that nobody signed");
    }
}

/// What Alice says of herself where she begins a session, and what that begins with.
pub(super) static INTRODUCTION: LazyLock<(Introduction, Beginning)> = LazyLock::new(|| {
    let moment = &MOMENTS[0];
    let (envelope, inside) = Envelope::decode(&moment.next).unwrap();
    let first = FirstMessage::decode(inside).unwrap();
    let ends = [envelope.sender, envelope.recipient];
    let beginning = Beginning::of_first(&Pure, ends, &envelope.bundle.unwrap(), &first);
    let random = &mut Seeded::new(3);
    let introduction = Introduction::sign(&ALICE.card, &ALICE.pair(), &beginning, random).unwrap();
    assert!(introduction.verify(&Pure, &beginning, NOW.wall).is_ok());
    (introduction, beginning)
});

pub(crate) fn bundles() -> Vec<(&'static str, Vec<u8>)> {
    vec![("own", ALICE.bundle.as_bytes().to_vec()), ("peer", BOB.bundle.as_bytes().to_vec())]
}

pub(crate) fn pools() -> Vec<(&'static str, Vec<u8>)> {
    vec![("own", ALICE.pool.0.as_bytes().to_vec()), ("peer", BOB.pool.0.as_bytes().to_vec())]
}

pub(crate) fn pool_keys() -> Vec<(&'static str, Vec<u8>)> {
    let names = ["first", "middle", "last"].into_iter();
    let encoded = |key: &PoolKey| postcard::to_allocvec(key).unwrap();
    names.zip(ALICE.pool.1.iter().map(encoded)).collect()
}

pub(crate) fn introductions() -> Vec<(&'static str, Vec<u8>)> {
    vec![("genuine", postcard::to_allocvec(&INTRODUCTION.0).unwrap())]
}
