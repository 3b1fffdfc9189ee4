//! Somebody copies all keys out of the memory, and tries them on what it recorded.

extern crate std;

use alloc::sync::Arc;
use std::sync::Mutex;

use super::*;
use crate::live::Local;
use crate::live::fixture::{aws, live_key, signing_pair};
use crate::live::suite::Suite;
use crate::provider::{
    Aead, AeadKey, CryptoError, Kem, KemKeyPair, Operation, Provider, Sha256, Signature,
    SigningKey, X25519Key,
};
use crate::secret::{Secret, SecretBytes};

/// Hands out the keys that it makes to whoever wants a copy.
#[derive(Debug)]
struct Leaking {
    inner: Arc<dyn Provider>,
    keys: Mutex<Vec<(Aead, Secret<32>)>>,
}

impl Provider for Leaking {
    fn name(&self) -> &'static str {
        "leaking"
    }

    fn honours_randomness(&self, operation: Operation) -> bool {
        self.inner.honours_randomness(operation)
    }

    fn random(&self) -> Box<dyn Random> {
        self.inner.random()
    }

    fn sha256(&self) -> Box<dyn Sha256> {
        self.inner.sha256()
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> Secret<32> {
        self.inner.hmac_sha256(key, parts)
    }

    fn hkdf_sha256(
        &self,
        salt: &[u8],
        input: &[u8],
        info: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.inner.hkdf_sha256(salt, input, info, out)
    }

    fn x25519_key(&self, secret: &Secret<32>) -> Box<dyn X25519Key> {
        self.inner.x25519_key(secret)
    }

    fn kem_generate(&self, kem: Kem, random: &mut dyn Random) -> Result<KemKeyPair, CryptoError> {
        self.inner.kem_generate(kem, random)
    }

    fn kem_encapsulate(
        &self,
        kem: Kem,
        public: &[u8],
        random: &mut dyn Random,
    ) -> Result<(Vec<u8>, Secret<32>), CryptoError> {
        self.inner.kem_encapsulate(kem, public, random)
    }

    fn kem_decapsulate(
        &self,
        kem: Kem,
        secret: &SecretBytes,
        ciphertext: &[u8],
    ) -> Result<Secret<32>, CryptoError> {
        self.inner.kem_decapsulate(kem, secret, ciphertext)
    }

    fn signing_key(
        &self,
        algorithm: Signature,
        seed: &Secret<32>,
    ) -> Result<Box<dyn SigningKey>, CryptoError> {
        self.inner.signing_key(algorithm, seed)
    }

    fn verify(
        &self,
        algorithm: Signature,
        public: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.inner.verify(algorithm, public, message, signature)
    }

    fn aead(&self, algorithm: Aead, key: &Secret<32>) -> Box<dyn AeadKey> {
        self.keys.lock().unwrap().push((algorithm, key.clone()));
        self.inner.aead(algorithm, key)
    }
}

/// How many of the sealed datagrams open under any of the keys.
fn opened(log: &[Flying], keys: &[(Aead, Secret<32>)]) -> (usize, usize) {
    let (mut sealed, mut opened) = (0, 0);
    for Flying { datagram, .. } in log {
        let Some(packet::Packet::Data { counter, .. }) = packet::Packet::decode(datagram) else {
            continue;
        };
        sealed += 1;
        let (header, body) = datagram.split_at(packet::DATA_HEADER);
        opened += usize::from(keys.iter().any(|(algorithm, key)| {
            let suite = match algorithm {
                Aead::Aes256Gcm => Suite::AesGcm,
                _ => Suite::ChaChaPoly,
            };
            aws().aead(*algorithm, key).open(&suite.nonce(counter), header, body).is_ok()
        }));
    }
    (sealed, opened)
}

#[test]
fn a_copied_state_opens_nothing_after_the_next_handshake_and_nothing_from_before() {
    let leaking = Arc::new(Leaking { inner: aws(), keys: Mutex::new(Vec::new()) });
    let node = |number: u8| {
        let node = Node::new(number);
        let provider: Arc<dyn Provider> = leaking.clone();
        let local = Local::new(provider, node.card(), live_key(number), signing_pair(number));
        Node { local: Arc::new(local.unwrap()), ..node }
    };
    let mut pair = Pair::between(1, node(1), node(5));
    pair.world.log = Some(Vec::new());
    pair.world.run(Duration::from_secs(1));
    pair.talk(1);
    let copied = leaking.keys.lock().unwrap().clone();
    let before = pair.world.log.replace(Vec::new()).unwrap();
    let (sealed, of_them) = opened(&before, &copied);
    assert!(sealed > 10 && of_them == sealed, "the copy is of the keys in use");

    pair.world.run(RENEW_AFTER_TIME + Duration::from_secs(10));
    assert_eq!(pair.world.at(ALICE).tally().renewed, 1);
    assert_eq!(pair.world.at(BOB).tally().renewed, 1);
    pair.world.log = Some(Vec::new());
    pair.talk(2);
    pair.world.run(Duration::from_secs(60));
    let after = pair.world.log.take().unwrap();
    let (sealed, of_them) = opened(&after, &copied);
    assert!(sealed >= 4 && of_them == 0, "{of_them} of {sealed} open under the copied keys");
    // All that the memory holds now, of the new handshake on.
    let new = leaking.keys.lock().unwrap()[copied.len()..].to_vec();
    let (sealed, of_them) = opened(&before, &new);
    assert_eq!(of_them, 0, "of {sealed} from before");
    let (sealed, of_them) = opened(&after, &new);
    assert_eq!(of_them, sealed, "what the keys in use sealed");
}
