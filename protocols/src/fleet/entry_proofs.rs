//! What answers for the key packages that a commit adds: in the commit's associated data, itself or
//! by hash.
//!
//! ```text
//! nothing                      where nobody is added
//! version (1) || 0 || proofs   up to 16 of them
//! version (1) || 1 || SHA-256  of the proofs, which travel as a blob
//! ```

use alloc::vec::Vec;

use super::error::{GroupError, Refusal};
use super::evidence::Evidence;
use super::offer::EntryProof;
use crate::identity::canonical;
use crate::provider::Provider;

/// The most proofs inside a commit, 3.4 KB each: more would be sent to each member with it, though
/// most need only one download of them.
pub(super) const MAX_INLINE: usize = 16;

/// The most proofs at all, and so the most members that one commit adds.
pub(super) const MAX_PROOFS: usize = 5_000;

/// The associated data, and the blob that it names.
pub(super) fn encode(
    provider: &dyn Provider,
    proofs: &[&EntryProof],
) -> Result<(Vec<u8>, Option<Vec<u8>>), GroupError> {
    if proofs.is_empty() {
        return Ok((Vec::new(), None));
    }
    let bytes = canonical::encode(&proofs).map_err(|_| GroupError::Internal)?;
    if proofs.len() <= MAX_INLINE {
        return Ok(([&[VERSION, INLINE], bytes.as_slice()].concat(), None));
    }
    let hash = provider.digest(&[&bytes]);
    Ok(([&[VERSION, BY_HASH], hash.as_slice()].concat(), Some(bytes)))
}

/// The proofs that associated data carries or names.
pub(super) fn decode(
    provider: &dyn Provider,
    evidence: &dyn Evidence,
    associated: &[u8],
) -> Result<Vec<EntryProof>, GroupError> {
    match associated {
        [] => Ok(Vec::new()),
        [VERSION, INLINE, bytes @ ..] => read(bytes, MAX_INLINE),
        [VERSION, BY_HASH, hash @ ..] => {
            let hash = hash.try_into().map_err(|_| Refusal::AssociatedData)?;
            let blob = evidence.blob(hash).ok_or(GroupError::MissingProofs(*hash))?;
            if provider.digest(&[blob]) != *hash {
                return Err(GroupError::MissingProofs(*hash));
            }
            read(blob, MAX_PROOFS)
        }
        _ => Err(Refusal::AssociatedData.into()),
    }
}

fn read(bytes: &[u8], most: usize) -> Result<Vec<EntryProof>, GroupError> {
    let proofs: Vec<EntryProof> = canonical::decode(bytes).map_err(|_| Refusal::AssociatedData)?;
    if proofs.is_empty() || proofs.len() > most {
        return Err(Refusal::AssociatedData.into());
    }
    Ok(proofs)
}

const VERSION: u8 = 1;
const INLINE: u8 = 0;
const BY_HASH: u8 = 1;
