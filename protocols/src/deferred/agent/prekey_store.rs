//! One's own prekeys: which are offered, which are still kept for mail under way, and which are due.
//!
//! A value like a session: each change gives the next one, for a batch to adopt. Knows no clock and
//! no store.

use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::bundle::{BundleBody, BundleMark, BundleNumber, MAX_VALIDITY};
use super::replay::UsedPrekeys;
use crate::deferred::curve_key::{CurveKey, CurvePublic};
use crate::deferred::kem_key::KemKey;
use crate::deferred::prekey_id::PrekeyId;
use crate::deferred::stored::{self, RecordError};
use crate::deferred::suite::Suite;
use crate::identity::{AgentId, Sequence};
use crate::provider::{CryptoError, DeferredProvider};
use crate::random::Random;
use crate::secret::SecretBytes;
use crate::time::WallTime;

/// How old the signed prekeys become before they are replaced.
pub const ROTATION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long a replaced prekey is kept, for mail that was sealed to it: a message lives 30 days.
pub const KEPT_AFTER_REPLACED: Duration = Duration::from_secs(40 * 24 * 60 * 60);

/// One-time keys that a pool is filled to.
pub const POOL_SIZE: usize = 200;

/// The share of the pool, in percent, that may be handed out before it is filled again.
pub const REFILL_THRESHOLD: usize = 70;

/// The most signed prekeys that are kept. Weekly rotation needs eight; the rest is for who rotates by
/// hand.
pub const MAX_KEPT: usize = 32;

/// The most one-time keys that are kept, handed out or not.
pub const MAX_ONE_TIME: usize = 1_024;

/// The prekeys of an agent: one record of the store.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PrekeyStore {
    /// The newest last.
    generations: Vec<Generation>,
    /// By rising number.
    one_time: Vec<OneTime>,
    next: PrekeyId,
    next_one_time: PrekeyId,
    /// The bundles whose keys are kept, the newest last.
    published: Vec<Published>,
}

