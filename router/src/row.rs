//! How the router's rows are written: postcard, one struct a kind. The store puts a version in
//! front and seals them.

use alloc::vec::Vec;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::wire::MessageId;
use meshwork_state::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The encoding of a row.
pub(crate) fn encode<T: Serialize>(row: &T) -> SecretBytes {
    // A vector always has room, and no row has a map of unknown length.
    SecretBytes::new(postcard::to_allocvec(row).unwrap_or_default())
}

/// The row of an encoding. It was sealed by this store, so another shape means damage.
pub(crate) fn decode<T: DeserializeOwned>(value: &SecretBytes) -> Result<T, StoreError> {
    postcard::from_bytes(value.expose()).map_err(|_| StoreError::Damaged)
}

/// The key of a row about a message, by the other end and the id.
pub(crate) fn pair(peer: &AgentId, id: MessageId) -> Vec<u8> {
    let mut key = Vec::with_capacity(48);
    key.extend_from_slice(peer.as_bytes());
    key.extend_from_slice(id.as_bytes());
    key
}
