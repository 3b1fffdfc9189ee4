//! An offer: a key package by which an agent can be added to a fleet while it is away, under the
//! hybrid signature of its signing pair.
//!
//! ```text
//! version (1) || agent id (32) || card hash (32) || not before (8) || not after (8) ||
//! last resort (1) || hybrid signature (3373) || key package
//! ```
//!
//! MLS's own lifetime of a key package never ends, since who processes an addition would judge it by
//! its clock and members would part ways. Its validity is the one here, and is judged by the one
//! who adds and by the relay alone. What is signed names the key package by its hash, so that the
//! signature can travel in the commit without it ([`EntryProof`]).

use alloc::vec::Vec;
use core::time::Duration;

use openmls::key_packages::{KeyPackage, KeyPackageIn, Lifetime};
use openmls::prelude::hash_ref::KeyPackageRef;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::versions::ProtocolVersion;
use openmls_traits::OpenMlsProvider;
use serde::{Deserialize, Serialize};

use super::credential::Credential;
use super::error::{GroupError, OfferError, Refusal};
use super::mls::{Label, Mls};
use super::suite::Suite;
use super::{Local, Step, Surroundings};
use crate::identity::{
    AgentId, Card, CardHash, HybridSignature, Purpose, Unverified, Validity, Verifiable, canonical,
};
use crate::provider::Provider;
use crate::time::{CLOCK_TOLERANCE, WallTime};

/// How long an offer may count: as long as a card.
pub const MAX_OFFER_VALIDITY: Duration = Validity::MAX;

/// The most bytes of a key package, which has some 2,700.
pub const MAX_KEY_PACKAGE_LENGTH: usize = 8 * 1024;

/// What the signing pair says of a key package.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EntryProof {
    /// SHA-256 of the key package.
    pub package: [u8; 32],
    /// When the offer begins to count.
    pub not_before: WallTime,
    /// When it ceases to.
    pub not_after: WallTime,
    /// Whether it may serve more than once.
    pub last_resort: bool,
    /// The signing pair's signature.
    signature: HybridSignature,
}

impl EntryProof {
    /// Whether the pair of `card` signed it, for the agent of `card` and that very card.
    pub(super) fn verify(&self, provider: &dyn Provider, card: &Card) -> Result<(), Refusal> {
        let message = self.signed_bytes(&Credential::of(card));
        card.signing_pair()
            .verify(provider, Purpose::KeyPackage, &message, &self.signature)
            .map_err(|_| Refusal::NotSigned(card.agent()))
    }

    fn signed_bytes(&self, credential: &Credential) -> Vec<u8> {
        signed_bytes(credential, &self.package, (self.not_before, self.not_after), self.last_resort)
    }
}

/// A verified offer.
#[derive(Clone, Debug)]
pub struct Offer {
    claim: OfferClaim,
    package: KeyPackage,
}

/// What parsing an offer yields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OfferClaim {
    credential: Credential,
    proof: EntryProof,
    package: Vec<u8>,
}

impl Verifiable for Offer {
    type Claim = OfferClaim;
}

impl Offer {
    /// Makes a key package, whose private keys stand in the step's rows, and signs it.
    pub fn make(
        around: &mut Surroundings<'_>,
        local: &Local<'_>,
        not_after: WallTime,
        last_resort: bool,
    ) -> Result<Step<Self>, OfferError> {
        if !local.key.is_of(local.card) {
            return Err(OfferError::KeyNotInCard);
        }
        let not_before = around.now;
        check_validity(not_before, not_after)?;
        let mls = around.mls();
        let credential = Credential::of(local.card);
        let mut builder = KeyPackage::builder()
            .key_package_lifetime(endless())
            .leaf_node_capabilities(around.suite.capabilities());
        if last_resort {
            builder = builder.mark_as_last_resort();
        }
        let suite = around.suite.of_openmls();
        let package = builder
            .build(suite, &mls, local.key, credential.with_key(local.key))
            .map_err(|_| OfferError::Internal)?
            .into_key_package();
        let bytes = package.tls_serialize_detached().map_err(|_| OfferError::Internal)?;
        let hash = around.digest(&[&bytes]);
        let message = signed_bytes(&credential, &hash, (not_before, not_after), last_resort);
        let signature = local.pair.sign(Purpose::KeyPackage, &message, around.random)?;
        let proof = EntryProof { package: hash, not_before, not_after, last_resort, signature };
        let claim = OfferClaim { credential, proof, package: bytes };
        Ok(Step { output: Self { claim, package }, changes: mls.into_changes()? })
    }

