//! A key from a passphrase: Argon2id (RFC 9106), its parameters stored beside its salt.

use argon2::{Algorithm, Argon2, Params, Version};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};
use serde::{Deserialize, Serialize};

use crate::UnlockError;

/// How a passphrase becomes a key. It is stored in clear: it is needed to find the key.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Stretching {
    salt: [u8; 16],
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Stretching {
    /// The second recommendation of RFC 9106, 64 MiB and three passes, on one lane: the
    /// implementation uses one core.
    pub(crate) fn recommended(random: &mut dyn Random) -> Self {
        Self { salt: random.array(), memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }

    /// The key of `passphrase`.
    pub(crate) fn stretch(&self, passphrase: &SecretBytes) -> Result<Secret<32>, UnlockError> {
        // A store whose header was tampered with must neither exhaust memory nor make the stored
        // key cheaper to guess.
        let sane = (MIN_MEMORY_KIB..=MAX_MEMORY_KIB).contains(&self.memory_kib)
            && (MIN_PASSES..=MAX_PASSES).contains(&self.passes)
            && (1..=MAX_LANES).contains(&self.lanes);
        if !sane {
            return Err(UnlockError::UnsafeParameters);
        }
        let mut key = Secret::new([0; 32]);
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .map_err(|_| UnlockError::UnsafeParameters)?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose(), &self.salt, key.expose_mut())
            .map_err(|_| UnlockError::OutOfMemory)?;
        Ok(key)
    }
}

/// The least memory: OWASP's floor for Argon2id, 19 MiB with two passes.
const MIN_MEMORY_KIB: u32 = 19 * 1024;
/// The least passes, with that memory.
const MIN_PASSES: u32 = 2;
/// The most memory that a stored header may ask for: 1 GiB, which any machine that runs an agent
/// can swap through.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
/// The most passes: with the most memory some ten seconds.
const MAX_PASSES: u32 = 16;
/// The most lanes: more than RFC 9106 recommends anywhere.
const MAX_LANES: u32 = 16;

#[cfg(test)]
mod tests {
    use meshwork_protocols::secret::SecretBytes;

    use super::{MAX_MEMORY_KIB, MAX_PASSES, MIN_MEMORY_KIB, MIN_PASSES, Stretching};
    use crate::UnlockError;

    const LEAST: Stretching =
        Stretching { salt: [7; 16], memory_kib: MIN_MEMORY_KIB, passes: MIN_PASSES, lanes: 1 };

    fn stretch(stretching: Stretching) -> Result<(), UnlockError> {
        stretching.stretch(&SecretBytes::new(b"open sesame".to_vec())).map(|_| ())
    }

    #[test]
    fn parameters_below_the_least_or_above_the_most_are_refused_unspent() {
        assert_eq!(stretch(LEAST), Ok(()));
        for outside in [
            Stretching { memory_kib: MIN_MEMORY_KIB - 1, ..LEAST },
            Stretching { memory_kib: MAX_MEMORY_KIB + 1, ..LEAST },
            Stretching { memory_kib: u32::MAX, ..LEAST },
            Stretching { passes: MIN_PASSES - 1, ..LEAST },
            Stretching { passes: MAX_PASSES + 1, ..LEAST },
            Stretching { lanes: 0, ..LEAST },
            Stretching { lanes: 17, ..LEAST },
        ] {
            assert_eq!(stretch(outside), Err(UnlockError::UnsafeParameters));
        }
    }

    #[test]
    fn another_salt_gives_another_key() {
        let passphrase = SecretBytes::new(b"open sesame".to_vec());
        let other = Stretching { salt: [8; 16], ..LEAST };
        assert_ne!(LEAST.stretch(&passphrase).unwrap(), other.stretch(&passphrase).unwrap());
    }
}
