//! The suite of fleets, by its code point.
//!
//! MLS stacks give the same code points different meanings, and none of the post-quantum ones is
//! final. So ours is pinned, and each other is refused by name.

use openmls::credentials::CredentialType;
use openmls::extensions::ExtensionType;
use openmls::prelude::Capabilities;
use openmls::versions::ProtocolVersion;
use openmls_traits::types::Ciphersuite;

use super::charter;

/// Which primitives a fleet is made of.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Suite {
    /// 0x004F: X-Wing, AES-128-GCM, SHA-256, Ed25519.
    #[default]
    XWing,
    /// 0x0001: X25519 in X-Wing's place. Nothing of it is safe from a quantum computer: it is for
    /// tests against implementations that have no other.
    DangerousClassical,
}

impl Suite {
    /// Its code point.
    pub const fn code(self) -> u16 {
        match self {
            Self::XWing => 0x004F,
            Self::DangerousClassical => 0x0001,
        }
    }

    /// Refuses another suite's code point, and gives it back.
    pub(super) fn check(self, code: u16) -> Result<(), u16> {
        if code == self.code() { Ok(()) } else { Err(code) }
    }

    /// What a leaf of ours can do: this suite, our credential and our charter, and nothing else.
    pub(super) fn capabilities(self) -> Capabilities {
        Capabilities::new(
            Some(&[ProtocolVersion::Mls10]),
            Some(&[self.of_openmls()]),
            Some(&[charter::known_type(), ExtensionType::LastResort]),
            Some(&[]),
            Some(&[CredentialType::Basic]),
        )
    }

    pub(super) const fn of_openmls(self) -> Ciphersuite {
        match self {
            Self::XWing => Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519,
            Self::DangerousClassical => Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Suite;

    #[test]
    fn the_code_points_are_the_pinned_ones() {
        for suite in [Suite::XWing, Suite::DangerousClassical] {
            assert_eq!(suite.of_openmls() as u16, suite.code());
        }
        assert_eq!(Suite::default().code(), 0x004F);
    }
}
