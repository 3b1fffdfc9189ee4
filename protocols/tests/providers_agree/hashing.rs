use meshwork_protocols::provider::CryptoError;

use crate::seeded::{PROVIDERS, Seeded};

/// 255 blocks of SHA-256 (RFC 5869 section 2.3).
const HKDF_LIMIT: usize = 8_160;

#[test]
fn hashes_agree_however_the_bytes_are_cut_and_start_anew_when_finished() {
    let mut random = Seeded::new(10);
    let mut hashes = PROVIDERS.map(|provider| (provider, provider.sha256()));
    for length in (0..=200).chain([1_000, 10_000]) {
        let bytes = random.bytes(length);
        let expected = PROVIDERS[0].digest(&[&bytes]);
        for (provider, hash) in &mut hashes {
            let (start, end) = bytes.split_at(random.below(length + 1));
            hash.update(start);
            hash.update(end);
            assert_eq!(hash.finish(), expected, "{length} by {}", provider.name());
            assert_eq!(provider.digest(&[start, end]), expected);
        }
    }
}

#[test]
fn hmacs_agree_at_every_length_of_key_and_message() {
    let mut random = Seeded::new(11);
    let [aws, pure] = PROVIDERS;
    for length in 0..=200 {
        let key = random.bytes(length);
        let message = random.bytes(200 - length);
        let (start, end) = message.split_at(random.below(message.len() + 1));
        let expected = aws.hmac_sha256(&key, &[&message]);
        assert_eq!(aws.hmac_sha256(&key, &[start, end]), expected, "{length}");
        assert_eq!(pure.hmac_sha256(&key, &[&message]), expected, "{length}");
        assert_eq!(pure.hmac_sha256(&key, &[start, end]), expected, "{length}");
    }
    assert_eq!(aws.hmac_sha256(&[], &[]), pure.hmac_sha256(&[], &[]));
}

#[test]
fn hkdf_agrees_up_to_its_limit_and_refuses_one_byte_more() {
    let mut random = Seeded::new(12);
    for length in (0..=130).chain([1_000, HKDF_LIMIT - 1, HKDF_LIMIT]) {
        let [salt, input, info] = [length % 90, length % 50, length % 120].map(|n| random.bytes(n));
        let [aws, pure] = PROVIDERS.map(|provider| {
            let mut out = vec![0; length];
            provider.hkdf_sha256(&salt, &input, &info, &mut out).unwrap();
            out
        });
        assert_eq!(aws, pure, "{length}");
    }
    for provider in PROVIDERS {
        let result = provider.hkdf_sha256(&[], &[], &[], &mut vec![0; HKDF_LIMIT + 1]);
        assert_eq!(result, Err(CryptoError::WrongLength), "{}", provider.name());
    }
}

#[test]
fn the_system_gives_each_caller_other_randomness() {
    for provider in PROVIDERS {
        let mut random = provider.random();
        let draws = [random.array::<32>(), random.array(), provider.random().array()];
        assert!(draws[0] != draws[1] && draws[1] != draws[2] && draws[0] != draws[2]);
    }
}
