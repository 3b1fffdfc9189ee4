//! What agents that know each other tell each other of their prekeys, inside a session.

use meshwork_protocols::deferred::agent::{Bundle, BundleError, PrekeyStore};
use meshwork_protocols::deferred::{CurvePublic, PrekeyId};
use meshwork_protocols::identity::{AgentId, Unverified};
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::wire::{HeldPrekeys, OfferedPrekeys};
use meshwork_state::{Batch, Namespace, StoreError};

use super::peer_row::{KeptBundle, PeerRow};
use super::{Deferred, own};
use crate::command::CommandError;
use crate::row;
use crate::stored::View;

impl Deferred {
    /// What is held of a peer's prekeys, for the peer to give what is missing. A bundle that no
    /// session can begin with any more counts as none.
    pub(crate) fn held_of(view: &View<'_>, peer: &AgentId) -> Result<HeldPrekeys, StoreError> {
        let of_peer = PeerRow::read(view, peer)?;
        let bundle = of_peer.bundle.filter(|bundle| view.now() <= bundle.until);
        Ok(HeldPrekeys {
            bundle: bundle.map(|bundle| bundle.mark),
            one_time: of_peer.one_time.map(|(id, _)| id),
        })
    }

    /// What a peer that holds this of ours lacks, and the rows that follow from giving it.
    pub(crate) fn offer(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        held: &HeldPrekeys,
    ) -> Result<Option<(OfferedPrekeys, Batch)>, StoreError> {
        let (Some(store), Some(bundle)) = (own::store(view)?, Self::export(view)?) else {
            return Ok(None);
        };
        let has_key = held.one_time.is_some_and(|id| store.one_time(id).is_some());
        if has_key && held.bundle == store.newest_published() {
            return Ok(None);
        }
        let mut changes = Batch::new();
        let one_time = key_for(view, peer, &store, &mut changes)?;
        let bundle = bundle.expose().to_vec();
        Ok(Some((OfferedPrekeys { bundle, one_time }, changes)))
    }

    /// Gives up what a peer gave for one use, as a row of [`Namespace::Bundle`] holds it.
    pub(crate) fn give_up_one_time(
        key: &[u8],
        value: &SecretBytes,
        changes: &mut Batch,
    ) -> Result<(), StoreError> {
        let mut of_peer: PeerRow = row::decode(value)?;
        if of_peer.spend().is_some() {
            changes.put(Namespace::Bundle, key, row::encode(&of_peer));
        }
        Ok(())
    }

    /// The rows that follow from prekeys that a peer offered.
    pub(crate) fn take_offered(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        offered: &OfferedPrekeys,
    ) -> Result<Batch, CommandError> {
        let mut of_peer = PeerRow::read(view, peer)?;
        of_peer.bundle = Some(self.verified(view, peer, &offered.bundle, &of_peer)?);
        of_peer.keep(offered.one_time);
        let mut changes = Batch::new();
        of_peer.write(&mut changes, peer);
        Ok(changes)
    }

    /// The rows that follow from a bundle that came as a file.
    pub(crate) fn import(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        bundle: &[u8],
    ) -> Result<Batch, CommandError> {
        let offered = OfferedPrekeys { bundle: bundle.to_vec(), one_time: None };
        self.take_offered(view, peer, &offered)
    }

    /// Believes a bundle of a peer, if it is not older than the one that is kept.
    fn verified(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        bundle: &[u8],
        of_peer: &PeerRow,
    ) -> Result<KeptBundle, CommandError> {
        let unverified = Unverified::<Bundle>::parse(bundle)?;
        let card = self.card_of(view, peer)?.ok_or(CommandError::CardRefused)?;
        let seen = of_peer.bundle.as_ref().map(|kept| &kept.mark);
        let bundle = unverified.verify(&*self.provider, &card, seen, view.now())?;
        Ok(KeptBundle::of(&bundle, &card))
    }
}

/// A one-time key for this peer alone: the one that it was given and has not used, or a fresh one.
/// So a peer that asks again and again does not empty the pool, and a key is kept as long as the
/// bundle that it was last given with.
fn key_for(
    view: &View<'_>,
    peer: &AgentId,
    store: &PrekeyStore,
    changes: &mut Batch,
) -> Result<Option<(PrekeyId, CurvePublic)>, StoreError> {
    let mut of_peer = PeerRow::read(view, peer)?;
    let now = view.now();
    let given = of_peer.given.and_then(|id| store.hand_out_again(id, now));
    let Some((key, next)) = given.or_else(|| store.hand_out(now)) else { return Ok(None) };
    of_peer.given = Some(key.0);
    of_peer.write(changes, peer);
    own::put_store(changes, &next)?;
    Ok(Some(key))
}

/// Whether a bundle that was refused says that its bearer misbehaves, and not that clocks differ or
/// that something was overtaken on its way.
pub(crate) fn is_misbehaviour(error: &BundleError) -> bool {
    !matches!(
        error,
        BundleError::CardTooOld(_)
            | BundleError::Expired(_)
            | BundleError::NotYetValid(_)
            | BundleError::Older
            | BundleError::UnsupportedVersion(_)
    )
}
