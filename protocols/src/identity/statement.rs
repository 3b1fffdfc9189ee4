//! The frame of what a root signs: cards and revocations.
//!
//! ```text
//! version (1) || agent id (32) || root public keys (1984) || body || hybrid signature (3373)
//! ```
//!
//! The signature is over every byte before it. Knows nothing of what a body says.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::{AgentId, HybridPublic, HybridSignature, Purpose, Root, RootPublic};
use crate::provider::{CryptoError, Provider};
use crate::random::Random;

/// Signed bytes, kept as they came.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Statement {
    bytes: Box<[u8]>,
    agent: AgentId,
    root: RootPublic,
}

impl Statement {
    /// Bytes around the body.
    pub(super) const OVERHEAD: usize = HEADER_LENGTH + HybridSignature::LENGTH;

    /// Signs `body` for `purpose`.
    pub(super) fn sign(
        root: &Root,
        purpose: Purpose,
        body: &[u8],
        random: &mut dyn Random,
    ) -> Result<Self, CryptoError> {
        let agent = root.agent();
        let mut bytes = Vec::with_capacity(Self::OVERHEAD + body.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(agent.as_bytes());
        bytes.extend_from_slice(root.public().keys().as_bytes());
        bytes.extend_from_slice(body);
        let signature = root.sign(purpose, &bytes, random)?;
        bytes.extend_from_slice(signature.as_bytes());
        Ok(Self { bytes: bytes.into_boxed_slice(), agent, root: root.public().clone() })
    }

    /// Splits bytes of unknown origin. The caller has bounded their length.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        // The version first: what stands behind it in another one is not ours to judge.
        let (version, rest) = bytes.split_first().ok_or(StatementError::TooShort)?;
        if *version != VERSION {
            return Err(StatementError::UnsupportedVersion(*version));
        }
        let (agent, rest) = rest.split_first_chunk().ok_or(StatementError::TooShort)?;
        let (root, rest) = rest.split_first_chunk().ok_or(StatementError::TooShort)?;
        if rest.len() < HybridSignature::LENGTH {
            return Err(StatementError::TooShort);
        }
        Ok(Self {
            bytes: bytes.into(),
            agent: AgentId::from_bytes(*agent),
            root: RootPublic::new(HybridPublic::from_bytes(root)),
        })
    }

    /// Checks that the statement is its agent's, for `purpose`.
    pub(super) fn verify(
        &self,
        provider: &dyn Provider,
        purpose: Purpose,
    ) -> Result<(), StatementError> {
        // 1. The root keys are those of the agent named.
        if AgentId::of(provider, &self.root) != self.agent {
            return Err(StatementError::WrongRoot);
        }
        // 2. Both halves of the signature are by these keys over everything before them.
        let (signed, signature) = self.split_signature().ok_or(StatementError::TooShort)?;
        let signature = HybridSignature::from_bytes(signature);
        self.root
            .keys()
            .verify(provider, purpose, signed, &signature)
            .map_err(|_| StatementError::BadSignature)
    }

    /// Every byte, as it came.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whom it says it is about.
    pub(super) fn agent(&self) -> AgentId {
        self.agent
    }

    pub(super) fn root(&self) -> &RootPublic {
        &self.root
    }

    pub(super) fn body(&self) -> &[u8] {
        let signed = self.split_signature().map_or(&[][..], |(signed, _)| signed);
        signed.get(HEADER_LENGTH..).unwrap_or_default()
    }

    fn split_signature(&self) -> Option<(&[u8], &[u8; HybridSignature::LENGTH])> {
        self.bytes.split_last_chunk()
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Statement({}, {} bytes)", self.agent, self.bytes.len())
    }
}

/// Why bytes are not a statement of the root of the agent that they name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// There is no room for the parts that each has.
    #[error("the bytes are cut short")]
    TooShort,
    /// A format that this version does not read.
    #[error("format version {0} is not one that this version reads")]
    UnsupportedVersion(u8),
    /// The id is not the hash of the root keys.
    #[error("the root keys are not those of the agent named")]
    WrongRoot,
    /// A half of the signature does not verify.
    #[error("the root's signature does not verify")]
    BadSignature,
}

const VERSION: u8 = 1;

const HEADER_LENGTH: usize = 1 + AgentId::LENGTH + HybridPublic::LENGTH;
