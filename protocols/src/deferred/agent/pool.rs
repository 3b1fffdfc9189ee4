//! A pool of one-time keys: one hybrid signature over the root of a Merkle tree, so that each key
//! can be given out alone, with its path, and still be its agent's.
//!
//! Leaf: SHA-256(0x00 || place (4, big-endian) || id (4) || key (33)); node: SHA-256(0x01 || left ||
//! right); the last node of an odd row goes up as it is.

mod tree;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use self::tree::{leaf, path_leads_to, root_and_paths};
use crate::deferred::curve_key::CurvePublic;
use crate::deferred::prekey_id::PrekeyId;
use crate::identity::{
    AgentId, Card, EncodingError, HybridSignature, Purpose, Sequence, SigningPair, Unverified,
    Verifiable, canonical,
};
use crate::provider::{CryptoError, Provider};
use crate::random::Random;
use crate::time::{CLOCK_TOLERANCE, WallTime};

/// The most keys of one pool: paths of at most ten hashes.
pub const MAX_POOL: usize = 1_024;

/// All that a pool's signature is over.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PoolBody {
    /// Whose keys they are.
    pub agent: AgentId,
    /// The card that names the signing pair.
    pub card: Sequence,
    /// The root of the tree.
    pub root: [u8; 32],
    /// How many keys.
    pub count: u32,
    /// When the keys cease to count.
    pub not_after: WallTime,
}

/// A key with its way to the root.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PoolKey {
    /// Its number.
    pub id: PrekeyId,
    /// The key.
    pub key: CurvePublic,
    /// Its place among the leaves.
    pub place: u32,
    /// The hashes beside the way, the lowest first.
    pub path: Vec<[u8; 32]>,
}

/// A verified pool.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pool(PoolClaim);

impl Pool {
    /// Signs a pool, and gives each key its way.
    pub fn sign(
        provider: &dyn Provider,
        pair: &SigningPair,
        keys: &[(PrekeyId, CurvePublic)],
        terms: PoolTerms,
        random: &mut dyn Random,
    ) -> Result<(Self, Vec<PoolKey>), PoolError> {
        let (root, with_paths) = grown(provider, keys);
        let count = u32::try_from(keys.len()).map_err(|_| PoolError::WrongCount)?;
        let PoolTerms { agent, card, not_after } = terms;
        let body = PoolBody { agent, card, root, count, not_after };
        body.check()?;
        let mut bytes = Vec::from([VERSION]);
        bytes.extend(canonical::encode(&body)?);
        let signature = pair.sign(Purpose::Pool, &bytes, random)?;
        bytes.extend_from_slice(signature.as_bytes());
        Ok((Self(PoolClaim { bytes, body }), with_paths))
    }

    /// Every byte of the signed part.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// What the signature is over.
    pub fn body(&self) -> &PoolBody {
        &self.0.body
    }

    /// Gives each key its way anew, for a relay that was told the keys alone: they are these, all
    /// of them, in this order.
    pub fn with_paths(
        &self,
        provider: &dyn Provider,
        keys: &[(PrekeyId, CurvePublic)],
    ) -> Result<Vec<PoolKey>, PoolError> {
        if usize::try_from(self.body().count) != Ok(keys.len()) {
            return Err(PoolError::WrongCount);
        }
        let (root, keys) = grown(provider, keys);
        if root == self.body().root { Ok(keys) } else { Err(PoolError::NotOfThisPool) }
    }

    /// Believes one key, if its path leads to the signed root and it counts `now`.
    pub fn verify_key(
        &self,
        provider: &dyn Provider,
        key: &PoolKey,
        now: WallTime,
    ) -> Result<(PrekeyId, CurvePublic), PoolError> {
        let body = self.body();
        if now > body.not_after + CLOCK_TOLERANCE {
            return Err(PoolError::Expired(body.not_after));
        }
        let leaf = leaf(provider, key.place, key.id, &key.key);
        if !path_leads_to(provider, &body.root, body.count, key.place, leaf, &key.path) {
            return Err(PoolError::NotOfThisPool);
        }
        Ok((key.id, key.key))
    }
}

/// What a pool says beside its keys.
#[derive(Clone, Copy, Debug)]
pub struct PoolTerms {
    /// Whose keys they are.
    pub agent: AgentId,
    /// The card that names the signing pair.
    pub card: Sequence,
    /// When the keys cease to count.
    pub not_after: WallTime,
}

impl PoolBody {
    fn check(&self) -> Result<(), PoolError> {
        match usize::try_from(self.count) {
            Ok(1..=MAX_POOL) => Ok(()),
            _ => Err(PoolError::WrongCount),
        }
    }
}

impl Verifiable for Pool {
    type Claim = PoolClaim;
}

/// What parsing a pool yields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PoolClaim {
    bytes: Vec<u8>,
    body: PoolBody,
}

impl Unverified<Pool> {
    /// Reads the signed part of a pool without believing it.
    pub fn parse(bytes: &[u8]) -> Result<Self, PoolError> {
        if bytes.len() > MAX_LENGTH {
            return Err(PoolError::Malformed);
        }
        let (signed, _) =
            bytes.split_last_chunk::<{ HybridSignature::LENGTH }>().ok_or(PoolError::Malformed)?;
        let (version, body) = signed.split_first().ok_or(PoolError::Malformed)?;
        if *version != VERSION {
            return Err(PoolError::UnsupportedVersion(*version));
        }
        let body: PoolBody = canonical::decode(body)?;
        body.check()?;
        Ok(Self(PoolClaim { bytes: bytes.to_vec(), body }))
    }

