//! What the owner can see of the agent's prekeys.

use alloc::vec::Vec;

use meshwork_protocols::deferred::agent::{Bundle, BundleBody, BundleNumber};
use meshwork_protocols::identity::Unverified;
use meshwork_protocols::time::WallTime;
use meshwork_state::{Namespace, StoreError};

use super::peer_row::{PeerPrekeys, PeerRow};
use super::{Deferred, damaged, own};
use crate::ledger::Ledger;
use crate::stored::View;

/// The agent's prekeys, and what is known of its peers'.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PrekeyStatus {
    /// How many generations of signed prekeys still open mail.
    pub generations: usize,
    /// When the newest is replaced.
    pub rotation_due: WallTime,
    /// How many one-time keys the pool is filled to.
    pub pool_size: usize,
    /// How many of them nobody has.
    pub available: usize,
    /// How many somebody has and has not used.
    pub handed_out: usize,
    /// The number of the newest bundle.
    pub bundle: BundleNumber,
    /// From when on it counts.
    pub not_before: WallTime,
    /// When it ceases to.
    pub not_after: WallTime,
    /// The peers whose bundles are known, in the order of their ids.
    pub peers: Vec<PeerPrekeys>,
}

impl Deferred {
    /// What there is; `None` before the first keys are made.
    pub(crate) fn status(
        &self,
        view: &View<'_>,
        ledger: &Ledger,
    ) -> Result<Option<PrekeyStatus>, StoreError> {
        let (Some(store), Some(bundle)) = (own::store(view)?, Self::export(view)?) else {
            return Ok(None);
        };
        let bundle = Unverified::<Bundle>::parse(bundle.expose()).map_err(damaged)?;
        let BundleBody { number, not_before, not_after, .. } = *bundle.claimed_body();
        let mut peers = Vec::new();
        ledger.each(Namespace::Bundle, |(key, _)| {
            // The row as it will be, not as it is on disk.
            let value = view.row(Namespace::Bundle, &key)?;
            let summary = value.map(|value| PeerRow::summary(&key, &value)).transpose()?;
            peers.extend(summary.flatten());
            Ok(())
        })?;
        Ok(Some(PrekeyStatus {
            generations: store.generations(),
            rotation_due: store.rotation_due().unwrap_or(view.now()),
            pool_size: self.settings.pool_size,
            available: store.available(),
            handed_out: store.handed_out(),
            bundle: number,
            not_before,
            not_after,
            peers,
        }))
    }
}
