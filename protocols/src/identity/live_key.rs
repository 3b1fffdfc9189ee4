//! The X25519 key of an agent's live sessions, the static key of the Noise handshake.

use alloc::sync::Arc;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::provider::{CryptoError, Provider, X25519Key};
use crate::random::Random;
use crate::secret::Secret;

/// An X25519 key pair, made ready for many agreements.
#[derive(Clone)]
pub struct LiveKey {
    secret: Secret<32>,
    key: Arc<dyn X25519Key>,
    public: LivePublic,
}

impl LiveKey {
    /// Draws a pair.
    pub fn generate(provider: &dyn Provider, random: &mut dyn Random) -> Self {
        Self::from_secret(provider, Secret::random(random))
    }

    /// The pair of a secret.
    pub fn from_secret(provider: &dyn Provider, secret: Secret<32>) -> Self {
        let key = provider.x25519_key(&secret);
        let public = LivePublic(*key.public());
        Self { secret, key: key.into(), public }
    }

    /// The secret half.
    pub fn secret(&self) -> &Secret<32> {
        &self.secret
    }

    /// The public half, as a card names it.
    pub fn public(&self) -> &LivePublic {
        &self.public
    }

    /// What this key and the one of `public` agree on. A public key of low order is an error.
    pub fn agree(&self, public: &LivePublic) -> Result<Secret<32>, CryptoError> {
        self.key.agree(&public.0)
    }
}

impl fmt::Debug for LiveKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveKey")
            .field("secret", &self.secret)
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// The public half of a [`LiveKey`].
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct LivePublic([u8; LivePublic::LENGTH]);

impl LivePublic {
    /// Bytes of a key.
    pub const LENGTH: usize = 32;

    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl fmt::Debug for LivePublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LivePublic(")?;
        for byte in &self.0 {
            write!(f, "{byte:02x}")?;
        }
        write!(f, ")")
    }
}

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests {
    use alloc::format;

    use crate::identity::fixture::{VERIFIER, live_key};

    #[test]
    fn debug_shows_no_byte_of_a_secret() {
        let key = live_key(1);
        let expected =
            format!("LiveKey {{ secret: Secret<32>(..), public: {:?}, .. }}", key.public());
        assert_eq!(format!("{key:?}"), expected);
    }

    #[test]
    fn two_keys_agree() {
        let (one, other) = (live_key(1), live_key(2));
        let shared = one.agree(other.public()).unwrap();
        assert_eq!(other.agree(one.public()).as_ref(), Ok(&shared));
        assert_eq!(VERIFIER.x25519(one.secret(), other.public().as_bytes()), Ok(shared));
    }
}
