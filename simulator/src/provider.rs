//! The simulator's own primitives: the interfaces and sizes of the real ones, out of one mixing
//! function that takes a microsecond where they take a hundred.
//!
//! **Nothing here is cryptography.** Whoever knows a public key can sign for it and open what was
//! encapsulated to it. What holds is what a simulation needs: without guessing at mixed bits, a
//! wrong key, another counter, a changed byte and a signature over something else all fail, and
//! each operation takes its randomness from its argument. The product does not depend on this
//! crate and cannot reach it.

mod aead;
mod deferred;
mod dh;
mod kem;
mod mix;
mod signature;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use meshwork_protocols::provider::split_kem::{
    CT1_LENGTH, CT2_LENGTH, SplitHeader, SplitKem, VECTOR_LENGTH,
};
use meshwork_protocols::provider::{
    Aead, AeadKey, CryptoError, Kem, KemKeyPair, Operation, Provider, Sha256, Signature,
    SigningKey, X25519Key,
};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};

use self::aead::SimulatedAead;
use self::dh::SimulatedX25519;
use self::mix::{Domain, Mixer};
use self::signature::SimulatedSigningKey;
use crate::seeded::Seeded;

/// The simulator's provider.
#[derive(Debug)]
pub struct Simulated {
    seed: Seeded,
    drawn: AtomicU64,
}

impl Simulated {
    /// A provider whose own randomness comes from `seed`.
    pub fn new(seed: &Seeded) -> Self {
        Self { seed: seed.fork("provider", 0), drawn: AtomicU64::new(0) }
    }
}

impl Provider for Simulated {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn honours_randomness(&self, operation: Operation) -> bool {
        match operation {
            Operation::KemGenerate | Operation::KemEncapsulate | Operation::MlDsaSign => true,
        }
    }

    fn random(&self) -> Box<dyn Random> {
        Box::new(self.seed.fork("stream", self.drawn.fetch_add(1, Ordering::Relaxed)))
    }

    fn sha256(&self) -> Box<dyn Sha256> {
        Box::new(SimulatedHash(Mixer::new(Domain::Hash)))
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> Secret<32> {
        let mut mixer = Mixer::new(Domain::Mac).with_sized(key);
        for part in parts {
            mixer.update(part);
        }
        Secret::new(mixer.finish())
    }

    fn hkdf_sha256(
        &self,
        salt: &[u8],
        input: &[u8],
        info: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        if out.len() > MAX_HKDF_OUTPUT {
            return Err(CryptoError::WrongLength);
        }
        let key = Mixer::new(Domain::Extract).with_sized(salt).with_sized(input).finish();
        Mixer::new(Domain::Expand).with_sized(&key).with_sized(info).expand(out);
        Ok(())
    }

    fn x25519_key(&self, secret: &Secret<32>) -> Box<dyn X25519Key> {
        Box::new(SimulatedX25519::new(secret))
    }

    fn kem_generate(&self, kem: Kem, random: &mut dyn Random) -> Result<KemKeyPair, CryptoError> {
        Ok(kem::generate(kem, random))
    }

    fn kem_encapsulate(
        &self,
        kem: Kem,
        public: &[u8],
        random: &mut dyn Random,
    ) -> Result<(Vec<u8>, Secret<32>), CryptoError> {
        kem::encapsulate(kem, public, random)
    }

    fn kem_decapsulate(
        &self,
        kem: Kem,
        secret: &SecretBytes,
        ciphertext: &[u8],
    ) -> Result<Secret<32>, CryptoError> {
        kem::decapsulate(kem, secret, ciphertext)
    }

    fn signing_key(
        &self,
        algorithm: Signature,
        seed: &Secret<32>,
    ) -> Result<Box<dyn SigningKey>, CryptoError> {
        Ok(Box::new(SimulatedSigningKey::new(algorithm, seed)))
    }

    fn verify(
        &self,
        algorithm: Signature,
        public: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        signature::verify(algorithm, public, message, signature)
    }

    fn aead(&self, algorithm: Aead, key: &Secret<32>) -> Box<dyn AeadKey> {
        Box::new(SimulatedAead::new(algorithm, key))
    }
}

impl SplitKem for Simulated {
    fn split_header(&self, public: &[u8]) -> Result<SplitHeader, CryptoError> {
        kem::header(public)
    }

    fn split_begin(
        &self,
        header: &SplitHeader,
        message: &Secret<32>,
    ) -> ([u8; CT1_LENGTH], Secret<32>) {
        let (ciphertext, shared) = kem::encapsulate_split(header, message);
        let mut ct1 = [0; CT1_LENGTH];
        for (to, from) in ct1.iter_mut().zip(ciphertext) {
            *to = from;
        }
        (ct1, shared)
    }

    fn split_finish(
        &self,
        header: &SplitHeader,
        vector: &[u8; VECTOR_LENGTH],
        message: &Secret<32>,
    ) -> Result<[u8; CT2_LENGTH], CryptoError> {
        if !kem::belongs(vector, header) {
            return Err(CryptoError::InvalidKey);
        }
        let (ciphertext, _) = kem::encapsulate_split(header, message);
        let (_, ct2) = ciphertext.split_last_chunk().ok_or(CryptoError::WrongLength)?;
        Ok(*ct2)
    }
}

/// What stands in for a SHA-256 under way.
struct SimulatedHash(Mixer);

impl Sha256 for SimulatedHash {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&mut self) -> [u8; 32] {
        std::mem::replace(&mut self.0, Mixer::new(Domain::Hash)).finish()
    }
}

impl fmt::Debug for SimulatedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedHash")
    }
}

/// RFC 5869: 255 blocks of 32 bytes.
const MAX_HKDF_OUTPUT: usize = 255 * 32;

#[cfg(test)]
mod tests;
