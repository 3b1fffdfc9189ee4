//! RFC 8032, Wycheproof, and the published edge cases, on which verifiers differ.

use meshwork_interop_vectors::primitives;
use meshwork_protocols::provider::{CryptoError, Signature};

use crate::given::{Given, PROVIDERS, assert_both_verdicts, secret};

#[test]
fn ed25519_signs_as_published() {
    for provider in PROVIDERS {
        for case in primitives::ed25519_sign().unwrap() {
            let place = format!("{} by {}", case.id, provider.name());
            let key = provider.signing_key(Signature::Ed25519, &secret(&case.seed)).unwrap();
            assert_eq!(key.public(), &*case.public, "{place}");
            let signature = key.sign(&case.message, &mut Given::new(&[])).unwrap();
            assert_eq!(signature, *case.signature, "{place}");
            let verdict =
                provider.verify(Signature::Ed25519, &case.public, &case.message, &signature);
            assert_eq!(verdict, Ok(()), "{place}");
        }
    }
}

#[test]
fn ed25519_verification_is_strict_on_every_published_edge_case() {
    let cases = primitives::ed25519_verify().unwrap();
    assert_both_verdicts(cases.iter().map(|case| case.valid));
    assert!(cases.len() > 1_000, "the edge cases are not to be cut");
    for provider in PROVIDERS {
        for case in &cases {
            let place = format!("{} by {}", case.id, provider.name());
            let verdict =
                provider.verify(Signature::Ed25519, &case.public, &case.message, &case.signature);
            let expected = if case.valid {
                Ok(())
            } else if case.signature.len() == Signature::Ed25519.signature_length() {
                Err(CryptoError::InvalidSignature)
            } else {
                Err(CryptoError::WrongLength)
            };
            assert_eq!(verdict, expected, "{place}");
        }
    }
}
