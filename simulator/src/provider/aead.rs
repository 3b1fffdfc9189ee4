//! Authenticated encryption: a stream and a tag, each from key and nonce.

use meshwork_protocols::provider::{Aead, AeadKey, CryptoError, TAG_LENGTH};
use meshwork_protocols::secret::Secret;

use super::mix::{Domain, Mixer};

/// A key with its cipher.
#[derive(Debug)]
pub(super) struct SimulatedAead {
    algorithm: Aead,
    key: Secret<32>,
}

impl SimulatedAead {
    pub(super) fn new(algorithm: Aead, key: &Secret<32>) -> Self {
        Self { algorithm, key: key.clone() }
    }

    fn mixer(&self, domain: Domain, nonce: &[u8]) -> Mixer {
        Mixer::new(domain)
            .with_sized(&[code(self.algorithm)])
            .with_sized(self.key.expose())
            .with_sized(nonce)
    }

    fn apply_stream(&self, nonce: &[u8], in_out: &mut [u8]) {
        let mut stream = vec![0; in_out.len()];
        self.mixer(Domain::AeadStream, nonce).expand(&mut stream);
        for (to, from) in in_out.iter_mut().zip(stream) {
            *to ^= from;
        }
    }

    fn tag(&self, nonce: &[u8], associated: &[u8], ciphertext: &[u8]) -> [u8; TAG_LENGTH] {
        let mixer = self.mixer(Domain::AeadTag, nonce).with_sized(associated);
        let mut tag = [0; TAG_LENGTH];
        mixer.with_sized(ciphertext).expand(&mut tag);
        tag
    }

    fn check(&self, nonce: &[u8]) -> Result<(), CryptoError> {
        if nonce.len() == self.algorithm.nonce_length() {
            Ok(())
        } else {
            Err(CryptoError::WrongLength)
        }
    }
}

impl AeadKey for SimulatedAead {
    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], CryptoError> {
        self.check(nonce)?;
        self.apply_stream(nonce, in_out);
        Ok(self.tag(nonce, associated, in_out))
    }

    fn open_in_place(
        &self,
        nonce: &[u8],
        associated: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LENGTH],
    ) -> Result<(), CryptoError> {
        self.check(nonce)?;
        if self.tag(nonce, associated, in_out) != *tag {
            in_out.fill(0);
            return Err(CryptoError::OpenFailed);
        }
        self.apply_stream(nonce, in_out);
        Ok(())
    }
}

const fn code(algorithm: Aead) -> u8 {
    match algorithm {
        Aead::Aes256Gcm => 1,
        Aead::ChaCha20Poly1305 => 2,
        Aead::Xaes256Gcm => 3,
        Aead::XChaCha20Poly1305 => 4,
    }
}
