//! The seam to a protocol whose state survives restarts: packets for a peer that is not online.
//!
//! The protocol works on a candidate: it gets the stored session and returns the packet or the
//! plaintext with the session that follows. The router adopts that session by writing it into the
//! batch of the same transition, and the packet leaves only when the batch is durable.

use alloc::vec::Vec;
use core::fmt;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::{MessageId, Payload};
use meshwork_state::{Namespace, StoreError};
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::transition::Transition;

/// A protocol with stored sessions.
pub trait StoredProtocol: fmt::Debug + Send {
    /// Seals for `peer` with the session stored for it, if any.
    fn seal(
        &self,
        peer: &AgentId,
        session: Option<&SecretBytes>,
        plaintext: &SecretBytes,
        random: &mut dyn Random,
    ) -> Result<Sealed, StoredError>;

    /// Opens a packet from `peer` with the session stored for it, if any. An error means that
    /// nothing changed.
    fn open(
        &self,
        peer: &AgentId,
        session: Option<&SecretBytes>,
        packet: &[u8],
    ) -> Result<Opened, StoredError>;

    /// The session with every sending key given up, because an older copy of it may have used
    /// them: the state was restored.
    fn archive(&self, session: &SecretBytes) -> SecretBytes;
}

/// A packet, and the session after it.
#[derive(Debug)]
pub struct Sealed {
    /// What goes on the wire.
    pub packet: Vec<u8>,
    /// What replaces the stored session.
    pub next: SecretBytes,
}

/// A plaintext, and the session after it.
#[derive(Debug)]
pub struct Opened {
    /// What the peer sealed.
    pub plaintext: SecretBytes,
    /// What replaces the stored session.
    pub next: SecretBytes,
}

/// Why nothing was sealed or opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoredError {
    /// No session can be begun with this peer now.
    #[error("no session with this peer can be begun now")]
    NoSession,
    /// The packet does not open: forged, changed, replayed or for a lost state.
    #[error("the packet does not open")]
    DoesNotOpen,
}

/// What a ciphertext that came before was.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct CiphertextRow {
    /// Stands first, where upkeep looks.
    pub(crate) forget_after: WallTime,
    /// The message inside, if it was one.
    pub(crate) message: Option<MessageId>,
}

/// Seals `payload` for `peer` within this transition.
pub(crate) fn seal(
    protocol: &dyn StoredProtocol,
    step: &mut Transition<'_>,
    peer: &AgentId,
    payload: &Payload,
    random: &mut dyn Random,
) -> Result<Option<Vec<u8>>, StoreError> {
    let session = step.get(Namespace::Session, peer.as_bytes())?;
    let Ok(sealed) = protocol.seal(peer, session.as_ref(), &payload.encode(), random) else {
        return Ok(None);
    };
    step.put(Namespace::Session, peer.as_bytes().to_vec(), sealed.next);
    Ok(Some(sealed.packet))
}

/// Opens `packet` from `peer`; the session that follows is for the caller to adopt.
pub(crate) fn open(
    protocol: &dyn StoredProtocol,
    step: &Transition<'_>,
    peer: &AgentId,
    packet: &[u8],
) -> Result<Option<(Payload, SecretBytes)>, StoreError> {
    let session = step.get(Namespace::Session, peer.as_bytes())?;
    let Ok(opened) = protocol.open(peer, session.as_ref(), packet) else {
        return Ok(None);
    };
    let payload = Payload::decode(opened.plaintext.expose()).ok();
    Ok(payload.map(|payload| (payload, opened.next)))
}

/// Gives up every sending key after a restore.
pub(crate) fn archive_all(
    protocol: &dyn StoredProtocol,
    ledger: &Ledger,
    step: &mut Transition<'_>,
) -> Result<(), StoreError> {
    ledger.each(Namespace::Session, |(key, session)| {
        step.put(Namespace::Session, key, protocol.archive(&session));
        Ok(())
    })
}
