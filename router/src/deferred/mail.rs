//! Sealing and opening: [`Correspondence`] over rows.

use alloc::sync::Arc;
use core::cell::Cell;

use meshwork_protocols::deferred::agent::correspondence::kind_of;
use meshwork_protocols::deferred::agent::replay::{self, UsedPrekeys};
use meshwork_protocols::deferred::agent::{
    Bundle, BundleMark, Correspondence, PrekeyStore, ReplyKeys, Sealed as Packet,
};
use meshwork_protocols::deferred::session::PacketKind;
use meshwork_protocols::deferred::session_list::PrekeySource;
use meshwork_protocols::deferred::wire::FirstMessage;
use meshwork_protocols::deferred::{CurveKey, KemKey, PrekeyId};
use meshwork_protocols::identity::{AgentId, Card, Unverified};
use meshwork_protocols::provider::DeferredProvider;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::WallTime;
use meshwork_state::{Batch, Namespace, StoreError};
use serde::{Deserialize, Serialize};

use super::peer_row::PeerRow;
use super::{Deferred, damaged};
use crate::peer::PeerFacts;
use crate::row;
use crate::stored::{Opened, Sealed, StoredError, StoredProtocol, View};

/// A first message that used own prekeys, by its [`ReplayKey`](replay::ReplayKey).
#[derive(Debug, Deserialize, Serialize)]
struct UsedRow {
    /// Stands first, where upkeep looks.
    forget_after: WallTime,
}

impl StoredProtocol for Deferred {
    fn can_seal(&self, view: &View<'_>, peer: &AgentId) -> Result<bool, StoreError> {
        let now = view.now();
        Ok(mail_with(view, peer)?.can_seal(now) || PeerRow::read(view, peer)?.can_begin(now))
    }

    fn turns(&self, view: &View<'_>, peer: &AgentId) -> Result<u64, StoreError> {
        Ok(mail_with(view, peer)?.turns())
    }

    fn seal(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        plaintext: &SecretBytes,
        random: &mut dyn Random,
    ) -> Result<Sealed, StoredError> {
        let mut mail = mail_with(view, peer)?;
        let mut changes = Batch::new();
        if !mail.can_seal(view.now()) {
            mail = self.begin(view, peer, &mail, random, &mut changes)?;
        }
        let ends = [self.own(), *peer];
        let sealed = mail.seal(&mut self.around(view.now(), random), ends, plaintext.expose());
        let Packet { packet, next } = sealed.map_err(|_| StoredError::NoSession)?;
        put_mail(&mut changes, peer, &next)?;
        Ok(Sealed { packet, turns: next.turns(), changes })
    }

    fn open(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        packet: &[u8],
        random: &mut dyn Random,
    ) -> Result<Opened, StoredError> {
        let keys = Keys::for_packet(view, &*self.provider, packet)?;
        let mut around = self.around(view.now(), random);
        let arrived = mail_with(view, peer)?.open(&mut around, &self.local(), peer, packet, &keys);
        if let Some(error) = keys.failed.get() {
            return Err(error.into());
        }
        let arrived = arrived.map_err(|error| match error.asks_for_repair() {
            true => StoredError::SessionLost,
            false => StoredError::DoesNotOpen,
        })?;
        let mut changes = Batch::new();
        put_mail(&mut changes, peer, &arrived.next)?;
        let introduced = arrived
            .began
            .map(|(card, used)| keys.use_up(&used, &mut changes).map(|()| Arc::new(card)));
        let introduced = introduced.transpose()?;
        Ok(Opened { plaintext: arrived.payload, changes, introduced })
    }

    fn archive(&self, session: &SecretBytes) -> SecretBytes {
        // A record that cannot be read seals nothing as it is.
        let archived =
            Correspondence::decode(session.expose()).and_then(|mail| mail.archive().encode());
        archived.unwrap_or_else(|_| session.clone())
    }
}

impl Deferred {
    /// Begins a session with the newest bundle of the peer, and with its one-time key if one is
    /// here, which is used up by that.
    pub(super) fn begin(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        mail: &Correspondence,
        random: &mut dyn Random,
        changes: &mut Batch,
    ) -> Result<Correspondence, StoredError> {
        let mut of_peer = PeerRow::read(view, peer)?;
        let bundle = self.bundle_of(view, peer, &of_peer)?.ok_or(StoredError::NoSession)?;
        let one_time = of_peer.spend();
        let begun = mail
            .begin(&mut self.around(view.now(), random), &self.local(), &bundle, one_time)
            .map_err(|_| StoredError::NoSession)?;
        of_peer.write(changes, peer);
        Ok(begun)
    }

