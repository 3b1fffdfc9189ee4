//! Watches a provider: no key and nonce may seal twice, over all agents and all restarts.
//!
//! A key of an authenticated cipher is judged when it seals: it dies with its process, or its nonce
//! is drawn. The block cipher is that of stored sessions, whose keys a restart can bring back, and
//! is judged when what it sealed leaves the process: a crash before the commit throws the packet
//! away, and the next start seals another under the same key, as it should. A key of a group is
//! judged both ways: no nonce twice, and no two entries of a log under one key, whatever the nonces.
//! Knows nothing of what is sealed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meshwork_protocols::live::quic::RETRY_KEY;
use meshwork_protocols::provider::split_kem::{CT1_LENGTH, CT2_LENGTH, SplitHeader, VECTOR_LENGTH};
use meshwork_protocols::provider::{
    Aead, AeadKey, CryptoError, DeferredProvider, FleetProvider, Kem, KemKeyPair, Operation,
    Provider, Sha256, Signature, SigningKey, SplitKem, TAG_LENGTH, X25519Key, XEDDSA_LENGTH,
};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};

use crate::seeded::Seeded;

/// What was sealed in one run. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    /// What may leave, by what it was sealed to.
    prepared: BTreeMap<Vec<u8>, Prepared>,
    /// What each key and nonce was used for.
    used: BTreeMap<Pair, Mark>,
    /// The key that each entry of a group's log was sealed under, by its tag.
    of_groups: BTreeMap<[u8; TAG_LENGTH], Pair>,
    /// The tag of what left under each key of a group.
    entries: BTreeMap<[u8; 32], [u8; TAG_LENGTH]>,
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
        random: &Seeded,
    ) -> Arc<dyn DeferredProvider> {
        Arc::new(self.watched(inner, random))
    }

    /// The same for one that fleets can use.
    pub fn watch_fleets(
        &self,
        inner: Arc<dyn FleetProvider>,
        random: &Seeded,
    ) -> Arc<dyn FleetProvider> {
        Arc::new(self.watched(inner, random))
    }

    fn watched<P: ?Sized>(&self, inner: Arc<P>, random: &Seeded) -> Watched<P> {
        Watched { inner, recorder: self.clone(), random: Mutex::new(random.clone()) }
    }

    /// What was sealed for a group leaves for its log: its end is the tag.
    pub fn left_for_log(&self, sealed: &[u8]) {
        if let Some(tag) = sealed.last_chunk() {
            self.record().entry_leaves(tag);
        }
    }

    /// What the cipher of stored sessions made leaves its process. Says what is inside.
    pub fn left(&self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        let mut record = self.record();
        let Prepared { pair, plaintext } = record.prepared.get(ciphertext)?.clone();
        record.mark(pair, ciphertext.to_vec(), true);
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

    fn sealed(&self, pair: Pair, mark: &[u8]) {
        self.record().mark(pair, mark.to_vec(), false);
    }

    fn sealed_for_group(&self, pair: Pair, tag: &[u8; TAG_LENGTH]) {
        let mut record = self.record();
        // Within one operation the same may be sealed to the same twice, to the same bytes.
        record.mark(pair, tag.to_vec(), true);
        record.of_groups.insert(*tag, pair);
    }

    fn prepared(&self, pair: Pair, ciphertext: &[u8], plaintext: &[u8]) {
        let prepared = Prepared { pair, plaintext: plaintext.to_vec() };
        self.record().prepared.insert(ciphertext.to_vec(), prepared);
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

    /// Each key of a group seals one entry.
    fn entry_leaves(&mut self, tag: &[u8; TAG_LENGTH]) {
        let Some(pair) = self.of_groups.get(tag).copied() else { return };
        if *self.entries.entry(pair.key).or_insert(*tag) != *tag {
            self.reused.get_or_insert(Reuse { nonce: pair.nonce });
        }
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
struct Watched<P: ?Sized> {
    inner: Arc<P>,
    recorder: Recorder,
    random: Mutex<Seeded>,
}

impl<P: Provider + ?Sized> Watched<P> {
    fn hash(&self, key: &[u8]) -> [u8; 32] {
        let mut hash = self.inner.sha256();
        hash.update(key);
        hash.finish()
    }

    fn key(&self, inner: Box<dyn AeadKey>, key: &[u8], of_groups: bool) -> Box<dyn AeadKey> {
        if key == RETRY_KEY {
            // Everybody has it, and its one nonce: it keeps nothing.
            return inner;
        }
        let (key, recorder) = (self.hash(key), self.recorder.clone());
        Box::new(WatchedKey { inner, key, of_groups, recorder })
    }
}

impl<P: Provider + ?Sized> Provider for Watched<P> {
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
        self.key(self.inner.aead(algorithm, key), key.expose(), false)
    }
}

impl<P: SplitKem + ?Sized> SplitKem for Watched<P> {
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

impl<P: DeferredProvider + ?Sized> DeferredProvider for Watched<P> {
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
        self.recorder.prepared(pair, &ciphertext, plaintext);
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

impl<P: FleetProvider + ?Sized> FleetProvider for Watched<P> {
    fn aes_128_gcm(&self, key: &Secret<16>) -> Box<dyn AeadKey> {
        self.key(self.inner.aes_128_gcm(key), key.expose(), true)
    }

    fn shake256_into(&self, input: &[u8], out: &mut [u8]) {
        self.inner.shake256_into(input, out);
    }

    fn ml_kem_768_from_seed(&self, seed: &Secret<64>) -> Result<KemKeyPair, CryptoError> {
        self.inner.ml_kem_768_from_seed(seed)
    }
}

/// A key under watch.
struct WatchedKey {
    inner: Box<dyn AeadKey>,
    /// Its hash.
    key: [u8; 32],
    /// Whether it is one of a group.
    of_groups: bool,
    recorder: Recorder,
}

impl AeadKey for WatchedKey {
    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], CryptoError> {
        let tag = self.inner.seal_in_place(nonce, associated, in_out)?;
        let pair = Pair::new(self.key, nonce);
        if self.of_groups {
            self.recorder.sealed_for_group(pair, &tag);
        } else {
            self.recorder.sealed(pair, &tag);
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
        f.debug_struct("WatchedKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use meshwork_protocols::provider::pure::Pure;

    use super::*;
    use crate::provider::Simulated;

    fn watched() -> (Recorder, Arc<dyn DeferredProvider>) {
        let (recorder, seed) = (Recorder::default(), Seeded::new(1));
        let provider = recorder.watch(Arc::new(Simulated::new(&seed)), &seed);
        (recorder, provider)
    }

    #[test]
    fn a_second_use_of_a_key_and_nonce_is_seen_even_for_the_same_plaintext() {
        let (recorder, provider) = watched();
        let key = provider.aead(Aead::ChaCha20Poly1305, &Secret::new([7; 32]));
        key.seal(&[0; 12], b"", b"one").unwrap();
        key.seal(&[1; 12], b"", b"one").unwrap();
        assert_eq!(recorder.reused(), None);
        key.seal(&[0; 12], b"", b"one").unwrap();
        assert_eq!(recorder.reused(), Some(Reuse { nonce: [0; 24] }));
    }

    #[test]
    fn what_never_left_uses_nothing_and_the_same_packet_may_leave_again() {
        let (recorder, provider) = watched();
        let seal = |plaintext: &[u8]| provider.aes_256_cbc_encrypt(&[1; 32], &[2; 16], plaintext);
        let (lost, packet) = (seal(b"lost in a crash").unwrap(), seal(b"sealed after it").unwrap());
        for _ in 0..2 {
            let inside = recorder.left(&packet);
            assert_eq!(inside.as_deref(), Some(b"sealed after it".as_slice()));
        }
        assert_eq!((recorder.reused(), recorder.used()), (None, 1));
        recorder.left(&lost);
        assert!(recorder.reused().is_some());
    }

    #[test]
    fn two_entries_under_one_key_of_a_group_are_seen_whatever_the_nonces() {
        let (recorder, seed) = (Recorder::default(), Seeded::new(1));
        let provider = recorder.watch_fleets(Arc::new(Pure), &seed);
        let key = provider.aes_128_gcm(&Secret::new([7; 16]));
        let [lost, entry] = [[0; 12], [1; 12]].map(|nonce| key.seal(&nonce, b"", b"one").unwrap());
        (0..2).for_each(|_| recorder.left_for_log(&entry));
        assert_eq!(recorder.reused(), None);
        recorder.left_for_log(&lost);
        assert!(recorder.reused().is_some());
    }
}