    /// What its private keys are called in the rows, by which they are given up.
    pub fn name(&self, around: &mut Surroundings<'_>) -> Result<Vec<u8>, OfferError> {
        let mls = around.mls();
        let name = self.package.hash_ref(mls.crypto()).map_err(|_| OfferError::Internal)?;
        canonical::encode(&name).map_err(|_| OfferError::Internal)
    }

    /// Gives up the private keys of an offer that nobody is to use any more. One that was used, or
    /// given up before, has none.
    pub fn forget(around: &mut Surroundings<'_>, name: &[u8]) -> Result<Step<()>, GroupError> {
        let name: KeyPackageRef = canonical::decode(name).map_err(|_| GroupError::Malformed)?;
        let mls = around.mls();
        mls.overlay().delete(Label::KeyPackage, &name)?;
        Ok(Step { output: (), changes: mls.into_changes()? })
    }

    /// The bytes, for a pool.
    pub fn encode(&self) -> Vec<u8> {
        self.claim.encode()
    }

    /// Who can be added with it.
    pub fn agent(&self) -> AgentId {
        self.claim.credential.agent
    }

    /// What the commit that adds the agent carries of it.
    pub fn proof(&self) -> &EntryProof {
        &self.claim.proof
    }

    pub(super) fn package(&self) -> &KeyPackage {
        &self.package
    }
}

impl OfferClaim {
    fn encode(&self) -> Vec<u8> {
        let proof = &self.proof;
        [
            &[VERSION],
            self.credential.agent.as_bytes().as_slice(),
            self.credential.card.as_bytes(),
            &proof.not_before.as_millis().to_be_bytes(),
            &proof.not_after.as_millis().to_be_bytes(),
            &[u8::from(proof.last_resort)],
            proof.signature.as_bytes(),
            &self.package,
        ]
        .concat()
    }
}

impl Unverified<Offer> {
    /// Reads an offer without believing it.
    pub fn parse(provider: &dyn Provider, bytes: &[u8]) -> Result<Self, OfferError> {
        let (version, rest) = bytes.split_first().ok_or(OfferError::TooShort)?;
        if *version != VERSION {
            return Err(OfferError::UnsupportedVersion(*version));
        }
        let (agent, rest) = rest.split_first_chunk().ok_or(OfferError::TooShort)?;
        let (card, rest) = rest.split_first_chunk().ok_or(OfferError::TooShort)?;
        let (not_before, rest) = rest.split_first_chunk().ok_or(OfferError::TooShort)?;
        let (not_after, rest) = rest.split_first_chunk().ok_or(OfferError::TooShort)?;
        let (last_resort, rest) = rest.split_first().ok_or(OfferError::TooShort)?;
        let (signature, package) = rest.split_first_chunk().ok_or(OfferError::TooShort)?;
        if package.len() > MAX_KEY_PACKAGE_LENGTH {
            return Err(OfferError::TooLong);
        }
        let last_resort = match last_resort {
            0 => false,
            1 => true,
            _ => return Err(OfferError::Malformed),
        };
        let not_before = WallTime::from_millis(u64::from_be_bytes(*not_before));
        let not_after = WallTime::from_millis(u64::from_be_bytes(*not_after));
        check_validity(not_before, not_after)?;
        let credential =
            Credential { agent: AgentId::from_bytes(*agent), card: CardHash::from_bytes(*card) };
        let proof = EntryProof {
            package: provider.digest(&[package]),
            not_before,
            not_after,
            last_resort,
            signature: HybridSignature::from_bytes(signature),
        };
        Ok(Self(OfferClaim { credential, proof, package: package.to_vec() }))
    }

