//! A bundle: the keys to which others may seal a first message, under one hybrid signature.
//!
//! ```text
//! version (1) || body || hybrid signature (3373)
//! ```
//!
//! The signature is over every byte before it. One-time keys are not in it: each travels with the
//! signature of its [pool](super::pool).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::deferred::curve_key::CurvePublic;
use crate::deferred::handshake::Offer;
use crate::deferred::kem_key::KemPublic;
use crate::deferred::prekey_id::PrekeyId;
use crate::deferred::suite::Suite;
use crate::identity::armour::Armour;
use crate::identity::{
    AgentId, ArmourError, Card, EncodingError, HybridSignature, Purpose, Sequence, SigningPair,
    Unverified, Verifiable, canonical,
};
use crate::provider::{CryptoError, Provider};
use crate::random::Random;
use crate::time::{CLOCK_TOLERANCE, WallTime};

/// How long a bundle may count: its keys are replaced each week, and a copy that somebody kept must
/// not count for ever.
pub const MAX_VALIDITY: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The most bytes of a bundle, which has some 5,200.
pub const MAX_BUNDLE_LENGTH: usize = 8 * 1024;

/// The number of a bundle among those of its agent. A higher one replaces.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct BundleNumber(pub u64);

/// Which bundle of its agent one is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct BundleMark {
    /// Its number.
    pub number: BundleNumber,
    /// SHA-256 of every byte of it.
    pub hash: [u8; 32],
}

/// All that a bundle says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BundleBody {
    /// Whose it is.
    pub agent: AgentId,
    /// The card that names the signing pair and the deferred identity.
    pub card: Sequence,
    /// The suite of the KEM key.
    pub suite: Suite,
    /// The deferred identity.
    pub identity: CurvePublic,
    /// The signed prekey.
    pub signed: (PrekeyId, CurvePublic),
    /// The KEM prekey, the last resort of all who write first.
    pub kem: (PrekeyId, KemPublic),
    /// Its number.
    pub number: BundleNumber,
    /// When it begins to count.
    pub not_before: WallTime,
    /// When it ceases to.
    pub not_after: WallTime,
    /// Who keeps mail for the agent.
    pub relay: Option<AgentId>,
}

/// A verified bundle.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bundle {
    claim: BundleClaim,
    hash: [u8; 32],
}

impl Bundle {
    /// Signs a body.
    pub fn sign(
        provider: &dyn Provider,
        pair: &SigningPair,
        body: BundleBody,
        random: &mut dyn Random,
    ) -> Result<Self, BundleError> {
        body.check()?;
        let mut bytes = Vec::from([VERSION]);
        bytes.extend(canonical::encode(&body)?);
        let signature = pair.sign(Purpose::Bundle, &bytes, random)?;
        bytes.extend_from_slice(signature.as_bytes());
        Ok(BundleClaim { bytes, body }.adopt(provider))
    }

    /// Every byte of it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.claim.bytes
    }

    /// All that it says.
    pub fn body(&self) -> &BundleBody {
        &self.claim.body
    }

    /// Which bundle of its agent it is.
    pub fn mark(&self) -> BundleMark {
        BundleMark { number: self.body().number, hash: self.hash }
    }

    /// Whether it counts `now`.
    pub fn check_validity(&self, now: WallTime) -> Result<(), BundleError> {
        self.body().check_validity(now)
    }

    /// What a handshake begins with. The one-time key is a verified one of the agent's pool.
    pub fn offer(&self, one_time: Option<(PrekeyId, CurvePublic)>) -> Offer {
        let body = self.body();
        Offer { identity: body.identity, signed: body.signed, kem: body.kem.clone(), one_time }
    }
}

impl BundleBody {
    /// The rules that hold whoever signed it.
    fn check(&self) -> Result<(), BundleError> {
        if self.suite != Suite::MlKem1024 || self.kem.1.suite() != self.suite {
            return Err(BundleError::WrongSuite);
        }
        if self.not_after < self.not_before
            || self.not_after.saturating_since(self.not_before) > MAX_VALIDITY
        {
            return Err(BundleError::BadValidity);
        }
        Ok(())
    }

    fn check_validity(&self, now: WallTime) -> Result<(), BundleError> {
        if now + CLOCK_TOLERANCE < self.not_before {
            return Err(BundleError::NotYetValid(self.not_before));
        }
        if now > self.not_after + CLOCK_TOLERANCE {
            return Err(BundleError::Expired(self.not_after));
        }
        Ok(())
    }
}

impl Verifiable for Bundle {
    type Claim = BundleClaim;
}

/// What parsing a bundle yields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BundleClaim {
    bytes: Vec<u8>,
    body: BundleBody,
}

impl BundleClaim {
    fn adopt(self, provider: &dyn Provider) -> Bundle {
        let hash = provider.digest(&[&self.bytes]);
        Bundle { claim: self, hash }
    }
}

