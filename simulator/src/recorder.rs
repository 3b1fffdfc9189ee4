//! Watches a provider: no key and nonce may seal twice, over all agents and all restarts.
//!
//! A key that dies with its process is judged when it seals. A key that a restart can bring back
//! is judged when what it sealed leaves the process: a crash before the commit throws the packet
//! away, and the next start seals another under the same key, as it should. Knows nothing of what
//! is sealed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meshwork_protocols::provider::{
    Aead, AeadKey, CryptoError, Kem, KemKeyPair, Operation, Provider, Sha256, Signature,
    SigningKey, TAG_LENGTH, X25519Key,
};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};

use crate::seeded::Seeded;

/// When a key and nonce count as used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Judged {
    /// At once: the key is of this process alone, or the nonce is drawn.
    WhenSealed,
    /// When [`Recorder::left`] is told of the packet: the key is of a stored session.
    WhenLeft,
}

/// What was sealed in one run. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    /// What may leave, by the packet's tag.
    prepared: BTreeMap<[u8; TAG_LENGTH], Prepared>,
    /// The tag under which each key and nonce was used.
    used: BTreeMap<Pair, [u8; TAG_LENGTH]>,
    reused: Option<Reuse>,
}

/// A packet that may leave.
#[derive(Clone, Debug)]
struct Prepared {
    pair: Pair,
    plaintext: Vec<u8>,
}

/// A key, by its hash, and a nonce.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Pair {
    key: [u8; 32],
    nonce: [u8; 24],
}

/// One key and nonce for two packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("one key and nonce sealed two packets (nonce {nonce:02x?})")]
pub struct Reuse {
    /// The nonce, as long as the cipher's and then zeros.
    pub nonce: [u8; 24],
}

impl Recorder {
    /// A provider that does what `inner` does and records here. What it draws of its own comes
    /// from `random`, so that a run repeats.
    pub fn watch(
        &self,
        inner: Arc<dyn Provider>,
        judged: Judged,
        random: &Seeded,
    ) -> Arc<dyn Provider> {
        Arc::new(Watched {
            inner,
            judged,
            recorder: self.clone(),
            random: Mutex::new(random.clone()),
        })
    }

    /// A packet of a stored session leaves its process; its tag is its end. Says what is inside.
    pub fn left(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let tag = packet.last_chunk()?;
        let mut record = self.record();
        let Prepared { pair, plaintext } = record.prepared.get(tag)?.clone();
        record.mark(pair, *tag, true);
        Some(plaintext)
    }

    /// The first key and nonce that sealed two packets.
    pub fn reused(&self) -> Option<Reuse> {
        self.record().reused
    }

    /// How many keys and nonces were used.
    pub fn used(&self) -> usize {
        self.record().used.len()
    }

    fn sealed(&self, pair: Pair, tag: [u8; TAG_LENGTH]) {
        self.record().mark(pair, tag, false);
    }

    fn prepared(&self, pair: Pair, tag: [u8; TAG_LENGTH], plaintext: Vec<u8>) {
        self.record().prepared.insert(tag, Prepared { pair, plaintext });
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    /// Marks a pair as used; `again` allows the very same packet to leave more than once.
    fn mark(&mut self, pair: Pair, tag: [u8; TAG_LENGTH], again: bool) {
        match self.used.insert(pair, tag) {
            Some(before) if !(again && before == tag) => {
                self.reused.get_or_insert(Reuse { nonce: pair.nonce });
            }
            _ => {}
        }
    }
}

/// A provider under watch.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn Provider>,
    judged: Judged,
    recorder: Recorder,
    random: Mutex<Seeded>,
}

impl Provider for Watched {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn honours_randomness(&self, operation: Operation) -> bool {
        self.inner.honours_randomness(operation)
    }

    fn random(&self) -> Box<dyn Random> {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let number = random.draw();
        Box::new(random.fork("provider", number))
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
        Box::new(WatchedKey {
            inner: self.inner.aead(algorithm, key),
            key: self.inner.digest(&[key.expose()]),
            judged: self.judged,
            recorder: self.recorder.clone(),
        })
    }
}

/// A key under watch.
struct WatchedKey {
    inner: Box<dyn AeadKey>,
    /// Its hash.
    key: [u8; 32],
    judged: Judged,
    recorder: Recorder,
}

impl AeadKey for WatchedKey {
    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], CryptoError> {
        let plaintext = (self.judged == Judged::WhenLeft).then(|| in_out.to_vec());
        let tag = self.inner.seal_in_place(nonce, associated, in_out)?;
        let mut pair = Pair { key: self.key, nonce: [0; 24] };
        for (to, from) in pair.nonce.iter_mut().zip(nonce) {
            *to = *from;
        }
        match plaintext {
            Some(plaintext) => self.recorder.prepared(pair, tag, plaintext),
            None => self.recorder.sealed(pair, tag),
        }
        Ok(tag)
    }

    fn open_in_place(
        &self,
        nonce: &[u8],
        associated: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LENGTH],
    ) -> Result<(), CryptoError> {
        self.inner.open_in_place(nonce, associated, in_out, tag)
    }
}

impl fmt::Debug for WatchedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedKey").field("judged", &self.judged).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Simulated;

    fn watched(judged: Judged) -> (Recorder, Box<dyn AeadKey>) {
        let (recorder, seed) = (Recorder::default(), Seeded::new(1));
        let provider = recorder.watch(Arc::new(Simulated::new(&seed)), judged, &seed);
        let key = provider.aead(Aead::ChaCha20Poly1305, &Secret::new([7; 32]));
        (recorder, key)
    }

    #[test]
    fn a_second_use_of_a_key_and_nonce_is_seen_even_for_the_same_plaintext() {
        let (recorder, key) = watched(Judged::WhenSealed);
        key.seal(&[0; 12], b"", b"one").unwrap();
        key.seal(&[1; 12], b"", b"one").unwrap();
        assert_eq!(recorder.reused(), None);
        key.seal(&[0; 12], b"", b"one").unwrap();
        assert_eq!(recorder.reused(), Some(Reuse { nonce: [0; 24] }));
    }

    #[test]
    fn what_never_left_uses_nothing_and_the_same_packet_may_leave_again() {
        let (recorder, key) = watched(Judged::WhenLeft);
        let lost = key.seal(&[0; 12], b"", b"lost in a crash").unwrap();
        let packet = key.seal(&[0; 12], b"", b"sealed after it").unwrap();
        assert_eq!(recorder.left(&packet).as_deref(), Some(b"sealed after it".as_slice()));
        recorder.left(&packet);
        assert_eq!((recorder.reused(), recorder.used()), (None, 1));
        recorder.left(&lost);
        assert!(recorder.reused().is_some());
    }
}
