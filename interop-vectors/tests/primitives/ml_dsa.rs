//! FIPS 204: NIST's ACVP and Wycheproof, pure with an empty context.

use meshwork_interop_vectors::primitives;
use meshwork_protocols::provider::{Operation, Signature};

use crate::given::{Given, PROVIDERS, assert_both_verdicts, secret};

const ML_DSA_65: Signature = Signature::MlDsa65;

#[test]
fn ml_dsa_keys_come_from_their_seeds_as_published() {
    for provider in PROVIDERS {
        for case in primitives::ml_dsa_65_keys().unwrap() {
            let key = provider.signing_key(ML_DSA_65, &secret(&case.seed)).unwrap();
            assert_eq!(key.public(), &*case.public, "{} by {}", case.id, provider.name());
        }
    }
}

#[test]
fn ml_dsa_signs_as_published_where_the_randomness_is_honoured_and_validly_elsewhere() {
    let cases = primitives::ml_dsa_65_sign().unwrap();
    assert!(cases.iter().any(|case| case.randomness.iter().any(|byte| *byte != 0)));
    assert!(PROVIDERS.iter().any(|provider| provider.honours_randomness(Operation::MlDsaSign)));
    for provider in PROVIDERS {
        for case in &cases {
            let place = format!("{} by {}", case.id, provider.name());
            let key = provider.signing_key(ML_DSA_65, &secret(&case.seed)).unwrap();
            assert_eq!(key.public(), &*case.public, "{place}");
            let signature = key.sign(&case.message, &mut Given::new(&[&case.randomness])).unwrap();
            if provider.honours_randomness(Operation::MlDsaSign) {
                assert!(signature == *case.signature, "{place}");
            }
            for signature in [&*signature, &*case.signature] {
                let verdict = provider.verify(ML_DSA_65, &case.public, &case.message, signature);
                assert_eq!(verdict, Ok(()), "{place}");
            }
        }
    }
}

#[test]
fn ml_dsa_verifies_as_published() {
    let cases = primitives::ml_dsa_65_verify().unwrap();
    assert_both_verdicts(cases.iter().map(|case| case.valid));
    for provider in PROVIDERS {
        for case in &cases {
            let verdict = provider.verify(ML_DSA_65, &case.public, &case.message, &case.signature);
            assert_eq!(verdict.is_ok(), case.valid, "{} by {}", case.id, provider.name());
        }
    }
}
