//! A key agreement that agrees: powers modulo the Mersenne prime 2^61 - 1.

use std::fmt;

use meshwork_protocols::provider::{CryptoError, X25519Key};
use meshwork_protocols::secret::Secret;

use super::mix::{Domain, Mixer};

/// A key made ready.
pub(super) struct SimulatedX25519 {
    secret: Secret<32>,
    public: [u8; 32],
}

impl SimulatedX25519 {
    pub(super) fn new(secret: &Secret<32>) -> Self {
        Self { secret: secret.clone(), public: public(secret) }
    }
}

impl X25519Key for SimulatedX25519 {
    fn public(&self) -> &[u8; 32] {
        &self.public
    }

    fn agree(&self, public: &[u8; 32]) -> Result<Secret<32>, CryptoError> {
        agree(&self.secret, public)
    }
}

impl fmt::Debug for SimulatedX25519 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedX25519(..)")
    }
}

/// The public key: a power of the generator, then 24 bytes that follow from it.
pub(super) fn public(secret: &Secret<32>) -> [u8; 32] {
    encode(power(GENERATOR, exponent(secret)))
}

/// What both ends come to. A changed public key gives a secret that nobody shares, as on the
/// curve; zeros are refused, as a point of low order is.
fn agree(secret: &Secret<32>, public: &[u8; 32]) -> Result<Secret<32>, CryptoError> {
    if public == &[0; 32] {
        return Err(CryptoError::InvalidKey);
    }
    let Some(element) = element(public) else {
        let nobody = Mixer::new(Domain::DhNobody).with_sized(secret.expose()).with_sized(public);
        return Ok(Secret::new(nobody.finish()));
    };
    let shared = power(element, exponent(secret));
    Ok(Secret::new(Mixer::new(Domain::DhShared).with_sized(&shared.to_le_bytes()).finish()))
}

/// The power that a public key is; nothing where it is none.
pub(super) fn element(public: &[u8; 32]) -> Option<u64> {
    let element = u64::from_le_bytes(*public.first_chunk()?);
    ((2..PRIME).contains(&element) && encode(element) == *public).then_some(element)
}

fn exponent(secret: &Secret<32>) -> u64 {
    let mixed = Mixer::new(Domain::DhExponent).with_sized(secret.expose()).finish();
    u64::from_le_bytes(*mixed.first_chunk().unwrap_or(&[0; 8])) % (PRIME - 3) + 2
}

fn encode(element: u64) -> [u8; 32] {
    let bytes = element.to_le_bytes();
    let padding = Mixer::new(Domain::DhPadding).with_sized(&bytes).finish();
    let mut public = [0; 32];
    for (to, from) in public.iter_mut().zip(bytes.iter().chain(&padding)) {
        *to = *from;
    }
    public
}

fn power(base: u64, mut exponent: u64) -> u64 {
    let (mut result, mut square) = (1, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, square);
        }
        square = times(square, square);
        exponent >>= 1;
    }
    result
}

/// The product of two residues: 2^61 is 1, so the high part is added to the low one.
fn times(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let (low, high) = (product & u128::from(PRIME), product >> 61);
    let sum = u64::try_from(low + high).unwrap_or(0);
    if sum >= PRIME { sum - PRIME } else { sum }
}

const PRIME: u64 = (1 << 61) - 1;

/// Generates the whole multiplicative group.
const GENERATOR: u64 = 37;
