//! How the agent's own keys and card lie in their rows.
//!
//! Each key row is two secrets of 32 bytes, one behind the other, but for the deferred identity
//! and the key in groups, which are one each; the card is its own bytes. The store puts a version in
//! front and seals them.

use std::sync::Arc;

use meshwork_protocols::deferred::CurveKey;
use meshwork_protocols::identity::{AgentId, Card, CardError, HybridSeeds, Root, Unverified};
use meshwork_protocols::live::LocalError;
use meshwork_protocols::provider::{CryptoError, Provider};
use meshwork_protocols::secret::{Secret, SecretBytes};
use meshwork_protocols::time::WallTime;
use meshwork_state::{Batch, Namespace, Rows, StoreError};

use super::LiveKeys;

/// Why the agent's own keys and card cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OwnError {
    /// The root that was brought is another agent's: bring the right one.
    #[error("the root is not that of {0}, whose state this is")]
    AnotherRoot(AgentId),
    /// The agent's own card does not count now, and its root is not here: start once with the root.
    #[error("the agent's own card cannot be used, and its root is not here to sign a new one: {0}")]
    Card(CardError),
    /// A new card was asked for, and the root is not here to sign it.
    #[error("the root is not here to sign a new card")]
    NoRoot,
    /// No card could be made.
    #[error("no card could be made: {0}")]
    Unsigned(CardError),
    /// The crypto provider failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The rows do not fit together.
    #[error("the agent's own rows are damaged")]
    Damaged,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LocalError> for OwnError {
    fn from(_: LocalError) -> Self {
        Self::Damaged
    }
}

pub(super) fn has_card(rows: &dyn Rows) -> Result<bool, OwnError> {
    Ok(rows.get(Namespace::Own, CARD)?.is_some())
}

/// The card, whether it counts now or not.
pub(super) fn card(
    rows: &dyn Rows,
    provider: &dyn Provider,
    now: WallTime,
) -> Result<Card, OwnError> {
    let bytes = rows.get(Namespace::Own, CARD)?.ok_or(OwnError::Damaged)?;
    let parse = || Unverified::<Card>::parse(bytes.expose()).map_err(|_| OwnError::Damaged);
    let card = match parse()?.verify(provider, now) {
        // Verified as of a moment at which it counted.
        Err(CardError::Expired(at) | CardError::NotYetValid(at)) => parse()?.verify(provider, at),
        card => card,
    };
    card.map_err(|_| OwnError::Damaged)
}

pub(super) fn root(rows: &dyn Rows, provider: &dyn Provider) -> Result<Option<Root>, OwnError> {
    let Some((ed25519, ml_dsa)) = secrets(rows, ROOT)? else { return Ok(None) };
    Ok(Some(Root::from_seeds(provider, HybridSeeds { ed25519, ml_dsa })?))
}

pub(super) fn signing_pair(rows: &dyn Rows) -> Result<HybridSeeds, OwnError> {
    let (ed25519, ml_dsa) = secrets(rows, SIGNING_PAIR)?.ok_or(OwnError::Damaged)?;
    Ok(HybridSeeds { ed25519, ml_dsa })
}

pub(super) fn live_keys(rows: &dyn Rows) -> Result<LiveKeys, OwnError> {
    let (current, next) = secrets(rows, LIVE_KEYS)?.ok_or(OwnError::Damaged)?;
    Ok(LiveKeys { current, next })
}

/// The deferred identity, if there is one.
pub(super) fn deferred_identity(
    rows: &dyn Rows,
    provider: &dyn Provider,
) -> Result<Option<CurveKey>, OwnError> {
    let Some(value) = rows.get(Namespace::Own, DEFERRED_IDENTITY)? else { return Ok(None) };
    let secret = Secret::from_slice(value.expose()).ok_or(OwnError::Damaged)?;
    Ok(Some(CurveKey::from_secret(provider, secret)))
}

pub(super) fn put_deferred_identity(batch: &mut Batch, identity: &CurveKey) {
    let secret = SecretBytes::new(identity.secret().expose().to_vec());
    batch.put(Namespace::Own, DEFERRED_IDENTITY, secret);
}

/// What the key in groups is made from, if there is one.
pub(super) fn fleet_key(rows: &dyn Rows) -> Result<Option<Secret<32>>, OwnError> {
    let Some(value) = rows.get(Namespace::Own, FLEET_KEY)? else { return Ok(None) };
    Secret::from_slice(value.expose()).map(Some).ok_or(OwnError::Damaged)
}

pub(super) fn put_fleet_key(batch: &mut Batch, seed: &Secret<32>) {
    batch.put(Namespace::Own, FLEET_KEY, SecretBytes::new(seed.expose().to_vec()));
}

pub(super) fn put_root(batch: &mut Batch, root: &Root) {
    put(batch, ROOT, &root.seeds().ed25519, &root.seeds().ml_dsa);
}

pub(super) fn put_signing_pair(batch: &mut Batch, seeds: &HybridSeeds) {
    put(batch, SIGNING_PAIR, &seeds.ed25519, &seeds.ml_dsa);
}

pub(super) fn put_live_keys(batch: &mut Batch, keys: &LiveKeys) {
    put(batch, LIVE_KEYS, &keys.current, &keys.next);
}

pub(super) fn put_card(batch: &mut Batch, card: &Arc<Card>) {
    batch.put(Namespace::Own, CARD, SecretBytes::new(card.as_bytes().to_vec()));
}

/// Whether peers may have seen a newer card than the one that stands here.
pub(super) fn is_behind(rows: &dyn Rows) -> Result<bool, OwnError> {
    Ok(rows.get(Namespace::Own, BEHIND)?.is_some())
}

pub(super) fn put_behind(batch: &mut Batch) {
    batch.put(Namespace::Own, BEHIND, SecretBytes::default());
}

pub(super) fn delete_behind(batch: &mut Batch) {
    batch.delete(Namespace::Own, BEHIND);
}

fn put(batch: &mut Batch, key: &[u8], one: &Secret<32>, other: &Secret<32>) {
    let mut value = Vec::with_capacity(64);
    value.extend_from_slice(one.expose());
    value.extend_from_slice(other.expose());
    batch.put(Namespace::Own, key, SecretBytes::new(value));
}

fn secrets(rows: &dyn Rows, key: &[u8]) -> Result<Option<(Secret<32>, Secret<32>)>, OwnError> {
    let Some(value) = rows.get(Namespace::Own, key)? else { return Ok(None) };
    let (one, other) = value.expose().split_at_checked(32).ok_or(OwnError::Damaged)?;
    let pair = Secret::from_slice(one).zip(Secret::from_slice(other));
    pair.map(Some).ok_or(OwnError::Damaged)
}

const BEHIND: &[u8] = b"behind";
const CARD: &[u8] = b"card";
const DEFERRED_IDENTITY: &[u8] = b"deferred-identity";
const FLEET_KEY: &[u8] = b"fleet-key";
const LIVE_KEYS: &[u8] = b"live-keys";
const ROOT: &[u8] = b"root";
const SIGNING_PAIR: &[u8] = b"signing-pair";
