//! One direction of a session: a key with its counter (Noise section 5.1), sealing in place.
//!
//! Takes over from `snow` once the handshake has given the keys: `snow` copies every message and
//! wipes no key. Knows nothing of what the messages contain.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::suite::Suite;
use crate::provider::{AeadKey, CryptoError, Provider, TAG_LENGTH};
use crate::secret::Secret;

/// A key and the counter of its next message.
#[derive(Debug)]
pub struct CipherState {
    provider: Arc<dyn Provider>,
    suite: Suite,
    key: Box<dyn AeadKey>,
    pub(super) counter: u64,
}

impl CipherState {
    /// The state before the first message under `key`.
    pub fn new(provider: Arc<dyn Provider>, suite: Suite, key: &Secret<32>) -> Self {
        let key = provider.aead(suite.aead(), key);
        Self { provider, suite, key, counter: 0 }
    }

    /// Encrypts in place and returns the tag.
    pub fn seal(&mut self, in_out: &mut [u8]) -> Result<[u8; TAG_LENGTH], CipherError> {
        let nonce = self.next_nonce()?;
        let tag = self.key.seal_in_place(&nonce, &[], in_out).map_err(CipherError::Provider)?;
        self.counter += 1;
        Ok(tag)
    }

    /// Decrypts in place. On an error nothing has changed but `in_out`, which shows no plaintext.
    pub fn open(&mut self, in_out: &mut [u8], tag: &[u8; TAG_LENGTH]) -> Result<(), CipherError> {
        let nonce = self.next_nonce()?;
        self.key.open_in_place(&nonce, &[], in_out, tag).map_err(|error| match error {
            CryptoError::OpenFailed => CipherError::NotAuthentic,
            other => CipherError::Provider(other),
        })?;
        self.counter += 1;
        Ok(())
    }

    /// Replaces the key by what it makes of zeros under the reserved nonce (Noise sections 4.2 and
    /// 11.3). The old key is gone; the counter goes on.
    pub fn rekey(&mut self) -> Result<(), CipherError> {
        let mut next = Secret::new([0; 32]);
        self.key
            .seal_in_place(&self.suite.nonce(RESERVED), &[], next.expose_mut())
            .map_err(CipherError::Provider)?;
        self.key = self.provider.aead(self.suite.aead(), &next);
        Ok(())
    }

    fn next_nonce(&self) -> Result<[u8; 12], CipherError> {
        if self.counter == RESERVED {
            return Err(CipherError::Exhausted);
        }
        Ok(self.suite.nonce(self.counter))
    }
}

/// Why a message was not sealed or opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CipherError {
    /// The message was changed, replayed, left out, or sealed under another key.
    #[error("the peer's message does not authenticate")]
    NotAuthentic,
    /// All counters are used.
    #[error("the session has used all its counters")]
    Exhausted,
    /// The provider failed where it should not.
    #[error("the provider failed in a session: {0}")]
    Provider(CryptoError),
}

/// The last nonce, which only `rekey` uses.
const RESERVED: u64 = u64::MAX;

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::pure::Pure;

    #[test]
    fn the_reserved_nonce_seals_and_opens_nothing() {
        let mut state = CipherState::new(Arc::new(Pure), Suite::ChaChaPoly, &Secret::new([7; 32]));
        state.counter = RESERVED - 1;
        let tag = state.seal(&mut [1]).unwrap();
        assert_eq!(state.seal(&mut [1]), Err(CipherError::Exhausted));
        assert_eq!(state.open(&mut [1], &tag), Err(CipherError::Exhausted));
    }

    #[test]
    fn what_does_not_open_changes_nothing() {
        let key = Secret::new([7; 32]);
        let new = || CipherState::new(Arc::new(Pure), Suite::AesGcm, &key);
        let (mut writer, mut reader) = (new(), new());
        let mut message = *b"message";
        let tag = writer.seal(&mut message).unwrap();
        let mut forged = message;
        forged[0] ^= 1;
        assert_eq!(reader.open(&mut forged, &tag), Err(CipherError::NotAuthentic));
        assert_eq!(reader.open(&mut message, &tag), Ok(()));
        assert_eq!(&message, b"message");
    }
}
