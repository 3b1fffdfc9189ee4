//! Watches a provider: no key and nonce may seal twice, over all agents and all restarts.
//!
//! A key that dies with its process is judged when it seals. A key that a restart can bring back
//! is judged when what it sealed leaves the process: a crash before the commit throws the packet
//! away, and the next start seals another under the same key, as it should. Knows nothing of what
//! is sealed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meshwork_protocols::provider::split_kem::{CT1_LENGTH, CT2_LENGTH, SplitHeader, VECTOR_LENGTH};
use meshwork_protocols::provider::{
    Aead, AeadKey, CryptoError, DeferredProvider, Kem, KemKeyPair, Operation, Provider, Sha256,
    Signature, SigningKey, SplitKem, TAG_LENGTH, X25519Key, XEDDSA_LENGTH,
};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};

use crate::seeded::Seeded;

/// When a key and nonce of an authenticated cipher count as used. A block cipher's always do when
/// [`Recorder::left_unauthenticated`] is told of what it sealed: only stored sessions have one.
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
    /// What may leave.
    prepared: BTreeMap<Mark, Prepared>,
    /// What each key and nonce was used for.
    used: BTreeMap<Pair, Mark>,
    reused: Option<Reuse>,
}

/// What tells one sealing from all others: its tag, and where a cipher has none, all that it made.
type Mark = Vec<u8>;

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
        inner: Arc<dyn DeferredProvider>,
        judged: Judged,
        random: &Seeded,
    ) -> Arc<dyn DeferredProvider> {
        Arc::new(Watched {
            inner,
            judged,
            recorder: self.clone(),
            random: Mutex::new(random.clone()),
        })
    }

    /// A packet of a stored session leaves its process; its tag is its end. Says what is inside.
    pub fn left(&self, packet: &[u8]) -> Option<Vec<u8>> {
        self.left_marked(packet.last_chunk::<TAG_LENGTH>()?)
    }

    /// What a cipher without a tag made leaves its process. Says what is inside.
    pub fn left_unauthenticated(&self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        self.left_marked(ciphertext)
    }

    /// The first key and nonce that sealed two packets.
    pub fn reused(&self) -> Option<Reuse> {
        self.record().reused
    }

    /// How many keys and nonces were used.
    pub fn used(&self) -> usize {
        self.record().used.len()
    }

    fn left_marked(&self, mark: &[u8]) -> Option<Vec<u8>> {
        let mut record = self.record();
        let Prepared { pair, plaintext } = record.prepared.get(mark)?.clone();
        record.mark(pair, mark.to_vec(), true);
        Some(plaintext)
    }

    fn sealed(&self, pair: Pair, mark: &[u8]) {
        self.record().mark(pair, mark.to_vec(), false);
    }

    fn prepared(&self, pair: Pair, mark: &[u8], plaintext: Vec<u8>) {
        self.record().prepared.insert(mark.to_vec(), Prepared { pair, plaintext });
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    /// Marks a pair as used; `again` allows the very same packet to leave more than once.
    fn mark(&mut self, pair: Pair, mark: Mark, again: bool) {
        let is_other = |before: &Mark| !(again && *before == mark);
        if self.used.get(&pair).is_some_and(is_other) {
            self.reused.get_or_insert(Reuse { nonce: pair.nonce });
        }
        self.used.insert(pair, mark);
    }
}

impl Pair {
    fn new(key: [u8; 32], nonce: &[u8]) -> Self {
        let mut pair = Self { key, nonce: [0; 24] };
        for (to, from) in pair.nonce.iter_mut().zip(nonce) {
            *to = *from;
        }
        pair
    }
}

/// A provider under watch.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn DeferredProvider>,
    judged: Judged,
    recorder: Recorder,
    random: Mutex<Seeded>,
}

impl Watched {
    fn hash(&self, key: &[u8; 32]) -> [u8; 32] {
        let provider: &dyn Provider = self.inner.as_ref();
        provider.digest(&[key])
    }
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
            key: self.hash(key.expose()),
            judged: self.judged,
            recorder: self.recorder.clone(),
        })
    }
}

impl SplitKem for Watched {
    fn split_header(&self, public: &[u8]) -> Result<SplitHeader, CryptoError> {
        self.inner.split_header(public)
    }

    fn split_begin(
        &self,
        header: &SplitHeader,
        message: &Secret<32>,
    ) -> ([u8; CT1_LENGTH], Secret<32>) {
        self.inner.split_begin(header, message)
    }

    fn split_finish(
        &self,
        header: &SplitHeader,
        vector: &[u8; VECTOR_LENGTH],
        message: &Secret<32>,
    ) -> Result<[u8; CT2_LENGTH], CryptoError> {
        self.inner.split_finish(header, vector, message)
    }
}

impl DeferredProvider for Watched {
    fn sha3_256(&self, parts: &[&[u8]]) -> Secret<32> {
        self.inner.sha3_256(parts)
    }

    fn shake256(&self, parts: &[&[u8]]) -> Secret<32> {
        self.inner.shake256(parts)
    }

    fn xeddsa_sign(
        &self,
        secret: &Secret<32>,
        message: &[u8],
        random: &mut dyn Random,
    ) -> [u8; XEDDSA_LENGTH] {
        self.inner.xeddsa_sign(secret, message, random)
    }

    fn xeddsa_verify(
        &self,
        public: &[u8; 32],
        message: &[u8],
        signature: &[u8; XEDDSA_LENGTH],
    ) -> Result<(), CryptoError> {
        self.inner.xeddsa_verify(public, message, signature)
    }

    fn x25519_check_strict(&self, public: &[u8; 32]) -> Result<(), CryptoError> {
        self.inner.x25519_check_strict(public)
    }

    fn aes_256_cbc_encrypt(
        &self,
        key: &[u8; 32],
        iv: &[u8; 16],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let ciphertext = self.inner.aes_256_cbc_encrypt(key, iv, plaintext)?;
        let pair = Pair::new(self.hash(key), iv);
        self.recorder.prepared(pair, &ciphertext, plaintext.to_vec());
        Ok(ciphertext)
    }

    fn aes_256_cbc_decrypt(
        &self,
        key: &[u8; 32],
        iv: &[u8; 16],
        ciphertext: &[u8],
    ) -> Result<SecretBytes, CryptoError> {
        self.inner.aes_256_cbc_decrypt(key, iv, ciphertext)
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
        let pair = Pair::new(self.key, nonce);
        match plaintext {
            Some(plaintext) => self.recorder.prepared(pair, &tag, plaintext),
            None => self.recorder.sealed(pair, &tag),
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

    #[test]
    fn a_block_cipher_uses_its_key_when_what_it_made_leaves() {
        let (recorder, seed) = (Recorder::default(), Seeded::new(1));
        let inner = Arc::new(Simulated::new(&seed));
        let provider = recorder.watch(inner, Judged::WhenSealed, &seed);
        let seal = |plaintext: &[u8]| provider.aes_256_cbc_encrypt(&[1; 32], &[2; 16], plaintext);
        let (lost, packet) = (seal(b"lost in a crash").unwrap(), seal(b"sealed after").unwrap());
        for _ in 0..2 {
            let inside = recorder.left_unauthenticated(&packet);
            assert_eq!(inside.as_deref(), Some(b"sealed after".as_slice()));
        }
        assert_eq!((recorder.reused(), recorder.used()), (None, 1));
        recorder.left_unauthenticated(&lost);
        assert!(recorder.reused().is_some());
    }

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
