//! What lies here of one peer's prekeys, and of ours with it: one row of [`Namespace::Bundle`].

use alloc::vec::Vec;

use meshwork_protocols::deferred::agent::{Bundle, BundleMark, BundleNumber};
use meshwork_protocols::deferred::{CurvePublic, PrekeyId};
use meshwork_protocols::identity::{AgentId, Card};
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::WallTime;
use meshwork_state::{Batch, Namespace, StoreError};
use serde::{Deserialize, Serialize};

use crate::row;
use crate::stored::View;

/// The row.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct PeerRow {
    /// The peer's newest bundle.
    pub(super) bundle: Option<KeptBundle>,
    /// A one-time key of the peer that nobody else has, until a session uses it.
    pub(super) one_time: Option<(PrekeyId, CurvePublic)>,
    /// The last one that a session used: the peer may give it again before it has heard of that.
    pub(super) spent: Option<PrekeyId>,
    /// The last one-time key of ours that the peer was given.
    pub(super) given: Option<PrekeyId>,
}

/// A bundle that was verified when it came.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct KeptBundle {
    pub(super) mark: BundleMark,
    /// Until when a session can begin with it: as long as it and the card of then count.
    pub(super) until: WallTime,
    #[serde(with = "meshwork_protocols::wire::bytes")]
    pub(super) bytes: Vec<u8>,
}

/// What is known of a peer's prekeys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PeerPrekeys {
    /// The peer.
    pub peer: AgentId,
    /// The number of its newest bundle.
    pub bundle: BundleNumber,
    /// Until when a session can begin with it.
    pub until: WallTime,
    /// Whether a one-time key of it is here.
    pub one_time: bool,
}

impl PeerRow {
    pub(super) fn read(view: &View<'_>, peer: &AgentId) -> Result<Self, StoreError> {
        let value = view.row(Namespace::Bundle, peer.as_bytes())?;
        value.as_ref().map_or_else(|| Ok(Self::default()), row::decode)
    }

    pub(super) fn write(&self, changes: &mut Batch, peer: &AgentId) {
        changes.put(Namespace::Bundle, *peer.as_bytes(), row::encode(self));
    }

    /// Takes the one-time key out for a session.
    pub(super) fn spend(&mut self) -> Option<(PrekeyId, CurvePublic)> {
        let key = self.one_time.take()?;
        self.spent = Some(key.0);
        Some(key)
    }

    /// Keeps a one-time key that the peer gave in place of the one before, unless it is spent.
    pub(super) fn keep(&mut self, given: Option<(PrekeyId, CurvePublic)>) {
        self.one_time = given.filter(|(id, _)| Some(*id) != self.spent).or(self.one_time);
    }

    /// Whether a session can begin.
    pub(super) fn can_begin(&self, now: WallTime) -> bool {
        self.bundle.as_ref().is_some_and(|bundle| now <= bundle.until)
    }

    /// What is known, as a row of [`Namespace::Bundle`] says it.
    pub(super) fn summary(
        key: &[u8],
        value: &SecretBytes,
    ) -> Result<Option<PeerPrekeys>, StoreError> {
        let peer = AgentId::from_bytes(key.try_into().map_err(|_| StoreError::Damaged)?);
        let Self { bundle, one_time, .. } = row::decode(value)?;
        Ok(bundle.map(|KeptBundle { mark, until, .. }| PeerPrekeys {
            peer,
            bundle: mark.number,
            until,
            one_time: one_time.is_some(),
        }))
    }
}

impl KeptBundle {
    pub(super) fn of(bundle: &Bundle, card: &Card) -> Self {
        Self {
            mark: bundle.mark(),
            until: bundle.body().not_after.min(card.validity().not_after),
            bytes: bundle.as_bytes().to_vec(),
        }
    }
}