impl Unverified<Bundle> {
    /// Reads the text of a bundle without believing it.
    pub fn parse_text(text: &str) -> Result<Self, BundleError> {
        Self::parse(Armour::Bundle.decode(text, MAX_BUNDLE_LENGTH)?.expose())
    }

    /// Reads a bundle without believing it.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > MAX_BUNDLE_LENGTH {
            return Err(BundleError::TooLong);
        }
        let (signed, _) =
            bytes.split_last_chunk::<{ HybridSignature::LENGTH }>().ok_or(BundleError::TooShort)?;
        let (version, body) = signed.split_first().ok_or(BundleError::TooShort)?;
        if *version != VERSION {
            return Err(BundleError::UnsupportedVersion(*version));
        }
        let body: BundleBody = canonical::decode(body)?;
        body.check()?;
        Ok(Self(BundleClaim { bytes: bytes.to_vec(), body }))
    }

    /// Believes it, if the agent of `card` answers for it, it counts `now`, and it is not older than
    /// the newest bundle `seen` of that agent. No key of one's own is used for this.
    pub fn verify(
        self,
        provider: &dyn Provider,
        card: &Card,
        seen: Option<&BundleMark>,
        now: WallTime,
    ) -> Result<Bundle, BundleError> {
        let body = &self.0.body;
        // 1. It is of the card's agent, and the card is not older than the one that it names.
        if body.agent != card.agent() {
            return Err(BundleError::WrongAgent);
        }
        if body.card > card.sequence() {
            return Err(BundleError::CardTooOld(body.card));
        }
        // 2. The card names its identity.
        if card.deferred_identity() != Some(body.identity.encode().as_slice()) {
            return Err(BundleError::WrongIdentity);
        }
        // 3. It counts now.
        body.check_validity(now)?;
        // 4. Nothing newer was seen, nor another of the same number.
        let bundle = self.0.adopt(provider);
        if let Some(seen) = seen {
            if bundle.body().number < seen.number {
                return Err(BundleError::Older);
            }
            if bundle.body().number == seen.number && bundle.hash != seen.hash {
                return Err(BundleError::Conflict);
            }
        }
        // 5. Both halves of the signature are by the card's pair, over every byte before them.
        let (signed, signature) = bundle
            .as_bytes()
            .split_last_chunk::<{ HybridSignature::LENGTH }>()
            .ok_or(BundleError::TooShort)?;
        card.signing_pair()
            .verify(provider, Purpose::Bundle, signed, &HybridSignature::from_bytes(signature))
            .map_err(|_| BundleError::BadSignature)?;
        Ok(bundle)
    }

    /// Every byte of it, as it came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The bytes as text, for a file or a mail.
    pub fn to_text(&self) -> String {
        Armour::Bundle.encode(&self.0.bytes)
    }

    /// Whose it says it is.
    pub fn claimed_agent(&self) -> AgentId {
        self.0.body.agent
    }

    /// What it says: for who knows already whose it is, or shows it.
    pub fn claimed_body(&self) -> &BundleBody {
        &self.0.body
    }
}

/// Why bytes are no bundle to seal to. Apart from those that another moment may judge otherwise, it
/// is the fault of whoever made or delivered it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Longer than a bundle may be.
    #[error("the bundle is longer than {MAX_BUNDLE_LENGTH} bytes")]
    TooLong,
    /// There is no room for its parts.
    #[error("the bundle is cut short")]
    TooShort,
    /// A format that this version does not read.
    #[error("format version {0} of a bundle is not one that this version reads")]
    UnsupportedVersion(u8),
    /// Its text is none.
    #[error("{0}")]
    Text(#[from] ArmourError),
    /// Its body is not encoded as a body is.
    #[error("the bundle is malformed: {0}")]
    Encoding(#[from] EncodingError),
    /// It is not of the suite of our agents.
    #[error("the bundle is not of suite 0x0A")]
    WrongSuite,
    /// It ends before it begins, or counts for longer than a bundle may.
    #[error("the bundle's validity is not one of at most 14 days")]
    BadValidity,
    /// It is another agent's.
    #[error("the bundle is another agent's")]
    WrongAgent,
    /// It was signed under a newer card: fetch that one.
    #[error("the bundle was signed under card {0}, which is newer than the one at hand")]
    CardTooOld(Sequence),
    /// The card names another deferred identity.
    #[error("the bundle's identity is not the one of the card")]
    WrongIdentity,
    /// It starts later than now.
    #[error("the bundle is not valid before {0}")]
    NotYetValid(WallTime),
    /// It has ended.
    #[error("the bundle expired at {0}")]
    Expired(WallTime),
    /// A newer one was seen.
    #[error("a newer bundle of this agent was seen")]
    Older,
    /// Another one of the same number was seen.
    #[error("another bundle of the same number was seen")]
    Conflict,
    /// A half of the signature does not verify.
    #[error("the bundle's signature does not verify")]
    BadSignature,
    /// The provider made no signature.
    #[error("the bundle could not be signed: {0}")]
    Signing(#[from] CryptoError),
}

impl fmt::Display for BundleNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const VERSION: u8 = 1;

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests;
