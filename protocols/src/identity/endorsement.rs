//! Roles that authorities give.
//!
//! An authority is an agent whose id a policy trusts; it signs with its root, so that the id alone
//! tells whose signature it is. It may let another give the same role on, in a chain of at most
//! three links. Knows nothing of what a role allows.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::armour::{Armour, ArmourError};
use super::name::Role;
use super::{AgentId, EncodingError, HybridSignature, Purpose, Root, RootPublic};
use super::{Unverified, Verifiable, canonical};
use crate::provider::{CryptoError, Provider};
use crate::random::Random;
use crate::time::{CLOCK_TOLERANCE, WallTime};

/// A role that a trusted authority gave, verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endorsement {
    /// Who has the role.
    pub subject: AgentId,
    /// The role.
    pub role: Role,
    /// The trusted authority that the chain starts from.
    pub authority: AgentId,
    /// The earliest end of a link.
    pub not_after: WallTime,
}

/// What one link of a chain says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Grant {
    /// Who gets the role.
    pub subject: AgentId,
    /// The role, the same in all links.
    pub role: Role,
    /// When the grant ends.
    pub not_after: WallTime,
    /// How many links may follow: zero lets the subject have the role and give it to nobody.
    pub delegations: u8,
}

impl Root {
    /// Starts a chain.
    pub fn endorse(
        &self,
        grant: Grant,
        random: &mut dyn Random,
    ) -> Result<Unverified<Endorsement>, EndorsementError> {
        Ok(Unverified(Chain(vec![self.sign_link(grant, random)?])))
    }

    /// Adds a link to a chain whose last one lets this root's agent do so.
    pub fn endorse_under(
        &self,
        chain: &Unverified<Endorsement>,
        grant: Grant,
        random: &mut dyn Random,
    ) -> Result<Unverified<Endorsement>, EndorsementError> {
        let mut links = chain.0.0.clone();
        let last = links.last().ok_or(EndorsementError::Empty)?;
        if last.grant.subject != self.agent() {
            return Err(EndorsementError::BrokenChain);
        }
        last.grant.check_next(&grant)?;
        links.push(self.sign_link(grant, random)?);
        Ok(Unverified(links.try_into()?))
    }

    fn sign_link(&self, grant: Grant, random: &mut dyn Random) -> Result<Link, EndorsementError> {
        let message = canonical::encode(&grant)?;
        let signature = self.sign(Purpose::Endorsement, &message, random)?;
        Ok(Link { authority: self.public().clone(), grant, signature })
    }
}

impl Verifiable for Endorsement {
    type Claim = Chain;
}

impl Unverified<Endorsement> {
    /// Reads a chain without believing it.
    pub fn parse(bytes: &[u8]) -> Result<Self, EndorsementError> {
        if bytes.len() > MAX_ENDORSEMENT_LENGTH {
            return Err(EndorsementError::TooLong);
        }
        Ok(Self(canonical::decode(bytes)?))
    }

    /// The bytes that `parse` reads.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EndorsementError> {
        Ok(canonical::encode(&self.0)?)
    }

    /// The bytes as text, for the way from the authority to the subject.
    pub fn to_text(&self) -> Result<String, EndorsementError> {
        Ok(Armour::Endorsement.encode(&self.to_bytes()?))
    }

    /// Reads the text of a chain without believing it.
    pub fn parse_text(text: &str) -> Result<Self, EndorsementError> {
        Self::parse(Armour::Endorsement.decode(text, MAX_ENDORSEMENT_LENGTH)?.expose())
    }

    /// Believes it, if `subject` got a role by it, from one of `trusted`, that has not ended.
    pub fn verify(
        &self,
        provider: &dyn Provider,
        subject: AgentId,
        trusted: &BTreeSet<AgentId>,
        now: WallTime,
    ) -> Result<Endorsement, EndorsementError> {
        let links = &self.0.0;
        let (first, last) = links.first().zip(links.last()).ok_or(EndorsementError::Empty)?;
        // 1. It starts at an authority that is trusted, and ends at the subject.
        let authority = AgentId::of(provider, &first.authority);
        if !trusted.contains(&authority) {
            return Err(EndorsementError::UntrustedAuthority(authority));
        }
        if last.grant.subject != subject {
            return Err(EndorsementError::OtherSubject);
        }
        // 2. Each link was allowed by the one before it.
        for (link, next) in links.iter().zip(links.iter().skip(1)) {
            if AgentId::of(provider, &next.authority) != link.grant.subject {
                return Err(EndorsementError::BrokenChain);
            }
            link.grant.check_next(&next.grant)?;
        }
        // 3. None has ended.
        let not_after = links.iter().map(|link| link.grant.not_after).min().unwrap_or_default();
        if now > not_after + CLOCK_TOLERANCE {
            return Err(EndorsementError::Expired(not_after));
        }
        // 4. Each is signed by its authority.
        for link in links {
            link.verify(provider)?;
        }
        Ok(Endorsement { subject, role: last.grant.role.clone(), authority, not_after })
    }

    /// How many links the chain has.
    pub fn links(&self) -> usize {
        self.0.0.len()
    }
}

