use meshwork_protocols::provider::{Aead, CryptoError, TAG_LENGTH};

use crate::seeded::{PAIRS, PROVIDERS, Seeded};

const AEADS: [Aead; 4] =
    [Aead::Aes256Gcm, Aead::ChaCha20Poly1305, Aead::Xaes256Gcm, Aead::XChaCha20Poly1305];

/// Around the block sizes of every cipher, and one that takes many blocks.
fn lengths() -> impl Iterator<Item = usize> {
    (0..=66).chain([127, 128, 129, 255, 256, 257, 1_023, 1_024, 16_384 + 7])
}

#[test]
fn what_one_provider_seals_the_other_opens() {
    let mut random = Seeded::new(1);
    for aead in AEADS {
        for length in lengths() {
            let key = random.secret();
            let nonce = random.bytes(aead.nonce_length());
            let associated = random.bytes(length % 40);
            let plaintext = random.bytes(length);
            for (sealer, opener) in PAIRS {
                let sealed = sealer.aead(aead, &key).seal(&nonce, &associated, &plaintext).unwrap();
                let opened = opener.aead(aead, &key).open(&nonce, &associated, &sealed).unwrap();
                assert_eq!(opened.expose(), plaintext, "{aead:?} {length}");
            }
        }
    }
}

#[test]
fn one_key_seals_many_messages_each_as_a_fresh_key_would() {
    let mut random = Seeded::new(2);
    for aead in AEADS {
        let secret = random.secret();
        for provider in PROVIDERS {
            let key = provider.aead(aead, &secret);
            for _ in 0..20 {
                let nonce = random.bytes(aead.nonce_length());
                let plaintext = random.bytes(50);
                let sealed = key.seal(&nonce, &[], &plaintext).unwrap();
                let fresh = provider.aead(aead, &secret).seal(&nonce, &[], &plaintext).unwrap();
                assert_eq!(sealed, fresh, "{aead:?} by {}", provider.name());
            }
        }
    }
}

#[test]
fn one_changed_bit_anywhere_does_not_open_and_shows_nothing_of_the_plaintext() {
    let mut random = Seeded::new(3);
    for aead in AEADS {
        for provider in PROVIDERS {
            let secret = random.secret();
            let other =
                meshwork_protocols::secret::Secret::from_slice(&random.flip(secret.expose()));
            let key = provider.aead(aead, &secret);
            let nonce = random.bytes(aead.nonce_length());
            let associated = random.bytes(20);
            let plaintext = random.bytes(100);
            let mut ciphertext = plaintext.clone();
            let tag = key.seal_in_place(&nonce, &associated, &mut ciphertext).unwrap();

            let check = |nonce: &[u8], associated: &[u8], ciphertext: &[u8], tag: &[u8]| {
                let mut in_out = ciphertext.to_vec();
                let tag: &[u8; TAG_LENGTH] = tag.try_into().unwrap();
                let result = key.open_in_place(nonce, associated, &mut in_out, tag);
                assert_eq!(result, Err(CryptoError::OpenFailed), "{aead:?}");
                let seen = in_out.iter().zip(&plaintext).filter(|(seen, byte)| seen == byte);
                assert!(seen.count() < 20, "{aead:?} by {}", provider.name());
            };
            for _ in 0..50 {
                check(&random.flip(&nonce), &associated, &ciphertext, &tag);
                check(&nonce, &random.flip(&associated), &ciphertext, &tag);
                check(&nonce, &associated, &random.flip(&ciphertext), &tag);
                check(&nonce, &associated, &ciphertext, &random.flip(&tag));
            }
            let mut in_out = ciphertext.clone();
            let other = provider.aead(aead, &other.unwrap());
            let result = other.open_in_place(&nonce, &associated, &mut in_out, &tag);
            assert_eq!(result, Err(CryptoError::OpenFailed), "{aead:?}");
        }
    }
}

#[test]
fn wrong_lengths_are_errors_and_change_nothing() {
    let mut random = Seeded::new(4);
    for aead in AEADS {
        for provider in PROVIDERS {
            let key = provider.aead(aead, &random.secret());
            for length in (0..=40).filter(|length| *length != aead.nonce_length()) {
                let nonce = random.bytes(length);
                let mut in_out = *b"as it was";
                let sealed = key.seal_in_place(&nonce, &[], &mut in_out);
                assert_eq!(sealed, Err(CryptoError::WrongLength), "{aead:?} {length}");
                let opened = key.open_in_place(&nonce, &[], &mut in_out, &[0; TAG_LENGTH]);
                assert_eq!(opened, Err(CryptoError::WrongLength), "{aead:?} {length}");
                assert_eq!(&in_out, b"as it was", "{aead:?} by {}", provider.name());
            }
            let nonce = random.bytes(aead.nonce_length());
            for length in 0..TAG_LENGTH {
                let opened = key.open(&nonce, &[], &random.bytes(length));
                assert_eq!(opened, Err(CryptoError::WrongLength), "{aead:?} {length}");
            }
        }
    }
}

#[test]
fn a_key_in_a_log_shows_nothing_of_itself() {
    let mut random = Seeded::new(5);
    for aead in AEADS {
        for provider in PROVIDERS {
            let [one, other] = [random.secret(), random.secret()]
                .map(|secret| format!("{:?}", provider.aead(aead, &secret)));
            assert_eq!(one, other, "{aead:?} by {}", provider.name());
        }
    }
}
