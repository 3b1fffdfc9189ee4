use meshwork_protocols::provider::{CryptoError, Kem, Operation};
use meshwork_protocols::secret::SecretBytes;

use crate::seeded::{PAIRS, PROVIDERS, Seeded};

const KEMS: [Kem; 2] = [Kem::MlKem768, Kem::MlKem1024];
/// FIPS 203's q.
const MODULUS: u16 = 3_329;

#[test]
fn a_thousand_encapsulations_each_way_agree() {
    let mut random = Seeded::new(30);
    for (holder, sender) in PAIRS {
        for round in 0..1_000 {
            let kem = Kem::MlKem768;
            let pair = holder.kem_generate(kem, &mut random).unwrap();
            let (ciphertext, sent) =
                sender.kem_encapsulate(kem, &pair.public, &mut random).unwrap();
            let received = holder.kem_decapsulate(kem, &pair.secret, &ciphertext).unwrap();
            assert!(received == sent, "{round}: from {} to {}", sender.name(), holder.name());
        }
    }
}

#[test]
fn each_provider_decapsulates_with_the_keys_of_the_other() {
    let mut random = Seeded::new(31);
    for kem in KEMS {
        for (holder, sender) in PAIRS {
            let pair = holder.kem_generate(kem, &mut random).unwrap();
            assert_eq!(pair.public.len(), kem.public_length());
            assert_eq!(pair.secret.len(), kem.secret_length());
            let (ciphertext, sent) =
                sender.kem_encapsulate(kem, &pair.public, &mut random).unwrap();
            assert_eq!(ciphertext.len(), kem.ciphertext_length());
            for provider in PROVIDERS {
                let received = provider.kem_decapsulate(kem, &pair.secret, &ciphertext).unwrap();
                assert!(received == sent, "{kem:?} by {}", provider.name());
            }
        }
    }
}

#[test]
fn a_changed_ciphertext_gives_both_the_same_secret_that_nobody_shares() {
    let mut random = Seeded::new(32);
    for kem in KEMS {
        let pair = PROVIDERS[0].kem_generate(kem, &mut random).unwrap();
        let (ciphertext, sent) =
            PROVIDERS[0].kem_encapsulate(kem, &pair.public, &mut random).unwrap();
        for _ in 0..50 {
            let changed = random.flip(&ciphertext);
            let [aws, pure] = PROVIDERS
                .map(|provider| provider.kem_decapsulate(kem, &pair.secret, &changed).unwrap());
            assert!(aws == pure && aws != sent, "{kem:?}");
        }
    }
}

#[test]
fn a_public_key_with_any_one_coefficient_too_large_is_refused() {
    let mut random = Seeded::new(33);
    for kem in KEMS {
        let public = PROVIDERS[0].kem_generate(kem, &mut random).unwrap().public;
        // All but the last 32 bytes are coefficients of 12 bits.
        let coefficients = (public.len() - 32) * 2 / 3;
        let everywhere = (0..coefficients).map(|place| (place, MODULUS));
        let every_value = (MODULUS..1 << 12).map(|value| (random.below(coefficients), value));
        for (place, value) in everywhere.chain(every_value.collect::<Vec<_>>()) {
            for provider in PROVIDERS {
                let bad = with_coefficient(&public, place, value);
                let result = provider.kem_encapsulate(kem, &bad, &mut random).map(drop);
                assert_eq!(result, Err(CryptoError::InvalidKey), "{kem:?} {place} {value}");
            }
        }
        for provider in PROVIDERS {
            let largest = with_coefficient(&public, random.below(coefficients), MODULUS - 1);
            provider.kem_encapsulate(kem, &largest, &mut random).unwrap();
        }
    }
}

#[test]
fn a_secret_whose_hash_is_not_that_of_its_public_key_is_refused() {
    let mut random = Seeded::new(34);
    for kem in KEMS {
        let pair = PROVIDERS[0].kem_generate(kem, &mut random).unwrap();
        let ciphertext = random.bytes(kem.ciphertext_length());
        // FIPS 203 section 7.1: the decryption key, the public key, its hash, z.
        let public_at = kem.secret_length() - kem.public_length() - 64;
        let hash_at = kem.secret_length() - 64;
        for place in (public_at..public_at + 20).chain(hash_at - 20..hash_at + 32) {
            let mut bad = pair.secret.clone();
            bad.expose_mut()[place] ^= 1;
            for provider in PROVIDERS {
                let result = provider.kem_decapsulate(kem, &bad, &ciphertext);
                assert_eq!(result, Err(CryptoError::InvalidKey), "{place} by {}", provider.name());
            }
        }
    }
}

#[test]
fn wrong_lengths_are_errors() {
    let mut random = Seeded::new(35);
    for kem in KEMS {
        let pair = PROVIDERS[0].kem_generate(kem, &mut random).unwrap();
        let ciphertext = random.bytes(kem.ciphertext_length());
        for provider in PROVIDERS {
            for public in around(kem.public_length()) {
                let public = random.bytes(public);
                let result = provider.kem_encapsulate(kem, &public, &mut random);
                assert_eq!(result, Err(CryptoError::WrongLength), "{}", provider.name());
            }
            for secret in around(kem.secret_length()) {
                let secret = SecretBytes::new(random.bytes(secret));
                let result = provider.kem_decapsulate(kem, &secret, &ciphertext);
                assert_eq!(result, Err(CryptoError::WrongLength), "{}", provider.name());
            }
            for ciphertext in around(kem.ciphertext_length()) {
                let ciphertext = random.bytes(ciphertext);
                let result = provider.kem_decapsulate(kem, &pair.secret, &ciphertext);
                assert_eq!(result, Err(CryptoError::WrongLength), "{}", provider.name());
            }
        }
    }
}

#[test]
fn randomness_is_honoured_just_where_the_provider_says_so() {
    for kem in KEMS {
        for provider in PROVIDERS {
            let honours = |operation| provider.honours_randomness(operation);
            let [(one, given), (other, _)] = [(), ()].map(|()| {
                let mut random = Seeded::new(36);
                (provider.kem_generate(kem, &mut random).unwrap(), random.given)
            });
            assert_eq!(one.public == other.public, honours(Operation::KemGenerate));
            assert_eq!(one.secret == other.secret, honours(Operation::KemGenerate));
            assert_eq!(given, if honours(Operation::KemGenerate) { 64 } else { 0 });

            let [(first, given), (second, _)] = [(), ()].map(|()| {
                let mut random = Seeded::new(37);
                (provider.kem_encapsulate(kem, &one.public, &mut random).unwrap(), random.given)
            });
            assert_eq!(first == second, honours(Operation::KemEncapsulate));
            assert_eq!(given, if honours(Operation::KemEncapsulate) { 32 } else { 0 });
        }
    }
}

/// The public key with one of its coefficients replaced.
fn with_coefficient(public: &[u8], place: usize, value: u16) -> Vec<u8> {
    let mut changed = public.to_vec();
    let [low, high] = value.to_le_bytes();
    let at = place / 2 * 3;
    if place.is_multiple_of(2) {
        changed[at] = low;
        changed[at + 1] = changed[at + 1] & 0xf0 | high;
    } else {
        changed[at + 1] = changed[at + 1] & 0x0f | low << 4;
        changed[at + 2] = high << 4 | low >> 4;
    }
    changed
}

/// Lengths that are not `length`.
fn around(length: usize) -> [usize; 6] {
    [0, 1, 32, length - 1, length + 1, 2 * length]
}
