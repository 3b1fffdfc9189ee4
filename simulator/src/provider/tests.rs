use std::time::Instant;

use super::*;

fn provider() -> Box<dyn Provider> {
    Box::new(Simulated::new(&Seeded::new(1)))
}

fn changed(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

#[test]
fn two_ends_agree_and_a_changed_key_gives_what_nobody_shares() {
    let provider = provider();
    let mut random = Seeded::new(2);
    let (a, b) = (Secret::random(&mut random), Secret::random(&mut random));
    let (public_a, public_b) = (provider.x25519_public(&a), provider.x25519_public(&b));
    let shared = provider.x25519(&a, &public_b).unwrap();
    assert_eq!(provider.x25519(&b, &public_a).unwrap(), shared);
    for at in 0..32 {
        let wrong = changed(&public_b, at).try_into().unwrap();
        assert_ne!(provider.x25519(&a, &wrong).unwrap(), shared, "byte {at}");
    }
    assert_eq!(provider.x25519(&a, &[0; 32]), Err(CryptoError::InvalidKey));
}

#[test]
fn a_kem_has_the_sizes_of_ml_kem_and_rejects_implicitly() {
    let provider = provider();
    let mut random = Seeded::new(3);
    for kem in [Kem::MlKem768, Kem::MlKem1024] {
        let pair = provider.kem_generate(kem, &mut random).unwrap();
        let other = provider.kem_generate(kem, &mut random).unwrap();
        assert_eq!(pair.public.len(), kem.public_length());
        assert_eq!(pair.secret.len(), kem.secret_length());
        let (ciphertext, shared) =
            provider.kem_encapsulate(kem, &pair.public, &mut random).unwrap();
        assert_eq!(ciphertext.len(), kem.ciphertext_length());
        let open = |secret: &_, bytes: &[u8]| provider.kem_decapsulate(kem, secret, bytes).unwrap();
        assert_eq!(open(&pair.secret, &ciphertext), shared);
        assert_ne!(open(&other.secret, &ciphertext), shared);
        for at in (0..ciphertext.len()).step_by(17) {
            assert_ne!(open(&pair.secret, &changed(&ciphertext, at)), shared, "byte {at}");
        }
        let bad = changed(&pair.public, 700);
        let refused = provider.kem_encapsulate(kem, &bad, &mut random);
        assert_eq!(refused.err(), Some(CryptoError::InvalidKey));
    }
}

#[test]
fn a_ciphertext_in_halves_opens_like_one_made_whole() {
    let provider = Simulated::new(&Seeded::new(1));
    let mut random = Seeded::new(6);
    let kem = Kem::MlKem768;
    let pair = provider.kem_generate(kem, &mut random).unwrap();
    let vector = *pair.public.first_chunk().unwrap();
    // FIPS 203 section 7.1: it stands in the secret key behind a part as long as itself.
    assert_eq!(pair.secret.expose()[VECTOR_LENGTH..2 * VECTOR_LENGTH], vector);
    let message = Secret::random(&mut random);
    let header = provider.split_header(&pair.public).unwrap();
    let (ct1, shared) = provider.split_begin(&header, &message);
    let ct2 = provider.split_finish(&header, &vector, &message).unwrap();
    let whole = [ct1.as_slice(), &ct2].concat();
    assert_eq!(provider.kem_decapsulate(kem, &pair.secret, &whole).unwrap(), shared);
    for at in (0..VECTOR_LENGTH).step_by(7) {
        let wrong = changed(&vector, at).try_into().unwrap();
        let refused = provider.split_finish(&header, &wrong, &message);
        assert_eq!(refused, Err(CryptoError::InvalidKey), "byte {at}");
    }
}

#[test]
fn a_signature_is_of_one_message_one_key_and_one_algorithm() {
    let provider = provider();
    let mut random = Seeded::new(4);
    for algorithm in [Signature::Ed25519, Signature::MlDsa65] {
        let key = provider.signing_key(algorithm, &Secret::random(&mut random)).unwrap();
        let other = provider.signing_key(algorithm, &Secret::random(&mut random)).unwrap();
        let signature = key.sign(b"message", &mut random).unwrap();
        assert_eq!(key.public().len(), algorithm.public_length());
        assert_eq!(signature.len(), algorithm.signature_length());
        let check = |public: &[u8], message: &[u8], signature: &[u8]| {
            provider.verify(algorithm, public, message, signature)
        };
        assert_eq!(check(key.public(), b"message", &signature), Ok(()));
        assert!(check(key.public(), b"massage", &signature).is_err());
        assert!(check(other.public(), b"message", &signature).is_err());
        for at in (0..signature.len()).step_by(19) {
            assert!(check(key.public(), b"message", &changed(&signature, at)).is_err());
        }
    }
}

#[test]
fn what_is_sealed_opens_under_its_key_nonce_and_context_alone() {
    let provider = provider();
    for algorithm in
        [Aead::Aes256Gcm, Aead::ChaCha20Poly1305, Aead::Xaes256Gcm, Aead::XChaCha20Poly1305]
    {
        let key = provider.aead(algorithm, &Secret::new([1; 32]));
        let other = provider.aead(algorithm, &Secret::new([2; 32]));
        let (nonce, next) = (vec![0; algorithm.nonce_length()], vec![1; algorithm.nonce_length()]);
        let sealed = key.seal(&nonce, b"context", b"plaintext").unwrap();
        assert_eq!(key.open(&nonce, b"context", &sealed).unwrap().expose(), b"plaintext");
        assert!(other.open(&nonce, b"context", &sealed).is_err());
        assert!(key.open(&next, b"context", &sealed).is_err());
        assert!(key.open(&nonce, b"other", &sealed).is_err());
        for at in 0..sealed.len() {
            assert!(key.open(&nonce, b"context", &changed(&sealed, at)).is_err(), "byte {at}");
        }
        assert_eq!(key.seal(&[0; 5], b"", b""), Err(CryptoError::WrongLength));
    }
}

#[test]
fn a_hash_depends_on_every_byte_and_not_on_how_it_was_fed() {
    let provider = provider();
    let bytes: Vec<u8> = (0..=255).collect();
    let whole = provider.digest(&[&bytes]);
    for cut in 0..bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(provider.digest(&[head, tail]), whole, "cut at {cut}");
        assert_ne!(provider.digest(&[&changed(&bytes, cut)]), whole, "byte {cut}");
        assert_ne!(provider.digest(&[head]), whole, "cut at {cut}");
    }
    assert_ne!(provider.digest(&[b""]), provider.digest(&[b"\0"]));
    let mac = |key: &[u8], parts: &[&[u8]]| provider.hmac_sha256(key, parts);
    assert_eq!(mac(b"k", &[b"ab"]), mac(b"k", &[b"a", b"b"]));
    assert_ne!(mac(b"k", &[b"ab"]), mac(b"ka", &[b"b"]));
}