    /// Whose it says it is.
    pub fn claimed_agent(&self) -> AgentId {
        self.0.credential.agent
    }

    /// The card that it names.
    pub fn claimed_card(&self) -> CardHash {
        self.0.credential.card
    }

    /// Believes it, if the signing pair of `card` answers for it, its key package is one of `suite`
    /// for that agent, and offer and card count now.
    pub fn verify(self, around: &mut Surroundings<'_>, card: &Card) -> Result<Offer, OfferError> {
        let claim = self.0;
        // 1. It is of the card, which counts now.
        if claim.credential != Credential::of(card) {
            return Err(OfferError::WrongCard);
        }
        card.check_validity(around.now).map_err(|_| OfferError::CardNotValid)?;
        // 2. It counts now.
        if around.now + CLOCK_TOLERANCE < claim.proof.not_before {
            return Err(OfferError::NotYetValid(claim.proof.not_before));
        }
        if around.now > claim.proof.not_after + CLOCK_TOLERANCE {
            return Err(OfferError::Expired(claim.proof.not_after));
        }
        // 3. Both halves of the signature are by the card's pair.
        claim.proof.verify(around.provider, card).map_err(|_| OfferError::BadSignature)?;
        // 4. The key package is whole, of our suite, and the credential's.
        let mls = around.mls();
        let package = read_package(&mls, around.suite, &claim.package)?;
        check_package(&package, card).map_err(|_| OfferError::WrongLeaf)?;
        if package.last_resort() != claim.proof.last_resort {
            return Err(OfferError::WrongLeaf);
        }
        Ok(Offer { claim, package })
    }
}

/// Reads a key package and checks its own signatures.
fn read_package(mls: &Mls<'_>, suite: Suite, bytes: &[u8]) -> Result<KeyPackage, OfferError> {
    // The code point first: what stands behind it in another suite is not ours to judge.
    match bytes {
        [0, 1, high, low, ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            suite.check(code).map_err(OfferError::UnknownSuite)?;
        }
        _ => return Err(OfferError::Malformed),
    }
    KeyPackageIn::tls_deserialize_exact(bytes)
        .map_err(|_| OfferError::Malformed)?
        .validate(mls.crypto(), ProtocolVersion::Mls10)
        .map_err(|_| OfferError::BadKeyPackage)
}

/// A key package of the card's, and with the one lifetime that no clock ends.
pub(super) fn check_package(package: &KeyPackage, card: &Card) -> Result<(), Refusal> {
    let leaf = package.leaf_node();
    if Credential::of_mls(leaf.credential())? != Credential::of(card) {
        return Err(Refusal::ForeignCard(card.agent()));
    }
    if card.fleet_key() != Some(leaf.signature_key().as_slice()) {
        return Err(Refusal::KeyNotInCard(card.agent()));
    }
    if *package.life_time() != endless() {
        return Err(Refusal::Lifetime(card.agent()));
    }
    Ok(())
}

/// A lifetime that every clock is inside of.
pub(super) fn endless() -> Lifetime {
    Lifetime::init(0, u64::MAX >> 1)
}

fn check_validity(not_before: WallTime, not_after: WallTime) -> Result<(), OfferError> {
    if not_after < not_before || not_after.saturating_since(not_before) > MAX_OFFER_VALIDITY {
        return Err(OfferError::BadValidity);
    }
    Ok(())
}

/// What the signing pair signs.
fn signed_bytes(
    credential: &Credential,
    package: &[u8; 32],
    (not_before, not_after): (WallTime, WallTime),
    last_resort: bool,
) -> Vec<u8> {
    [
        credential.agent.as_bytes().as_slice(),
        credential.card.as_bytes(),
        package,
        &not_before.as_millis().to_be_bytes(),
        &not_after.as_millis().to_be_bytes(),
        &[u8::from(last_resort)],
    ]
    .concat()
}

const VERSION: u8 = 1;
