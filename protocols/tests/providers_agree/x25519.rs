use data_encoding::HEXLOWER;
use meshwork_protocols::provider::CryptoError;

use crate::seeded::{PAIRS, PROVIDERS, Seeded};

/// The points of low order on the curve and its twist (cr.yp.to/ecdh.html).
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn both_ends_share_a_secret_whoever_computes() {
    let mut random = Seeded::new(20);
    for _ in 0..100 {
        for (one, other) in PAIRS {
            let (a, b) = (random.secret(), random.secret());
            let (public_a, public_b) = (one.x25519_public(&a), other.x25519_public(&b));
            assert_eq!(public_a, other.x25519_public(&a));
            assert_eq!(one.x25519(&a, &public_b).unwrap(), other.x25519(&b, &public_a).unwrap());
        }
    }
}

#[test]
fn a_key_made_ready_agrees_as_its_secret_does_however_often() {
    let mut random = Seeded::new(23);
    for (one, other) in PAIRS {
        let secret = random.secret();
        let key = one.x25519_key(&secret);
        assert_eq!(*key.public(), other.x25519_public(&secret));
        for _ in 0..3 {
            let public = other.x25519_public(&random.secret());
            assert_eq!(key.agree(&public), other.x25519(&secret, &public));
        }
        assert_eq!(key.agree(&[0; 32]), Err(CryptoError::InvalidKey));
    }
}

#[test]
fn any_bytes_are_a_public_key_to_both_or_to_neither() {
    let mut random = Seeded::new(21);
    for _ in 0..500 {
        let secret = random.secret();
        let public = random.bytes(32).try_into().unwrap();
        let [aws, pure] = PROVIDERS.map(|provider| provider.x25519(&secret, &public));
        assert_eq!(aws, pure);
    }
}

#[test]
fn points_of_low_order_are_refused_with_either_top_bit() {
    let mut random = Seeded::new(22);
    for provider in PROVIDERS {
        for point in LOW_ORDER {
            for top_bit in [0, 0x80] {
                let mut public: [u8; 32] =
                    HEXLOWER.decode(point.as_bytes()).unwrap().try_into().unwrap();
                public[31] |= top_bit;
                let shared = provider.x25519(&random.secret(), &public);
                assert_eq!(shared, Err(CryptoError::InvalidKey), "{point} by {}", provider.name());
            }
        }
    }
}