/// The signed prekeys of a week.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Generation {
    id: PrekeyId,
    signed: CurveKey,
    kem: KemKey,
    made: WallTime,
    replaced: Option<WallTime>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct OneTime {
    id: PrekeyId,
    key: CurveKey,
    /// When it was made, or last given.
    since: WallTime,
    handed_out: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Published {
    mark: BundleMark,
    generation: PrekeyId,
}

impl PrekeyStore {
    /// The first keys of an agent, without a pool.
    pub fn generate(
        provider: &dyn DeferredProvider,
        now: WallTime,
        random: &mut dyn Random,
    ) -> Result<Self, CryptoError> {
        let empty = Self {
            generations: Vec::new(),
            one_time: Vec::new(),
            next: PrekeyId(1),
            next_one_time: PrekeyId(1),
            published: Vec::new(),
        };
        empty.rotate(provider, now, random)
    }

    /// Whether the signed prekeys are as old as they become.
    pub fn rotation_is_due(&self, now: WallTime) -> bool {
        self.generations.last().is_none_or(|newest| now >= newest.made + ROTATION)
    }

    /// With new signed prekeys. The replaced ones still open.
    pub fn rotate(
        &self,
        provider: &dyn DeferredProvider,
        now: WallTime,
        random: &mut dyn Random,
    ) -> Result<Self, CryptoError> {
        let mut next = self.clone();
        if let Some(replaced) = next.generations.last_mut() {
            replaced.replaced = Some(now);
        }
        next.generations.push(Generation {
            id: self.next,
            signed: CurveKey::generate(provider, random),
            kem: KemKey::generate(provider, Suite::MlKem1024, random)?,
            made: now,
            replaced: None,
        });
        next.next = self.next.next();
        next.drop_oldest();
        Ok(next)
    }

    /// Without the keys that were replaced, or made or given for one use, longer ago than they are
    /// kept.
    #[must_use]
    pub fn expire(&self, now: WallTime) -> Self {
        let mut next = self.clone();
        next.generations.retain(|generation| {
            generation.replaced.is_none_or(|replaced| now <= replaced + KEPT_AFTER_REPLACED)
        });
        next.one_time.retain(|one_time| now <= one_time.since + ONE_TIME_KEPT);
        next.drop_unkept();
        next
    }

    /// What the next bundle says.
    pub fn bundle_body(
        &self,
        owner: (AgentId, Sequence, CurvePublic),
        relay: Option<AgentId>,
        now: WallTime,
    ) -> Option<BundleBody> {
        let (agent, card, identity) = owner;
        let newest = self.generations.last()?;
        let last = self.published.last().map_or(0, |published| published.mark.number.0);
        Some(BundleBody {
            agent,
            card,
            suite: Suite::MlKem1024,
            identity,
            signed: (newest.id, *newest.signed.public()),
            kem: (newest.id, newest.kem.public()),
            // As cards are numbered: an agent whose state was lost still finds a higher one.
            number: BundleNumber(now.as_secs().max(last.saturating_add(1))),
            not_before: now,
            not_after: now + MAX_VALIDITY,
            relay,
        })
    }

    /// With a bundle that offers the newest keys to whoever gets it.
    #[must_use]
    pub fn publish(&self, mark: BundleMark) -> Self {
        let mut next = self.clone();
        if let Some(newest) = self.generations.last() {
            next.published.push(Published { mark, generation: newest.id });
        }
        let surplus = next.published.len().saturating_sub(MAX_PUBLISHED);
        next.published.drain(..surplus);
        next
    }

    /// Whether the share of the pool that was handed out has passed the threshold.
    pub fn refill_is_due(&self, size: usize, threshold: usize) -> bool {
        let handed_out = size.saturating_sub(self.available());
        handed_out * 100 > size * threshold
    }

    /// With a pool of `size` keys that nobody has.
    #[must_use]
    pub fn refill(
        &self,
        provider: &dyn DeferredProvider,
        size: usize,
        now: WallTime,
        random: &mut dyn Random,
    ) -> Self {
        let mut next = self.clone();
        let room = MAX_ONE_TIME.saturating_sub(next.one_time.len());
        for _ in 0..size.saturating_sub(self.available()).min(room) {
            let key = CurveKey::generate(provider, random);
            let id = next.next_one_time;
            next.one_time.push(OneTime { id, key, since: now, handed_out: false });
            next.next_one_time = id.next();
        }
        next
    }

    /// The keys that nobody has, as a pool signs them.
    pub fn pool(&self) -> Vec<(PrekeyId, CurvePublic)> {
        let free = self.one_time.iter().filter(|one_time| !one_time.handed_out);
        free.map(|one_time| (one_time.id, *one_time.key.public())).collect()
    }

    /// A key for one peer alone, and the store after it.
    pub fn hand_out(&self, now: WallTime) -> Option<((PrekeyId, CurvePublic), Self)> {
        let free = self.one_time.iter().find(|one_time| !one_time.handed_out)?;
        self.hand_out_again(free.id, now)
    }

    /// The key of this number once more for the peer that has it, kept as long as one that is given
    /// now; `None` where it was used, or is kept no longer.
    pub fn hand_out_again(
        &self,
        id: PrekeyId,
        now: WallTime,
    ) -> Option<((PrekeyId, CurvePublic), Self)> {
        let mut next = self.clone();
        let given = next.one_time.iter_mut().find(|one_time| one_time.id == id)?;
        (given.handed_out, given.since) = (true, now);
        let key = (given.id, *given.key.public());
        Some((key, next))
    }

    /// At most `count` keys that nobody has, for one pool alone: none of them is ever handed out by
    /// another way, nor in another pool.
    pub fn hand_out_pool(
        &self,
        count: usize,
        now: WallTime,
    ) -> (Vec<(PrekeyId, CurvePublic)>, Self) {
        let mut next = self.clone();
        let free = next.one_time.iter_mut().filter(|one_time| !one_time.handed_out).take(count);
        let keys = free.map(|one_time| {
            (one_time.handed_out, one_time.since) = (true, now);
            (one_time.id, *one_time.key.public())
        });
        (keys.collect(), next)
    }

    /// Without any one-time key: an older copy of the store may have given or used them.
    #[must_use]
    pub fn without_one_time(&self) -> Self {
        Self { one_time: Vec::new(), ..self.clone() }
    }

    /// The newest bundle whose keys are kept.
    pub fn newest_published(&self) -> Option<BundleMark> {
        self.published.last().map(|published| published.mark)
    }

    /// When the signed prekeys are as old as they become.
    pub fn rotation_due(&self) -> Option<WallTime> {
        self.generations.last().map(|newest| newest.made + ROTATION)
    }

    /// How many one-time keys somebody has and has not used.
    pub fn handed_out(&self) -> usize {
        self.one_time.len() - self.available()
    }

    /// How many one-time keys nobody has.
    pub fn available(&self) -> usize {
        self.one_time.iter().filter(|one_time| !one_time.handed_out).count()
    }

    /// How many generations of signed prekeys are kept.
    pub fn generations(&self) -> usize {
        self.generations.len()
    }

    /// Without the one-time key that a first message used.
    #[must_use]
    pub fn consume(&self, used: &UsedPrekeys) -> Self {
        let mut next = self.clone();
        next.one_time.retain(|one_time| Some(one_time.id) != used.one_time);
        next
    }

    /// The signed prekey with this number.
    pub fn signed(&self, id: PrekeyId) -> Option<&CurveKey> {
        self.generation(id).map(|generation| &generation.signed)
    }

    /// The KEM prekey with this number.
    pub fn kem(&self, id: PrekeyId) -> Option<&KemKey> {
        self.generation(id).map(|generation| &generation.kem)
    }

    /// The one-time prekey with this number.
    pub fn one_time(&self, id: PrekeyId) -> Option<&CurveKey> {
        self.one_time.iter().find(|one_time| one_time.id == id).map(|one_time| &one_time.key)
    }

    /// Whether this was one of one's own bundles, and its keys are still kept.
    pub fn published(&self, mark: &BundleMark) -> bool {
        self.published.iter().any(|published| published.mark == *mark)
    }

    /// The record.
    pub fn encode(&self) -> Result<SecretBytes, RecordError> {
        stored::encode(&[FORMAT], self).map_err(|_| RecordError::Malformed)
    }

    /// Reads a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let store: Self = stored::decode_format(FORMAT, bytes)?;
        let bounded = store.generations.len() <= MAX_KEPT
            && store.one_time.len() <= MAX_ONE_TIME
            && store.published.len() <= MAX_PUBLISHED;
        if bounded { Ok(store) } else { Err(RecordError::Malformed) }
    }

    fn generation(&self, id: PrekeyId) -> Option<&Generation> {
        self.generations.iter().find(|generation| generation.id == id)
    }

    fn drop_oldest(&mut self) {
        let surplus = self.generations.len().saturating_sub(MAX_KEPT);
        self.generations.drain(..surplus);
        self.drop_unkept();
    }

    /// Forgets bundles whose keys are gone.
    fn drop_unkept(&mut self) {
        let kept: Vec<_> = self.generations.iter().map(|generation| generation.id).collect();
        self.published.retain(|published| kept.contains(&published.generation));
    }
}

/// How long a one-time key is kept: as long as the signed prekeys of the bundle that it was given
/// with.
const ONE_TIME_KEPT: Duration = ROTATION.saturating_add(KEPT_AFTER_REPLACED);

/// The most bundles that are remembered: one for each day that a generation is kept, and then some.
const MAX_PUBLISHED: usize = 256;

const FORMAT: u8 = 1;

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests;
