//! A stored protocol that does not give its sending sessions up.

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::SecretBytes;
use meshwork_router::{Opened, Sealed, StoredError, StoredProtocol};

/// A stored protocol that does not give its sending sessions up.
#[derive(Debug)]
pub struct Unarchived(pub Box<dyn StoredProtocol>);

impl StoredProtocol for Unarchived {
    fn seal(
        &self,
        peer: &AgentId,
        session: Option<&SecretBytes>,
        plaintext: &SecretBytes,
        random: &mut dyn Random,
    ) -> Result<Sealed, StoredError> {
        self.0.seal(peer, session, plaintext, random)
    }

    fn open(
        &self,
        peer: &AgentId,
        session: Option<&SecretBytes>,
        packet: &[u8],
    ) -> Result<Opened, StoredError> {
        self.0.open(peer, session, packet)
    }

    fn archive(&self, session: &SecretBytes) -> SecretBytes {
        session.clone()
    }
}
