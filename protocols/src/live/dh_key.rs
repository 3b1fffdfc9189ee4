//! An X25519 key pair as a handshake uses it: an agent's live key, a fetcher's one-use key, or an
//! ephemeral one.

use crate::provider::Provider;
use crate::random::Random;
use crate::secret::Secret;

/// An X25519 secret with its public half, which is computed once.
#[derive(Clone, Debug)]
pub struct DhKey {
    secret: Secret<32>,
    public: [u8; 32],
}

impl DhKey {
    /// The key pair of `secret`.
    pub fn new(provider: &dyn Provider, secret: Secret<32>) -> Self {
        let public = provider.x25519_public(&secret);
        Self { secret, public }
    }

    /// A fresh key pair.
    pub fn generate(provider: &dyn Provider, random: &mut dyn Random) -> Self {
        Self::new(provider, Secret::random(random))
    }

    /// The public half.
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    pub(super) const fn secret(&self) -> &Secret<32> {
        &self.secret
    }
}
