//! X-Wing (draft-connolly-cfrg-xwing-kem): X25519 and ML-KEM-768 in one KEM, whose shared secret
//! stays secret while one of the two holds.
//!
//! A private key is the 32 bytes from which everything else follows. Knows nothing of HPKE.

use alloc::vec::Vec;

use crate::provider::{CryptoError, FleetProvider, Kem};
use crate::random::Random;
use crate::secret::{Secret, SecretBytes};

/// Bytes of a public key.
pub const PUBLIC_LENGTH: usize = ML_KEM_PUBLIC + 32;
/// Bytes of a ciphertext.
pub const CIPHERTEXT_LENGTH: usize = ML_KEM_CIPHERTEXT + 32;

/// The public key of a private one.
pub fn public(provider: &dyn FleetProvider, private: &Secret<32>) -> Result<Vec<u8>, CryptoError> {
    let key = Expanded::new(provider, private)?;
    Ok([&*key.ml_kem_public, &provider.x25519_public(&key.x25519)].concat())
}

/// A fresh shared secret and its ciphertext to `public`. Takes the randomness of ML-KEM first; a
/// provider that does not honour it there still takes X25519's.
pub fn encapsulate(
    provider: &dyn FleetProvider,
    public: &[u8],
    random: &mut dyn Random,
) -> Result<(Vec<u8>, Secret<32>), CryptoError> {
    let (ml_kem_public, x25519_public) = split(public)?;
    let (ml_kem_public, x25519_public): (&[u8; ML_KEM_PUBLIC], _) = (ml_kem_public, x25519_public);
    let (mut ciphertext, ml_kem_shared) =
        provider.kem_encapsulate(Kem::MlKem768, ml_kem_public, random)?;
    let ephemeral = provider.x25519_key(&Secret::random(random));
    let x25519_shared = ephemeral.agree(x25519_public)?;
    let shared =
        combine(provider, &ml_kem_shared, &x25519_shared, ephemeral.public(), x25519_public);
    ciphertext.extend_from_slice(ephemeral.public());
    Ok((ciphertext, shared))
}

/// The shared secret inside `ciphertext`. One that was made for another key gives a secret that
/// nobody shares; one whose X25519 part has low order is an error.
pub fn decapsulate(
    provider: &dyn FleetProvider,
    private: &Secret<32>,
    ciphertext: &[u8],
) -> Result<Secret<32>, CryptoError> {
    let (ml_kem_part, x25519_part) = split(ciphertext)?;
    let (ml_kem_part, x25519_part): (&[u8; ML_KEM_CIPHERTEXT], _) = (ml_kem_part, x25519_part);
    let key = Expanded::new(provider, private)?;
    let ml_kem_shared = provider.kem_decapsulate(Kem::MlKem768, &key.ml_kem_secret, ml_kem_part)?;
    let x25519 = provider.x25519_key(&key.x25519);
    let x25519_shared = x25519.agree(x25519_part)?;
    Ok(combine(provider, &ml_kem_shared, &x25519_shared, x25519_part, x25519.public()))
}

/// What a private key expands to.
struct Expanded {
    ml_kem_public: Vec<u8>,
    ml_kem_secret: SecretBytes,
    x25519: Secret<32>,
}

impl Expanded {
    fn new(provider: &dyn FleetProvider, private: &Secret<32>) -> Result<Self, CryptoError> {
        let mut expanded = Secret::<96>::new([0; 96]);
        provider.shake256_into(private.expose(), expanded.expose_mut());
        let (seed, x25519) =
            expanded.expose().split_first_chunk::<64>().ok_or(CryptoError::WrongLength)?;
        let pair = provider.ml_kem_768_from_seed(&Secret::from(seed))?;
        let x25519 = Secret::from_slice(x25519).ok_or(CryptoError::WrongLength)?;
        Ok(Self { ml_kem_public: pair.public, ml_kem_secret: pair.secret, x25519 })
    }
}

/// The two parts of a public key or a ciphertext.
fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8; 32]), CryptoError> {
    let (first, rest) = bytes.split_first_chunk().ok_or(CryptoError::WrongLength)?;
    Ok((first, rest.try_into().map_err(|_| CryptoError::WrongLength)?))
}

/// ML-KEM binds its ciphertext and key by itself; X25519's stand in the hash.
fn combine(
    provider: &dyn FleetProvider,
    ml_kem_shared: &Secret<32>,
    x25519_shared: &Secret<32>,
    x25519_ciphertext: &[u8; 32],
    x25519_public: &[u8; 32],
) -> Secret<32> {
    provider.sha3_256(&[
        ml_kem_shared.expose(),
        x25519_shared.expose(),
        x25519_ciphertext,
        x25519_public,
        LABEL,
    ])
}

/// The draft's picture of an X-wing.
const LABEL: &[u8] = br"\.//^\";

const ML_KEM_PUBLIC: usize = Kem::MlKem768.public_length();
const ML_KEM_CIPHERTEXT: usize = Kem::MlKem768.ciphertext_length();
