use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::provider::split_kem::{HEADER_LENGTH, SplitHeader, VECTOR_LENGTH};
use meshwork_protocols::provider::{CryptoError, Kem, KemKeyPair, Provider, SplitKem};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;

use crate::seeded::Seeded;

const PROVIDERS: [&dyn SplitKem; 2] = [&AwsLc, &Pure];

/// The one message that an encapsulation is to use.
#[derive(Debug)]
struct Given(Secret<32>);

impl Random for Given {
    fn fill(&mut self, out: &mut [u8]) {
        out.copy_from_slice(self.0.expose());
    }
}

fn vector(pair: &KemKeyPair) -> [u8; VECTOR_LENGTH] {
    *pair.public.first_chunk().unwrap()
}

fn encapsulate(provider: &dyn SplitKem, pair: &KemKeyPair, message: &Secret<32>) -> Vec<u8> {
    let header = provider.split_header(&pair.public).unwrap();
    let (ct1, _) = provider.split_begin(&header, message);
    let ct2 = provider.split_finish(&header, &vector(pair), message).unwrap();
    [ct1.as_slice(), &ct2].concat()
}

#[test]
fn a_thousand_ciphertexts_in_halves_are_those_made_whole_from_the_same_message() {
    let mut random = Seeded::new(70);
    for round in 0..1_000 {
        let provider = PROVIDERS[round % 2];
        let pair = provider.kem_generate(Kem::MlKem768, &mut random).unwrap();
        let message = random.secret();
        let header = provider.split_header(&pair.public).unwrap();
        let (ct1, shared) = provider.split_begin(&header, &message);
        let (whole, expected) =
            Pure.kem_encapsulate(Kem::MlKem768, &pair.public, &mut Given(message.clone())).unwrap();
        assert!(shared == expected, "{round}");
        assert_eq!(ct1, whole[..ct1.len()], "{round}");
        assert_eq!(encapsulate(provider, &pair, &message), whole, "{round}");
        for opener in PROVIDERS {
            let opened = opener.kem_decapsulate(Kem::MlKem768, &pair.secret, &whole).unwrap();
            assert!(opened == shared, "{round} by {}", opener.name());
        }
    }
}

#[test]
fn a_header_holds_the_seed_and_the_hash_and_survives_its_bytes() {
    let mut random = Seeded::new(71);
    for provider in PROVIDERS {
        let pair = provider.kem_generate(Kem::MlKem768, &mut random).unwrap();
        let header = provider.split_header(&pair.public).unwrap();
        assert_eq!(header.seed, pair.public[VECTOR_LENGTH..]);
        // FIPS 203 section 7.1: the hash of the public key stands in front of the last 32 bytes.
        assert_eq!(header.hash, pair.secret.expose()[2400 - 64..2400 - 32]);
        let bytes: [u8; HEADER_LENGTH] = header.to_bytes();
        assert_eq!(SplitHeader::from_bytes(&bytes), header);
        for length in [0, 31, VECTOR_LENGTH, VECTOR_LENGTH + 31, VECTOR_LENGTH + 33] {
            let refused = provider.split_header(&random.bytes(length));
            assert_eq!(refused, Err(CryptoError::WrongLength), "{length}");
        }
    }
}

#[test]
fn a_vector_with_any_flipped_byte_is_refused_under_its_header() {
    let mut random = Seeded::new(72);
    for provider in PROVIDERS {
        let pair = provider.kem_generate(Kem::MlKem768, &mut random).unwrap();
        let header = provider.split_header(&pair.public).unwrap();
        let message = random.secret();
        for at in 0..VECTOR_LENGTH {
            let mut changed = vector(&pair);
            changed[at] ^= 1;
            let refused = provider.split_finish(&header, &changed, &message);
            assert_eq!(refused, Err(CryptoError::InvalidKey), "{at}");
        }
        for changed in
            [SplitHeader { seed: [1; 32], ..header }, SplitHeader { hash: [1; 32], ..header }]
        {
            let refused = provider.split_finish(&changed, &vector(&pair), &message);
            assert_eq!(refused, Err(CryptoError::InvalidKey));
        }
    }
}

#[test]
fn a_vector_that_is_not_reduced_is_refused_even_where_the_header_fits_it() {
    let mut random = Seeded::new(73);
    let mut pair = Pure.kem_generate(Kem::MlKem768, &mut random).unwrap();
    // FIPS 203's q, as the first coefficient of twelve bits.
    pair.public[0] = 0x01;
    pair.public[1] = pair.public[1] & 0xf0 | 0x0d;
    for provider in PROVIDERS {
        let header = provider.split_header(&pair.public).unwrap();
        let refused = provider.split_finish(&header, &vector(&pair), &random.secret());
        assert_eq!(refused, Err(CryptoError::InvalidKey));
    }
}
