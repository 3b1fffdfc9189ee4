use alloc::format;
use alloc::vec::Vec;

use super::{HybridKey, HybridPublic, HybridSignature, Purpose, signed_bytes};
use crate::identity::fixture::{Counting, PROVIDER, seeds};
use crate::provider::{CryptoError, Signature};

const MESSAGE: &[u8] = b"message";

fn key(number: u8) -> HybridKey {
    HybridKey::from_seeds(PROVIDER, seeds(number)).unwrap()
}

fn sign(key: &HybridKey, purpose: Purpose) -> HybridSignature {
    key.sign(purpose, MESSAGE, &mut Counting(0)).unwrap()
}

#[test]
fn a_signature_serves_its_purpose_its_message_and_its_keys_alone() {
    let (key, other) = (key(1), key(2));
    for signed in Purpose::ALL {
        let signature = sign(&key, signed);
        for checked in Purpose::ALL {
            let result = key.public().verify(PROVIDER, checked, MESSAGE, &signature);
            assert_eq!(result.is_ok(), signed == checked, "{signed:?} as {checked:?}");
        }
        assert!(key.public().verify(PROVIDER, signed, b"other", &signature).is_err());
        assert!(other.public().verify(PROVIDER, signed, MESSAGE, &signature).is_err());
    }
}

/// Takes one half of each: what an attacker has who broke one of the two algorithms.
fn mix(ed25519: &HybridSignature, ml_dsa: &HybridSignature) -> HybridSignature {
    HybridSignature::join(ed25519.halves().0, ml_dsa.halves().1).unwrap()
}

#[test]
fn half_a_signature_is_none() {
    let (key, other) = (key(1), key(2));
    let good = sign(&key, Purpose::Hello);
    let forged = sign(&other, Purpose::Hello);
    let swapped = sign(&key, Purpose::Card);
    for bad in [&forged, &swapped] {
        for half in [mix(&good, bad), mix(bad, &good)] {
            let result = key.public().verify(PROVIDER, Purpose::Hello, MESSAGE, &half);
            assert_eq!(result, Err(CryptoError::InvalidSignature));
        }
    }
    assert_eq!(mix(&good, &good), good);
}

#[test]
fn neither_half_can_be_lifted_to_a_pair_with_another_key() {
    let (key, other) = (key(1), key(2));
    let mixed = HybridPublic::join(key.public().halves().0, other.public().halves().1).unwrap();
    let halves = mix(&sign(&key, Purpose::Hello), &sign(&other, Purpose::Hello));
    assert!(mixed.verify(PROVIDER, Purpose::Hello, MESSAGE, &halves).is_err());
}

#[test]
fn each_half_is_a_standard_signature_over_the_documented_bytes() {
    let key = key(1);
    let mut expected = b"meshwork/v1/hello\0".to_vec();
    expected.extend_from_slice(&PROVIDER.digest(&[key.public().as_bytes()]));
    expected.extend_from_slice(MESSAGE);
    assert_eq!(signed_bytes(Purpose::Hello, &key.public().hash(PROVIDER), MESSAGE), expected);
    let signature = sign(&key, Purpose::Hello);
    let (ed25519, ml_dsa) = signature.as_bytes().split_at(64);
    let (ed25519_public, ml_dsa_public) = key.public().as_bytes().split_at(32);
    PROVIDER.verify(Signature::Ed25519, ed25519_public, &expected, ed25519).unwrap();
    PROVIDER.verify(Signature::MlDsa65, ml_dsa_public, &expected, ml_dsa).unwrap();
}

#[test]
fn no_label_holds_the_byte_that_ends_it() {
    for purpose in Purpose::ALL {
        assert!(purpose.label().bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'-')));
    }
    let mut labels: Vec<_> = Purpose::ALL.iter().map(|purpose| purpose.label()).collect();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), Purpose::ALL.len());
}

#[test]
fn debug_shows_no_byte_of_a_secret() {
    assert_eq!(
        format!("{:?}", seeds(1)),
        "HybridSeeds { ed25519: Secret<32>(..), ml_dsa: Secret<32>(..) }"
    );
    assert_eq!(format!("{:?}", key(1)), "HybridKey(HybridPublic(8a88e3dd..))");
    assert_eq!(format!("{:?}", sign(&key(1), Purpose::Card)), "HybridSignature(..)");
}
