//! The agent's own prekeys in the rows of [`Namespace::Prekey`], and what time asks of them.

use meshwork_protocols::deferred::agent::{Bundle, BundleError, PrekeyStore};
use meshwork_protocols::identity::{AgentId, Unverified};
use meshwork_protocols::provider::CryptoError;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::WallTime;
use meshwork_state::{Batch, Namespace, StoreError};

use super::{Deferred, damaged};
use crate::stored::View;

impl Deferred {
    /// The rows that follow from what is due: first keys, rotation, the end of what is kept no
    /// longer, a full pool. Empty where nothing is.
    pub(crate) fn look_after(
        &self,
        view: &View<'_>,
        random: &mut dyn Random,
    ) -> Result<Batch, UpkeepError> {
        let now = view.now();
        let before = store(view)?;
        let rotates = before.as_ref().is_none_or(|store| store.rotation_is_due(now));
        let mut next = match &before {
            None => PrekeyStore::generate(&*self.provider, now, random)?,
            Some(store) if rotates => store.rotate(&*self.provider, now, random)?,
            Some(store) => store.clone(),
        };
        next = next.expire(now);
        let (size, threshold) = (self.settings.pool_size, self.settings.refill_threshold);
        if before.is_none() || next.refill_is_due(size, threshold) {
            next = next.refill(&*self.provider, size, now, random);
        }
        let mut changes = Batch::new();
        if rotates || view.row(Namespace::Prekey, BUNDLE)?.is_none() {
            next = self.publish(&next, now, random, &mut changes)?;
        }
        let record = next.encode().map_err(damaged)?;
        let same = view.row(Namespace::Prekey, STORE)?.is_some_and(|there| there == record);
        if !same {
            changes.put(Namespace::Prekey, STORE, record);
        }
        Ok(changes)
    }

    /// Whether these rows bring a bundle that is new.
    pub(crate) fn offers_anew(changes: &Batch) -> bool {
        changes.change(Namespace::Prekey, BUNDLE).is_some()
    }

    /// New signed prekeys, and a bundle that offers them.
    pub(crate) fn rotate(
        &self,
        view: &View<'_>,
        random: &mut dyn Random,
    ) -> Result<Batch, UpkeepError> {
        self.renew(store(view)?, view.now(), random)
    }

    /// A bundle that offers the newest keys anew, and counts from now on.
    pub(crate) fn sign_anew(
        &self,
        view: &View<'_>,
        random: &mut dyn Random,
    ) -> Result<Batch, UpkeepError> {
        let Some(store) = store(view)? else { return self.renew(None, view.now(), random) };
        let mut changes = Batch::new();
        let next = self.publish(&store, view.now(), random, &mut changes)?;
        put_store(&mut changes, &next)?;
        Ok(changes)
    }

    /// New prekeys for a state that was put back: what it holds of one-time keys may have been used
    /// by what came after it.
    pub(crate) fn draw_anew(
        &self,
        view: &View<'_>,
        random: &mut dyn Random,
    ) -> Result<Batch, UpkeepError> {
        let without = store(view)?.map(|store| store.without_one_time());
        self.renew(without, view.now(), random)
    }

    /// The newest bundle, as others get it; `None` before the first.
    pub(crate) fn export(view: &View<'_>) -> Result<Option<SecretBytes>, StoreError> {
        view.row(Namespace::Prekey, BUNDLE)
    }

    fn renew(
        &self,
        before: Option<PrekeyStore>,
        now: WallTime,
        random: &mut dyn Random,
    ) -> Result<Batch, UpkeepError> {
        let mut next = match before {
            Some(store) => store.rotate(&*self.provider, now, random)?,
            None => PrekeyStore::generate(&*self.provider, now, random)?,
        };
        let size = self.settings.pool_size;
        if next.refill_is_due(size, self.settings.refill_threshold) {
            next = next.refill(&*self.provider, size, now, random);
        }
        let mut changes = Batch::new();
        let next = self.publish(&next, now, random, &mut changes)?;
        put_store(&mut changes, &next)?;
        Ok(changes)
    }

    /// Signs a bundle that offers the newest keys.
    fn publish(
        &self,
        store: &PrekeyStore,
        now: WallTime,
        random: &mut dyn Random,
        changes: &mut Batch,
    ) -> Result<PrekeyStore, UpkeepError> {
        let owner = (self.own(), self.card.sequence(), *self.identity.public());
        let body = store.bundle_body(owner, None, now).ok_or(StoreError::Damaged)?;
        let bundle = Bundle::sign(&*self.provider, &self.pair, body, random)?;
        changes.put(Namespace::Prekey, BUNDLE, SecretBytes::new(bundle.as_bytes().to_vec()));
        Ok(store.publish(bundle.mark()))
    }
}

/// The agent's prekeys, once there are any.
pub(super) fn store(view: &View<'_>) -> Result<Option<PrekeyStore>, StoreError> {
    let record = view.row(Namespace::Prekey, STORE)?;
    record.map(|record| PrekeyStore::decode(record.expose()).map_err(damaged)).transpose()
}

pub(super) fn put_store(changes: &mut Batch, store: &PrekeyStore) -> Result<(), StoreError> {
    changes.put(Namespace::Prekey, STORE, store.encode().map_err(damaged)?);
    Ok(())
}

/// Whose a bundle says it is, before it is believed.
pub(crate) fn claimed_agent(bundle: &[u8]) -> Result<AgentId, BundleError> {
    Unverified::<Bundle>::parse(bundle).map(|bundle| bundle.claimed_agent())
}

/// Why own prekeys were not made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UpkeepError {
    /// A row could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key was drawn.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// No bundle was signed.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

const BUNDLE: &[u8] = b"bundle";
const STORE: &[u8] = b"store";