impl Grant {
    /// Whether this grant lets its subject make `next`.
    fn check_next(&self, next: &Self) -> Result<(), EndorsementError> {
        if next.role != self.role {
            return Err(EndorsementError::OtherRole);
        }
        if next.delegations >= self.delegations {
            return Err(EndorsementError::NotDelegated);
        }
        Ok(())
    }
}

/// What parsing an endorsement yields: one to three links from an authority to a subject.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Vec<Link>")]
pub struct Chain(Vec<Link>);

impl TryFrom<Vec<Link>> for Chain {
    type Error = EndorsementError;

    fn try_from(links: Vec<Link>) -> Result<Self, EndorsementError> {
        match links.len() {
            0 => Err(EndorsementError::Empty),
            1..=MAX_LINKS => Ok(Self(links)),
            _ => Err(EndorsementError::TooManyLinks),
        }
    }
}

/// A signed grant. The signature's own rules bind it to the authority's keys.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Link {
    authority: RootPublic,
    grant: Grant,
    signature: HybridSignature,
}

impl Link {
    fn verify(&self, provider: &dyn Provider) -> Result<(), EndorsementError> {
        let message = canonical::encode(&self.grant)?;
        self.authority
            .keys()
            .verify(provider, Purpose::Endorsement, &message, &self.signature)
            .map_err(|_| EndorsementError::BadSignature)
    }
}

/// Why a chain gives no role.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EndorsementError {
    /// It is longer than a chain may be.
    #[error("the endorsement has more bytes than one may have")]
    TooLong,
    /// The text is not the armour of one.
    #[error("the text is not an endorsement: {0}")]
    Armour(#[from] ArmourError),
    /// It is not encoded as one is.
    #[error("the endorsement is malformed: {0}")]
    Encoding(#[from] EncodingError),
    /// It has no link.
    #[error("the endorsement is empty")]
    Empty,
    /// It has too many links.
    #[error("the endorsement has more than {MAX_LINKS} links")]
    TooManyLinks,
    /// It starts at an agent that is not trusted to give roles.
    #[error("the endorsement starts at {0}, which is not a trusted authority")]
    UntrustedAuthority(AgentId),
    /// It is for another agent.
    #[error("the endorsement is for another agent")]
    OtherSubject,
    /// A link is not by the subject of the one before.
    #[error("a link of the endorsement is not by the subject of the one before")]
    BrokenChain,
    /// A link gives a role other than the one before.
    #[error("a link of the endorsement gives another role than the one before")]
    OtherRole,
    /// A link gives more than the one before lets it.
    #[error("a link of the endorsement gives more than the one before lets it")]
    NotDelegated,
    /// A link has ended.
    #[error("the endorsement expired at {0}")]
    Expired(WallTime),
    /// A signature does not verify.
    #[error("a signature of the endorsement does not verify")]
    BadSignature,
    /// The provider made no signature.
    #[error("the endorsement could not be signed: {0}")]
    Signing(#[from] CryptoError),
}

/// An organisation, a department, a machine: longer chains show that nobody decides, and would not
/// fit into a card.
pub const MAX_LINKS: usize = 3;

/// Room for [`MAX_LINKS`]: each has 5,357 bytes of keys and signature and under 100 of a grant.
const MAX_ENDORSEMENT_LENGTH: usize = 16 * 1024 + 512;

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests;
