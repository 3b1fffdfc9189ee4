//! The primitives of deferred messages. XEdDSA, SHA-3 and SHAKE are one implementation in both
//! providers; the vectors check that one.

use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::provider::{CryptoError, DeferredProvider};
use meshwork_protocols::secret::Secret;

use crate::seeded::Seeded;

const BOTH: [&dyn DeferredProvider; 2] = [&AwsLc, &Pure];

#[test]
fn aes_cbc_agrees_at_every_length_and_each_opens_the_others() {
    let mut random = Seeded::new(70);
    for length in (0..=100).chain([1_000, 65_536]) {
        let (key, iv, plaintext) = (random.array(), random.array(), random.bytes(length));
        let [aws, pure] =
            BOTH.map(|provider| provider.aes_256_cbc_encrypt(&key, &iv, &plaintext).unwrap());
        assert_eq!(aws, pure, "{length}");
        assert_eq!(aws.len(), (length / 16 + 1) * 16);
        for provider in BOTH {
            let opened = provider.aes_256_cbc_decrypt(&key, &iv, &aws).unwrap();
            assert_eq!(opened.expose(), plaintext, "{length} by {}", provider.name());
        }
    }
}

/// NIST SP 800-38A, section F.2.5, whose four blocks are not padded.
#[test]
fn aes_cbc_gives_the_published_blocks() {
    let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
    let key = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    let iv = hex("000102030405060708090a0b0c0d0e0f");
    let plaintext = hex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
    );
    let ciphertext = hex(
        "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
    );
    let (key, iv) = (key.try_into().unwrap(), iv.try_into().unwrap());
    for provider in BOTH {
        let sealed = provider.aes_256_cbc_encrypt(&key, &iv, &plaintext).unwrap();
        assert_eq!(sealed[..64], ciphertext, "{}", provider.name());
    }
}

#[test]
fn what_is_no_padded_ciphertext_is_refused_alike() {
    let (key, iv) = ([1; 32], [2; 16]);
    let mut refused = 0;
    for length in 0..=64 {
        let bytes = vec![3; length];
        let [aws, pure] =
            BOTH.map(|provider| provider.aes_256_cbc_decrypt(&key, &iv, &bytes).err());
        assert_eq!(aws, pure, "{length}");
        if length % 16 != 0 || length == 0 {
            assert_eq!(aws, Some(CryptoError::WrongLength), "{length}");
        }
    }
    // Of blocks that nobody padded, one in about 256 looks as if.
    for number in 0..=255 {
        let bytes = [number; 32];
        let [aws, pure] =
            BOTH.map(|provider| provider.aes_256_cbc_decrypt(&key, &iv, &bytes).err());
        assert_eq!(aws, pure, "{number}");
        refused += usize::from(aws == Some(CryptoError::OpenFailed));
    }
    assert!(refused > 240, "{refused}");
}

#[test]
fn a_signature_by_one_provider_verifies_by_the_other() {
    let mut random = Seeded::new(71);
    for _ in 0..8 {
        let secret = Secret::new(random.array());
        let message = random.bytes(33);
        let public = BOTH[0].x25519_public(&secret);
        let signature = BOTH[0].xeddsa_sign(&secret, &message, &mut random);
        assert_eq!(BOTH[1].xeddsa_verify(&public, &message, &signature), Ok(()));
        assert_eq!(BOTH[1].x25519_check_strict(&public), Ok(()));
    }
}

/// FIPS 202: the empty message.
#[test]
fn keccak_gives_the_published_digests_of_nothing() {
    let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
    let sha3 = hex("a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a");
    let shake = hex("46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762f");
    for provider in BOTH {
        assert_eq!(provider.sha3_256(&[]).expose()[..], sha3);
        assert_eq!(provider.shake256(&[b"", b""]).expose()[..], shake);
    }
}
