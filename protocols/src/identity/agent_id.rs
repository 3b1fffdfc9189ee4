//! The name of an agent: the hash of its root keys, whole.
//!
//! Written in bech32m (BIP 350) with the prefix `mw`, so that a mistyped character is found before
//! anything is dialled.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use bech32::primitives::decode::{CharError, CheckedHrpstring, CheckedHrpstringError};
use bech32::primitives::decode::{ChecksumError, UncheckedHrpstringError};
use bech32::{Bech32m, Hrp};
use serde::{Deserialize, Serialize};

use super::RootPublic;
use crate::provider::Provider;

/// SHA-256 over a label and both public keys of an agent's root.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct AgentId([u8; AgentId::LENGTH]);

impl AgentId {
    /// Bytes of an id.
    pub const LENGTH: usize = 32;

    /// Characters of an id's text: prefix and separator, 52 of data, 6 of checksum.
    pub const TEXT_LENGTH: usize = 61;

    /// The id of the agent whose root has these keys.
    pub fn of(provider: &dyn Provider, root: &RootPublic) -> Self {
        Self(provider.digest(&[LABEL, &[0], root.keys().as_bytes()]))
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// All bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The start of the text, for people and traces. It names nobody: anyone can make an agent
    /// whose id starts alike.
    pub fn short(&self) -> String {
        let mut text = alloc::format!("{self}");
        text.truncate(SHORT_LENGTH);
        text
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&bech32::encode::<Bech32m>(PREFIX, &self.0).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AgentId {
    type Err = AgentIdError;

    fn from_str(text: &str) -> Result<Self, AgentIdError> {
        // 1. The prefix, in one case; the rest of the text must keep to that case.
        if !text.starts_with("mw1") && !text.starts_with("MW1") {
            return Err(AgentIdError::WrongPrefix);
        }
        // 2. The length: bech32m finds no characters inserted before a final `p`.
        if text.chars().count() != Self::TEXT_LENGTH {
            return Err(AgentIdError::WrongLength);
        }
        // 3. Alphabet, case and checksum; the older bech32's checksum is another one.
        let checked = CheckedHrpstring::new::<Bech32m>(text)?;
        if checked.hrp() != PREFIX {
            return Err(AgentIdError::WrongCharacter); // a second `1`, which would end the prefix
        }
        // 4. The bytes; the four bits that pad them are zero.
        checked.validate_segwit_padding().map_err(|_| AgentIdError::NotCanonical)?;
        let mut bytes = [0; Self::LENGTH];
        for (byte, read) in bytes.iter_mut().zip(checked.byte_iter()) {
            *byte = read;
        }
        Ok(Self(bytes))
    }
}

/// Why a text is not an agent's id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentIdError {
    /// It does not start with `mw1`.
    #[error("an agent id starts with mw1")]
    WrongPrefix,
    /// It is too short or too long.
    #[error("an agent id has {} characters", AgentId::TEXT_LENGTH)]
    WrongLength,
    /// Upper and lower case are mixed.
    #[error("an agent id is all lower or all upper case")]
    MixedCase,
    /// A character that bech32m does not use.
    #[error("the agent id has a character that none can have")]
    WrongCharacter,
    /// The checksum does not fit: a character is mistyped.
    #[error("the agent id is mistyped: its checksum does not fit")]
    WrongChecksum,
    /// The checksum fits, but the bits behind the last byte are not zero.
    #[error("the agent id is not written in its one way")]
    NotCanonical,
}

impl From<CheckedHrpstringError> for AgentIdError {
    fn from(error: CheckedHrpstringError) -> Self {
        match error {
            CheckedHrpstringError::Parse(UncheckedHrpstringError::Char(CharError::MixedCase)) => {
                Self::MixedCase
            }
            CheckedHrpstringError::Checksum(ChecksumError::InvalidResidue(_)) => {
                Self::WrongChecksum
            }
            _ => Self::WrongCharacter,
        }
    }
}

const LABEL: &[u8] = b"meshwork/v1/agent-id";

const PREFIX: Hrp = Hrp::parse_unchecked("mw");

/// Prefix, separator and seven characters: 35 bits, enough to tell one's own peers apart.
const SHORT_LENGTH: usize = 10;

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests;