#[test]
fn hkdf_gives_what_it_is_asked_up_to_the_bound_of_the_real_one() {
    let provider = provider();
    let expand = |salt: &[u8], length| {
        let mut out = vec![0; length];
        provider.hkdf_sha256(salt, b"input", b"info", &mut out).map(|()| out)
    };
    assert_eq!(expand(b"s", 64).unwrap()[..32], expand(b"s", 32).unwrap());
    assert_ne!(expand(b"s", 32), expand(b"t", 32));
    assert!(expand(b"s", MAX_HKDF_OUTPUT).is_ok());
    assert_eq!(expand(b"s", MAX_HKDF_OUTPUT + 1), Err(CryptoError::WrongLength));
}

#[test]
fn a_million_short_inputs_do_not_collide() {
    let provider = provider();
    let mut heads: Vec<u64> = (0..1_000_000_u32)
        .map(|number| {
            let hash = provider.digest(&[&number.to_le_bytes()]);
            u64::from_le_bytes(*hash.first_chunk().unwrap())
        })
        .collect();
    heads.sort_unstable();
    heads.dedup();
    assert_eq!(heads.len(), 1_000_000);
}

/// Not a claim with a bound: a debug build is slow, and machines differ. It prints what the page
/// on the simulation quotes.
#[test]
#[ignore = "a measurement, for release builds"]
fn how_long_operations_take() {
    let provider = provider();
    let mut random = Seeded::new(5);
    let time = |name: &str, operation: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..10_000).for_each(|_| operation());
        println!("{name}: {:.2} us", start.elapsed().as_secs_f64() * 100.0);
    };
    let (a, b) = (Secret::random(&mut random), Secret::random(&mut random));
    let public = provider.x25519_public(&b);
    let pair = provider.kem_generate(Kem::MlKem768, &mut random).unwrap();
    let key = provider.signing_key(Signature::MlDsa65, &a).unwrap();
    let aead = provider.aead(Aead::ChaCha20Poly1305, &a);
    time("x25519", &mut || drop(provider.x25519(&a, &public)));
    time("encapsulate", &mut || {
        drop(provider.kem_encapsulate(Kem::MlKem768, &pair.public, &mut random.clone()));
    });
    time("sign ML-DSA", &mut || drop(key.sign(&[7; 100], &mut random)));
    time("seal 200 bytes", &mut || drop(aead.seal(&[0; 12], b"", &[7; 200])));
    time("hash 10 KiB", &mut || {
        provider.digest(&[&[7; 10_240]]);
    });
}
