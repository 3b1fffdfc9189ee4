//! Blobs: sealed bytes under their hash, on account of who left them.
//!
//! A depositor's shelf is a log of what it left here; the bytes lie under their hash, once for all
//! depositors.

use std::collections::HashMap;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Answer, BlobHash, Opaque, Refusal};
use meshwork_protocols::time::{CLOCK_TOLERANCE, WallTime};
use meshwork_protocols::wire::bytes;
use serde::{Deserialize, Serialize};

use crate::decision::{Decision, Stop};
use crate::entry;
use crate::mailbox::Context;
use crate::storage::{Change, Condition, Most, Storage, StorageError, Then};

/// What is held of what one agent left.
#[derive(Debug)]
pub(crate) struct Shelf {
    owner: AgentId,
    last: u64,
    until: HashMap<BlobHash, WallTime>,
    bytes: u64,
}

/// A line of the shelf.
#[derive(Deserialize, Serialize)]
pub(crate) struct Shelved {
    hash: BlobHash,
    length: u64,
    pub(crate) expires: WallTime,
}

/// A blob as it is stored.
#[derive(Deserialize, Serialize)]
pub(crate) struct BlobRecord<'a> {
    pub(crate) expires: WallTime,
    #[serde(borrow, serialize_with = "bytes::serialize")]
    bytes: &'a [u8],
}

impl Shelf {
    pub(crate) fn read(storage: &dyn Storage, owner: AgentId) -> Result<Self, StorageError> {
        let subject = entry::shelf(&owner);
        let last = storage.last(&subject)?;
        let mut shelf = Self { owner, last, until: HashMap::new(), bytes: 0 };
        let mut after = 0;
        loop {
            let records = storage.read(&subject, after, READ_AT_ONCE)?;
            let Some(last) = records.last() else { return Ok(shelf) };
            after = last.sequence;
            for record in &records {
                let line: Shelved = entry::decode(&record.bytes)?;
                shelf.add(&line);
            }
        }
    }

    /// Keeps a blob, or the one that is here for longer.
    pub(crate) fn put(
        &mut self,
        context: &Context<'_>,
        hash: BlobHash,
        expires: WallTime,
        bytes: &Opaque,
    ) -> Result<Decision, Stop> {
        let Context { storage, provider, limits, now, .. } = *context;
        if provider.digest(&[&bytes.0]) != hash {
            return Err(Refusal::WrongHash.into());
        }
        if expires <= now.wall || expires > now.wall + limits.keep + CLOCK_TOLERANCE {
            return Err(Refusal::BadExpiry.into());
        }
        let key = entry::blob(&hash);
        let stored = storage.get(&key)?;
        let kept_until =
            stored.map(|stored| entry::decode::<BlobRecord<'_>>(&stored).map(|blob| blob.expires));
        let kept_until = kept_until.transpose()?;
        let is_mine = self.until.get(&hash).is_some_and(|until| *until >= expires);
        if is_mine && kept_until.is_some_and(|until| until >= expires) {
            return Ok(Decision::answer(Answer::Done));
        }
        let longest = kept_until.map_or(expires, |until| until.max(expires));
        let value = entry::encode(&BlobRecord { expires: longest, bytes: bytes.as_ref() });
        let then = vec![Then::Put { key, value }];
        // What a crash left without its bytes is on the shelf already.
        if is_mine {
            return Ok(Decision::change(Change { condition: None, then }, Answer::Done));
        }
        let line = Shelved { hash, length: bytes.len() as u64, expires };
        if self.bytes + line.length > limits.blob_bytes {
            return Err(Refusal::NotNow { retry_after: FULL_RETRY }.into());
        }
        self.last += 1;
        self.add(&line);
        let subject = entry::shelf(&self.owner);
        let record = entry::encode(&line);
        let condition = Some(Condition::Append { subject, sequence: self.last, record });
        Ok(Decision::change(Change { condition, then }, Answer::Done))
    }

    fn add(&mut self, line: &Shelved) {
        self.bytes += line.length;
        let until = self.until.entry(line.hash).or_default();
        *until = line.expires.max(*until);
    }
}

/// A blob, if it is here and counts.
pub(crate) fn get(
    storage: &dyn Storage,
    hash: &BlobHash,
    now: WallTime,
) -> Result<Option<Opaque>, StorageError> {
    let Some(stored) = storage.get(&entry::blob(hash))? else { return Ok(None) };
    let blob: BlobRecord<'_> = entry::decode(&stored)?;
    Ok((blob.expires > now).then(|| blob.bytes.to_vec().into()))
}

const READ_AT_ONCE: Most = Most { entries: 4_096, bytes: 1 << 20 };

/// Seconds after which there may be room: blobs go when their time has passed.
const FULL_RETRY: u16 = 3_600;
