//! The primitives of one Noise handshake, handed from our provider to `snow`.
//!
//! Owns the secrets of the handshake and wipes them; `snow` itself wipes nothing. All that draws
//! randomness or can refuse a peer's key happens before `snow` is asked, because its traits have
//! no room for it: `Kem::generate` returns nothing and `Kem::encapsulate` gets no randomness. So
//! the resolver is given [`Drawn`] and answers out of it. Knows nothing of messages or records.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use snow::params::{CipherChoice, DHChoice, HashChoice, KemChoice};
use snow::resolvers::CryptoResolver;
use snow::types;

use super::suite::Suite;
use crate::identity::{LiveKey, LivePublic};
use crate::provider::{AeadKey, Kem, KemKeyPair, Provider, Sha256, TAG_LENGTH};
use crate::secret::Secret;

/// Answers `snow` for one handshake.
#[derive(Debug)]
pub(super) struct Resolver {
    provider: Arc<dyn Provider>,
    suite: Suite,
    drawn: Arc<Drawn>,
}

impl Resolver {
    pub(super) fn new(provider: Arc<dyn Provider>, suite: Suite, drawn: Drawn) -> Self {
        Self { provider, suite, drawn: Arc::new(drawn) }
    }
}

/// What one side of one handshake brings along.
#[derive(Debug)]
pub(super) struct Drawn {
    /// The static key.
    pub(super) local: LiveKey,
    /// The ephemeral key, which is of the same kind.
    pub(super) ephemeral: LiveKey,
    /// This side's half of the KEM.
    pub(super) kem: KemHalf,
}

/// The half of the KEM that each side has.
#[derive(Debug)]
pub(super) enum KemHalf {
    /// The initiator's key pair, which can serve again where the handshake has to.
    Pair(Arc<KemKeyPair>),
    /// The responder's answer to the initiator's key, which message 1 brought.
    Answer {
        /// The ciphertext made for it.
        ciphertext: Vec<u8>,
        /// The secret inside.
        shared: Secret<32>,
    },
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn types::Random>> {
        Some(Box::new(NothingToDraw))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn types::Dh>> {
        (*choice == DHChoice::Curve25519).then(|| {
            Box::new(X25519 { drawn: Arc::clone(&self.drawn), key: None }) as Box<dyn types::Dh>
        })
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn types::Hash>> {
        (*choice == HashChoice::SHA256).then(|| {
            let state = self.provider.sha256();
            let provider = Arc::clone(&self.provider);
            Box::new(Hash { provider, state, begun: false }) as Box<dyn types::Hash>
        })
    }

    fn resolve_cipher(&self, _: &CipherChoice) -> Option<Box<dyn types::Cipher>> {
        let provider = Arc::clone(&self.provider);
        Some(Box::new(Cipher { provider, suite: self.suite, key: None }))
    }

    fn resolve_kem(&self, _: &KemChoice) -> Option<Box<dyn types::Kem>> {
        let (provider, drawn) = (Arc::clone(&self.provider), Arc::clone(&self.drawn));
        Some(Box::new(MlKem768 { provider, drawn }))
    }
}

/// What `snow` would draw from; all that a handshake needs was drawn before.
struct NothingToDraw;

impl types::Random for NothingToDraw {
    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), snow::Error> {
        Err(snow::Error::Rng)
    }
}

/// The static key, after `set`, or the ephemeral one, after `generate`.
struct X25519 {
    drawn: Arc<Drawn>,
    key: Option<LiveKey>,
}

impl types::Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    /// `snow` hands back the static secret that it was given, whose public half is known.
    fn set(&mut self, private: &[u8]) {
        let is_local =
            Secret::from_slice(private).is_some_and(|key| key == *self.drawn.local.secret());
        self.key = is_local.then(|| self.drawn.local.clone());
    }

    fn generate(&mut self, _: &mut dyn types::Random) -> Result<(), snow::Error> {
        self.key = Some(self.drawn.ephemeral.clone());
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        self.key.as_ref().map_or(&[], |key| key.public().as_bytes())
    }

    /// Only `snow`'s own key generation would ask.
    fn privkey(&self) -> &[u8] {
        &[]
    }

    /// Fails where `public` is of low order; `snow`'s own implementation would not.
    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let key = self.key.as_ref().ok_or(snow::Error::Dh)?;
        let public = public.first_chunk().ok_or(snow::Error::Dh)?;
        let shared = key.agree(&LivePublic::from_bytes(*public)).map_err(|_| snow::Error::Dh)?;
        *out.first_chunk_mut().ok_or(snow::Error::Dh)? = *shared.expose();
        Ok(())
    }
}

struct Hash {
    provider: Arc<dyn Provider>,
    state: Box<dyn Sha256>,
    /// Whether there are bytes in `state`.
    begun: bool,
}

