use data_encoding::HEXLOWER;
use meshwork_protocols::provider::{CryptoError, Operation, Signature};

use crate::seeded::{PAIRS, PROVIDERS, Seeded};

const SIGNATURES: [Signature; 2] = [Signature::Ed25519, Signature::MlDsa65];

#[test]
fn what_one_provider_signs_the_other_verifies() {
    let mut random = Seeded::new(40);
    for algorithm in SIGNATURES {
        for (signer, verifier) in PAIRS {
            for length in [0, 1, 100, 5_000] {
                let seed = random.secret();
                let key = signer.signing_key(algorithm, &seed).unwrap();
                assert_eq!(key.public(), verifier.signing_key(algorithm, &seed).unwrap().public());
                assert_eq!(key.public().len(), algorithm.public_length());
                let message = random.bytes(length);
                let signature = key.sign(&message, &mut random).unwrap();
                assert_eq!(signature.len(), algorithm.signature_length());
                verifier.verify(algorithm, key.public(), &message, &signature).unwrap();
            }
        }
    }
}

#[test]
fn one_changed_bit_anywhere_verifies_nowhere() {
    let mut random = Seeded::new(41);
    for algorithm in SIGNATURES {
        let key = PROVIDERS[0].signing_key(algorithm, &random.secret()).unwrap();
        let message = random.bytes(40);
        let signature = key.sign(&message, &mut random).unwrap();
        for _ in 0..100 {
            for (public, message, signature) in [
                (random.flip(key.public()), message.clone(), signature.clone()),
                (key.public().to_vec(), random.flip(&message), signature.clone()),
                (key.public().to_vec(), message.clone(), random.flip(&signature)),
            ] {
                for provider in PROVIDERS {
                    let verdict = provider.verify(algorithm, &public, &message, &signature);
                    assert_eq!(verdict, Err(CryptoError::InvalidSignature), "{algorithm:?}");
                }
            }
        }
    }
}

#[test]
fn any_bytes_are_a_signature_to_neither() {
    let mut random = Seeded::new(42);
    for algorithm in SIGNATURES {
        for _ in 0..200 {
            let public = random.bytes(algorithm.public_length());
            let signature = random.bytes(algorithm.signature_length());
            for provider in PROVIDERS {
                let verdict = provider.verify(algorithm, &public, b"said", &signature);
                assert_eq!(verdict, Err(CryptoError::InvalidSignature), "{algorithm:?}");
            }
        }
    }
}

#[test]
fn wrong_lengths_are_errors() {
    let mut random = Seeded::new(43);
    for algorithm in SIGNATURES {
        let (public, signature) = (algorithm.public_length(), algorithm.signature_length());
        for (public, signature) in [
            (0, 0),
            (public, 0),
            (0, signature),
            (public - 1, signature),
            (public + 1, signature),
            (public, signature - 1),
            (public, signature + 1),
            (signature, public),
        ] {
            let (public, signature) = (random.bytes(public), random.bytes(signature));
            for provider in PROVIDERS {
                let verdict = provider.verify(algorithm, &public, b"said", &signature);
                assert_eq!(verdict, Err(CryptoError::WrongLength), "{algorithm:?}");
            }
        }
    }
}

#[test]
fn randomness_is_honoured_just_where_the_provider_says_so() {
    let mut random = Seeded::new(44);
    for provider in PROVIDERS {
        let key = provider.signing_key(Signature::MlDsa65, &random.secret()).unwrap();
        let [(one, given), (other, _)] = [(), ()].map(|()| {
            let mut random = Seeded::new(45);
            (key.sign(b"said", &mut random).unwrap(), random.given)
        });
        let honours = provider.honours_randomness(Operation::MlDsaSign);
        assert_eq!(one == other, honours, "{}", provider.name());
        assert_eq!(given, if honours { 32 } else { 0 }, "{}", provider.name());
        assert!(key.sign(b"said", &mut random).unwrap() != one, "{}", provider.name());
    }
}

#[test]
fn a_signing_key_in_a_log_shows_nothing_of_its_seed() {
    let seed = Seeded::new(46).secret();
    let hex = HEXLOWER.encode(&seed.expose()[..4]);
    let decimal = format!("{:?}", &seed.expose()[..4]);
    for algorithm in SIGNATURES {
        for provider in PROVIDERS {
            let shown = format!("{:?}", provider.signing_key(algorithm, &seed).unwrap());
            assert!(!shown.to_lowercase().contains(&hex), "{shown}");
            assert!(!shown.contains(decimal.trim_matches(['[', ']'])), "{shown}");
        }
    }
}
