//! Every key of the braid comes out of HKDF-SHA-256, two or three at once.

use alloc::vec;

use super::BraidError;
use crate::provider::Provider;
use crate::secret::{Secret, SecretBytes};

/// The salt where there is none.
pub(super) const NO_SALT: [u8; 32] = [0; 32];

/// `KEYS` keys of 32 bytes.
pub(super) fn derive<const KEYS: usize>(
    provider: &dyn Provider,
    salt: &[u8; 32],
    input: &[u8],
    info: &[u8],
) -> Result<[Secret<32>; KEYS], BraidError> {
    let mut bytes = SecretBytes::new(vec![0; 32 * KEYS]);
    provider.hkdf_sha256(salt, input, info, bytes.expose_mut())?;
    let mut keys = [(); KEYS].map(|()| Secret::new([0; 32]));
    for (key, bytes) in keys.iter_mut().zip(bytes.expose().as_chunks().0) {
        *key.expose_mut() = *bytes;
    }
    Ok(keys)
}
