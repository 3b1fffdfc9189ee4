//! FIPS 203: NIST's ACVP and Wycheproof.

use meshwork_interop_vectors::primitives::{self, ParameterSet};
use meshwork_protocols::provider::{CryptoError, Kem, Operation, Provider};
use meshwork_protocols::secret::SecretBytes;

use crate::given::{Given, PROVIDERS, assert_both_verdicts};

#[test]
fn ml_kem_keys_come_from_their_seeds_as_published_where_the_randomness_is_honoured() {
    let provider = honouring(Operation::KemGenerate);
    for case in primitives::ml_kem_keys().unwrap() {
        let mut seeds = Given::new(&[&case.d, &case.z]);
        let pair = provider.kem_generate(kem(case.parameter_set), &mut seeds).unwrap();
        assert!(pair.public == *case.public, "{}", case.id);
        assert!(pair.secret.expose() == &*case.secret, "{}", case.id);
    }
}

#[test]
fn ml_kem_encapsulates_as_published_where_the_randomness_is_honoured_and_refuses_bad_keys() {
    let cases = primitives::ml_kem_encapsulation().unwrap();
    assert_both_verdicts(cases.iter().map(|case| case.valid));
    for provider in PROVIDERS {
        for case in &cases {
            let place = format!("{} by {}", case.id, provider.name());
            let kem = kem(case.parameter_set);
            let mut randomness = Given::new(&[&case.randomness]);
            let result = provider.kem_encapsulate(kem, &case.public, &mut randomness);
            if !case.valid {
                assert_eq!(result, Err(bad_key(kem, &case.public)), "{place}");
                continue;
            }
            let (ciphertext, shared) = result.unwrap();
            if provider.honours_randomness(Operation::KemEncapsulate) {
                assert!(ciphertext == *case.ciphertext, "{place}");
                assert_eq!(shared.expose(), &*case.shared, "{place}");
            }
        }
    }
}

#[test]
fn ml_kem_decapsulates_as_published_and_rejects_implicitly() {
    let cases = primitives::ml_kem_decapsulation().unwrap();
    assert_both_verdicts(cases.iter().map(|case| case.valid));
    assert!(cases.iter().any(|case| case.id.contains("modified ciphertext")));
    for provider in PROVIDERS {
        for case in &cases {
            let place = format!("{} by {}", case.id, provider.name());
            let kem = kem(case.parameter_set);
            let secret = SecretBytes::new(case.secret.to_vec());
            let result = provider.kem_decapsulate(kem, &secret, &case.ciphertext);
            if case.valid {
                assert_eq!(result.unwrap().expose(), &*case.shared, "{place}");
            } else if secret.len() == kem.secret_length()
                && case.ciphertext.len() == kem.ciphertext_length()
            {
                assert_eq!(result, Err(CryptoError::InvalidKey), "{place}");
            } else {
                assert_eq!(result, Err(CryptoError::WrongLength), "{place}");
            }
        }
    }
}

#[test]
fn an_encapsulation_key_passes_only_where_nist_lets_it_pass() {
    let cases = primitives::ml_kem_encapsulation_keys().unwrap();
    assert_both_verdicts(cases.iter().map(|case| case.valid));
    for provider in PROVIDERS {
        for case in &cases {
            let place = format!("{} by {}", case.id, provider.name());
            let mut randomness = Given::new(&[&[7; 32]]);
            let result =
                provider.kem_encapsulate(kem(case.parameter_set), &case.key, &mut randomness);
            assert_eq!(result.map(drop), verdict(case.valid), "{place}");
        }
    }
}

#[test]
fn a_decapsulation_key_passes_only_where_nist_lets_it_pass() {
    let cases = primitives::ml_kem_decapsulation_keys().unwrap();
    assert_both_verdicts(cases.iter().map(|case| case.valid));
    for provider in PROVIDERS {
        for case in &cases {
            let place = format!("{} by {}", case.id, provider.name());
            let kem = kem(case.parameter_set);
            let secret = SecretBytes::new(case.key.to_vec());
            let result = provider.kem_decapsulate(kem, &secret, &vec![7; kem.ciphertext_length()]);
            assert_eq!(result.map(drop), verdict(case.valid), "{place}");
        }
    }
}

fn kem(set: ParameterSet) -> Kem {
    match set {
        ParameterSet::MlKem768 => Kem::MlKem768,
        ParameterSet::MlKem1024 => Kem::MlKem1024,
    }
}

fn honouring(operation: Operation) -> &'static dyn Provider {
    *PROVIDERS.iter().find(|provider| provider.honours_randomness(operation)).unwrap()
}

fn verdict(valid: bool) -> Result<(), CryptoError> {
    if valid { Ok(()) } else { Err(CryptoError::InvalidKey) }
}

fn bad_key(kem: Kem, public: &[u8]) -> CryptoError {
    if public.len() == kem.public_length() {
        CryptoError::InvalidKey
    } else {
        CryptoError::WrongLength
    }
}
