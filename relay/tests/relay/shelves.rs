//! Blobs: once under their hash, on account of who left them.

use meshwork_protocols::provider::Provider;
use meshwork_protocols::relay::*;
use meshwork_relay::Limits;

use crate::common::*;

fn put(bytes: &[u8], days: u32) -> (BlobHash, Request) {
    let hash = (PROVIDER as &dyn Provider).digest(&[bytes]);
    let expires = NOW.wall + days * DAY;
    (hash, Request::PutBlob { hash, expires, bytes: bytes.to_vec().into() })
}

#[test]
fn a_blob_is_given_to_who_names_its_hash_until_its_time_is_over() {
    let mut relay = relay();
    let (hash, request) = put(b"sealed", 2);
    for caller in [1, 1, 2] {
        assert_eq!(ask(&mut relay, someone(caller), request.clone()), Answer::Done);
    }
    assert_eq!(relay.metrics().blobs, 2);
    let blob = |answer| assert_eq!(answer, Answer::Blob(Some(b"sealed".to_vec().into())));
    blob(ask(&mut relay, someone(3), Request::GetBlob(hash)));
    // A longer time counts for all.
    assert_eq!(ask(&mut relay, someone(1), put(b"sealed", 9).1), Answer::Done);
    relay.sweep(NOW + 3 * DAY).unwrap();
    blob(ask_at(&mut relay, NOW + 3 * DAY, someone(3), Request::GetBlob(hash)));
    let late = NOW + 9 * DAY;
    assert_eq!(ask_at(&mut relay, late, someone(3), Request::GetBlob(hash)), Answer::Blob(None));
    for _ in 0..3 {
        relay.sweep(late).unwrap();
    }
    assert_eq!((relay.metrics().stored_entries, relay.metrics().stored_bytes), (0, 0));
}

#[test]
fn a_depositor_has_its_quota() {
    let mut relay = relay_with(Limits { blob_bytes: 10, ..Limits::default() });
    assert_eq!(ask(&mut relay, someone(1), put(b"sealed", 1).1), Answer::Done);
    let full = ask(&mut relay, someone(1), put(b"sealed too", 1).1);
    assert!(matches!(full, Answer::Refused(Refusal::NotNow { .. })));
    assert_eq!(ask(&mut relay, someone(2), put(b"sealed too", 1).1), Answer::Done);
}
