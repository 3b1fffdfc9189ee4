//! The published handshakes of the live suite, each role alone against the recorded bytes of the
//! other.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a check that stops has failed")]

use std::sync::Arc;

use meshwork_interop_vectors::noise::{NoiseVector, xxhfs_mlkem768};
use meshwork_protocols::identity::LiveKey;
use meshwork_protocols::live::handshake::{self, Established, ExpectedKeys, Terms};
use meshwork_protocols::live::suite::Suite;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::provider::{
    Aead, AeadKey, CryptoError, Kem, KemKeyPair, Operation, Provider, Sha256, Signature,
    SigningKey, X25519Key,
};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};

#[test]
fn the_suite_has_the_name_of_the_vectors() {
    assert_eq!(Suite::ChaChaPoly.noise_name(), xxhfs_mlkem768().unwrap().protocol);
}

#[test]
fn the_pure_provider_reproduces_each_initiator_and_each_responder() {
    for vector in xxhfs_mlkem768().unwrap().vectors {
        let provider: Arc<dyn Provider> = Arc::new(Pure);
        initiator_reproduces(&provider, &vector);
        responder_reproduces(&provider, &vector);
    }
}

#[test]
fn aws_lc_reproduces_each_initiator_and_each_responder_around_the_vectors_kem_draws() {
    for vector in xxhfs_mlkem768().unwrap().vectors {
        let provider: Arc<dyn Provider> = Arc::new(KemDrawsFromPure);
        initiator_reproduces(&provider, &vector);
        responder_reproduces(&provider, &vector);
    }
}

#[test]
fn a_vector_with_another_draw_is_not_reproduced() {
    let vector = &xxhfs_mlkem768().unwrap().vectors[0];
    let provider: Arc<dyn Provider> = Arc::new(Pure);
    let local = LiveKey::from_secret(&Pure, secret(&vector.initiator_static));
    let mut random = Script::of(&[&[0; 32], &vector.kem_seed_d, &vector.kem_seed_z]);
    let (_, message1) = handshake::initiate(terms(&provider, vector, &local), &mut random).unwrap();
    assert_ne!(message1[..], vector.message_1[..]);
}

fn initiator_reproduces(provider: &Arc<dyn Provider>, vector: &NoiseVector) {
    let local = LiveKey::from_secret(provider.as_ref(), secret(&vector.initiator_static));
    let responder = LiveKey::from_secret(provider.as_ref(), secret(&vector.responder_static));
    let draws = [&vector.initiator_ephemeral[..], &vector.kem_seed_d, &vector.kem_seed_z];
    let mut random = Script::of(&draws);

    let (initiator, message1) =
        handshake::initiate(terms(provider, vector, &local), &mut random).unwrap();
    assert_eq!(message1[..], vector.message_1[..], "message 1 of vector {}", vector.index);
    let expected = [*responder.public()];
    let (established, message3) =
        initiator.receive(&vector.message_2, ExpectedKeys::Named(&expected)).unwrap();
    assert_eq!(message3[..], vector.message_3[..], "message 3 of vector {}", vector.index);
    ends_as(vector, &established, &vector.initiator_key, &vector.responder_key);
}

fn responder_reproduces(provider: &Arc<dyn Provider>, vector: &NoiseVector) {
    let local = LiveKey::from_secret(provider.as_ref(), secret(&vector.responder_static));
    let mut random = Script::of(&[&vector.responder_ephemeral[..], &vector.encapsulation_seed]);

    let (responder, message2) =
        handshake::respond(terms(provider, vector, &local), &vector.message_1, &mut random)
            .unwrap();
    assert_eq!(message2[..], vector.message_2[..], "message 2 of vector {}", vector.index);
    let established = responder.receive(&vector.message_3).unwrap();
    ends_as(vector, &established, &vector.responder_key, &vector.initiator_key);
}

fn ends_as(vector: &NoiseVector, established: &Established, send: &[u8], receive: &[u8]) {
    let index = vector.index;
    assert_eq!(established.handshake_hash[..], vector.handshake_hash[..], "hash of {index}");
    assert_eq!(established.keys.send.expose()[..], *send, "sending key of {index}");
    assert_eq!(established.keys.receive.expose()[..], *receive, "receiving key of {index}");
}

fn terms<'a>(
    provider: &'a Arc<dyn Provider>,
    vector: &'a NoiseVector,
    local: &'a LiveKey,
) -> Terms<'a> {
    Terms { provider, suite: Suite::ChaChaPoly, prologue: &vector.prologue, local }
}

fn secret(bytes: &[u8]) -> Secret<32> {
    Secret::from_slice(bytes).unwrap()
}

/// Gives out the bytes that a vector prescribes, in their order, and no more.
#[derive(Debug)]
struct Script(Vec<u8>);

impl Script {
    fn of(draws: &[&[u8]]) -> Self {
        Self(draws.concat())
    }
}

impl Random for Script {
    fn fill(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&self.0[..out.len()]);
        self.0.drain(..out.len());
    }
}

/// aws-lc in everything but what ML-KEM draws, for which it takes no given randomness: the key pair
/// and the answer come from the provider that does. aws-lc still opens the ciphertext.
#[derive(Debug)]
struct KemDrawsFromPure;

impl Provider for KemDrawsFromPure {
    fn name(&self) -> &'static str {
        "aws-lc with given KEM draws"
    }

    fn honours_randomness(&self, operation: Operation) -> bool {
        matches!(operation, Operation::KemGenerate | Operation::KemEncapsulate)
    }

    fn kem_generate(&self, kem: Kem, random: &mut dyn Random) -> Result<KemKeyPair, CryptoError> {
        Pure.kem_generate(kem, random)
    }

    fn kem_encapsulate(
        &self,
        kem: Kem,
        public: &[u8],
        random: &mut dyn Random,
    ) -> Result<(Vec<u8>, Secret<32>), CryptoError> {
        Pure.kem_encapsulate(kem, public, random)
    }

    fn kem_decapsulate(
        &self,
        kem: Kem,
        secret: &SecretBytes,
        ciphertext: &[u8],
    ) -> Result<Secret<32>, CryptoError> {
        AwsLc.kem_decapsulate(kem, secret, ciphertext)
    }

    fn random(&self) -> Box<dyn Random> {
        AwsLc.random()
    }

    fn sha256(&self) -> Box<dyn Sha256> {
        AwsLc.sha256()
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> Secret<32> {
        AwsLc.hmac_sha256(key, parts)
    }

    fn hkdf_sha256(
        &self,
        salt: &[u8],
        input: &[u8],
        info: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        AwsLc.hkdf_sha256(salt, input, info, out)
    }

    fn x25519_key(&self, secret: &Secret<32>) -> Box<dyn X25519Key> {
        AwsLc.x25519_key(secret)
    }

    fn signing_key(
        &self,
        algorithm: Signature,
        seed: &Secret<32>,
    ) -> Result<Box<dyn SigningKey>, CryptoError> {
        AwsLc.signing_key(algorithm, seed)
    }

    fn verify(
        &self,
        algorithm: Signature,
        public: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        AwsLc.verify(algorithm, public, message, signature)
    }

    fn aead(&self, algorithm: Aead, key: &Secret<32>) -> Box<dyn AeadKey> {
        AwsLc.aead(algorithm, key)
    }
}
