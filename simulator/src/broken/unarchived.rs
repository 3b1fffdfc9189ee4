//! A stored protocol that does not give its sending sessions up.

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::SecretBytes;
use meshwork_router::{Opened, Sealed, StoredError, StoredProtocol, View};
use meshwork_state::StoreError;

/// A stored protocol that does not give its sending sessions up.
#[derive(Debug)]
pub struct Unarchived(pub Box<dyn StoredProtocol>);

impl StoredProtocol for Unarchived {
    fn can_seal(&self, view: &View<'_>, peer: &AgentId) -> Result<bool, StoreError> {
        self.0.can_seal(view, peer)
    }

    fn turns(&self, view: &View<'_>, peer: &AgentId) -> Result<u64, StoreError> {
        self.0.turns(view, peer)
    }

    fn seal(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        plaintext: &SecretBytes,
        random: &mut dyn Random,
    ) -> Result<Sealed, StoredError> {
        self.0.seal(view, peer, plaintext, random)
    }

    fn open(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        packet: &[u8],
        random: &mut dyn Random,
    ) -> Result<Opened, StoredError> {
        self.0.open(view, peer, packet, random)
    }

    fn archive(&self, session: &SecretBytes) -> SecretBytes {
        session.clone()
    }
}
