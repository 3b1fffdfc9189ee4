use super::{check_strict, sign, verify};
use crate::provider::CryptoError;
use crate::random::Random;
use crate::secret::Secret;
use curve25519_dalek::constants::{EIGHT_TORSION, X25519_BASEPOINT};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;

#[derive(Debug)]
struct Fixed(u8);

impl Random for Fixed {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(self.0);
    }
}

fn public(secret: &Secret<32>) -> [u8; 32] {
    EdwardsPoint::mul_base_clamped(*secret.expose()).to_montgomery().to_bytes()
}

/// Of many keys about half have each sign.
#[test]
fn keys_of_both_signs_sign_and_each_flipped_bit_is_refused() {
    let mut signs = [0; 2];
    for number in 1..=8 {
        let secret = Secret::new([number; 32]);
        let public = public(&secret);
        let signature = sign(&secret, b"message", &mut Fixed(number));
        assert_eq!(verify(&public, b"message", &signature), Ok(()));
        assert_eq!(verify(&public, b"massage", &signature), Err(CryptoError::InvalidSignature));
        signs[usize::from(signature[63] >> 7)] += 1;
        for bit in 0..512 {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&public, b"message", &flipped).is_err(), "bit {bit}");
        }
    }
    assert!(signs.iter().all(|count| *count > 0), "{signs:?}");
}

#[test]
fn a_nonce_is_never_the_same_for_two_draws_or_two_messages() {
    let secret = Secret::new([7; 32]);
    let nonce = |message: &[u8], draw| sign(&secret, message, &mut Fixed(draw))[..32].to_vec();
    assert_eq!(nonce(b"a", 1), nonce(b"a", 1));
    assert_ne!(nonce(b"a", 1), nonce(b"a", 2));
    assert_ne!(nonce(b"a", 1), nonce(b"b", 1));
}

#[test]
fn a_key_that_is_not_canonical_or_has_torsion_is_refused() {
    assert_eq!(check_strict(X25519_BASEPOINT.as_bytes()), Ok(()));
    let good = EdwardsPoint::mul_base(&Scalar::from(7_u8));
    assert_eq!(check_strict(good.to_montgomery().as_bytes()), Ok(()));
    // 1. With a part of small order, and of small order alone.
    for torsion in &EIGHT_TORSION[1..] {
        for point in [good + torsion, *torsion] {
            let refused = check_strict(point.to_montgomery().as_bytes());
            assert_eq!(refused, Err(CryptoError::InvalidKey));
        }
    }
    // 2. Bit 255, and u + p: 0 to 18 have a second encoding below 2^255.
    let mut high = *X25519_BASEPOINT.as_bytes();
    high[31] |= 0x80;
    assert_eq!(check_strict(&high), Err(CryptoError::InvalidKey));
    let mut nine_and_p = [0xff; 32];
    nine_and_p[0] = 0xed + 9;
    nine_and_p[31] = 0x7f;
    assert_eq!(check_strict(&nine_and_p), Err(CryptoError::InvalidKey));
    // 3. On the twist.
    let mut two = [0; 32];
    two[0] = 2;
    assert_eq!(check_strict(&two), Err(CryptoError::InvalidKey));
}
