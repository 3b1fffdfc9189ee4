//! What a leaf says of whose it is: an agent and the card that names the leaf's key.
//!
//! ```text
//! version (1) || agent id (32) || card hash (32)
//! ```
//!
//! It is the identity of an MLS basic credential. A credential is believed of a leaf only if the
//! card with that hash is of that agent and names the leaf's signature key. Whether the card still
//! counts is never asked here: the members must all judge alike, whatever their clocks say.

use openmls::credentials::{BasicCredential, Credential as MlsCredential, CredentialWithKey};

use super::error::{GroupError, Refusal};
use super::evidence::Evidence;
use super::key::FleetKey;
use crate::identity::{AgentId, Card, CardHash};

/// Whose leaf it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Credential {
    /// The agent.
    pub agent: AgentId,
    /// Its card when the leaf was made.
    pub card: CardHash,
}

impl Credential {
    /// Bytes of a credential.
    pub const LENGTH: usize = 1 + AgentId::LENGTH + CardHash::LENGTH;

    /// The credential of the agent of `card`.
    pub fn of(card: &Card) -> Self {
        Self { agent: card.agent(), card: card.hash() }
    }

    /// The bytes.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [VERSION; Self::LENGTH];
        let parts = self.agent.as_bytes().iter().chain(self.card.as_bytes());
        for (to, from) in bytes.iter_mut().skip(1).zip(parts) {
            *to = *from;
        }
        bytes
    }

    /// Reads the bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (agent, rest) = rest.split_first_chunk()?;
        let (card, rest) = rest.split_first_chunk()?;
        (*version == VERSION && rest.is_empty())
            .then(|| Self { agent: AgentId::from_bytes(*agent), card: CardHash::from_bytes(*card) })
    }

    pub(super) fn of_mls(credential: &MlsCredential) -> Result<Self, Refusal> {
        BasicCredential::try_from(credential.clone())
            .ok()
            .and_then(|basic| Self::decode(basic.identity()))
            .ok_or(Refusal::NoCredential)
    }

    pub(super) fn with_key(&self, key: &FleetKey) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.encode().to_vec()).into(),
            signature_key: key.public().into(),
        }
    }

    /// Believes it of a leaf with this signature key, and gives the card.
    pub(super) fn check<'e>(
        &self,
        evidence: &'e dyn Evidence,
        leaf_key: &[u8],
    ) -> Result<&'e Card, GroupError> {
        let card = evidence.card(&self.card).ok_or(GroupError::MissingCard(self.card))?;
        if card.hash() != self.card || card.agent() != self.agent {
            return Err(Refusal::ForeignCard(self.agent).into());
        }
        if card.fleet_key() != Some(leaf_key) {
            return Err(Refusal::KeyNotInCard(self.agent).into());
        }
        Ok(card)
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::Credential;
    use crate::identity::{AgentId, CardHash};

    #[test]
    fn a_credential_has_one_encoding_and_no_other_bytes_are_one() {
        let credential =
            Credential { agent: AgentId::from_bytes([1; 32]), card: CardHash::from_bytes([2; 32]) };
        let bytes = credential.encode();
        assert_eq!(Credential::decode(&bytes), Some(credential));
        assert_eq!(Credential::decode(&bytes[1..]), None);
        assert_eq!(Credential::decode(&[bytes.as_slice(), &[0]].concat()), None);
        let mut other_version = bytes;
        other_version[0] = 2;
        assert_eq!(Credential::decode(&other_version), None);
    }
}
