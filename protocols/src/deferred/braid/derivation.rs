//! Every key of the braid comes out of HKDF-SHA-256, two or three at once.

use zeroize::Zeroizing;

use super::BraidError;
use crate::provider::Provider;
use crate::secret::Secret;

/// The salt where there is none.
pub(super) const NO_SALT: [u8; 32] = [0; 32];

/// `KEYS` keys of 32 bytes.
pub(super) fn derive<const KEYS: usize>(
    provider: &dyn Provider,
    salt: &[u8; 32],
    input: &[u8],
    info: &[u8],
) -> Result<[Secret<32>; KEYS], BraidError> {
    let mut bytes = Zeroizing::new([[0; 32]; KEYS]);
    provider.chain_hkdf(salt, input, info, bytes.as_flattened_mut())?;
    Ok(bytes.each_ref().map(Secret::from))
}
