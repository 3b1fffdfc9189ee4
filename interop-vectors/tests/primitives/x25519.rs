//! RFC 7748 and Wycheproof.

use meshwork_interop_vectors::primitives;
use meshwork_protocols::provider::CryptoError;
use meshwork_protocols::secret::Secret;

use crate::given::{PROVIDERS, assert_both_verdicts, secret};

const BASE_POINT: [u8; 32] = {
    let mut nine = [0; 32];
    nine[0] = 9;
    nine
};

#[test]
fn x25519_agrees_as_published_and_refuses_low_orders() {
    let cases = primitives::x25519().unwrap();
    assert_both_verdicts(cases.iter().map(|case| case.valid));
    for provider in PROVIDERS {
        for case in &cases {
            let place = format!("{} by {}", case.id, provider.name());
            let shared = provider.x25519(&secret(&case.secret), &case.public.array().unwrap());
            if case.valid {
                assert_eq!(shared.unwrap().expose(), &*case.shared, "{place}");
            } else {
                assert_eq!(shared, Err(CryptoError::InvalidKey), "{place}");
            }
        }
    }
}

#[test]
fn a_public_key_is_the_base_point_times_the_secret_as_published() {
    let cases = primitives::x25519().unwrap();
    let of_base = cases.iter().filter(|case| *case.public == BASE_POINT);
    assert!(of_base.clone().count() >= 2);
    for provider in PROVIDERS {
        for case in of_base.clone() {
            let public = provider.x25519_public(&secret(&case.secret));
            assert_eq!(public, *case.shared, "{} by {}", case.id, provider.name());
        }
    }
}

#[test]
fn x25519_iterates_to_the_published_values() {
    for provider in PROVIDERS {
        for case in primitives::x25519_iterated().unwrap() {
            let (mut k, mut u) = (Secret::new(BASE_POINT), BASE_POINT);
            for _ in 0..case.iterations {
                let next = provider.x25519(&k, &u).unwrap();
                u = *k.expose();
                k = next;
            }
            assert_eq!(k.expose(), &*case.output, "{} by {}", case.iterations, provider.name());
        }
    }
}
