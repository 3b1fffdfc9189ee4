//! How each log and value is named, and how what stands in it is written: a version byte, then
//! postcard.

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{BlobHash, KeyKind, LogId};
use serde::Serialize;
use serde::de::Deserialize;

use crate::storage::{Key, StorageError, Subject};

pub(crate) fn mailbox(owner: &AgentId) -> Subject {
    Subject::new(MAILBOX, owner.as_bytes())
}

pub(crate) fn card(agent: &AgentId) -> Subject {
    Subject::new(CARD, agent.as_bytes())
}

pub(crate) fn rules(owner: &AgentId) -> Subject {
    Subject::new(RULES, owner.as_bytes())
}

pub(crate) fn pool(owner: &AgentId, kind: KeyKind) -> Subject {
    let number = match kind {
        KeyKind::Prekeys => PREKEYS,
        KeyKind::KeyPackages => KEY_PACKAGES,
    };
    Subject::new(number, owner.as_bytes())
}

pub(crate) fn log(log: &LogId) -> Subject {
    Subject::new(LOG, &log.0)
}

pub(crate) fn shelf(depositor: &AgentId) -> Subject {
    Subject::new(SHELF, depositor.as_bytes())
}

/// What remembers mail that was acknowledged, so that its depositor may repeat itself.
pub(crate) fn seen(mailbox: &AgentId, hash: &[u8; 32]) -> Key {
    Key::of_several(SEEN, mailbox.as_bytes(), hash)
}

pub(crate) fn blob(hash: &BlobHash) -> Key {
    Key::new(BLOB, hash)
}

/// The state of a log up to one of its entries.
pub(crate) fn checkpoint(log: &LogId) -> Key {
    Key::new(CHECKPOINT, &log.0)
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Writing to memory fails for no value of ours; what is empty is damaged to each reader.
    postcard::to_extend(value, vec![VERSION]).unwrap_or_default()
}

/// The same for what is some bytes longer than the packet in it.
pub(crate) fn encode_around<T: Serialize>(packet: usize, value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(packet + AROUND);
    bytes.push(VERSION);
    postcard::to_extend(value, bytes).unwrap_or_default()
}

pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StorageError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|_| StorageError::Damaged),
        _ => Err(StorageError::Damaged),
    }
}

pub(crate) const MAILBOX: u8 = 1;
pub(crate) const CARD: u8 = 2;
pub(crate) const RULES: u8 = 3;
pub(crate) const PREKEYS: u8 = 4;
pub(crate) const KEY_PACKAGES: u8 = 5;
pub(crate) const LOG: u8 = 6;
pub(crate) const SHELF: u8 = 7;

pub(crate) const SEEN: u8 = 1;
pub(crate) const BLOB: u8 = 2;
pub(crate) const CHECKPOINT: u8 = 3;

/// More than what stands around a packet.
const AROUND: usize = 128;

const VERSION: u8 = 1;