    /// Believes it, if the agent of `card` answers for it.
    pub fn verify(self, provider: &dyn Provider, card: &Card) -> Result<Pool, PoolError> {
        let PoolClaim { bytes, body } = &self.0;
        if body.agent != card.agent() || body.card > card.sequence() {
            return Err(PoolError::WrongCard);
        }
        let (signed, signature) =
            bytes.split_last_chunk::<{ HybridSignature::LENGTH }>().ok_or(PoolError::Malformed)?;
        card.signing_pair()
            .verify(provider, Purpose::Pool, signed, &HybridSignature::from_bytes(signature))
            .map_err(|_| PoolError::BadSignature)?;
        Ok(Pool(self.0))
    }
}

/// Why a pool or one of its keys is none to use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// Not the parts of a pool.
    #[error("the pool is malformed")]
    Malformed,
    /// A format that this version does not read.
    #[error("format version {0} of a pool is not one that this version reads")]
    UnsupportedVersion(u8),
    /// Its body is not encoded as a body is.
    #[error("the pool is malformed: {0}")]
    Encoding(#[from] EncodingError),
    /// No key, or more than a pool may have.
    #[error("a pool has from 1 to {MAX_POOL} keys")]
    WrongCount,
    /// It is another agent's, or was signed under a newer card.
    #[error("the pool is not of the card's agent, or was signed under a newer card")]
    WrongCard,
    /// A half of the signature does not verify.
    #[error("the pool's signature does not verify")]
    BadSignature,
    /// Its keys count no more.
    #[error("the pool's keys expired at {0}")]
    Expired(WallTime),
    /// The key's path does not lead to the signed root.
    #[error("the one-time key is not of this pool")]
    NotOfThisPool,
    /// The provider made no signature.
    #[error("the pool could not be signed: {0}")]
    Signing(#[from] CryptoError),
}

/// Each key with its way, for who verified the pool of these keys before.
pub fn paths(provider: &dyn Provider, keys: &[(PrekeyId, CurvePublic)]) -> Vec<PoolKey> {
    grown(provider, keys).1
}

/// The root of the tree over these keys, and each key with its way there.
fn grown(provider: &dyn Provider, keys: &[(PrekeyId, CurvePublic)]) -> ([u8; 32], Vec<PoolKey>) {
    let leaves = (0_u32..).zip(keys).map(|(place, (id, key))| leaf(provider, place, *id, key));
    let (root, paths) = root_and_paths(provider, leaves.collect());
    let keys = (0_u32..).zip(keys).zip(paths);
    let keys = keys.map(|((place, (id, key)), path)| PoolKey { id: *id, key: *key, place, path });
    (root, keys.collect())
}

const VERSION: u8 = 1;

/// The signed part has less than 3,500 bytes.
const MAX_LENGTH: usize = 4_096;

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{Pool, PoolError, PoolTerms};
    use crate::deferred::agent::fixture::Agent;
    use crate::deferred::fixture::{NOW, PROVIDER, Seeded};
    use crate::identity::Unverified;
    use crate::time::CLOCK_TOLERANCE;

    #[test]
    fn each_key_of_a_pool_verifies_alone_and_no_other_key_does() {
        let (agent, other) = (Agent::new(1), Agent::new(2));
        let terms = PoolTerms {
            agent: agent.id(),
            card: agent.card.sequence(),
            not_after: NOW + Duration::from_secs(60),
        };
        let keys = agent.store.pool();
        let (pool, with_paths) =
            Pool::sign(PROVIDER, &agent.pair, &keys, terms, &mut Seeded(3)).unwrap();
        let parsed = || Unverified::<Pool>::parse(pool.as_bytes()).unwrap();
        assert_eq!(parsed().verify(PROVIDER, &other.card), Err(PoolError::WrongCard));
        let pool = parsed().verify(PROVIDER, &agent.card).unwrap();
        assert_eq!(pool.with_paths(PROVIDER, &keys).as_ref(), Ok(&with_paths));
        assert_eq!(pool.with_paths(PROVIDER, &keys[1..]), Err(PoolError::WrongCount));
        let mut swapped = keys.clone();
        swapped.swap(0, 1);
        assert_eq!(pool.with_paths(PROVIDER, &swapped), Err(PoolError::NotOfThisPool));
        for (key, expected) in with_paths.iter().zip(&keys) {
            assert_eq!(pool.verify_key(PROVIDER, key, NOW).as_ref(), Ok(expected));
            let mut wrong = key.clone();
            wrong.id = wrong.id.next();
            assert_eq!(pool.verify_key(PROVIDER, &wrong, NOW), Err(PoolError::NotOfThisPool));
            let late = terms.not_after + CLOCK_TOLERANCE + Duration::from_millis(1);
            let refused = pool.verify_key(PROVIDER, key, late);
            assert_eq!(refused, Err(PoolError::Expired(terms.not_after)));
        }
    }

    #[test]
    fn each_changed_byte_of_the_signed_part_is_refused_and_an_empty_pool_is_none() {
        let agent = Agent::new(1);
        let terms = PoolTerms { agent: agent.id(), card: agent.card.sequence(), not_after: NOW };
        let keys = agent.store.pool();
        let (pool, _) = Pool::sign(PROVIDER, &agent.pair, &keys, terms, &mut Seeded(3)).unwrap();
        for place in (0..pool.as_bytes().len()).step_by(29) {
            let mut changed = pool.as_bytes().to_vec();
            changed[place] ^= 1;
            let result = Unverified::<Pool>::parse(&changed)
                .and_then(|pool| pool.verify(PROVIDER, &agent.card));
            assert!(result.is_err(), "byte {place}");
        }
        let empty = Pool::sign(PROVIDER, &agent.pair, &[], terms, &mut Seeded(3));
        assert_eq!(empty.map(drop), Err(PoolError::WrongCount));
    }
}
