//! Signatures with the sizes of Ed25519 and ML-DSA-65. The public key is what they are keyed by.

use meshwork_protocols::provider::{CryptoError, Signature, SigningKey};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;

use super::mix::{Domain, Mixer};

/// A key that signs.
#[derive(Debug)]
pub(super) struct SimulatedSigningKey {
    algorithm: Signature,
    public: Vec<u8>,
}

impl SimulatedSigningKey {
    pub(super) fn new(algorithm: Signature, seed: &Secret<32>) -> Self {
        let mut public = vec![0; algorithm.public_length()];
        Mixer::new(Domain::SigningPublic)
            .with_sized(&[code(algorithm)])
            .with_sized(seed.expose())
            .expand(&mut public);
        Self { algorithm, public }
    }
}

impl SigningKey for SimulatedSigningKey {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn sign(&self, message: &[u8], random: &mut dyn Random) -> Result<Vec<u8>, CryptoError> {
        let mut hedge = [0; HEDGE];
        if self.algorithm == Signature::MlDsa65 {
            random.fill(&mut hedge);
        }
        Ok(sign(self.algorithm, &self.public, message, &hedge))
    }
}

pub(super) fn verify(
    algorithm: Signature,
    public: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    if public.len() != algorithm.public_length() {
        return Err(CryptoError::InvalidKey);
    }
    let hedge = signature.first_chunk::<HEDGE>().ok_or(CryptoError::InvalidSignature)?;
    if sign(algorithm, public, message, hedge) == signature {
        Ok(())
    } else {
        Err(CryptoError::InvalidSignature)
    }
}

/// The hedge, then what follows from everything.
fn sign(algorithm: Signature, public: &[u8], message: &[u8], hedge: &[u8; HEDGE]) -> Vec<u8> {
    let mut signature = vec![0; algorithm.signature_length()];
    if let Some((head, rest)) = signature.split_first_chunk_mut::<HEDGE>() {
        *head = *hedge;
        Mixer::new(Domain::Signature)
            .with_sized(&[code(algorithm)])
            .with_sized(public)
            .with_sized(hedge)
            .with_sized(message)
            .expand(rest);
    }
    signature
}

const fn code(algorithm: Signature) -> u8 {
    match algorithm {
        Signature::Ed25519 => 1,
        Signature::MlDsa65 => 2,
    }
}

/// Bytes of randomness in a signature.
const HEDGE: usize = 32;
