//! What a state seals with: the provider, the randomness and the cipher, as one argument.

use std::fmt;
use std::sync::Arc;

use meshwork_protocols::provider::Provider;
use meshwork_protocols::random::Random;

use crate::Cipher;

/// What seals a state.
pub struct Sealing {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) random: Box<dyn Random>,
    pub(crate) cipher: Cipher,
}

impl Sealing {
    /// The default cipher, by that provider and with its randomness.
    pub fn new(provider: Arc<dyn Provider>) -> Self {
        let random = provider.random();
        Self { provider, random, cipher: Cipher::default() }
    }

    /// Draws keys, nonces and ids from `random`.
    #[must_use]
    pub fn with_random(self, random: Box<dyn Random>) -> Self {
        Self { random, ..self }
    }

    /// Seals what is written from now on with `cipher`. What was written before is read all the
    /// same.
    #[must_use]
    pub fn with_cipher(self, cipher: Cipher) -> Self {
        Self { cipher, ..self }
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealing").field("cipher", &self.cipher).finish_non_exhaustive()
    }
}
