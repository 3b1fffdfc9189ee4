//! The suites of deferred messages, named by the type byte of their KEM keys.

use serde::{Deserialize, Serialize};

/// Which KEM joins the curve, and with whom it speaks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Suite {
    /// 0x08: Kyber-1024, round 3. Speaks to the official client, never chosen by default.
    Kyber1024,
    /// 0x0A: ML-KEM-1024 (FIPS 203). Never leaves our agents.
    MlKem1024,
}

impl Suite {
    /// Both, best first.
    pub const ALL: [Self; 2] = [Self::MlKem1024, Self::Kyber1024];

    /// The type byte in front of its KEM keys and ciphertexts.
    pub const fn code(self) -> u8 {
        match self {
            Self::Kyber1024 => 0x08,
            Self::MlKem1024 => 0x0A,
        }
    }

    /// The suite with this type byte.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x08 => Some(Self::Kyber1024),
            0x0A => Some(Self::MlKem1024),
            _ => None,
        }
    }

    /// What begins the handshake's key derivation label.
    pub(super) const fn label(self) -> &'static [u8] {
        match self {
            Self::Kyber1024 => b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024",
            Self::MlKem1024 => b"Meshwork_X25519_SHA-256_ML-KEM-1024",
        }
    }
}

impl From<Suite> for u8 {
    fn from(suite: Suite) -> Self {
        suite.code()
    }
}

impl TryFrom<u8> for Suite {
    type Error = UnknownSuite;

    fn try_from(code: u8) -> Result<Self, UnknownSuite> {
        Self::from_code(code).ok_or(UnknownSuite(code))
    }
}

/// A type byte that names no suite.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("0x{0:02x} is no suite of deferred messages")]
pub struct UnknownSuite(pub u8);

#[cfg(test)]
mod tests {
    use super::{Suite, UnknownSuite};

    #[test]
    fn two_type_bytes_name_a_suite_and_no_other_does() {
        for code in 0..=u8::MAX {
            match Suite::try_from(code) {
                Ok(suite) => assert_eq!(suite.code(), code),
                Err(error) => assert_eq!(error, UnknownSuite(code)),
            }
        }
        assert_eq!(Suite::ALL.map(Suite::code), [0x0A, 0x08]);
    }
}
