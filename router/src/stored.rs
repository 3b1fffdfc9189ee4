//! The seam to a protocol whose state survives restarts: packets for a peer that is not online.
//!
//! The protocol works on a candidate: it reads rows as they will be, and returns the packet or the
//! plaintext with the changes that follow. The router adopts them by writing them into the batch of
//! the same transition, and the packet leaves only when the batch is durable.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use meshwork_protocols::identity::{AgentId, Card};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::{MAX_FRAME, MessageId, Payload};
use meshwork_state::{Batch, Namespace, StoreError};
use serde::{Deserialize, Serialize};

use crate::deferred::Deferred;
use crate::ledger::Ledger;
use crate::transition::Transition;

/// So many turns of its ratchet the peer may be behind: bytes that are older by more are sealed
/// anew, for the peer has given up what would open them.
const TURNS_KEPT: u64 = 4;

/// The largest message that is sealed: with its padding, at most an eighth, and the card that
/// introduces its sender it fits a frame. A larger one waits for a live session.
pub(crate) const MAX_SEALED: usize = 850 << 10;

const _: () = assert!(MAX_SEALED + MAX_SEALED / 8 + (64 << 10) <= MAX_FRAME);

/// What seals for peers that are away.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Stored {
    /// Nothing: a message for a peer that is away is held.
    #[default]
    None,
    /// The product's protocol.
    Deferred(Box<Deferred>),
    /// Another protocol than the product's.
    Other(Box<dyn StoredProtocol>),
}

impl Stored {
    pub(crate) fn protocol(&self) -> Option<&dyn StoredProtocol> {
        match self {
            Self::None => None,
            Self::Deferred(deferred) => Some(&**deferred),
            Self::Other(protocol) => Some(&**protocol),
        }
    }

    pub(crate) fn deferred(&self) -> Option<&Deferred> {
        match self {
            Self::Deferred(deferred) => Some(deferred),
            _ => None,
        }
    }

    /// The agent has a newer card.
    pub(crate) fn show(&mut self, card: Arc<Card>) {
        if let Self::Deferred(deferred) = self {
            deferred.show(card);
        }
    }
}

/// A protocol with stored sessions.
pub trait StoredProtocol: fmt::Debug + Send {
    /// Whether something can be sealed for `peer` now.
    fn can_seal(&self, view: &View<'_>, peer: &AgentId) -> Result<bool, StoreError>;

    /// How often what seals for `peer` has turned. A session that replaces another counts as more
    /// turns than are kept.
    fn turns(&self, view: &View<'_>, peer: &AgentId) -> Result<u64, StoreError>;

    /// Seals for `peer`.
    fn seal(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        plaintext: &SecretBytes,
        random: &mut dyn Random,
    ) -> Result<Sealed, StoredError>;

    /// Opens a packet from `peer`. An error means that nothing changed.
    fn open(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        packet: &[u8],
        random: &mut dyn Random,
    ) -> Result<Opened, StoredError>;

    /// The row of a peer's sessions with every sending key given up, because an older copy of it
    /// may have used them: the state was restored.
    fn archive(&self, session: &SecretBytes) -> SecretBytes;
}

/// What a protocol sees: rows as they will be, and the time of day.
#[derive(Clone, Copy)]
pub struct View<'a> {
    rows: &'a dyn Look,
    now: WallTime,
}

/// Reads rows as they will be.
pub trait Look {
    /// One row.
    fn look(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError>;
}

impl<'a> View<'a> {
    /// What is seen at a moment.
    pub const fn new(rows: &'a dyn Look, now: WallTime) -> Self {
        Self { rows, now }
    }

    /// One row.
    pub fn row(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        self.rows.look(namespace, key)
    }

    /// The time of day.
    pub const fn now(&self) -> WallTime {
        self.now
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("now", &self.now).finish_non_exhaustive()
    }
}

/// A packet, and what follows from it.
#[derive(Debug)]
pub struct Sealed {
    /// What goes on the wire.
    pub packet: Vec<u8>,
    /// How often what sealed it had turned.
    pub turns: u64,
    /// The rows that follow.
    pub changes: Batch,
}

/// A plaintext, and what follows from it.
#[derive(Debug)]
pub struct Opened {
    /// What the peer sealed.
    pub plaintext: SecretBytes,
    /// The rows that follow.
    pub changes: Batch,
    /// The card of a peer that introduced itself, verified.
    pub introduced: Option<Arc<Card>>,
}

/// Why nothing was sealed or opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoredError {
    /// No session can be begun with this peer now.
    #[error("no session with this peer can be begun now")]
    NoSession,
    /// The packet does not open: forged, changed, or opened before.
    #[error("the packet does not open")]
    DoesNotOpen,
    /// The packet does not open, and may be honest mail of a session that is lost here.
    #[error("the packet is of no session that is kept")]
    SessionLost,
    /// A row could not be read.
    #[error("a row could not be read: {0}")]
    Store(#[from] StoreError),
}

/// What a ciphertext that came before was.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct CiphertextRow {
    /// Stands first, where upkeep looks.
    pub(crate) forget_after: WallTime,
    /// The message inside, if it was one.
    pub(crate) message: Option<MessageId>,
}

/// A packet that waits for its receipt, as the outbox keeps it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct KeptPacket {
    #[serde(with = "meshwork_protocols::wire::bytes")]
    pub(crate) packet: Vec<u8>,
    /// How often what sealed it had turned.
    turns: u64,
}

impl KeptPacket {
    pub(crate) const fn new(packet: Vec<u8>, turns: u64) -> Self {
        Self { packet, turns }
    }

    /// Whether the peer may still open it.
    pub(crate) fn is_fresh(
        &self,
        protocol: &dyn StoredProtocol,
        step: &Transition<'_>,
        peer: &AgentId,
    ) -> Result<bool, StoreError> {
        let turns = protocol.turns(&step.view(), peer)?;
        Ok(turns.saturating_sub(self.turns) <= TURNS_KEPT)
    }
}

/// What became of a packet.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It opened.
    Arrived(Box<Arrived>),
    /// It did not; whether its session may be lost here.
    Refused { is_lost: bool },
}

/// What was opened; its changes are for the caller to adopt.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) payload: Payload,
    pub(crate) changes: Batch,
    pub(crate) introduced: Option<Arc<Card>>,
}

/// Seals `payload` for `peer` within this transition.
pub(crate) fn seal(
    protocol: &dyn StoredProtocol,
    step: &mut Transition<'_>,
    peer: &AgentId,
    payload: &Payload,
    random: &mut dyn Random,
) -> Result<Option<KeptPacket>, StoreError> {
    match protocol.seal(&step.view(), peer, &payload.encode(), random) {
        Ok(Sealed { packet, turns, changes }) => {
            step.adopt(changes);
            Ok(Some(KeptPacket::new(packet, turns)))
        }
        Err(StoredError::Store(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Opens `packet` from `peer`.
pub(crate) fn open(
    protocol: &dyn StoredProtocol,
    step: &Transition<'_>,
    peer: &AgentId,
    packet: &[u8],
    random: &mut dyn Random,
) -> Result<Outcome, StoreError> {
    match protocol.open(&step.view(), peer, packet, random) {
        Ok(Opened { plaintext, changes, introduced }) => {
            Ok(match Payload::decode(plaintext.expose()) {
                Ok(payload) => Outcome::Arrived(Box::new(Arrived { payload, changes, introduced })),
                Err(_) => Outcome::Refused { is_lost: false },
            })
        }
        Err(StoredError::Store(error)) => Err(error),
        Err(error) => Ok(Outcome::Refused { is_lost: error == StoredError::SessionLost }),
    }
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