    /// The rows that follow from a new session in place of one that is lost at one end; `None` where
    /// no bundle of the peer counts.
    pub(crate) fn begin_anew(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        random: &mut dyn Random,
    ) -> Result<Option<Batch>, StoreError> {
        let mut changes = Batch::new();
        let mail = mail_with(view, peer)?;
        match self.begin(view, peer, &mail, random, &mut changes) {
            Ok(begun) => put_mail(&mut changes, peer, &begun).map(|()| Some(changes)),
            Err(StoredError::Store(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// The rows that follow from giving a session up that too many packets did not open in.
    pub(crate) fn give_up(view: &View<'_>, peer: &AgentId) -> Result<Batch, StoreError> {
        let mut changes = Batch::new();
        put_mail(&mut changes, peer, &mail_with(view, peer)?.archive())?;
        Ok(changes)
    }

    /// Whether a session stands that seals, so that it can be kept moving.
    pub(crate) fn has_session(view: &View<'_>, peer: &AgentId) -> Result<bool, StoreError> {
        Ok(mail_with(view, peer)?.can_seal(view.now()))
    }

    /// The bundle that is kept of a peer, verified again.
    fn bundle_of(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        of_peer: &PeerRow,
    ) -> Result<Option<Bundle>, StoreError> {
        let Some(kept) = of_peer.bundle.as_ref() else { return Ok(None) };
        let Some(card) = self.card_of(view, peer)? else { return Ok(None) };
        let bundle = Unverified::<Bundle>::parse(&kept.bytes).map_err(damaged)?;
        Ok(bundle.verify(&*self.provider, &card, Some(&kept.mark), view.now()).ok())
    }

    /// The card of a peer, if one that counts is here.
    pub(super) fn card_of(
        &self,
        view: &View<'_>,
        peer: &AgentId,
    ) -> Result<Option<Card>, StoreError> {
        let Some(value) = view.row(Namespace::Peer, peer.as_bytes())? else { return Ok(None) };
        let facts = PeerFacts::decode(&value)?;
        let card = Unverified::<Card>::parse(&facts.card).map_err(damaged)?;
        Ok(card.verify(&*self.provider, view.now()).ok())
    }
}

/// What is kept of the mail with a peer.
pub(super) fn mail_with(view: &View<'_>, peer: &AgentId) -> Result<Correspondence, StoreError> {
    match view.row(Namespace::Session, peer.as_bytes())? {
        Some(record) => Correspondence::decode(record.expose()).map_err(damaged),
        None => Ok(Correspondence::default()),
    }
}

fn put_mail(changes: &mut Batch, peer: &AgentId, mail: &Correspondence) -> Result<(), StoreError> {
    changes.put(Namespace::Session, *peer.as_bytes(), mail.encode().map_err(damaged)?);
    Ok(())
}

/// Own prekeys as a packet needs them.
struct Keys<'a> {
    view: &'a View<'a>,
    provider: &'a dyn DeferredProvider,
    /// Read for first messages alone.
    store: Option<PrekeyStore>,
    /// The log of used first messages could not be read.
    failed: Cell<Option<StoreError>>,
}

impl<'a> Keys<'a> {
    fn for_packet(
        view: &'a View<'a>,
        provider: &'a dyn DeferredProvider,
        packet: &[u8],
    ) -> Result<Self, StoreError> {
        let store = match kind_of(packet) {
            Ok(PacketKind::First) => super::own::store(view)?,
            _ => None,
        };
        Ok(Self { view, provider, store, failed: Cell::new(None) })
    }

    /// Deletes the one-time key that a first message used, and remembers the use.
    fn use_up(&self, used: &UsedPrekeys, changes: &mut Batch) -> Result<(), StoreError> {
        if let Some(store) = self.store.as_ref().filter(|_| used.one_time.is_some()) {
            super::own::put_store(changes, &store.consume(used))?;
        }
        let key = used.replay_key(self.provider);
        let row = UsedRow { forget_after: replay::forget_after(self.view.now()) };
        changes.put(Namespace::UsedPrekey, *key.as_bytes(), row::encode(&row));
        Ok(())
    }
}

impl PrekeySource for Keys<'_> {
    fn signed(&self, id: PrekeyId) -> Option<&CurveKey> {
        self.store.as_ref()?.signed(id)
    }

    fn kem(&self, id: PrekeyId) -> Option<&KemKey> {
        self.store.as_ref()?.kem(id)
    }

    fn one_time(&self, id: PrekeyId) -> Option<&CurveKey> {
        self.store.as_ref()?.one_time(id)
    }

    fn was_used(&self, first: &FirstMessage<'_>) -> bool {
        let key = UsedPrekeys::of(first).replay_key(self.provider);
        match self.view.row(Namespace::UsedPrekey, key.as_bytes()) {
            Ok(row) => row.is_some(),
            Err(error) => {
                self.failed.set(Some(error));
                true
            }
        }
    }
}

impl ReplyKeys for Keys<'_> {
    fn published(&self, bundle: &BundleMark) -> bool {
        self.store.as_ref().is_some_and(|store| store.published(bundle))
    }
}
