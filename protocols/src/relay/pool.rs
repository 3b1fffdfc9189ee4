//! Pools: keys that a relay hands out, each at most once.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Opaque;
use crate::deferred::agent::PoolKey;
use crate::deferred::agent::bundle::MAX_BUNDLE_LENGTH;
use crate::deferred::agent::pool::MAX_POOL;
use crate::deferred::{CurvePublic, PrekeyId};

/// The longest KeyPackage with its proof: a hybrid one has some 8 KiB.
pub const MAX_PACKAGE: usize = 16 * 1024;

/// The most KeyPackages of one publication.
pub const MAX_PACKAGES: usize = 256;

/// The most bytes of a pool's signed part.
const MAX_SIGNED_PART: usize = 4_096;

/// Which of an agent's pools.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum KeyKind {
    /// Prekeys of deferred sessions.
    Prekeys,
    /// KeyPackages of fleets.
    KeyPackages,
}

/// Whether what was published before stays.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum PublishMode {
    /// It is handed out first.
    Add,
    /// It is dropped: its keys are lost, or not to be used any more.
    Replace,
}

/// The caller's keys, for this relay alone.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Publish {
    /// Whether what was published before stays.
    pub mode: PublishMode,
    /// The keys.
    pub publication: Publication,
}

/// Keys of one kind.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Publication {
    /// Prekeys of deferred sessions.
    Prekeys {
        /// The encoding of a [`Bundle`](crate::deferred::agent::Bundle): also the last resort. It
        /// replaces an older one.
        bundle: Opaque,
        /// One-time keys, if there are new ones.
        pool: Option<SignedKeys>,
    },
    /// KeyPackages of fleets, which the relay does not read.
    KeyPackages {
        /// To be handed out once each.
        packages: Vec<Opaque>,
        /// To be handed out when there are none. None leaves the one before.
        last_resort: Option<Opaque>,
    },
}

/// One-time keys and the signature over them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SignedKeys {
    /// The signed part of a [`Pool`](crate::deferred::agent::Pool).
    pub pool: Opaque,
    /// All of its keys, in their order. The relay computes the paths.
    pub keys: Vec<(PrekeyId, CurvePublic)>,
}

/// What a requester calls its request, so that a repetition is told from a second one: random.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct TakeId(pub [u8; 16]);

/// What was handed out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Taken {
    /// Prekeys, with a one-time key if one was left.
    Prekeys {
        /// The encoding of a bundle.
        bundle: Opaque,
        /// The key that nobody else gets. None is the last resort.
        one_time: Option<OneTime>,
    },
    /// A KeyPackage.
    KeyPackage {
        /// The package.
        package: Opaque,
        /// Whether others get it too.
        last_resort: bool,
    },
}

/// A one-time key that verifies alone.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OneTime {
    /// The signed part of its pool.
    pub pool: Opaque,
    /// The key with its path.
    pub key: PoolKey,
}

/// What is left of the caller's pools, and how they were used.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Depth {
    /// One-time prekeys that were not handed out.
    pub prekeys: u32,
    /// KeyPackages that were not handed out.
    pub packages: u32,
    /// How often a last resort was, since the keys of its kind were published.
    pub last_resorts: u32,
}

impl Taken {
    /// Whether others got the same.
    pub const fn is_last_resort(&self) -> bool {
        match self {
            Self::Prekeys { one_time, .. } => one_time.is_none(),
            Self::KeyPackage { last_resort, .. } => *last_resort,
        }
    }

    pub(super) fn is_bounded(&self) -> bool {
        match self {
            Self::Prekeys { bundle, one_time } => {
                let fits = |one_time: &OneTime| {
                    one_time.pool.len() <= MAX_SIGNED_PART && one_time.key.path.len() <= MAX_PATH
                };
                bundle.len() <= MAX_BUNDLE_LENGTH && one_time.as_ref().is_none_or(fits)
            }
            Self::KeyPackage { package, .. } => package.len() <= MAX_PACKAGE,
        }
    }
}

impl Publish {
    pub(super) fn is_bounded(&self) -> bool {
        match &self.publication {
            Publication::Prekeys { bundle, pool } => {
                let fits = |pool: &SignedKeys| {
                    pool.pool.len() <= MAX_SIGNED_PART && (1..=MAX_POOL).contains(&pool.keys.len())
                };
                bundle.len() <= MAX_BUNDLE_LENGTH && pool.as_ref().is_none_or(fits)
            }
            Publication::KeyPackages { packages, last_resort } => {
                packages.len() <= MAX_PACKAGES
                    && packages
                        .iter()
                        .chain(last_resort)
                        .all(|package| package.len() <= MAX_PACKAGE)
            }
        }
    }
}

/// Hashes from a leaf to the root of the largest pool.
const MAX_PATH: usize = MAX_POOL.ilog2() as usize;
