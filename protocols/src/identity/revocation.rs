//! Taking cards back.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::armour::{Armour, ArmourError};
use super::card::{Card, Sequence};
use super::statement::Statement;
use super::{AgentId, EncodingError, Purpose, Root, StatementError};
use super::{Unverified, Verifiable, canonical};
use crate::provider::{CryptoError, Provider};
use crate::random::Random;
use crate::time::WallTime;

/// A verified revocation. It never ends: who has seen one keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revocation(RevocationClaim);

/// What is taken back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Scope {
    /// The card of this number and all before it.
    Cards(Sequence),
    /// Every card, also those to come: the agent is no more.
    Agent,
}

impl Root {
    /// Takes cards back.
    pub fn sign_revocation(
        &self,
        scope: Scope,
        issued: WallTime,
        random: &mut dyn Random,
    ) -> Result<Revocation, RevocationError> {
        let body = RevocationBody { scope, issued };
        let encoded = canonical::encode(&body)?;
        let statement = Statement::sign(self, Purpose::Revocation, &encoded, random)?;
        Ok(Revocation(RevocationClaim { statement, body }))
    }
}

impl Revocation {
    /// Every byte of it, as it came.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.statement.as_bytes()
    }

    /// The bytes as text, for a file or a mail.
    pub fn to_text(&self) -> String {
        Armour::Revocation.encode(self.as_bytes())
    }

    /// Whose cards it takes back.
    pub fn agent(&self) -> AgentId {
        self.0.statement.agent()
    }

    /// What it takes back.
    pub fn scope(&self) -> Scope {
        self.0.body.scope
    }

    /// When it was made, as its maker says.
    pub fn issued(&self) -> WallTime {
        self.0.body.issued
    }

    /// Whether it takes `card` back.
    pub fn revokes(&self, card: &Card) -> bool {
        self.agent() == card.agent()
            && match self.scope() {
                Scope::Cards(last) => card.sequence() <= last,
                Scope::Agent => true,
            }
    }
}

impl Verifiable for Revocation {
    type Claim = RevocationClaim;
}

impl Unverified<Revocation> {
    /// Reads a revocation without believing it.
    pub fn parse(bytes: &[u8]) -> Result<Self, RevocationError> {
        if bytes.len() > MAX_REVOCATION_LENGTH {
            return Err(RevocationError::TooLong);
        }
        let statement = Statement::parse(bytes)?;
        let body = canonical::decode(statement.body())?;
        Ok(Self(RevocationClaim { statement, body }))
    }

    /// Reads the text of a revocation without believing it.
    pub fn parse_text(text: &str) -> Result<Self, RevocationError> {
        Self::parse(Armour::Revocation.decode(text, MAX_REVOCATION_LENGTH)?.expose())
    }

    /// Believes it, if the root of the agent that it names signed it.
    pub fn verify(self, provider: &dyn Provider) -> Result<Revocation, RevocationError> {
        self.0.statement.verify(provider, Purpose::Revocation)?;
        Ok(Revocation(self.0))
    }
}

/// What parsing a revocation yields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RevocationClaim {
    statement: Statement,
    body: RevocationBody,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct RevocationBody {
    scope: Scope,
    issued: WallTime,
}

/// Why bytes take nothing back.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// They are longer than a revocation.
    #[error("the bytes are longer than a revocation")]
    TooLong,
    /// The text is not the armour of one.
    #[error("the text is not a revocation: {0}")]
    Armour(#[from] ArmourError),
    /// The frame or the signature is wrong.
    #[error("the revocation is not its agent's: {0}")]
    Statement(#[from] StatementError),
    /// The body is not encoded as one is.
    #[error("the revocation is malformed: {0}")]
    Encoding(#[from] EncodingError),
    /// The provider made no signature.
    #[error("the revocation could not be signed: {0}")]
    Signing(#[from] CryptoError),
}

/// The frame and the longest body: a scope of 11 bytes and a time of 10.
const MAX_REVOCATION_LENGTH: usize = Statement::OVERHEAD + 21;

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests;
