//! Digests over many random runs of others, which stand for more vectors than could be stored.

use meshwork_interop_vectors::primitives::{self, AccumulatedCase};
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::provider::{Aead, Kem, Provider, Signature};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;
use shake::{ExtendableOutput, Shake128, Shake128Reader, Update, XofReader};

use crate::given::PROVIDERS;

#[test]
fn xaes_256_gcm_seals_ten_thousand_random_messages_as_published() {
    let published = published("XAES-256-GCM");
    for provider in PROVIDERS {
        let (mut stream, mut digest) = (Stream::default(), Shake128::default());
        for _ in 0..published.iterations {
            let key = provider.aead(Aead::Xaes256Gcm, &Secret::random(&mut stream));
            let nonce = stream.take(Aead::Xaes256Gcm.nonce_length());
            let plaintext = stream.take_prefixed();
            let associated = stream.take_prefixed();
            let sealed = key.seal(&nonce, &associated, &plaintext).unwrap();
            assert_eq!(key.open(&nonce, &associated, &sealed).unwrap().expose(), plaintext);
            digest.update(&sealed);
        }
        assert_eq!(finish(digest), *published.digest, "{}", provider.name());
    }
}

/// The pure provider makes what the stream demands; every provider decapsulates it, once as it is
/// and once with a ciphertext that nobody made.
#[test]
fn ml_kem_768_runs_ten_thousand_times_as_published() {
    const KEM: Kem = Kem::MlKem768;
    let published = published("ML-KEM-768");
    let (mut stream, mut digest) = (Stream::default(), Shake128::default());
    for _ in 0..published.iterations {
        let pair = Pure.kem_generate(KEM, &mut stream).unwrap();
        let (ciphertext, shared) = Pure.kem_encapsulate(KEM, &pair.public, &mut stream).unwrap();
        let noise = stream.take(KEM.ciphertext_length());
        let [rejected, also_rejected] = PROVIDERS.map(|provider| {
            let opened = provider.kem_decapsulate(KEM, &pair.secret, &ciphertext).unwrap();
            assert_eq!(opened, shared);
            provider.kem_decapsulate(KEM, &pair.secret, &noise).unwrap()
        });
        assert_eq!(rejected, also_rejected);
        for part in [&*pair.public, &ciphertext, shared.expose(), rejected.expose()] {
            digest.update(part);
        }
    }
    assert_eq!(finish(digest), *published.digest);
}

#[test]
fn ml_dsa_65_signs_with_a_hundred_random_keys_as_published() {
    let published = published("ML-DSA-65");
    let (mut stream, mut digest) = (Stream::default(), Shake128::default());
    for _ in 0..published.iterations {
        let key = Pure.signing_key(Signature::MlDsa65, &Secret::random(&mut stream)).unwrap();
        let signature = key.sign(&[], &mut Zeros).unwrap();
        for provider in PROVIDERS {
            provider.verify(Signature::MlDsa65, key.public(), &[], &signature).unwrap();
        }
        digest.update(key.public());
        digest.update(&signature);
    }
    assert_eq!(finish(digest), *published.digest);
}

fn published(algorithm: &str) -> AccumulatedCase {
    let cases = primitives::accumulated().unwrap();
    cases.into_iter().find(|case| case.algorithm == algorithm).unwrap()
}

fn finish(digest: Shake128) -> [u8; 32] {
    let mut out = [0; 32];
    digest.finalize_xof().read(&mut out);
    out
}

/// The output of SHAKE-128 over nothing.
struct Stream(Shake128Reader);

impl Default for Stream {
    fn default() -> Self {
        Self(Shake128::default().finalize_xof())
    }
}

impl Stream {
    fn take(&mut self, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        self.0.read(&mut out);
        out
    }

    fn take_prefixed(&mut self) -> Vec<u8> {
        let mut length = [0];
        self.0.read(&mut length);
        self.take(length[0].into())
    }
}

impl Random for Stream {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.read(out);
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}

/// What FIPS 204's deterministic variant signs with.
#[derive(Debug)]
struct Zeros;

impl Random for Zeros {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(0);
    }
}
