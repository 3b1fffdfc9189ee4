//! An introduction: what proves, inside the first messages of a session, whose session it is.
//!
//! PQXDH authenticates its initiator by a curve alone. Here the signing pair of the sender's card
//! answers for the session, so that who breaks one of the two schemes can still not begin one in
//! another's name. It gives up deniability of first contact.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::bundle::BundleMark;
use crate::deferred::curve_key::CurvePublic;
use crate::deferred::prekey_id::PrekeyId;
use crate::deferred::stored;
use crate::deferred::suite::Suite;
use crate::deferred::wire::{FirstFields, FirstMessage};
use crate::identity::{
    AgentId, Card, CardError, HybridSignature, Purpose, SigningPair, Unverified,
};
use crate::provider::{CryptoError, Provider};
use crate::random::Random;
use crate::time::WallTime;

/// A card, and its signing pair's signature over what the session began with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Introduction {
    #[serde(with = "stored::bytes")]
    card: Vec<u8>,
    signature: HybridSignature,
}

/// What a session began with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Beginning {
    sender: AgentId,
    recipient: AgentId,
    bundle: [u8; 32],
    identity: CurvePublic,
    base_key: CurvePublic,
    one_time: Option<PrekeyId>,
    signed: PrekeyId,
    kem: PrekeyId,
    kem_ciphertext: [u8; 32],
}

impl Beginning {
    /// As its initiator knows it.
    pub(super) fn of_fields(
        provider: &dyn Provider,
        ends: [AgentId; 2],
        bundle: &BundleMark,
        identity: &CurvePublic,
        fields: &FirstFields,
    ) -> Self {
        let [sender, recipient] = ends;
        Self {
            sender,
            recipient,
            bundle: bundle.hash,
            identity: *identity,
            base_key: fields.base_key,
            one_time: fields.one_time,
            signed: fields.signed,
            kem: fields.kem.id,
            kem_ciphertext: provider.digest(&[&fields.kem.ciphertext]),
        }
    }

    /// As its first messages show it.
    pub fn of_first(
        provider: &dyn Provider,
        ends: [AgentId; 2],
        bundle: &BundleMark,
        first: &FirstMessage<'_>,
    ) -> Self {
        let [sender, recipient] = ends;
        Self {
            sender,
            recipient,
            bundle: bundle.hash,
            identity: first.identity,
            base_key: first.base_key,
            one_time: first.one_time,
            signed: first.signed,
            kem: first.kem,
            kem_ciphertext: provider.digest(&[first.kem_ciphertext]),
        }
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let one_time = self.one_time.map(|id| id.0);
        [
            &[Suite::MlKem1024.code()],
            self.sender.as_bytes().as_slice(),
            self.recipient.as_bytes(),
            &self.bundle,
            &self.identity.encode(),
            &self.base_key.encode(),
            &[u8::from(one_time.is_some())],
            &one_time.unwrap_or(0).to_be_bytes(),
            &self.signed.0.to_be_bytes(),
            &self.kem.0.to_be_bytes(),
            &self.kem_ciphertext,
        ]
        .concat()
    }
}

/// What the label of a handshake between our agents ends with.
pub(super) fn handshake_context(bundle: &BundleMark, ends: [AgentId; 2]) -> Vec<u8> {
    let [initiator, responder] = ends;
    [bundle.hash, *initiator.as_bytes(), *responder.as_bytes()].concat()
}

impl Introduction {
    /// Introduces the owner of `card` and `pair`.
    pub fn sign(
        card: &Card,
        pair: &SigningPair,
        beginning: &Beginning,
        random: &mut dyn Random,
    ) -> Result<Self, CryptoError> {
        let signature = pair.sign(Purpose::Introduction, &beginning.signed_bytes(), random)?;
        Ok(Self { card: card.as_bytes().to_vec(), signature })
    }

    /// The sender's card, if it and its pair's signature over this very beginning verify.
    pub fn verify(
        &self,
        provider: &dyn Provider,
        beginning: &Beginning,
        now: WallTime,
    ) -> Result<Card, IntroductionError> {
        // 1. The card is whole and counts now.
        let card = Unverified::<Card>::parse(&self.card)?.verify(provider, now)?;
        // 2. It is the sender's.
        if card.agent() != beginning.sender {
            return Err(IntroductionError::WrongSender);
        }
        // 3. It names the identity that the handshake used.
        if card.deferred_identity() != Some(beginning.identity.encode().as_slice()) {
            return Err(IntroductionError::WrongIdentity);
        }
        // 4. Both halves of the signature are over what this session began with.
        card.signing_pair()
            .verify(provider, Purpose::Introduction, &beginning.signed_bytes(), &self.signature)
            .map_err(|_| IntroductionError::BadSignature)?;
        Ok(card)
    }
}

/// Why an introduction introduces nobody. The sender is at fault, or its card is out of date.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IntroductionError {
    /// The card does not verify.
    #[error("the introduction's card is none to go by: {0}")]
    Card(#[from] CardError),
    /// The card is another agent's.
    #[error("the introduction's card is not the sender's")]
    WrongSender,
    /// The card names another deferred identity.
    #[error("the session's identity is not the one of the sender's card")]
    WrongIdentity,
    /// A half of the signature does not verify.
    #[error("the introduction's signature does not verify")]
    BadSignature,
}
