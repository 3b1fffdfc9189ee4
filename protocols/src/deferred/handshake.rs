//! PQXDH: what two identities, a signed prekey, a KEM prekey and perhaps a one-time prekey agree on.
//!
//! Handshake and ratchet meet here: [`initiate`] gives what the first messages will say and the
//! secrets that the ratchet begins with; [`respond`] gives the same secrets out of what they said.
//! Knows nothing of signatures: bundles are verified before, and introductions behind.

use alloc::vec::Vec;

use super::curve_key::{CurveKey, CurvePublic};
use super::kem_key::{KemKey, KemPublic};
use super::prekey_id::PrekeyId;
use super::wire::{FirstMessage, KemPart};
use crate::provider::{CryptoError, DeferredProvider};
use crate::random::Random;
use crate::secret::{Secret, SecretBytes};

/// What a verified bundle offers.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Whose it is.
    pub identity: CurvePublic,
    /// The key that is signed, and that becomes the first ratchet key.
    pub signed: (PrekeyId, CurvePublic),
    /// The KEM key; its type byte names the suite.
    pub kem: (PrekeyId, KemPublic),
    /// A key for this one use.
    pub one_time: Option<(PrekeyId, CurvePublic)>,
}

/// What the initiator tells, in each message until it is answered.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The key that was made for this session.
    pub base_key: CurvePublic,
    /// The one-time key used.
    pub one_time: Option<PrekeyId>,
    /// The signed key used.
    pub signed: PrekeyId,
    /// The KEM key used, and what was encapsulated to it.
    pub kem: KemPart,
}

/// What both ends know then.
#[derive(Debug)]
pub struct Agreement {
    /// The first root.
    pub root: Secret<32>,
    /// The first chain, which is the responder's.
    pub chain: Secret<32>,
    /// What the braid begins with.
    pub braid: Secret<32>,
}

/// The secret keys that a first message names.
#[derive(Debug)]
pub struct Prekeys<'a> {
    /// The signed one.
    pub signed: &'a CurveKey,
    /// The KEM one.
    pub kem: &'a KemKey,
    /// The one-time one, where the message names one.
    pub one_time: Option<&'a CurveKey>,
}

/// Begins a session with whoever made the offer. `context` ends the derivation's label: nothing
/// towards the official client.
pub fn initiate(
    provider: &dyn DeferredProvider,
    identity: &CurveKey,
    offer: &Offer,
    context: &[u8],
    random: &mut dyn Random,
) -> Result<(Opening, Agreement), CryptoError> {
    let base = CurveKey::generate(provider, random);
    let (kem_id, kem) = &offer.kem;
    let (ciphertext, encapsulated) = kem.encapsulate(provider, random)?;
    let mut input = Input::default();
    input.add(&identity.agree(provider, &offer.signed.1)?);
    input.add(&base.agree(provider, &offer.identity)?);
    input.add(&base.agree(provider, &offer.signed.1)?);
    if let Some((_, one_time)) = &offer.one_time {
        input.add(&base.agree(provider, one_time)?);
    }
    input.add(&encapsulated);
    let opening = Opening {
        base_key: *base.public(),
        one_time: offer.one_time.as_ref().map(|(id, _)| *id),
        signed: offer.signed.0,
        kem: KemPart { id: *kem_id, ciphertext },
    };
    let label = [kem.suite().label(), context].concat();
    Ok((opening, input.derive(provider, &label)?))
}

/// What the sender of `first` agreed on with the owner of these keys.
pub fn respond(
    provider: &dyn DeferredProvider,
    identity: &CurveKey,
    prekeys: &Prekeys<'_>,
    first: &FirstMessage<'_>,
    context: &[u8],
) -> Result<Agreement, CryptoError> {
    // One key in two encodings would make one session two.
    provider.x25519_check_strict(first.base_key.u())?;
    let mut input = Input::default();
    input.add(&prekeys.signed.agree(provider, &first.identity)?);
    input.add(&identity.agree(provider, &first.base_key)?);
    input.add(&prekeys.signed.agree(provider, &first.base_key)?);
    if let Some(one_time) = prekeys.one_time {
        input.add(&one_time.agree(provider, &first.base_key)?);
    }
    input.add(&prekeys.kem.decapsulate(provider, first.kem_ciphertext)?);
    let label = [prekeys.kem.suite().label(), context].concat();
    input.derive(provider, &label)
}

/// The key material, in the order of the specification.
struct Input(SecretBytes);

impl Default for Input {
    fn default() -> Self {
        // With room for all of it, so that growing leaves no copy.
        let mut bytes = Vec::with_capacity(6 * 32);
        bytes.extend_from_slice(&[0xff; 32]);
        Self(SecretBytes::new(bytes))
    }
}

impl Input {
    fn add(&mut self, secret: &Secret<32>) {
        self.0.extend(secret.expose());
    }

    fn derive(
        &self,
        provider: &dyn DeferredProvider,
        label: &[u8],
    ) -> Result<Agreement, CryptoError> {
        let mut keys = Secret::<96>::new([0; 96]);
        provider.hkdf_sha256(&[0; 32], self.0.expose(), label, keys.expose_mut())?;
        match keys.expose().as_chunks().0 {
            [root, chain, braid] => Ok(Agreement {
                root: Secret::from(root),
                chain: Secret::from(chain),
                braid: Secret::from(braid),
            }),
            _ => Err(CryptoError::ProviderFailed),
        }
    }
}
