//! RFC 8439, draft-irtf-cfrg-xchacha, C2SP's XAES-256-GCM, and Wycheproof.

use meshwork_interop_vectors::primitives::{self, AeadCase};
use meshwork_protocols::provider::{Aead, CryptoError};

use crate::given::{PROVIDERS, assert_both_verdicts, secret};

#[test]
fn aes_256_gcm_seals_and_opens_as_published() {
    let cases = primitives::aes_256_gcm().unwrap();
    assert_both_verdicts(cases.iter().map(|case| case.valid));
    check(Aead::Aes256Gcm, &cases);
}

#[test]
fn chacha20_poly1305_seals_and_opens_as_published() {
    let cases = primitives::chacha20_poly1305().unwrap();
    assert_both_verdicts(cases.iter().map(|case| case.valid));
    check(Aead::ChaCha20Poly1305, &cases);
}

#[test]
fn xaes_256_gcm_seals_and_opens_as_published() {
    check(Aead::Xaes256Gcm, &primitives::xaes_256_gcm().unwrap());
}

#[test]
fn xchacha20_poly1305_seals_and_opens_as_published() {
    let cases = primitives::xchacha20_poly1305().unwrap();
    assert_both_verdicts(cases.iter().map(|case| case.valid));
    check(Aead::XChaCha20Poly1305, &cases);
}

fn check(algorithm: Aead, cases: &[AeadCase]) {
    for provider in PROVIDERS {
        for case in cases {
            let place = format!("{} by {}", case.id, provider.name());
            let key = provider.aead(algorithm, &secret(&case.key));
            let sealed = [&*case.ciphertext, &*case.tag].concat();
            let opened = key.open(&case.nonce, &case.associated, &sealed);
            if case.valid {
                assert_eq!(opened.unwrap().expose(), &*case.plaintext, "{place}");
                let again = key.seal(&case.nonce, &case.associated, &case.plaintext).unwrap();
                assert_eq!(again, sealed, "{place}");
            } else if case.nonce.len() == algorithm.nonce_length() {
                assert_eq!(opened, Err(CryptoError::OpenFailed), "{place}");
            } else {
                assert_eq!(opened, Err(CryptoError::WrongLength), "{place}");
                let sealed = key.seal(&case.nonce, &case.associated, &case.plaintext);
                assert_eq!(sealed, Err(CryptoError::WrongLength), "{place}");
            }
        }
    }
}