impl types::Hash for Hash {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        if mem::take(&mut self.begun) {
            self.state = self.provider.sha256();
        }
    }

    fn input(&mut self, bytes: &[u8]) {
        self.begun = true;
        self.state.update(bytes);
    }

    fn result(&mut self, out: &mut [u8]) {
        self.begun = false;
        place(&self.state.finish(), out);
    }

    fn hmac(&mut self, key: &[u8], data: &[u8], out: &mut [u8]) {
        place(self.provider.hmac_sha256(key, &[data]).expose(), out);
    }

    /// Noise section 4.3, in place of `snow`'s, which leaves its intermediate key on the stack.
    fn hkdf(
        &mut self,
        chaining_key: &[u8],
        input: &[u8],
        outputs: usize,
        out1: &mut [u8],
        out2: &mut [u8],
        out3: &mut [u8],
    ) {
        let temporary = self.provider.hmac_sha256(chaining_key, &[input]);
        let mut last = self.provider.hmac_sha256(temporary.expose(), &[&[1]]);
        place(last.expose(), out1);
        for (number, out) in (2_u8..).zip([out2, out3]).take(outputs.saturating_sub(1)) {
            last = self.provider.hmac_sha256(temporary.expose(), &[last.expose(), &[number]]);
            place(last.expose(), out);
        }
    }
}

struct Cipher {
    provider: Arc<dyn Provider>,
    suite: Suite,
    key: Option<Box<dyn AeadKey>>,
}

impl Cipher {
    fn seal(&self, counter: u64, associated: &[u8], plain: &[u8], out: &mut [u8]) -> Option<()> {
        let (body, rest) = out.split_at_mut_checked(plain.len())?;
        body.copy_from_slice(plain);
        let nonce = self.suite.nonce(counter);
        let tag = self.key.as_ref()?.seal_in_place(&nonce, associated, body).ok()?;
        *rest.first_chunk_mut()? = tag;
        Some(())
    }

    fn open(
        &self,
        counter: u64,
        associated: &[u8],
        sealed: &[u8],
        out: &mut [u8],
    ) -> Option<usize> {
        let (sealed, tag) = sealed.split_last_chunk()?;
        let body = out.get_mut(..sealed.len())?;
        body.copy_from_slice(sealed);
        let nonce = self.suite.nonce(counter);
        self.key.as_ref()?.open_in_place(&nonce, associated, body, tag).ok()?;
        Some(sealed.len())
    }
}

impl types::Cipher for Cipher {
    fn name(&self) -> &'static str {
        match self.suite {
            Suite::ChaChaPoly => "ChaChaPoly",
            Suite::AesGcm => "AESGCM",
        }
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.key = Some(self.provider.aead(self.suite.aead(), &Secret::new(*key)));
    }

    fn encrypt(&self, nonce: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        if self.seal(nonce, authtext, plaintext, out).is_none() {
            // The trait has no error here. Zeros show nothing, and no peer opens them.
            out.fill(0);
        }
        plaintext.len().saturating_add(TAG_LENGTH)
    }

    fn decrypt(
        &self,
        nonce: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        self.open(nonce, authtext, ciphertext, out).ok_or(snow::Error::Decrypt)
    }
}

struct MlKem768 {
    provider: Arc<dyn Provider>,
    drawn: Arc<Drawn>,
}

impl types::Kem for MlKem768 {
    fn name(&self) -> &'static str {
        "MLKEM768"
    }

    fn pub_len(&self) -> usize {
        Kem::MlKem768.public_length()
    }

    fn ciphertext_len(&self) -> usize {
        Kem::MlKem768.ciphertext_length()
    }

    fn shared_secret_len(&self) -> usize {
        32
    }

    /// The pair was drawn before.
    fn generate(&mut self, _: &mut dyn types::Random) {}

    fn pubkey(&self) -> &[u8] {
        match &self.drawn.kem {
            KemHalf::Pair(pair) => &pair.public,
            // A responder has no key of its own.
            KemHalf::Answer { .. } => &[],
        }
    }

    fn encapsulate(
        &self,
        _: &[u8],
        shared_out: &mut [u8],
        ciphertext_out: &mut [u8],
    ) -> Result<(usize, usize), snow::Error> {
        match &self.drawn.kem {
            KemHalf::Answer { ciphertext, shared } => {
                place(shared.expose(), shared_out);
                place(ciphertext, ciphertext_out);
                Ok((32, ciphertext.len()))
            }
            KemHalf::Pair(_) => Err(snow::Error::Kem),
        }
    }

    fn decapsulate(&self, ciphertext: &[u8], shared_out: &mut [u8]) -> Result<usize, snow::Error> {
        let KemHalf::Pair(pair) = &self.drawn.kem else { return Err(snow::Error::Kem) };
        let shared = self
            .provider
            .kem_decapsulate(Kem::MlKem768, &pair.secret, ciphertext)
            .map_err(|_| snow::Error::Kem)?;
        place(shared.expose(), shared_out);
        Ok(32)
    }
}

/// Writes `bytes` at the start of one of `snow`'s buffers, which are never shorter.
fn place(bytes: &[u8], out: &mut [u8]) {
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
}
