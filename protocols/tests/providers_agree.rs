//! Each provider checks the other, on every primitive, with inputs drawn from a seed.
//!
//! Agreement is not correctness: the published vectors are in `interop-vectors`.
#![cfg(all(feature = "aws-lc-rs", feature = "pure"))]

use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::provider::{Aead, Kem, Provider, Signature};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;

const PROVIDERS: [&dyn Provider; 2] = [&AwsLc, &Pure];
/// Who makes and who checks, both ways.
const PAIRS: [(&dyn Provider, &dyn Provider); 2] = [(&AwsLc, &Pure), (&Pure, &AwsLc)];
const AEADS: [Aead; 4] =
    [Aead::Aes256Gcm, Aead::ChaCha20Poly1305, Aead::Xaes256Gcm, Aead::XChaCha20Poly1305];
const KEMS: [Kem; 2] = [Kem::MlKem768, Kem::MlKem1024];
const SIGNATURES: [Signature; 2] = [Signature::Ed25519, Signature::MlDsa65];

/// Repeatable randomness: SplitMix64.
#[derive(Clone, Debug)]
struct Seeded(u64);

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.0;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            for (byte, drawn) in chunk.iter_mut().zip(word.to_le_bytes()) {
                *byte = drawn;
            }
        }
    }
}

impl Seeded {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        self.fill(&mut out);
        out
    }

    fn secret(&mut self) -> Secret<32> {
        Secret::random(self)
    }
}

/// Lengths around the block sizes of every primitive, and one that takes many blocks.
fn lengths() -> impl Iterator<Item = usize> {
    (0..=66).chain([127, 128, 129, 255, 256, 257, 1_023, 1_024, 16_384 + 7])
}

#[test]
fn what_one_provider_seals_the_other_opens() {
    let mut random = Seeded(1);
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
fn what_one_provider_encapsulates_the_other_decapsulates() {
    let mut random = Seeded(2);
    for kem in KEMS {
        for (holder, sender) in PAIRS {
            let pair = holder.kem_generate(kem, &mut random).unwrap();
            assert_eq!(pair.public.len(), kem.public_length());
            assert_eq!(pair.secret.len(), kem.secret_length());
            let (ciphertext, sent) =
                sender.kem_encapsulate(kem, &pair.public, &mut random).unwrap();
            assert_eq!(ciphertext.len(), kem.ciphertext_length());
            for provider in PROVIDERS {
                let got = provider.kem_decapsulate(kem, &pair.secret, &ciphertext).unwrap();
                assert!(got == sent, "{kem:?} by {}", provider.name());
            }
        }
    }
}

#[test]
fn what_one_provider_signs_the_other_verifies() {
    let mut random = Seeded(3);
    for algorithm in SIGNATURES {
        for (signer, verifier) in PAIRS {
            let seed = random.secret();
            let key = signer.signing_key(algorithm, &seed).unwrap();
            assert_eq!(key.public(), verifier.signing_key(algorithm, &seed).unwrap().public());
            let message = random.bytes(100);
            let signature = key.sign(&message, &mut random).unwrap();
            verifier.verify(algorithm, key.public(), &message, &signature).unwrap();
        }
    }
}
